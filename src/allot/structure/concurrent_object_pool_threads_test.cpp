// concurrent_object_pool with many threads; to be run under ThreadSanitizer, too.
#include <allot/source/page_source.hpp>
#include <allot/structure/concurrent_object_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace allot {
namespace {

struct item {
    std::uint64_t owner = 0; // not atomic: two at once are a race
    std::uint64_t uses = 0;
    void reset() { owner = 0; }
};
using item_pool = concurrent_object_pool<item>;

template <class Body>
void in_threads(unsigned count, Body body) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i != count; ++i) threads.emplace_back(body, i);
    for (std::thread& each : threads) each.join();
}

// So many out among all threads at any time, counted by hand.
struct gauge {
    std::atomic<std::int64_t> now = 0, most = 0, added = 0;
    void add() {
        ++added;
        const std::int64_t after = ++now;
        std::int64_t before = most;
        while (before < after && !most.compare_exchange_weak(before, after)) {
        }
    }
};

TEST(concurrent_object_pool_threads, never_overrun_the_limit_and_are_refused_no_earlier_than_told) { // B27
    constexpr std::int64_t limit = 40;
    item_pool pool({.name = "items", .kept_count_max = 20, .out_count_max = limit});
    gauge out;
    std::atomic<std::uint64_t> refused = 0, early = 0;
    in_threads(8, [&](unsigned number) {
        std::mt19937 random(number);
        std::vector<pooled<item>> mine;
        for (int i = 0; i != 100'000; ++i) {
            if (random() % 100 < 55) {
                const std::int64_t added = out.added;
                const std::int64_t before = out.now;
                if (pooled<item> one = pool.try_acquire()) {
                    out.add();
                    one->owner = number + 1;
                    mine.push_back(std::move(one));
                } else {
                    ++refused;
                    // At no time meanwhile were more out than before, what came since, and one step of each thread.
                    const std::int64_t at_most = before + (out.added - added) + 8;
                    early += at_most + static_cast<std::int64_t>(pool.early_count_max()) < limit;
                }
            } else if (!mine.empty()) {
                EXPECT_EQ(mine.back()->owner, number + 1);
                --out.now;
                mine.pop_back();
            }
        }
        out.now -= static_cast<std::int64_t>(mine.size());
    });
    EXPECT_LE(out.most, limit);
    EXPECT_GT(refused, 0);
    EXPECT_EQ(early, 0);
    pool.check();
    const object_counts now = pool.counts();
    EXPECT_EQ(now.out, 0);
    EXPECT_LE(now.kept, 20);
    EXPECT_EQ(now.refused, refused);
    EXPECT_EQ(now.acquired, now.returned);
}

TEST(concurrent_object_pool_threads, never_overrun_the_limit_where_each_object_is_made_anew) { // B27
    item_pool pool({.kept_count_max = 0, .out_count_max = 3});
    gauge out;
    in_threads(8, [&](unsigned) {
        for (int i = 0; i != 50'000; ++i) {
            const pooled<item> one = pool.try_acquire();
            if (!one) continue;
            out.add();
            --out.now;
        }
    });
    EXPECT_LE(out.most, 3);
    pool.check(); // no addition was lost
    EXPECT_EQ(pool.counts().out, 0);
}

TEST(concurrent_object_pool_threads, reach_all_objects_once_the_others_have_ended) {
    item_pool pool({.kept_count_max = 100, .out_count_max = 100});
    in_threads(8, [&](unsigned) {
        std::vector<pooled<item>> mine;
        for (int i = 0; i != 12; ++i) mine.push_back(pool.acquire());
    });
    std::vector<pooled<item>> all;
    for (int i = 0; i != 100; ++i) all.push_back(pool.acquire()); // what ended threads kept is to be had
    EXPECT_FALSE(pool.try_acquire());
    EXPECT_EQ(pool.counts().out, 100);
    all.clear();
    pool.check();
}

TEST(concurrent_object_pool_threads, give_back_what_others_acquired_even_after_their_end) {
    item_pool pool;
    std::vector<pooled<item>> crossing;
    std::mutex lock;
    in_threads(8, [&](unsigned number) {
        std::mt19937 random(number);
        for (int i = 0; i != 10'000; ++i) {
            pooled<item> one = pool.acquire();
            EXPECT_EQ(one->owner, 0); // B21
            one->owner = number + 1;
            ++one->uses;
            const std::lock_guard hold(lock);
            crossing.push_back(std::move(one));
            std::swap(crossing[random() % crossing.size()], crossing.back());
            if (crossing.size() > 50) crossing.pop_back(); // another thread's, perhaps
        }
    });
    EXPECT_EQ(pool.counts().out, 50);
    std::thread([&] { crossing.clear(); }).join();
    pool.check();
    const object_counts now = pool.counts();
    EXPECT_EQ(now.out, 0);
    EXPECT_EQ(now.acquired, 80'000);
    EXPECT_GE(now.hit_rate(), 0.95); // B30
}

TEST(concurrent_object_pool_threads, count_exactly_without_a_lock) { // B26
    item_pool pool;
    in_threads(8, [&](unsigned) {
        for (int i = 0; i != 125'000; ++i) ++pool.acquire()->uses; // 1 M in all
    });
    const object_counts now = pool.counts();
    EXPECT_EQ(now.acquired, 1'000'000);
    EXPECT_EQ(now.returned, 1'000'000);
    EXPECT_LE(now.created, 8); // one each at the most
    std::uint64_t uses = 0;
    for (std::uint64_t i = 0; i != now.kept; ++i) uses += pool.acquire().take().uses;
    EXPECT_EQ(uses, 1'000'000);
    pool.check();
}

TEST(concurrent_object_pool_threads, read_counts_while_others_work) {
    item_pool pool({.out_count_max = 30});
    std::atomic<bool> done = false;
    std::thread reader([&] {
        while (!done) {
            const object_counts now = pool.counts();
            EXPECT_LE(now.out, 30);
            EXPECT_LE(pool.usage().live_count, 30);
        }
    });
    in_threads(3, [&](unsigned) {
        for (int i = 0; i != 20'000; ++i) (void)pool.acquire();
        (void)pool.trim();
    });
    done = true;
    reader.join();
    pool.check();
}

#if !defined(__SANITIZE_THREAD__) // it does not follow threads into a fork
TEST(concurrent_object_pool_threads, go_on_in_the_child_of_a_fork) {
    page_source pages; // a sanitizer's malloc, forked amid a call, stays locked in the child
    item_pool pool({.upstream = &pages, .out_count_max = 100});
    std::vector<pooled<item>> childs;
    childs.reserve(50);
    std::atomic<bool> done = false, started = false;
    std::thread busy([&] {
        std::vector<pooled<item>> mine;
        mine.reserve(20);
        started = true;
        while (!done) {
            mine.push_back(pool.acquire());
            if (mine.size() == 20) mine.clear();
        }
    });
    while (!started) std::this_thread::yield();
    for (int i = 0; i != 20; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            for (int each = 0; each != 50; ++each) childs.push_back(pool.acquire());
            childs.clear();
            _exit(pool.counts().acquired >= 50 ? 0 : 1);
        }
        int status = -1;
        waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    done = true;
    busy.join();
    pool.check();
}
#endif

} // namespace
} // namespace allot
