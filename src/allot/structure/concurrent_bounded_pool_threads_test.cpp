// A concurrent_bounded_pool among threads: what it promises to eight on however many processors there are, across
// the end of threads and a fork; and what it does about misuse.
#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_bounded_pool.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <latch>
#include <memory>
#include <mutex>
#include <random>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace allot {
namespace {

constexpr layout small{.size = 64, .align = 8};
constexpr unsigned thread_count = 8;

template <class Work>
void on_threads(Work work) {
    std::latch start(thread_count);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i != thread_count; ++i)
        threads.emplace_back([&, i] {
            start.arrive_and_wait();
            work(i);
        });
    for (std::thread& each : threads) each.join();
}

// B27: the count of slots out never exceeds the bound, and a slot never has two owners; 1.6 M allocations. The owner's
// mark is written with plain stores, so that ThreadSanitizer sees a missing order.
TEST(concurrent_bounded_pool_threads, never_hands_out_more_than_its_bound_to_eight_threads) {
    for (const std::uint64_t bound : {1u, 3u, 8u, 20u, 1000u}) {
        concurrent_bounded_pool slots({.slot = small, .slot_count = bound});
        std::atomic<std::uint64_t> out = 0, total = 0, refused = 0, beyond = 0, mixed = 0;
        on_threads([&](unsigned self) {
            std::minstd_rand random(self + 1);
            std::vector<std::uint64_t*> mine;
            for (int i = 0; i != 40'000; ++i) {
                if (random() % 2 != 0 && mine.size() != 100) {
                    auto* const slot = static_cast<std::uint64_t*>(slots.try_allocate());
                    if (!slot) {
                        ++refused;
                        continue;
                    }
                    beyond += ++out > bound;
                    *slot = self;
                    ++total;
                    mine.push_back(slot);
                } else if (!mine.empty()) {
                    mixed += *mine.back() != self;
                    --out;
                    slots.deallocate(mine.back());
                    mine.pop_back();
                }
            }
            out -= mine.size();
            for (std::uint64_t* slot : mine) slots.deallocate(slot);
        });
        EXPECT_EQ(beyond, 0) << bound;
        EXPECT_EQ(mixed, 0) << bound;
        slots.check();
        EXPECT_EQ(slots.usage().live_count, 0);
        EXPECT_EQ(slots.usage().total_count, total);
        EXPECT_EQ(slots.usage().refused_count, refused);
    }
}

// Not refused early: with a slot for each thread, whoever holds none always gets one.
TEST(concurrent_bounded_pool_threads, never_refuses_while_a_slot_is_free) {
    concurrent_bounded_pool slots({.slot = small, .slot_count = thread_count});
    std::atomic<std::uint64_t> refused = 0;
    on_threads([&](unsigned) {
        for (int i = 0; i != 50'000; ++i) {
            void* const slot = slots.try_allocate();
            refused += slot == nullptr;
            if (slot) slots.deallocate(slot);
        }
    });
    EXPECT_EQ(refused, 0);
    slots.check();
}

// Another thread holds all slots but one, and moves that one about: it gives two back, one anywhere and one of the
// free one's word, and takes two. Who asks meanwhile looks at 256 words one after the other and may find each of them
// empty, though at no moment all are out; and its own exchange meets the other's in every word. (A search that looks
// once, that doesn't compare the counts of what came back, or that stores where it must exchange, fails here.)
TEST(concurrent_bounded_pool_threads, finds_the_one_free_slot_though_it_is_moved_about) {
    constexpr std::size_t bound = 8192;
    concurrent_bounded_pool slots({.slot = small, .slot_count = bound});
    const auto owners = std::make_unique<std::atomic<int>[]>(bound);
    std::atomic<int> refused = 0, mixed = 0;
    std::vector<std::byte*> all;
    while (auto* const slot = static_cast<std::byte*>(slots.try_allocate())) all.push_back(slot);
    ASSERT_EQ(all.size(), bound);
    std::ranges::sort(all);
    const auto take = [&](int self) { // the slot's number, or bound
        void* const slot = slots.try_allocate();
        if (!slot) {
            ++refused;
            return bound;
        }
        const auto at = static_cast<std::size_t>(static_cast<std::byte*>(slot) - all[0]) / slots.stride();
        mixed += owners[at].exchange(self) != 0;
        return at;
    };
    const auto give = [&](std::size_t at, int self) {
        mixed += owners[at].exchange(0) != self;
        slots.deallocate(all[at]);
    };
    for (std::size_t i = 0; i != bound; ++i) owners[i] = 1;
    std::atomic<bool> done = false;
    std::latch start(2);
    std::thread mover([&] {
        (void)detail::take_thread_slot(); // so that each begins its search elsewhere
        std::minstd_rand random(1);
        std::size_t free = 0;
        give(free, 1);
        start.arrive_and_wait();
        while (!done) {
            const std::size_t beside = free ^ 1, other = (free + 2 + random() % (bound - 2)) % bound;
            if (other == beside) continue;
            give(other, 1);
            give(beside, 1);
            const std::size_t first = take(1), second = take(1);
            if (first == bound || second == bound) break; // refused
            free ^= other ^ beside ^ first ^ second;      // the one of three that was not taken
        }
    });
    (void)detail::take_thread_slot();
    start.arrive_and_wait();
    // Both must run at one time for many moves to be seen; on a busy machine that takes a while.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
    std::size_t moves_seen = 0, last = 0;
    while (moves_seen != 50'000 && refused == 0 && mixed == 0 && std::chrono::steady_clock::now() < end) {
        const std::size_t at = take(2);
        if (at == bound) break;
        give(at, 2);
        moves_seen += std::exchange(last, at) != at;
    }
    done = true;
    mover.join();
    std::printf("%zu moves seen\n", moves_seen);
    EXPECT_EQ(refused, 0);
    EXPECT_EQ(mixed, 0) << "a slot had two owners";
    EXPECT_EQ(slots.usage().live_count, bound - 1) << "a slot is lost";
    slots.check();
}

TEST(concurrent_bounded_pool_threads, takes_slots_back_from_any_thread_also_when_the_first_one_ended) {
    concurrent_bounded_pool slots({.slot = small, .slot_count = 200});
    std::vector<void*> out;
    for (int round = 0; round != 20; ++round) {
        std::thread([&] {
            for (int i = 0; i != 200; ++i) out.push_back(slots.allocate());
        }).join();
        EXPECT_FALSE(slots.try_allocate());
        std::thread([&] {
            for (void* slot : out) slots.deallocate(slot);
        }).join();
        out.clear();
        slots.check();
    }
    EXPECT_EQ(slots.usage().total_count, 20 * 200);
}

// One thread takes, another gives back, through a ring of hands.
TEST(concurrent_bounded_pool_threads, passes_slots_from_a_producer_to_a_consumer) {
    concurrent_bounded_pool slots({.slot = small, .slot_count = 64});
    std::array<std::atomic<std::uint64_t*>, 64> ring = {};
    constexpr std::uint64_t count = 200'000;
    std::thread consumer([&] {
        for (std::uint64_t i = 0; i != count; ++i) {
            std::atomic<std::uint64_t*>& hand = ring[i % 64];
            std::uint64_t* slot = nullptr;
            while (!(slot = hand.exchange(nullptr))) std::this_thread::yield();
            ASSERT_EQ(*slot, i);
            slots.deallocate(slot);
        }
    });
    for (std::uint64_t i = 0; i != count; ++i) {
        std::atomic<std::uint64_t*>& hand = ring[i % 64];
        while (hand.load()) std::this_thread::yield();
        std::uint64_t* slot = nullptr;
        while (!(slot = static_cast<std::uint64_t*>(slots.try_allocate()))) std::this_thread::yield();
        *slot = i;
        hand.store(slot);
    }
    consumer.join();
    slots.check();
    EXPECT_EQ(slots.usage().total_count, count);
}

TEST(concurrent_bounded_pool_threads, tells_any_thread_its_numbers) {
    concurrent_bounded_pool slots({.slot = small, .slot_count = 100});
    std::atomic<bool> done = false;
    std::thread reader([&] {
        while (!done) {
            const allot::usage now = slots.describe().usage;
            EXPECT_LE(now.live_count, 100);
            EXPECT_EQ(now.live_bytes + now.free_bytes + now.slack_bytes, now.held_bytes);
        }
    });
    on_threads([&](unsigned) {
        for (int i = 0; i != 20'000; ++i)
            if (void* const slot = slots.try_allocate()) slots.deallocate(slot);
    });
    done = true;
    reader.join();
    EXPECT_EQ(slots.usage().live_count, 0);
    EXPECT_EQ(slots.usage().total_count, thread_count * 20'000);
}

TEST(concurrent_bounded_pool_threads, works_in_the_child_of_a_fork_while_other_threads_use_it) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer does not follow a fork among threads";
#endif
    concurrent_bounded_pool slots({.slot = small, .slot_count = 100});
    std::atomic<bool> done = false;
    std::vector<std::thread> threads;
    for (int i = 0; i != 3; ++i)
        threads.emplace_back([&] {
            while (!done)
                if (void* const slot = slots.try_allocate()) slots.deallocate(slot);
        });
    for (int round = 0; round != 20; ++round) {
        const pid_t child = fork();
        if (child == 0) {
            const std::uint64_t lost = slots.usage().live_count; // held by the threads that are not here
            std::uint64_t served = 0;
            while (slots.try_allocate()) ++served;
            slots.check();
            _exit(lost <= 3 && served == 100 - lost ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    done = true;
    for (std::thread& each : threads) each.join();
}

long faults() {
    rusage now{};
    getrusage(RUSAGE_THREAD, &now);
    return now.ru_minflt;
}

TEST(concurrent_bounded_pool_threads, meets_no_page_fault_in_its_steady_state) {
    concurrent_bounded_pool slots({.slot = small, .slot_count = 1000});
    std::vector<void*> all(1000);
    long fewest = 1000;
    for (int window = 0; window != 6; ++window) { // the first one warms up
        const long before = faults();
        for (int round = 0; round != 20; ++round) {
            for (void*& slot : all) std::memset(slot = slots.allocate(), 1, 64);
            for (void* slot : all) slots.deallocate(slot);
        }
        if (window != 0) fewest = std::min(fewest, faults() - before);
    }
    EXPECT_EQ(fewest, 0);
}

#if ALLOT_HAS_ASAN
extern "C" int __asan_address_is_poisoned(const volatile void*);

TEST(concurrent_bounded_pool_threads, shows_every_dead_byte_to_asan) {
    concurrent_bounded_pool slots({.slot = small, .slot_count = 3});
    auto* const first = static_cast<unsigned char*>(slots.allocate());
    for (int i = 0; i != 64; ++i) {
        EXPECT_FALSE(__asan_address_is_poisoned(first + i));
        EXPECT_TRUE(__asan_address_is_poisoned(slots.usage().live_count == 1 ? first + 64 + i : first));
    }
    slots.deallocate(first);
    for (int i = 0; i != 64; ++i) EXPECT_TRUE(__asan_address_is_poisoned(first + i));
}
#endif

#if ALLOT_CHECK_LEVEL > 0

// B17, B18: each slot has a state of its own.
TEST(concurrent_bounded_pool_death, a_slot_comes_back_once_whole_and_to_its_own_pool) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    concurrent_bounded_pool slots({.name = "16", .slot = {.size = 16, .align = 8}, .slot_count = 40});
    concurrent_bounded_pool others({.name = "256", .slot = {.size = 256, .align = 8}, .slot_count = 40});
    auto* const slot = static_cast<std::byte*>(slots.allocate());
    void* const second = slots.allocate();
    (void)others.allocate();
    EXPECT_DEATH(others.deallocate(slot), "pool '256': 0x[0-9a-f]+ is no slot of this pool");
    EXPECT_DEATH(slots.deallocate(slot + 8), "pool '16': 0x.* lies 8 bytes into slot 0x");
    EXPECT_DEATH(slots.deallocate(slot + 32), "is no slot of this pool"); // never handed out
    EXPECT_DEATH(slots.deallocate(nullptr), "is no slot of this pool");
    slots.deallocate(slot);
    EXPECT_DEATH(slots.deallocate(slot), "fatal: concurrent_bounded_pool '16': slot 0x.* given back twice");
    slots.deallocate(second);
    EXPECT_DEATH(slots.deallocate(slot), "given back twice"); // not only the newest
}

TEST(concurrent_bounded_pool_death, a_write_to_a_free_slot_is_seen_when_it_is_handed_out_again) {
    GTEST_FLAG_SET(death_test_style, "fast");
    concurrent_bounded_pool slots({.name = "slots", .slot = small, .slot_count = 1});
    auto* const slot = static_cast<unsigned char*>(slots.allocate());
    slots.deallocate(slot);
    mark_live(slot, 64); // so that AddressSanitizer leaves it to the pool
    for (std::size_t i = 0; i != (checks == check_level::full ? 64 : 8); ++i) {
        const auto before = std::exchange(slot[i], static_cast<unsigned char>(slot[i] ^ 1));
        EXPECT_DEATH((void)slots.allocate(), "slot 0x.* was written to after it was given back");
        slot[i] = before;
    }
    EXPECT_EQ(slots.allocate(), slot);
}

#endif

} // namespace
} // namespace allot
