#include <allot/source/default_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/structure/concurrent_pool.hpp>
#include <allot/testing/auditing_source.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <cstring>
#include <latch>
#include <memory>
#include <mutex>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

extern "C" {
[[gnu::weak]] const char* __tsan_default_options() { return "die_after_fork=0"; }
}

namespace allot {
namespace {

constexpr layout small{.size = 64, .align = 8};

template <class Body>
void with_threads(unsigned count, Body body) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i != count; ++i) threads.emplace_back([&body, i] { body(i); });
    for (std::thread& each : threads) each.join();
}

// Slots that one thread hands to whichever comes.
class shelf {
public:
    void put(void* slot) {
        const std::lock_guard hold(mutex_);
        slots_.push_back(slot);
    }
    void* take() {
        const std::lock_guard hold(mutex_);
        if (slots_.empty()) return nullptr;
        void* const slot = slots_.back();
        slots_.pop_back();
        return slot;
    }

private:
    std::mutex mutex_;
    std::vector<void*> slots_;
};

// A million slots through eight threads, a quarter of them freed by another thread: each slot has one holder.
TEST(concurrent_pool_threads, hands_each_slot_to_one_holder_at_a_time) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(seed);
    auditing_source upstream(default_source());
    {
        concurrent_pool slots({.slot = small, .upstream = &upstream});
        shelf between;
        with_threads(8, [&](unsigned index) {
            std::mt19937 random(seed + index);
            std::vector<std::atomic<unsigned>*> mine;
            for (int i = 0; i != 125'000; ++i) {
                auto* const slot = ::new (slots.allocate()) std::atomic<unsigned>(index);
                mine.push_back(slot);
                while (mine.size() > random() % 300) {
                    std::swap(mine[random() % mine.size()], mine.back());
                    ASSERT_EQ(mine.back()->exchange(99), index);
                    if (random() % 4 == 0)
                        between.put(mine.back());
                    else
                        slots.deallocate(mine.back());
                    mine.pop_back();
                }
                if (random() % 3 == 0)
                    if (void* const other = between.take()) slots.deallocate(other);
            }
            for (auto* const each : mine) slots.deallocate(each);
        });
        while (void* const left = between.take()) slots.deallocate(left);
        slots.check();
        EXPECT_EQ(slots.usage().live_count, 0);
        EXPECT_EQ(slots.usage().total_count, 1'000'000);
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

// B27: eight threads never have more than the bound.
TEST(concurrent_pool_threads, keeps_its_bound_with_eight_threads) {
    constexpr std::uint64_t bound = 640; // so a magazine has 20
    concurrent_pool slots({.slot = small, .slot_count_max = bound});
    std::atomic<std::uint64_t> at_least = 0; // live, counted after it
    std::atomic<std::uint64_t> refused = 0;
    const auto give_back = [&](std::vector<void*>& mine) {
        at_least.fetch_sub(1);
        slots.deallocate(mine.back());
        mine.pop_back();
    };
    with_threads(8, [&](unsigned index) {
        std::mt19937 random(index);
        std::vector<void*> mine;
        for (int i = 0; i != 20'000; ++i) {
            if (random() % 1000 < (i / 1000 % 2 == 0 ? 700u : 300u)) {
                void* const slot = slots.try_allocate();
                if (!slot) {
                    refused.fetch_add(1);
                    continue;
                }
                EXPECT_LE(at_least.fetch_add(1) + 1, bound);
                mine.push_back(slot);
            } else if (!mine.empty()) {
                give_back(mine);
            }
        }
        while (!mine.empty()) give_back(mine);
    });
    slots.check();
    EXPECT_EQ(slots.usage().refused_count, refused.load());
    EXPECT_LE(slots.capacity(), bound);
    EXPECT_EQ(slots.usage().live_count, 0);
    std::vector<void*> all; // the ended threads' magazines are found
    while (void* const slot = slots.try_allocate()) all.push_back(slot);
    EXPECT_EQ(all.size(), bound);
    for (void* const each : all) slots.deallocate(each);
}

// B27: nor is one refused while more than early_bytes_max is free.
TEST(concurrent_pool_threads, refuses_no_earlier_than_it_says) {
    constexpr std::uint64_t bound = 640;
    concurrent_pool slots({.slot = small, .slot_count_max = bound});
    std::atomic<std::uint64_t> live = 0;
    std::barrier turn(8);
    with_threads(8, [&](unsigned index) {
        for (unsigned round = 0; round != 50; ++round) {
            std::vector<void*> mine;
            while (void* const slot = slots.try_allocate()) mine.push_back(slot);
            live.fetch_add(mine.size());
            turn.arrive_and_wait();
            EXPECT_GE(live.load() + slots.usage().early_bytes_max / small.size, bound);
            turn.arrive_and_wait();
            live.fetch_sub(mine.size());
            if (index % 2 == round % 2) // else the next round begins with all in the magazines
                for (void* const slot : mine) slots.deallocate(slot);
            turn.arrive_and_wait();
            if (index % 2 != round % 2)
                for (void* const slot : mine) slots.deallocate(slot);
        }
    });
    slots.check();
}

// What one thread only takes and another only gives back goes round: nothing more is taken from upstream.
TEST(concurrent_pool_threads, sends_magazines_back_to_who_takes) {
    concurrent_pool slots({.slot = small});
    constexpr unsigned rounds = 300, each_round = 500;
    std::vector<void*> out(each_round);
    std::barrier turn(2);
    std::thread maker([&] {
        for (unsigned i = 0; i != rounds; ++i) {
            for (void*& slot : out) slot = slots.allocate();
            turn.arrive_and_wait();
            turn.arrive_and_wait();
        }
    });
    for (unsigned i = 0; i != rounds; ++i) {
        turn.arrive_and_wait();
        for (void* const slot : out) slots.deallocate(slot);
        turn.arrive_and_wait();
    }
    maker.join();
    slots.check();
    EXPECT_LE(slots.usage().peak_live_bytes, 5 * each_round * small.size);
    EXPECT_EQ(slots.usage().total_count, std::uint64_t{rounds} * each_round);
}

TEST(concurrent_pool_threads, takes_back_what_an_ended_thread_left_out) {
    concurrent_pool slots({.slot = small, .slot_count_max = 100});
    std::vector<void*> out(100);
    std::thread([&] {
        for (void*& slot : out) slot = slots.allocate();
    }).join();
    EXPECT_EQ(slots.try_allocate(), nullptr);
    std::thread([&] {
        for (void* const slot : out) slots.deallocate(slot);
    }).join();
    for (void*& slot : out) EXPECT_NE(slot = slots.allocate(), nullptr);
    for (void* const slot : out) slots.deallocate(slot);
    slots.check();
}

// A thread's own objects may free when its slot is gone already.
TEST(concurrent_pool_threads, serves_the_ends_of_threads) {
    static concurrent_pool* pool = nullptr;
    concurrent_pool slots({.slot = small});
    pool = &slots;
    struct late {
        void* slot = nullptr;
        ~late() {
            pool->deallocate(slot);
            pool->deallocate(pool->allocate());
        }
    };
    for (int i = 0; i != 20; ++i)
        std::thread([&] {
            static thread_local late
                last; // made before the thread's slot is taken, so destroyed after it went
            last.slot = nullptr;
            last.slot = pool->allocate();
        }).join();
    EXPECT_EQ(slots.usage().live_count, 0);
    EXPECT_EQ(slots.usage().total_count, 40);
    slots.check();
}

TEST(concurrent_pool_threads, serves_more_threads_than_there_are_cells) {
    constexpr unsigned count = detail::thread_slot_count + 10;
    concurrent_pool slots({.slot = small});
    std::latch all(count);
    std::vector<void*> out(count);
    with_threads(count, [&](unsigned index) {
        for (int i = 0; i != 100; ++i) slots.deallocate(slots.allocate());
        out[index] = slots.allocate();
        all.arrive_and_wait(); // so that all run at once
        for (int i = 0; i != 100; ++i) slots.deallocate(slots.allocate());
        slots.deallocate(out[count - 1 - index]); // another's, mostly
    });
    EXPECT_EQ(slots.usage().live_count, 0);
    EXPECT_EQ(slots.usage().total_count, count * 201);
    slots.check();
}

TEST(concurrent_pool_threads, dies_while_running_threads_keep_its_slots) {
    auditing_source upstream(default_source());
    std::barrier step(2);
    std::unique_ptr<concurrent_pool> slots;
    std::thread other([&] {
        for (int i = 0; i != 50; ++i) {
            step.arrive_and_wait();
            for (int k = 0; k != 10; ++k) slots->deallocate(slots->allocate());
            step.arrive_and_wait();
        }
    });
    for (int i = 0; i != 50; ++i) { // often at the same address
        slots =
            std::make_unique<concurrent_pool>(concurrent_pool_options{.slot = small, .upstream = &upstream});
        step.arrive_and_wait();
        step.arrive_and_wait();
        EXPECT_EQ(slots->usage().total_count, 10);
        slots.reset();
        EXPECT_EQ(upstream.live_count(), 0);
    }
    other.join();
}

TEST(concurrent_pool_threads, trims_and_tells_its_numbers_while_others_work) {
    auditing_source upstream(default_source());
    {
        concurrent_pool slots({.slot = small,
                               .upstream = &upstream,
                               .slabs = {.bytes_min = 4096, .bytes_max = 4096},
                               .magazine_slots = 8});
        std::atomic<unsigned> running = 4;
        std::thread watcher([&] {
            while (running.load() != 0) {
                slots.trim();
                const allot::usage now = slots.describe().usage;
                EXPECT_LE(now.live_bytes, now.peak_live_bytes);
            }
            EXPECT_EQ(slots.usage().refused_count, 0);
        });
        with_threads(4, [&](unsigned index) {
            std::mt19937 random(index);
            std::vector<unsigned*> mine;
            for (int round = 0; round != 60; ++round) {
                for (unsigned i = 0; i != 400; ++i) {
                    mine.push_back(static_cast<unsigned*>(slots.allocate()));
                    *mine.back() = index;
                }
                while (mine.size() > random() % 100) {
                    EXPECT_EQ(*mine.back(), index);
                    slots.deallocate(mine.back());
                    mine.pop_back();
                }
            }
            for (unsigned* const each : mine) slots.deallocate(each);
            running.fetch_sub(1);
        });
        watcher.join();
        slots.check();
        slots.trim();
        EXPECT_EQ(slots.capacity(), 0);
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

// A budget above may ask for memory back while the pool itself is asking it for more.
TEST(concurrent_pool_threads, does_not_wait_for_itself_when_upstream_asks_it_to_reclaim) {
    struct asking final : memory_source {
        void* do_try_allocate(layout wanted) noexcept override {
            if (pool) answered += pool->reclaim({.wanted_bytes = wanted.size}) == 0;
            return default_source().try_allocate(wanted);
        }
        void do_give_back(void* address, layout given) noexcept override {
            default_source().deallocate(address, given);
        }
        source_traits do_traits() const noexcept override { return {.thread_safe = true}; }
        reclaimable* pool = nullptr;
        int answered = 0;
    } upstream;
    concurrent_pool slots({.slot = small, .upstream = &upstream});
    upstream.pool = &slots;
    std::vector<void*> all(500);
    for (void*& slot : all) slot = slots.allocate();
    EXPECT_GT(upstream.answered, 2);
    for (void* const slot : all) slots.deallocate(slot);
    EXPECT_GT(slots.reclaim({.wanted_bytes = 1}), 0);
    slots.check();
    upstream.pool = nullptr;
}

// The child has one thread: it goes on with its own cell and with those of the threads that it does not have.
TEST(concurrent_pool_threads, serves_the_child_of_a_fork_amid_other_threads) {
    page_source pages; // a sanitizer's malloc, forked amid a call, stays locked in the child
    concurrent_pool slots({.slot = small, .upstream = &pages, .slot_count_max = 4000});
    std::vector<void*> all; // the child's
    all.reserve(4000);
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    std::latch started(3);
    for (unsigned index = 0; index != 3; ++index)
        threads.emplace_back([&, index] {
            std::vector<void*> mine(100 + index);
            for (bool first = true; !stop.load(); first = false) {
                for (void*& slot : mine) slot = slots.allocate();
                for (void* const slot : mine) slots.deallocate(slot);
                if (first) started.count_down();
            }
        });
    started.wait();
    for (int i = 0; i != 20; ++i) {
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            while (void* const slot = slots.try_allocate()) all.push_back(slot);
            // The other threads have at most 303 out or in hand; their magazines are found.
            const bool enough = all.size() >= 4000 - 303 - 3;
            for (void* const slot : all) std::memset(slot, 0x5A, small.size);
            for (void* const slot : all) slots.deallocate(slot);
            _exit(enough && slots.trim() > 0 ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    stop = true;
    for (std::thread& each : threads) each.join();
    slots.check();
}

} // namespace
} // namespace allot
