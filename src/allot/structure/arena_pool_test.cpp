#include <allot/structure/arena_pool.hpp>

#include <gtest/gtest.h>

#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <atomic>
#include <cstring>
#include <mutex>
#include <random>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#if ALLOT_HAS_ASAN
#    include <sanitizer/asan_interface.h>
#endif

namespace allot {
namespace {

// ---- usage

TEST(arena_pool, hands_the_arena_out_again_that_came_back) {
    arena_pool requests({.name = "request", .kept_count_max = 8});
    {
        pooled<arena> request = requests.acquire();
        std::string_view line = request->copy("GET /index.html");
        EXPECT_EQ(line.size(), 15u);
    } // the arena comes back, empty
    pooled<arena> next = requests.acquire();
    EXPECT_EQ(requests.counts().hit_rate(), 0.5);
    EXPECT_EQ(next->usage().live_count, 0u);
    EXPECT_GT(next->usage().held_bytes, 0u);
    EXPECT_EQ(next->name().view(), "request");
    requests.check();
}

// ---- edges

// B12: with and without the pool's being full.
TEST(arena_pool, does_not_keep_a_giant_arena_as_it_is) {
    arena_pool pool({.retain_bytes_max = kibibytes(256), .kept_count_max = 1});
    {
        pooled<arena> giant = pool.acquire();
        std::memset(giant->allocate(mebibytes(30)), 1, mebibytes(30));
        for (int i = 0; i < 3000; ++i) (void)giant->allocate(1000);
        EXPECT_GE(pool.usage().held_bytes, mebibytes(32));
    }
    EXPECT_EQ(pool.counts().kept, 1u);
    EXPECT_LE(pool.usage().held_bytes, kibibytes(256));
    EXPECT_GT(pool.usage().held_bytes, 0u);
    {
        pooled<arena> one = pool.acquire();
        pooled<arena> two = pool.acquire();
        (void)two->allocate(100);
    }
    EXPECT_EQ(pool.counts().kept, 1u);
    EXPECT_EQ(pool.counts().discarded, 1u);
    EXPECT_GT(pool.trim(), sizeof(arena));
    EXPECT_EQ(pool.usage(), usage{});
    pool.check();
}

TEST(arena_pool, lets_only_so_many_out) {
    arena_pool pool({.name = "two", .out_count_max = 2});
    pooled<arena> one = pool.acquire();
    pooled<arena> two = pool.acquire();
    EXPECT_FALSE(pool.try_acquire());
    EXPECT_EQ(last_refusal().who.view(), "two");
    EXPECT_STREQ(last_refusal().kind, "arena_pool");
    EXPECT_THROW((void)pool.acquire(), out_of_memory);
    EXPECT_EQ(pool.counts().refused, 2u);
    one.give_back();
    EXPECT_TRUE(pool.try_acquire());
    pool.check();
}

TEST(arena_pool, lets_an_arena_go_with_its_content) {
    arena_pool pool;
    pooled<arena> handle = pool.acquire();
    const std::string_view text = handle->copy("stays");
    arena mine = handle.take();
    EXPECT_FALSE(handle);
    EXPECT_TRUE(mine.owns(text.data()));
    EXPECT_EQ(text, "stays");
    EXPECT_EQ(pool.counts().taken, 1u);
    EXPECT_EQ(pool.counts().out, 0u);
    pool.check();
}

// What lives in an arena may use the pool when it ends; so may an upstream that the pool calls.
TEST(arena_pool, may_be_used_by_a_destructor_that_its_reset_runs) {
    struct nested {
        arena_pool& pool;
        int depth;
        nested(arena_pool& in, int d) : pool(in), depth(d) {}
        ~nested() {
            pooled<arena> inner = pool.acquire();
            if (depth != 0) (void)inner->make_owned<nested>(pool, depth - 1);
        }
    };
    arena_pool pool({.kept_count_max = 2});
    {
        pooled<arena> outer = pool.acquire();
        (void)outer->make_owned<nested>(pool, 5);
    }
    EXPECT_EQ(pool.counts().acquired, 7u);
    EXPECT_EQ(pool.counts().out, 0u);
    EXPECT_EQ(pool.counts().kept, 2u);
    pool.check();
}

TEST(arena_pool, gives_kept_arenas_back_when_it_is_asked_for_memory) {
    arena_pool pool;
    {
        std::vector<pooled<arena>> all;
        for (int i = 0; i < 8; ++i) (void)all.emplace_back(pool.acquire())->allocate(kibibytes(100));
    }
    const std::uint64_t held = pool.usage().held_bytes;
    EXPECT_EQ(pool.reclaim({.wanted_bytes = 1000, .deadline_ns = 0}), 0u); // too late
    EXPECT_GE(pool.reclaim({.wanted_bytes = kibibytes(150)}), kibibytes(150));
    EXPECT_EQ(pool.counts().kept, 6u);
    EXPECT_LT(pool.usage().held_bytes, held - kibibytes(150));
    EXPECT_GT(pool.reclaim({.wanted_bytes = mebibytes(100)}), kibibytes(600));
    EXPECT_EQ(pool.usage().held_bytes, 0u);
    pool.check();
}

// ---- shortage

TEST(arena_pool, survives_the_refusal_of_any_block) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        arena_pool pool({.upstream = &source, .chunk_bytes_min = 512, .kept_count_max = 1});
        for (int i = 0; i < 3; ++i) {
            pooled<arena> one = pool.try_acquire();
            pooled<arena> two = pool.try_acquire();
            if (one) (void)one->try_allocate({.size = 2000});
            if (two) (void)two->try_allocate({.size = 100});
            pool.check();
        }
        (void)pool.acquire()->allocate(10);
    });
    EXPECT_GE(points, 5u);
}

// ---- books

TEST(arena_pool, takes_all_from_upstream_and_nothing_in_steady_state) {
    auditing_source below(default_source());
    {
        arena_pool pool({.upstream = &below});
        const auto request = [&pool] {
            pooled<arena> it = pool.acquire();
            for (std::size_t i = 0; i < 100; ++i) (void)it->allocate(10 * i + 1);
            pooled<arena> nested = pool.acquire();
            (void)nested->allocate(100);
        };
        request();
        request();
        const std::uint64_t blocks = below.usage().total_count;
        long fewest = -1;
        {
            const no_allocation nothing_else;
            for (int window = 0; window < 5 && fewest != 0; ++window) {
                rusage before = {};
                rusage after = {};
                getrusage(RUSAGE_THREAD, &before);
                for (int i = 0; i < 2'500; ++i) request(); // over a million allocations in all
                getrusage(RUSAGE_THREAD, &after);
                const long faults = after.ru_minflt - before.ru_minflt;
                fewest = fewest < 0 ? faults : std::min(fewest, faults);
            }
        }
        EXPECT_EQ(fewest, 0);
        EXPECT_EQ(below.usage().total_count, blocks);
        EXPECT_EQ(pool.counts().missed, 2u);
        EXPECT_GT(pool.counts().hit_rate(), 0.99);
    }
    EXPECT_EQ(below.live_count(), 0u);
}

// ---- model

TEST(arena_pool, agrees_with_a_list_of_handles) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    arena_pool pool({.chunk_bytes_min = 512, .kept_count_max = 5, .out_count_max = 12});
    struct holder {
        pooled<arena> it;
        std::vector<std::pair<std::string_view, std::string>> texts;
    };
    std::vector<holder> out;
    std::uint64_t acquired = 0;
    std::uint64_t returned = 0;
    std::uint64_t refused = 0;
    for (int step = 0; step < 20'000; ++step) {
        const auto kind = random() % 10;
        if (kind < 3) {
            pooled<arena> made = pool.try_acquire();
            EXPECT_EQ(static_cast<bool>(made), out.size() < 12);
            if (!made) {
                ++refused;
            } else {
                ++acquired;
                EXPECT_EQ(made->usage().live_count, 0u);
                out.push_back({std::move(made), {}});
            }
        } else if (kind < 6 && !out.empty()) {
            const std::size_t which = random() % out.size();
            std::swap(out[which], out.back());
            for (const auto& [view, truth] : out.back().texts) ASSERT_EQ(view, truth);
            out.pop_back();
            ++returned;
        } else if (!out.empty()) {
            holder& any = out[random() % out.size()];
            const std::string text(random() % 300, static_cast<char>('a' + random() % 26));
            any.texts.emplace_back(any.it->copy(text), text);
        }
        const object_counts now = pool.counts();
        ASSERT_EQ(now.out, out.size());
        ASSERT_EQ(now.acquired, acquired);
        ASSERT_EQ(now.returned, returned);
        ASSERT_EQ(now.refused, refused);
        if (step % 100 == 0) pool.check();
    }
}

// ---- threads

TEST(arena_pool, serves_eight_threads_that_give_back_each_others_arenas) {
    auditing_source below(default_source());
    {
        arena_pool pool({.upstream = &below, .chunk_bytes_min = 512, .kept_count_max = 4});
        std::mutex lock; // of the place where threads leave arenas for others
        std::vector<std::pair<pooled<arena>, std::span<int>>> left;
        std::vector<std::thread> threads;
        for (int t = 0; t < 8; ++t)
            threads.emplace_back([&, t] {
                for (int i = 0; i < 2000; ++i) {
                    pooled<arena> mine = pool.acquire();
                    const std::span<int> row = mine->make_span<int>(50);
                    for (int& each : row) each = t;
                    std::pair<pooled<arena>, std::span<int>> others;
                    {
                        const std::lock_guard hold(lock);
                        left.emplace_back(std::move(mine), row);
                        if (left.size() > 6) {
                            others = std::move(left.front());
                            left.erase(left.begin());
                        }
                    }
                    for (const int each : others.second) ASSERT_EQ(each, others.second[0]);
                    if (i % 64 == 0) (void)pool.usage();
                    if (i % 500 == 0) (void)pool.reclaim({.wanted_bytes = 1});
                }
            });
        for (std::thread& each : threads) each.join();
        EXPECT_EQ(pool.counts().acquired, 16'000u);
        EXPECT_EQ(pool.counts().out, left.size()); // of threads that have ended
        pool.check();
        left.clear();
        EXPECT_EQ(pool.counts().out, 0u);
    }
    EXPECT_EQ(below.live_count(), 0u);
}

#if !defined(__SANITIZE_THREAD__)
TEST(arena_pool, is_whole_in_the_child_of_a_fork) {
    arena_pool pool({.kept_count_max = 2});
    std::atomic<bool> done = false;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
        threads.emplace_back([&] {
            while (!done) (void)pool.acquire()->allocate(100);
        });
    for (int i = 0; i < 10; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            for (int k = 0; k < 10; ++k) (void)pool.acquire()->allocate(1000);
            ::_exit(pool.counts().acquired >= 10 ? 0 : 1);
        }
        int status = -1;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    done = true;
    for (std::thread& each : threads) each.join();
}
#endif

// An arena that came back shows its dead bytes to AddressSanitizer, and at level full to everybody.
TEST(arena_pool, marks_what_came_back_as_dead) {
    arena_pool pool;
    pooled<arena> it = pool.acquire();
    auto* const block = static_cast<unsigned char*>(it->allocate(64));
    it.give_back();
#if ALLOT_HAS_ASAN
    EXPECT_TRUE(__asan_address_is_poisoned(block + 8));
#else
    if constexpr (checks == check_level::full) {
        EXPECT_EQ(block[8], 0xDD);
    }
    (void)block;
#endif
}

} // namespace
} // namespace allot
