#include <allot/c/handles.hpp>

#include <allot/source/malloc_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <cstring>
#include <gtest/gtest.h>
#include <memory_resource>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace allot {
namespace {

TEST(handles, usage) {
    malloc_source memory({.name = "plug-in"});
    allot_arena_options options = {};
    options.upstream = as_c(memory);
    allot_arena* made = nullptr;
    EXPECT_TRUE(allot_arena_create(&options, &made) == ALLOT_OK);
    allot_source* below = nullptr;
    EXPECT_TRUE(allot_arena_source(made, &below) == ALLOT_OK);
    {
        std::pmr::vector<int> numbers(100, 7, &as_source(below));
    }
    allot_arena_destroy(made);
}

TEST(handles, the_default_source_has_no_handle) {
    EXPECT_EQ(&as_source(nullptr), &default_source());
    void* const block = allot_source_alloc(nullptr, 100, 0);
    allot_source_free(nullptr, block, 100, 0);
    EXPECT_EQ(allot_source_usage(nullptr).live_bytes, 0u);
}

// B7: each request of the C calls, from upstream's side.
TEST(handles, leave_nothing_behind_on_a_shortage) {
    const std::uint64_t points = for_each_failure([](failing_source& failing) {
        allot_heap_options how = {};
        how.upstream = as_c(failing);
        how.limit_bytes = mebibytes(1);
        allot_heap* heap = nullptr;
        if (allot_heap_create(&how, &heap) != ALLOT_OK) return;
        allot_source* tag = nullptr;
        void* const block = allot_heap_alloc(heap, ALLOT_TAG_EDGE, 100);
        void* const bigger = block ? allot_heap_resize(heap, block, 1000) : nullptr;
        if (allot_heap_source(heap, ALLOT_TAG_NODE, &tag) == ALLOT_OK) {
            allot_buffer* buffer = nullptr;
            if (allot_buffer_create(tag, &buffer) == ALLOT_OK) {
                const bool appended = allot_buffer_append(buffer, "x", 1) == ALLOT_OK;
                EXPECT_EQ(allot_buffer_view(buffer).size, appended ? 1u : 0u);
            }
            allot_buffer_destroy(buffer);
        }
        allot_heap_free(heap, bigger ? bigger : block);
        EXPECT_EQ(allot_heap_destroy(heap), ALLOT_OK);
    });
    EXPECT_GE(points, 6u);
}

TEST(handles, take_memory_from_upstream_alone) {
    auditing_source audited(default_source());
    const no_allocation nothing;
    allot_heap_options how = {};
    how.upstream = as_c(audited);
    how.limit_bytes = mebibytes(1);
    allot_heap* heap = nullptr;
    ASSERT_EQ(allot_heap_create(&how, &heap), ALLOT_OK);
    void* const block = allot_heap_alloc(heap, ALLOT_TAG_EDGE, 100);
    ASSERT_EQ(allot_heap_report(heap, [](void*, const char*, size_t) {}, nullptr), ALLOT_OK);
    allot_heap_free(heap, block);
    ASSERT_EQ(allot_heap_destroy(heap), ALLOT_OK);
    EXPECT_EQ(audited.live_count(), 0u);
}

// The header's figure: 16 bytes a block, up to the alignment of max_align_t.
TEST(handles, a_heap_spends_16_bytes_on_a_block) {
    auditing_source audited(default_source());
    allot_heap_options how = {};
    how.upstream = as_c(audited);
    allot_heap* heap = nullptr;
    ASSERT_EQ(allot_heap_create(&how, &heap), ALLOT_OK);
    EXPECT_LT(audited.live_bytes(), 20 * kibibytes(1));
    allot_heap_free(heap, allot_heap_alloc(heap, ALLOT_TAG_EDGE, 1)); // the tag's page
    const std::uint64_t before = audited.live_bytes();
    void* const block = allot_heap_alloc(heap, ALLOT_TAG_EDGE, 100);
    EXPECT_EQ(audited.live_bytes() - before, 116u);
    allot_heap_free(heap, block);
    ASSERT_EQ(allot_heap_destroy(heap), ALLOT_OK);
}

struct thing {
    unsigned char* block;
    std::size_t size;
    allot_tag tag;
};

void work_on(allot_heap* heap, unsigned seed, std::vector<thing>& live, int steps) {
    std::mt19937 random(seed);
    for (int step = 0; step < steps; ++step) {
        const std::size_t size = 1 + random() % 500;
        if (live.empty() || random() % 2 == 0) {
            const auto tag = static_cast<allot_tag>(random() % 9);
            auto* const block = static_cast<unsigned char*>(allot_heap_alloc(heap, tag, size));
            ASSERT_TRUE(block);
            std::memset(block, static_cast<int>(size & 0xff), size);
            live.push_back({block, size, tag});
            continue;
        }
        std::swap(live[random() % live.size()], live.back());
        thing& one = live.back();
        ASSERT_EQ(allot_heap_block_size(heap, one.block), one.size);
        ASSERT_TRUE(one.block[0] == (one.size & 0xff) && one.block[one.size - 1] == (one.size & 0xff));
        if (random() % 3 == 0) {
            one.block = static_cast<unsigned char*>(allot_heap_resize(heap, one.block, size));
            one.size = size;
            std::memset(one.block, static_cast<int>(size & 0xff), size);
            continue;
        }
        random() % 2 == 0 ? allot_heap_free(heap, one.block)
                          : allot_heap_free_tagged(heap, one.tag, one.block);
        live.pop_back();
    }
}

TEST(handles, model_a_heap_keeps_bytes_and_books) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    allot_heap* heap = nullptr;
    ASSERT_EQ(allot_heap_create(nullptr, &heap), ALLOT_OK);
    std::vector<thing> live;
    for (unsigned round = 0; round < 20; ++round) {
        work_on(heap, seed + round, live, 1000);
        std::uint64_t bytes[9] = {}, counts[9] = {};
        for (const thing& each : live) {
            bytes[each.tag] += each.size;
            ++counts[each.tag];
        }
        for (allot_tag tag = 0; tag < 9; ++tag) {
            ASSERT_EQ(allot_heap_tag_usage(heap, tag).live_bytes, bytes[tag]);
            ASSERT_EQ(allot_heap_tag_usage(heap, tag).live_count, counts[tag]);
        }
    }
    for (const thing& each : live) allot_heap_free(heap, each.block);
    EXPECT_EQ(allot_heap_destroy(heap), ALLOT_OK);
}

// Blocks are freed by another thread than the one that took them, whose tag's source is made in a race.
TEST(handles, a_heap_serves_threads) {
    allot_heap_options how = {};
    how.limit_bytes = mebibytes(64);
    allot_heap* heap = nullptr;
    ASSERT_EQ(allot_heap_create(&how, &heap), ALLOT_OK);
    std::vector<std::vector<thing>> live(8);
    for (std::size_t shift = 0; shift < 2; ++shift) {
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < live.size(); ++i)
            threads.emplace_back(
                [&, i] { work_on(heap, static_cast<unsigned>(i), live[(i + shift) % live.size()], 3000); });
        for (std::thread& each : threads) each.join();
    }
    std::uint64_t bytes = 0;
    for (const auto& list : live)
        for (const thing& each : list) bytes += each.size;
    EXPECT_EQ(allot_heap_usage(heap).live_bytes, bytes);
    for (const auto& list : live)
        for (const thing& each : list) allot_heap_free(heap, each.block);
    EXPECT_EQ(allot_heap_usage(heap).live_count, 0u);
    EXPECT_EQ(allot_heap_destroy(heap), ALLOT_OK);
}

} // namespace
} // namespace allot
