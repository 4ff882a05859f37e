#include <allot/core/poison.hpp>
#include <allot/platform/clock.hpp>
#include <allot/source/chunk_cache_source.hpp>
#include <allot/source/fixtures/model.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <cassert>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace allot;

// A sanitizer's own memory faults, too.
#if defined(__SANITIZE_THREAD__) || ALLOT_HAS_ASAN
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

constexpr layout small{.size = kibibytes(4)};
constexpr layout middle{.size = kibibytes(64)};
constexpr layout huge{.size = mebibytes(2), .align = mebibytes(2)};

TEST(chunk_cache_source, usage) {
    malloc_source heap;
    chunk_cache_source chunks(
        heap,
        {.name = "request chunks", .thread_kept_bytes_max = mebibytes(1), .kept_bytes_max = mebibytes(4)});
    for (int request = 0; request < 3; ++request) {
        void* chunk = chunks.try_allocate({.size = kibibytes(16)});
        assert(chunk != nullptr);
        chunks.deallocate(chunk, {.size = kibibytes(16)});
    }
    assert(chunks.counts().hits == 2 && chunks.usage().free_bytes == kibibytes(16));
    chunks.trim(); // all of it goes upstream

    EXPECT_EQ(chunks.counts().hits, 2u);
    EXPECT_EQ(chunks.counts().misses, 1u);
    EXPECT_EQ(chunks.counts().spilled, 1u);
    EXPECT_EQ(chunks.usage().held_bytes, 0u);
}

// ---- edges

TEST(chunk_cache_source, keeps_powers_of_two_at_the_common_alignment_alone) {
    EXPECT_TRUE(chunk_cache_source::is_chunk(small));
    EXPECT_TRUE(chunk_cache_source::is_chunk({.size = mebibytes(2)}));
    EXPECT_TRUE(chunk_cache_source::is_chunk(huge));
    EXPECT_FALSE(chunk_cache_source::is_chunk({.size = kibibytes(2)}));
    EXPECT_FALSE(chunk_cache_source::is_chunk({.size = mebibytes(4)}));
    EXPECT_FALSE(chunk_cache_source::is_chunk({.size = kibibytes(4) + 1}));
    EXPECT_FALSE(chunk_cache_source::is_chunk({.size = kibibytes(4), .align = 8}));
    EXPECT_FALSE(chunk_cache_source::is_chunk({.size = mebibytes(1), .align = mebibytes(2)}));

    malloc_source heap;
    auditing_source below(heap);
    chunk_cache_source chunks(below);
    void* const odd = chunks.allocate({.size = 5000});
    EXPECT_EQ(chunks.usage().held_bytes, 0u);
    EXPECT_EQ(below.live_count(), 1u);
    chunks.deallocate(odd, {.size = 5000});
    EXPECT_EQ(below.live_count(), 0u);
}

TEST(chunk_cache_source, keeps_no_more_than_its_bounds_say) {
    malloc_source heap;
    auditing_source below(heap);
    chunk_cache_source chunks(below,
                              {.thread_kept_bytes_max = kibibytes(128), .kept_bytes_max = kibibytes(192)});
    std::vector<void*> taken(8);
    for (void*& each : taken) each = chunks.allocate(middle);
    for (void* each : taken) chunks.deallocate(each, middle);
    EXPECT_EQ(chunks.kept_bytes(), kibibytes(192)); // two of this thread, one in the depot
    EXPECT_EQ(chunks.counts().spilled, 5u);
    std::thread([&] {
        void* const shared = chunks.allocate(middle);
        EXPECT_EQ(chunks.counts().hits, 1u); // what this thread may not keep, others find
        chunks.deallocate(shared, middle);
    }).join();
    void* const large = chunks.allocate({.size = mebibytes(2)});
    chunks.deallocate(large, {.size = mebibytes(2)});
    EXPECT_EQ(chunks.kept_bytes(), kibibytes(192));
    for (void*& each : taken) each = chunks.allocate(middle);
    EXPECT_EQ(chunks.counts().hits, 4u); // the depot's, too
    for (void* each : taken) chunks.deallocate(each, middle);
}

TEST(chunk_cache_source, gives_upstream_what_was_kept_when_it_is_told_to_stop) {
    malloc_source heap;
    auditing_source below(heap);
    chunk_cache_source chunks(below);
    chunks.deallocate(chunks.allocate(small), small);
    chunks.stop_keeping();
    EXPECT_EQ(chunks.kept_bytes(), 0u);
    chunks.deallocate(chunks.allocate(small), small);
    EXPECT_EQ(chunks.kept_bytes(), 0u);
}

TEST(chunk_cache_source, reclaims_as_much_as_is_wished_and_stops_at_the_deadline) {
    malloc_source heap;
    chunk_cache_source chunks(heap);
    std::vector<void*> taken(4);
    for (void*& each : taken) each = chunks.allocate(middle);
    for (void* each : taken) chunks.deallocate(each, middle);
    EXPECT_EQ(chunks.reclaim({.wanted_bytes = 1, .deadline_ns = 0}), 0u);
    EXPECT_EQ(chunks.reclaim({.wanted_bytes = kibibytes(65)}), kibibytes(128));
    EXPECT_EQ(chunks.trim(), kibibytes(128));
    EXPECT_EQ(chunks.trim(), 0u);
}

TEST(chunk_cache_source, keeps_huge_pages_where_there_is_room_for_them) {
    page_source pages;
    chunk_cache_source chunks(pages, {.thread_kept_bytes_max = mebibytes(4), .kept_bytes_max = mebibytes(4)});
    void* const first = chunks.allocate(huge);
    chunks.deallocate(first, huge);
    EXPECT_EQ(chunks.allocate(huge), first);
    chunks.deallocate(first, huge);
}

TEST(chunk_cache_source, follows_blocks_that_become_chunks_by_resizing) {
    page_source pages;
    chunk_cache_source chunks(pages);
    void* const block = chunks.allocate({.size = kibibytes(64)});
    ASSERT_TRUE(chunks.try_resize(block, {.size = kibibytes(64)}, 100));
    EXPECT_EQ(chunks.usage().held_bytes, 0u);
    ASSERT_TRUE(chunks.try_resize(block, {.size = 100}, kibibytes(4)));
    EXPECT_EQ(chunks.usage().live_bytes, kibibytes(4));
    chunks.deallocate(block, small);
    EXPECT_EQ(chunks.kept_bytes(), kibibytes(4));
}

#if ALLOT_HAS_ASAN
extern "C" int __asan_address_is_poisoned(void const volatile* address);
TEST(chunk_cache_source, makes_kept_chunks_visible_as_dead) {
    malloc_source heap;
    chunk_cache_source chunks(heap);
    auto* const chunk = static_cast<char*>(chunks.allocate(small));
    EXPECT_FALSE(__asan_address_is_poisoned(chunk));
    chunks.deallocate(chunk, small);
    EXPECT_TRUE(__asan_address_is_poisoned(chunk));
    EXPECT_TRUE(__asan_address_is_poisoned(chunk + small.size - 1));
    EXPECT_EQ(chunks.allocate(small), chunk);
    EXPECT_FALSE(__asan_address_is_poisoned(chunk));
    chunks.deallocate(chunk, small);
}
#endif

// ---- shortage

TEST(chunk_cache_source, lets_go_of_what_it_keeps_before_it_refuses) {
    malloc_source heap;
    failing_source failing(heap, {.name = "below"});
    chunk_cache_source chunks(failing);
    chunks.deallocate(chunks.allocate(middle), middle);
    failing.plan({.at = 1});
    void* const odd = chunks.try_allocate({.size = 100}); // refused once, served after the trim
    EXPECT_NE(odd, nullptr);
    EXPECT_EQ(chunks.kept_bytes(), 0u);
    chunks.deallocate(odd, {.size = 100});
    failing.plan({.at = 1, .lasting = true});
    EXPECT_EQ(chunks.try_allocate(small), nullptr);
    EXPECT_EQ(last_refusal().who.view(), "below");
    EXPECT_EQ(chunks.usage().refused_count, 1u);
}

TEST(chunk_cache_source, survives_a_shortage_at_each_request) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        chunk_cache_source chunks(source);
        std::vector<void*> taken(3);
        for (void*& each : taken) each = chunks.try_allocate(small);
        for (void* each : taken) chunks.deallocate(each, small);
        EXPECT_EQ(chunks.usage().live_bytes, 0u);
        EXPECT_EQ(chunks.kept_bytes(), small.size * (3 - chunks.usage().refused_count));
    });
    EXPECT_EQ(points, 4u); // the cell, and three chunks
}

// ---- books

TEST(chunk_cache_source, takes_nothing_and_faults_on_nothing_once_warm) {
    malloc_source heap;
    auditing_source below(heap);
    chunk_cache_source chunks(below);
    const auto window = [&] {
        for (int i = 0; i != 100; ++i) {
            auto* const chunk = static_cast<volatile char*>(chunks.allocate(middle));
            for (std::size_t at = 0; at < middle.size; at += 4096) chunk[at] = 1;
            chunks.deallocate(const_cast<char*>(chunk), middle);
        }
    };
    const auto faults = [] {
        rusage used{};
        ::getrusage(RUSAGE_THREAD, &used);
        return used.ru_minflt;
    };
    window();
    const std::uint64_t asked = below.usage().total_count;
    long least = 1'000'000;
    for (int i = 0; i != 5; ++i) {
        const no_allocation scope;
        const long before = faults();
        window();
        least = std::min(least, faults() - before);
    }
    if constexpr (!is_sanitized) {
        EXPECT_EQ(least, 0);
    }
    EXPECT_EQ(below.usage().total_count, asked);
    EXPECT_EQ(chunks.usage().live_bytes, 0u);
    EXPECT_EQ(chunks.usage().held_bytes, middle.size);
    EXPECT_EQ(chunks.usage().total_count, 600u);
}

// ---- model

TEST(chunk_cache_source, serves_chunks_in_any_order_as_a_list_would) {
    for (unsigned seed = 1; seed <= 4; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        malloc_source heap;
        auditing_source below(heap);
        chunk_cache_source chunks(below);
        std::mt19937 random(seed);
        std::vector<std::pair<unsigned char*, std::size_t>> live;
        std::uint64_t live_bytes = 0;
        for (unsigned step = 0; step != 20'000; ++step) {
            if (live.empty() || (live.size() < 60 && random() % 2 == 0)) {
                const std::size_t size = kibibytes(4) << random() % 6;
                auto* const chunk = static_cast<unsigned char*>(chunks.allocate({.size = size}));
                chunk[0] = chunk[size - 1] = static_cast<unsigned char>(live.size());
                live.emplace_back(chunk, size);
                live_bytes += size;
            } else {
                std::swap(live[random() % live.size()], live.back());
                const auto [chunk, size] = live.back();
                ASSERT_EQ(chunk[0], chunk[size - 1]);
                chunks.deallocate(chunk, {.size = size});
                live_bytes -= size;
                live.pop_back();
            }
            if (step % 64 != 0) continue;
            const usage now = chunks.usage();
            ASSERT_EQ(now.live_bytes, live_bytes);
            ASSERT_EQ(now.live_count, live.size());
            ASSERT_LE(now.free_bytes, kibibytes(512));
            ASSERT_EQ(now.held_bytes, now.live_bytes + now.free_bytes);
            ASSERT_LE(now.held_bytes, below.live_bytes());
        }
        for (const auto& [chunk, size] : live) chunks.deallocate(chunk, {.size = size});
        EXPECT_EQ(chunks.usage().live_bytes, 0u);
    }
}

// ---- threads

TEST(chunk_cache_source, serves_eight_threads_that_pass_chunks_on) {
    malloc_source heap;
    auditing_source below(heap);
    {
        chunk_cache_source chunks(below);
        std::atomic<void*> passed[16] = {};
        std::vector<std::thread> threads;
        for (unsigned seed = 1; seed <= 8; ++seed)
            threads.emplace_back([&chunks, &passed, seed] {
                std::mt19937 random(seed);
                for (int i = 0; i != 4000; ++i) {
                    auto* chunk = static_cast<unsigned char*>(chunks.allocate(small));
                    chunk[0] = chunk[100] = static_cast<unsigned char>(seed);
                    void* const theirs = passed[random() % 16].exchange(chunk, std::memory_order_acq_rel);
                    chunk = static_cast<unsigned char*>(theirs);
                    if (!chunk) continue;
                    EXPECT_EQ(chunk[0], chunk[100]);
                    chunks.deallocate(chunk, small);
                }
            });
        for (int i = 0; i != 200; ++i) {
            const usage now = chunks.usage();
            EXPECT_EQ(now.held_bytes, now.live_bytes + now.free_bytes);
            if (i % 50 == 0) chunks.trim();
        }
        for (std::thread& each : threads) each.join();
        for (auto& each : passed) chunks.deallocate(each.load(), small);
        EXPECT_EQ(chunks.usage().live_bytes, 0u);
        EXPECT_EQ(chunks.usage().live_count, 0u);
        EXPECT_EQ(chunks.usage().total_count, 8u * 4000);
        EXPECT_LE(chunks.kept_bytes(), kibibytes(512));
    }
    EXPECT_EQ(below.live_count(), 0u);
}

TEST(chunk_cache_source, hands_the_chunks_of_an_ended_thread_to_the_next_one) {
    malloc_source heap;
    chunk_cache_source chunks(heap);
    void* out = nullptr;
    std::thread([&] {
        out = chunks.allocate(small); // ends while it is out
        chunks.deallocate(chunks.allocate(middle), middle);
    }).join();
    chunks.deallocate(out, small);
    std::thread([&] { chunks.deallocate(chunks.allocate(middle), middle); }).join();
    EXPECT_EQ(chunks.counts().hits, 1u);
    EXPECT_EQ(chunks.usage().live_bytes, 0u);
}

TEST(chunk_cache_source, keeps_what_random_operations_of_many_threads_write) {
    malloc_source heap;
    chunk_cache_source chunks(heap);
    testing_model::hammer(chunks, {.step_count = 2000});
    EXPECT_EQ(chunks.usage().live_bytes, 0u);
}

TEST(chunk_cache_source, is_whole_in_the_child_of_a_fork) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "ThreadSanitizer's child of a threaded parent may do nothing";
#endif
    malloc_source heap;
    chunk_cache_source chunks(heap);
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int i = 0; i != 3; ++i)
        threads.emplace_back([&] {
            while (!stop.load()) chunks.deallocate(chunks.allocate(small), small);
        });
    for (int i = 0; i != 20; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(20);
            for (int n = 0; n != 100; ++n) chunks.deallocate(chunks.allocate(small), small);
            const usage now = chunks.usage();
            chunks.trim();
            ::_exit(now.held_bytes == now.live_bytes + now.free_bytes && now.live_count <= 3 ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    stop.store(true);
    for (std::thread& each : threads) each.join();
}

TEST(chunk_cache_source_misuse, wants_an_upstream_for_all_threads) {
    if constexpr (checks == check_level::off) GTEST_SKIP() << "level off looks at nothing";
    struct single final : memory_source {
        void* do_try_allocate(layout) noexcept override { return nullptr; }
        void do_give_back(void*, layout) noexcept override {}
        source_description do_describe() const noexcept override { return {.name = "mine"}; }
    } upstream;
    EXPECT_DEATH(chunk_cache_source(upstream, {.name = "cache"}),
                 "^allot: fatal: chunk_cache_source 'cache': its upstream 'mine' is not thread-safe\n$");
}

} // namespace
