#include <allot/source/default_source.hpp>
#include <allot/structure/buffer_pool.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <allot/testing/source_conformance.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <sys/resource.h>
#include <thread>
#include <vector>

// A sanitizer's malloc ends the program at sizes that it finds absurd, unless told to refuse them.
extern "C" {
[[gnu::weak]] const char* __asan_default_options() { return "allocator_may_return_null=1"; }
[[gnu::weak]] const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
}

namespace allot {
namespace {

constexpr buffer_tier small_tiers[] = {{.size = 256, .kept_count_max = 4},
                                       {.size = 1024, .kept_count_max = 2, .out_count_max = 3},
                                       {.size = 4096, .kept_count_max = 1}};

// Usage.

TEST(buffer_pool, hands_the_same_buffer_out_again) {
    buffer_pool pool({.name = "input"});
    buffer line = pool.acquire({.bytes = 100});
    EXPECT_TRUE(line.capacity() == kibibytes(4) && line.empty());
    line.append("some text");
    const std::byte* place = line.data();
    line.release();                                          // to the pool; as the destructor does
    EXPECT_TRUE(pool.acquire({.bytes = 1}).data() == place); // the same one, empty
    EXPECT_TRUE(pool.statistics(0).hit_rate() == 0.5);
    pool.trim(); // idle: keeps 2 MiB at most
    pool.check();
}

// Edges.

TEST(buffer_pool, serves_every_wish_with_as_much_or_more) { // B23
    buffer_pool pool({.tiers = small_tiers});
    for (std::size_t bytes = 0; bytes <= 10000; bytes += bytes < 5000 ? 1 : 97) {
        buffer got = pool.acquire({.bytes = bytes});
        ASSERT_GE(got.capacity(), bytes);
        ASSERT_TRUE(is_aligned(got.data(), 64));
        ASSERT_TRUE(got.empty());
    }
    pool.check();
    EXPECT_EQ(pool.usage().live_count, 0);
    EXPECT_EQ(pool.statistics(0).made_count, 1);
    EXPECT_EQ(pool.statistics(2).made_count, 1);
}

TEST(buffer_pool, keeps_what_was_wanted_for_one_byte) { // B22
    buffer_pool pool({});
    for (int i = 0; i != 1000; ++i) (void)pool.acquire({.bytes = i % 2 ? 1u : 0u});
    EXPECT_EQ(pool.statistics(0).made_count, 1);
    EXPECT_GT(pool.statistics(0).hit_rate(), 0.998);
}

TEST(buffer_pool, keeps_no_outsized_buffer) { // B23
    auditing_source upstream(default_source());
    buffer_pool pool({.upstream = &upstream});
    {
        buffer large = pool.acquire({.bytes = mebibytes(100)});
        EXPECT_EQ(large.capacity(), mebibytes(100));
        EXPECT_EQ(pool.usage().live_bytes, mebibytes(100));
        buffer barely = pool.acquire({.bytes = mebibytes(1) + 1});
        EXPECT_EQ(upstream.live_count(), 2);
    }
    EXPECT_EQ(upstream.live_count(), 0);
    EXPECT_EQ(pool.usage().held_bytes, 0);
    void* const aligned = pool.allocate(layout{100, 4096}); // no tier is aligned so
    EXPECT_TRUE(is_aligned(aligned, 4096));
    pool.deallocate(aligned, layout{100, 4096});
    EXPECT_EQ(upstream.live_count(), 0);
    pool.check();
}

TEST(buffer_pool, takes_a_grown_buffer_back_in_the_tier_that_it_grew_to) { // B23
    buffer_pool pool({.tiers = small_tiers});
    {
        buffer grows = pool.acquire({.bytes = 1});
        const std::byte* const first = grows.data();
        grows.append(std::string(256, 'a'));
        EXPECT_EQ(grows.data(), first); // the tier's whole size
        grows.append("b");
        EXPECT_EQ(grows.capacity(), 1024);
        EXPECT_EQ(pool.statistics(0).kept_count(), 1);
        grows.append(std::string(4096, 'c')); // outsized
        EXPECT_EQ(pool.statistics(1).kept_count(), 1);
        EXPECT_EQ(grows.text().substr(255, 3), "abc");
        EXPECT_GT(grows.capacity(), 4096);
        EXPECT_TRUE(grows.try_shrink());
        grows.truncate(1000);
        EXPECT_TRUE(grows.try_shrink()); // comes down to a tier
        EXPECT_EQ(pool.statistics(1).out_count(), 1);
    }
    EXPECT_EQ(pool.usage().live_count, 0);
    EXPECT_EQ(pool.statistics(2).acquired_count, 0);
    pool.check();
}

TEST(buffer_pool, keeps_no_more_than_a_tier_may) {
    auditing_source upstream(default_source());
    buffer_pool pool({.upstream = &upstream, .tiers = small_tiers});
    std::vector<buffer> out;
    for (int i = 0; i != 10; ++i) out.push_back(pool.acquire({.bytes = 200}));
    out.clear();
    EXPECT_EQ(pool.statistics(0).kept_count(), 4);
    EXPECT_EQ(upstream.live_count(), 4);
    pool.check();
}

TEST(buffer_pool, hands_out_no_more_than_a_tier_may) {
    buffer_pool pool({.name = "bounded", .tiers = small_tiers});
    std::vector<buffer> out;
    for (int i = 0; i != 3; ++i) out.push_back(pool.acquire({.bytes = 1000}));
    EXPECT_EQ(pool.try_acquire({.bytes = 1000}).capacity(), 0);
    EXPECT_EQ(last_refusal().who, name("bounded"));
    EXPECT_EQ(last_refusal().limit_bytes, 3072);
    EXPECT_THROW((void)pool.acquire({.bytes = 1000}), out_of_memory);
    EXPECT_EQ(pool.usage().refused_count, 2);
    out.clear();
    (void)pool.acquire({.bytes = 1000});
    pool.check();
}

TEST(buffer_pool, never_holds_more_than_its_limit_and_empties_itself_before_it_refuses) {
    auditing_source upstream(default_source());
    buffer_pool pool({.upstream = &upstream, .tiers = small_tiers, .limit_bytes = 8000});
    std::vector<buffer> out;
    for (int i = 0; i != 4; ++i) out.push_back(pool.acquire({.bytes = 256}));
    out.clear();
    out.push_back(pool.acquire({.bytes = 4096}));
    out.push_back(pool.acquire({.bytes = 1024}));
    EXPECT_EQ(pool.try_acquire({.bytes = 4096}).capacity(), 0);
    EXPECT_EQ(last_refusal().limit_bytes, 8000);
    EXPECT_EQ(pool.try_acquire({.bytes = 9000}).capacity(), 0);
    EXPECT_LE(upstream.usage().peak_live_bytes, 8000);
    EXPECT_EQ(upstream.live_bytes(), pool.usage().held_bytes);
}

TEST(buffer_pool, trims_what_is_idle_to_two_mebibytes) { // LA4
    auditing_source upstream(default_source());
    buffer_pool pool({.upstream = &upstream});
    {
        std::vector<buffer> out;
        for (const std::size_t bytes : {kibibytes(4), kibibytes(64), mebibytes(1)})
            for (int i = 0; i != 100; ++i) out.push_back(pool.acquire({.bytes = bytes}));
    }
    EXPECT_EQ(pool.usage().free_bytes, 100 * kibibytes(4) + 50 * kibibytes(64) + 10 * mebibytes(1));
    EXPECT_GT(pool.trim(), mebibytes(10));
    EXPECT_LE(pool.usage().free_bytes, mebibytes(2));
    EXPECT_LE(upstream.live_bytes(), mebibytes(2) + 150 * kibibytes(4));
    EXPECT_EQ(pool.statistics(0).kept_count(), 100); // the largest go first
    EXPECT_EQ(pool.trim(), 0);
    pool.check();
    pool.trim(0);
    EXPECT_EQ(upstream.live_count(), 0);
}

TEST(buffer_pool, honours_another_threads_wish_for_memory) {
    auditing_source upstream(default_source());
    buffer_pool pool({.upstream = &upstream, .tiers = small_tiers});
    std::vector<buffer> out;
    for (int i = 0; i != 4; ++i) out.push_back(pool.acquire({.bytes = 256}));
    out.resize(1);
    EXPECT_EQ(pool.manner(), reclaim_manner::deferred);
    std::thread([&] { EXPECT_EQ(pool.reclaim({.wanted_bytes = 1}), 0); }).join();
    EXPECT_EQ(upstream.live_count(), 4);
    out.clear(); // the owner's next slow path
    EXPECT_EQ(upstream.live_count(), 0);
    (void)pool.acquire({.bytes = 256});
    EXPECT_EQ(pool.statistics(0).kept_count(), 1); // and goes on as before
    pool.check();
}

TEST(buffer_pool, tells_its_observer_of_buffers_that_are_out_when_it_dies) {
    struct : observer {
        event seen;
        void observe(const event& what) noexcept override { seen = what; }
    } watcher;
    stolen_block left;
    {
        buffer_pool leaking({.name = "leaking", .observer = &watcher});
        left = leaking.acquire({.bytes = mebibytes(2)}).steal();
    }
    EXPECT_EQ(watcher.seen.what, event::type::unbalanced);
    EXPECT_EQ(watcher.seen.count, 1);
    default_source().deallocate(left.address, left.block); // an outsized block is upstream's own
}

TEST(buffer_pool, tells_any_thread_its_numbers) {
    buffer_pool pool({.name = "told", .tiers = small_tiers});
    std::atomic<bool> done = false;
    std::thread reader([&] {
        do EXPECT_LE(pool.describe().usage.live_count, 50);
        while (!done);
    });
    for (int round = 0; round != 1000; ++round) {
        std::vector<buffer> out;
        for (int i = 0; i != round % 50; ++i) out.push_back(pool.acquire({.bytes = 200}));
    }
    done = true;
    reader.join();
    EXPECT_EQ(pool.describe().kind, std::string_view("buffer_pool"));
    EXPECT_LE(pool.describe().usage.live_bytes - pool.usage().live_bytes,
              pool.describe().usage.behind_bytes_max);
}

// Shortage.

TEST(buffer_pool, survives_every_refusal_of_its_upstream) {
    for (const bool lasting : {false, true}) {
        const std::uint64_t points = for_each_failure(
            [](failing_source& source) {
                buffer_pool pool({.upstream = &source, .tiers = small_tiers});
                std::vector<buffer> out;
                std::uint64_t refused = 0;
                for (std::size_t i = 0; i != 30; ++i) {
                    buffer got = pool.try_acquire({.bytes = i % 4 == 1 ? 300 : i * 200});
                    if (got.capacity() == 0)
                        ++refused;
                    else
                        out.push_back(std::move(got));
                    if (i % 5 == 4)
                        out.erase(out.begin(), out.begin() + std::min<std::ptrdiff_t>(2, std::ssize(out)));
                    pool.check();
                }
                EXPECT_EQ(pool.usage().refused_count, refused);
                EXPECT_EQ(pool.usage().live_count, out.size());
                out.clear();
                pool.check();
                pool.trim(0);
                EXPECT_EQ(pool.usage().held_bytes, 0);
            },
            {.lasting = lasting});
        EXPECT_GT(points, 8);
    }
}

// Books.

TEST(buffer_pool, gives_every_block_back_with_its_layout_and_takes_nothing_from_elsewhere) {
    auditing_source upstream(default_source());
    {
        const no_allocation scope;
        buffer_pool pool({.upstream = &upstream, .tiers = small_tiers});
        for (std::size_t i = 0; i != 10000; ++i) {
            buffer one = pool.acquire({.bytes = i % 6000, .tenant = i % 3});
            buffer two = pool.acquire({.bytes = i % 100});
            two.append("text");
        }
        const allot::usage now = pool.usage();
        EXPECT_EQ(upstream.live_bytes(), now.held_bytes);
        EXPECT_EQ(now.held_bytes, now.live_bytes + now.free_bytes + now.slack_bytes);
        EXPECT_EQ(now.total_count, 20000);
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

TEST(buffer_pool, needs_nothing_from_upstream_and_no_page_in_steady_state) { // LA11
    const auto faults = [] {
        rusage now{};
        getrusage(RUSAGE_THREAD, &now);
        return now.ru_minflt;
    };
    auditing_source upstream(default_source());
    buffer_pool pool({.upstream = &upstream});
    long fewest = 1000;
    for (int window = 0; window != 6; ++window) { // the first one warms up
        const long before = faults();
        const std::uint64_t blocks = upstream.usage().total_count;
        for (int i = 0; i != 20000; ++i) {
            buffer one = pool.acquire({.bytes = kibibytes(4)});
            buffer two = pool.acquire({.bytes = kibibytes(64)});
            buffer three = pool.acquire({.bytes = mebibytes(1)});
            for (buffer* each : {&one, &two, &three})
                *each->extend(each->capacity() - 1).data() = std::byte{1};
            if (i == 0 && window == 0)
                for (buffer* each : {&one, &two, &three})
                    std::fill(each->bytes().begin(), each->bytes().end(), std::byte{1});
        }
        if (window == 0) continue;
        EXPECT_EQ(upstream.usage().total_count, blocks);
        fewest = std::min(fewest, faults() - before);
    }
    EXPECT_EQ(fewest, 0);
}

TEST(buffer_pool, keeps_the_laws_of_a_source) {
    constexpr buffer_tier tiers[] = {
        {.size = 256, .kept_count_max = 2}, {.size = 1024}, {.size = 4096, .kept_count_max = 1}};
    for (const conformance_law& law : conformance_laws()) {
        auditing_source upstream(default_source());
        buffer_pool subject({.upstream = &upstream, .tiers = tiers});
        for (const std::string& finding : check_law(law, subject, {.align_max = 4096}))
            ADD_FAILURE() << law.name << ": " << finding;
        subject.check();
    }
}

// Model.

TEST(buffer_pool, does_what_a_list_of_live_buffers_says) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    for (int run = 0; run != 8; ++run) {
        auditing_source upstream(default_source());
        buffer_pool pool({.upstream = &upstream,
                          .tiers = small_tiers,
                          .limit_bytes = run % 2 ? usage::unlimited : 30000,
                          .coloured = run % 3 != 0});
        std::vector<std::pair<buffer, std::string>> live;
        std::uint64_t total = 0;
        for (int step = 0; step != 2000; ++step) {
            const auto dice = random() % 100;
            if (dice < 45) {
                buffer got = pool.try_acquire({.bytes = random() % 5000, .tenant = random() % 3});
                if (got.capacity() != 0) {
                    live.emplace_back(std::move(got), "");
                    ++total;
                }
            } else if (dice < 70 && !live.empty()) {
                auto& [bytes, naive] = live[random() % live.size()];
                const std::string more(random() % 800, static_cast<char>('a' + random() % 26));
                if (bytes.try_append(more)) naive += more;
            } else if (dice < 95 && !live.empty()) {
                std::swap(live[random() % live.size()], live.back());
                live.pop_back();
            } else if (dice < 97) {
                pool.trim(random() % 5000);
            } else if (dice < 98) {
                (void)pool.reclaim({});
            }
            for (const auto& [bytes, naive] : live) ASSERT_EQ(bytes.text(), naive);
            pool.check();
            ASSERT_EQ(pool.usage().live_count, live.size());
            ASSERT_GE(pool.usage().total_count, total);
            ASSERT_EQ(upstream.live_bytes(), pool.usage().held_bytes);
        }
    }
}

// Stress.

TEST(buffer_pool, serves_a_million) { // LA11
    buffer_pool pool({.tiers = small_tiers});
    std::vector<buffer> out;
    for (std::size_t i = 0; i != 8; ++i) out.emplace_back(pool);
    for (std::size_t i = 0; i != 1'000'000; ++i)
        out[i % 8] = i % 7 == 0 ? buffer(pool) : pool.try_acquire({.bytes = i * 37 % 1100});
    out.clear();
    pool.check();
    EXPECT_GE(pool.usage().total_count, 850'000 - pool.usage().refused_count);
    EXPECT_EQ(pool.usage().live_count, 0);
}

} // namespace
} // namespace allot
