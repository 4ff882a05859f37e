#include <allot/source/default_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/structure/concurrent_buffer_pool.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <allot/testing/source_conformance.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <deque>
#include <mutex>
#include <random>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

// A sanitizer's malloc ends the program at sizes that it finds absurd, unless told to refuse them.
extern "C" {
[[gnu::weak]] const char* __asan_default_options() { return "allocator_may_return_null=1"; }
[[gnu::weak]] const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
}

namespace allot {
namespace {

constexpr buffer_tier small_tiers[] = {{.size = 256, .kept_count_max = 40},
                                       {.size = 1024, .kept_count_max = 8, .out_count_max = 12},
                                       {.size = 4096, .kept_count_max = 3}};

template <class Body>
void in_threads(int count, Body body) {
    std::barrier start(count);
    std::vector<std::jthread> threads;
    for (int i = 0; i != count; ++i)
        threads.emplace_back([&, i] {
            start.arrive_and_wait();
            body(i);
        });
}

// Usage.

TEST(concurrent_buffer_pool, takes_a_buffer_back_on_another_thread) {
    concurrent_buffer_pool pool({.name = "network"});
    buffer request = pool.acquire({.bytes = 100});
    request.append("GET /");
    std::thread([mine = std::move(request)]() mutable {
        EXPECT_TRUE(mine.text() == "GET /");
    }).join(); // came back on that thread
    EXPECT_TRUE(pool.usage().live_count == 0);
    EXPECT_TRUE(pool.statistics(0).kept_count() == 1);
    pool.check();
}

// Edges.

TEST(concurrent_buffer_pool, serves_every_wish_with_as_much_or_more) { // B22, B23
    auditing_source upstream(default_source());
    {
        concurrent_buffer_pool pool({.upstream = &upstream, .tiers = small_tiers});
        for (std::size_t bytes = 0; bytes <= 6000; bytes += 13) {
            const buffer got = pool.acquire({.bytes = bytes});
            ASSERT_GE(got.capacity(), bytes);
            ASSERT_TRUE(is_aligned(got.data(), 64));
        }
        EXPECT_EQ(pool.statistics(0).made_count, 1);
        EXPECT_GT(pool.statistics(0).hit_rate(), 0.9);
        EXPECT_EQ(pool.usage().live_count, 0);
        pool.check();
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

TEST(concurrent_buffer_pool, takes_a_grown_buffer_back_in_the_tier_that_it_grew_to) { // B23
    concurrent_buffer_pool pool({.tiers = small_tiers});
    {
        buffer grows = pool.acquire({.bytes = 1, .tenant = 7});
        while (grows.size() < 6000) grows.append("secret");
        grows.truncate(3000);
        EXPECT_TRUE(grows.try_shrink());
    }
    for (std::size_t at = 0; at != 3; ++at) {
        EXPECT_EQ(pool.statistics(at).kept_count(), 1);
        buffer other = pool.acquire({.bytes = pool.tier(at).size, .tenant = 8}); // B17
        const std::span<std::byte> all = other.extend(other.capacity());
        EXPECT_TRUE(checks == check_level::full ||
                    std::ranges::all_of(all, [](std::byte each) { return each == std::byte{0}; }));
    }
    pool.check();
}

TEST(concurrent_buffer_pool, gives_kept_buffers_up_before_it_refuses) {
    concurrent_buffer_pool pool({.name = "bounded", .tiers = small_tiers, .limit_bytes = 8000});
    std::vector<buffer> out;
    for (int i = 0; i != 8; ++i) out.push_back(pool.acquire({.bytes = 256}));
    out.clear();
    out.push_back(pool.acquire({.bytes = 4096}));
    out.push_back(pool.acquire({.bytes = 1024}));
    EXPECT_EQ(pool.try_acquire({.bytes = 4096}).capacity(), 0);
    EXPECT_EQ(last_refusal().who, name("bounded"));
    EXPECT_EQ(last_refusal().limit_bytes, 8000);
    EXPECT_THROW((void)pool.acquire({.bytes = 9000}), out_of_memory);
    EXPECT_EQ(pool.usage().refused_count, 2);
    pool.check();
}

TEST(concurrent_buffer_pool, trims_what_is_idle_to_two_mebibytes_and_gives_all_back_when_asked) { // LA4
    concurrent_buffer_pool pool({});
    {
        std::vector<buffer> out;
        for (const std::size_t bytes : {kibibytes(4), kibibytes(64), mebibytes(1)})
            for (int i = 0; i != 100; ++i) out.push_back(pool.acquire({.bytes = bytes}));
    }
    EXPECT_EQ(pool.usage().free_bytes, 100 * kibibytes(4) + 50 * kibibytes(64) + 10 * mebibytes(1));
    EXPECT_GT(pool.trim(), mebibytes(10));
    EXPECT_LE(pool.usage().free_bytes, mebibytes(2));
    EXPECT_EQ(pool.statistics(0).kept_count(), 100); // the largest go first
    EXPECT_EQ(pool.manner(), reclaim_manner::concurrent);
    const std::uint64_t gone = pool.reclaim({.wanted_bytes = kibibytes(100)});
    EXPECT_GE(gone, kibibytes(100));
    EXPECT_EQ(pool.reclaim({.wanted_bytes = mebibytes(100), .deadline_ns = 1}), 0); // too late for anything
    EXPECT_GT(pool.reclaim({.wanted_bytes = mebibytes(100)}), 0);
    EXPECT_EQ(pool.usage().free_bytes, 0);
    pool.check();
}

TEST(concurrent_buffer_pool, tells_its_observer_of_buffers_that_are_out_when_it_dies) {
    struct : observer {
        event seen;
        void observe(const event& what) noexcept override { seen = what; }
    } watcher;
    stolen_block left;
    {
        concurrent_buffer_pool leaking({.name = "leaking", .observer = &watcher});
        left = leaking.acquire({.bytes = mebibytes(2)}).steal();
    }
    EXPECT_EQ(watcher.seen.what, event::type::unbalanced);
    EXPECT_EQ(watcher.seen.count, 1);
    default_source().deallocate(left.address, left.block); // an outsized block is upstream's own
}

// Shortage.

TEST(concurrent_buffer_pool, survives_every_refusal_of_its_upstream) {
    for (const bool lasting : {false, true}) {
        const std::uint64_t points = for_each_failure(
            [](failing_source& source) {
                concurrent_buffer_pool pool({.upstream = &source, .tiers = small_tiers});
                std::vector<buffer> out;
                for (std::size_t i = 0; i != 40; ++i) {
                    buffer got = pool.try_acquire({.bytes = i * 150});
                    if (got.capacity() != 0) out.push_back(std::move(got));
                    if (i % 3 == 2 && !out.empty()) out.erase(out.begin());
                }
                EXPECT_EQ(pool.usage().live_count, out.size());
                out.clear();
                EXPECT_EQ(pool.usage().live_count, 0);
                pool.check();
            },
            {.lasting = lasting});
        EXPECT_GT(points, 8);
    }
}

// Books.

TEST(concurrent_buffer_pool, needs_nothing_from_upstream_and_no_page_in_steady_state) { // LA11, B28
    const auto faults = [] {
        rusage now{};
        getrusage(RUSAGE_THREAD, &now);
        return now.ru_minflt;
    };
    auditing_source upstream(default_source());
    concurrent_buffer_pool pool({.upstream = &upstream});
    long fewest = 1000;
    for (int window = 0; window != 6; ++window) { // the first one warms up
        const long before = faults();
        const std::uint64_t blocks = upstream.usage().total_count;
        const no_allocation nothing({.on_finding = on_finding::collect});
        for (int i = 0; i != 10000; ++i) {
            buffer one = pool.acquire({.bytes = kibibytes(4)});
            buffer two = pool.acquire({.bytes = kibibytes(64)});
            buffer three = pool.acquire({.bytes = mebibytes(1)});
            for (buffer* each : {&one, &two, &three})
                *each->extend(each->capacity() - 1).data() = std::byte{1};
        }
        if (window == 0) continue;
        EXPECT_EQ(nothing.count(), 0);
        EXPECT_EQ(upstream.usage().total_count, blocks);
        fewest = std::min(fewest, faults() - before);
    }
    EXPECT_EQ(fewest, 0);
}

TEST(concurrent_buffer_pool, keeps_the_laws_of_a_source) {
    constexpr buffer_tier tiers[] = {{.size = 256, .kept_count_max = 9}, {.size = 4096, .kept_count_max = 1}};
    for (const conformance_law& law : conformance_laws()) {
        auditing_source upstream(default_source());
        concurrent_buffer_pool subject({.upstream = &upstream, .tiers = tiers});
        for (const std::string& finding : check_law(law, subject, {.align_max = 4096}))
            ADD_FAILURE() << law.name << ": " << finding;
        subject.check();
    }
}

// Many threads.

TEST(concurrent_buffer_pool, mixes_no_bytes_up_among_eight_threads) {
    auditing_source upstream(default_source());
    {
        concurrent_buffer_pool pool({.upstream = &upstream, .tiers = small_tiers});
        std::mutex mutex;
        std::deque<buffer> crossing;
        in_threads(8, [&](int number) {
            std::mt19937 random(static_cast<unsigned>(number));
            const auto mark = static_cast<char>('a' + number);
            for (int i = 0; i != 3000; ++i) {
                buffer mine = pool.try_acquire({.bytes = random() % 5000});
                if (mine.capacity() == 0) continue; // out_count_max
                mine.append(std::string(random() % mine.capacity(), mark));
                const std::lock_guard hold(mutex);
                crossing.push_back(std::move(mine));
                if (crossing.size() > 20) {
                    const buffer other = std::move(crossing.front()); // of any thread
                    crossing.pop_front();
                    const std::string_view text = other.text();
                    ASSERT_EQ(std::ranges::count(text, text.empty() ? ' ' : text[0]), std::ssize(text));
                }
            }
        });
        crossing.clear();
        pool.check();
        const allot::usage now = pool.usage();
        EXPECT_EQ(now.live_count, 0);
        EXPECT_EQ(upstream.live_bytes(), now.held_bytes);
        EXPECT_LE(upstream.usage().peak_live_bytes, now.peak_held_bytes + kibibytes(64));
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

TEST(concurrent_buffer_pool, never_has_more_out_than_it_may_nor_refuses_one_that_it_may) { // B27
    constexpr buffer_tier tiers[] = {{.size = 256, .kept_count_max = 6, .out_count_max = 16}};
    concurrent_buffer_pool pool({.tiers = tiers});
    std::atomic<std::int64_t> out = 0;
    in_threads(8, [&](int) {
        for (int i = 0; i != 5000; ++i) {
            const buffer one = pool.try_acquire({.bytes = 1}); // two for each thread: never refused
            const buffer two = pool.try_acquire({.bytes = 1});
            ASSERT_NE(one.capacity(), 0);
            ASSERT_NE(two.capacity(), 0);
            ASSERT_LE(out.fetch_add(2) + 2, 16);
            out.fetch_sub(2);
        }
    });
    EXPECT_EQ(pool.usage().refused_count, 0);
    std::atomic<std::uint64_t> refused = 0;
    in_threads(8, [&](int) {
        for (int i = 0; i != 2000; ++i) {
            std::vector<buffer> mine;
            for (int k = 0; k != 5; ++k) { // forty wanted, sixteen to be had
                mine.push_back(pool.try_acquire({.bytes = 1}));
                if (mine.back().capacity() == 0) {
                    ++refused;
                    mine.pop_back();
                    continue;
                }
                ASSERT_LE(out.fetch_add(1) + 1, 16);
            }
            out.fetch_sub(std::ssize(mine));
        }
    });
    EXPECT_EQ(pool.usage().refused_count, refused.load());
    EXPECT_LE(pool.statistics(0).kept_count(), 6);
    pool.check();
}

TEST(concurrent_buffer_pool, never_holds_more_than_its_limit_with_eight_threads) {
    auditing_source upstream(default_source());
    constexpr std::uint64_t limit = 60000;
    concurrent_buffer_pool pool({.upstream = &upstream, .tiers = small_tiers, .limit_bytes = limit});
    in_threads(8, [&](int number) {
        std::mt19937 random(static_cast<unsigned>(number));
        for (int i = 0; i != 2000; ++i) {
            const buffer one = pool.try_acquire({.bytes = random() % 9000});
            const buffer two = pool.try_acquire({.bytes = random() % 9000});
        }
    });
    // Without it these threads would hold 200 kB and more; the magazines come on top of it.
    EXPECT_LE(upstream.usage().peak_live_bytes, limit + kibibytes(24));
    EXPECT_LE(pool.usage().peak_held_bytes, limit + kibibytes(24));
    pool.check();
}

TEST(concurrent_buffer_pool, goes_on_when_threads_end_with_buffers_out) {
    concurrent_buffer_pool pool({.tiers = small_tiers});
    std::vector<buffer> left;
    std::mutex mutex;
    for (int round = 0; round != 40; ++round) { // more threads than slots, in all
        in_threads(8, [&](int) {
            buffer mine = pool.acquire({.bytes = 100});
            {
                const buffer kept = pool.acquire({.bytes = 100});
            }
            const std::lock_guard hold(mutex);
            left.push_back(std::move(mine));
        });
    }
    EXPECT_EQ(pool.usage().live_count, 320);
    left.clear(); // by this thread, after all of theirs ended
    EXPECT_EQ(pool.usage().live_count, 0);
    EXPECT_LE(pool.statistics(0).kept_count(), 40);
    pool.check();
    pool.trim(0);
    EXPECT_EQ(pool.usage().free_bytes, 0); // nothing stays in the magazines of ended threads
}

TEST(concurrent_buffer_pool, works_in_the_child_of_a_fork) {
    page_source pages; // a sanitizer's malloc, forked amid a call, stays locked in the child
    concurrent_buffer_pool pool({.upstream = &pages, .tiers = small_tiers});
    std::vector<buffer> mine; // the child's
    mine.reserve(100);
    std::atomic<bool> done = false;
    std::atomic<int> started = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i != 3; ++i)
        threads.emplace_back([&] {
            ++started;
            while (!done) (void)pool.try_acquire({.bytes = 100});
        });
    while (started != 3) std::this_thread::yield();
    for (int round = 0; round != 10; ++round) {
        const pid_t child = fork();
        if (child == 0) {
            for (int i = 0; i != 100; ++i) mine.push_back(pool.try_acquire({.bytes = 200}));
            bool all = true;
            for (buffer& each : mine) all = all && each.try_append("text");
            mine.clear();
            pool.trim(0);
            _exit(all ? 0 : 1);
        }
        int status = -1;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_EQ(status, 0);
    }
    done = true;
}

TEST(concurrent_buffer_pool, trims_while_others_work) {
    concurrent_buffer_pool pool({.tiers = small_tiers});
    std::atomic<int> running = 4;
    in_threads(5, [&](int number) {
        if (number == 4) {
            while (running != 0) {
                pool.trim(1000);
                (void)pool.reclaim({.wanted_bytes = 5000});
                // Inexact while others work: by what is kept and what their magazines hold, at most.
                EXPECT_LE(pool.describe().usage.live_count, 8 + 40 + 8 + 3 + 4 * 2 * 5);
            }
            return;
        }
        for (int i = 0; i != 5000; ++i) {
            buffer one = pool.acquire({.bytes = 100});
            buffer two = pool.acquire({.bytes = 2000});
            one.append("text");
            two.append("text");
        }
        --running;
    });
    EXPECT_EQ(pool.usage().live_count, 0);
    pool.check();
}

} // namespace
} // namespace allot
