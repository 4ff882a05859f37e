#include <allot/core/poison.hpp>
#include <allot/source/fixtures/model.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/testing/auditing_source.hpp>

#include <gtest/gtest.h>

#include <cassert>

namespace {

using namespace allot;
using namespace allot::testing_model;

TEST(malloc_source, gives_and_takes_back) {
    malloc_source source({.name = "plug-in"});
    void* row = source.try_allocate({.size = 100, .align = 64});
    ASSERT_TRUE(row != nullptr);
    source.deallocate(row, {.size = 100, .align = 64});
}

TEST(malloc_source, aligns_small_blocks_and_large_alignments) {
    malloc_source source;
    for (std::size_t align = 1; align <= kibibytes(64); align *= 2) {
        for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{7}, align}) {
            void* const block = source.try_allocate({size, align});
            ASSERT_TRUE(block && is_aligned(block, align));
            std::memset(block, 1, std::max<std::size_t>(size, 1));
            source.deallocate(block, {size, align});
        }
    }
    source.deallocate(nullptr, {.size = 1});
}

TEST(malloc_source, says_what_it_is) {
    malloc_source source({.name = "plug-in"});
    EXPECT_EQ(source.traits(), (source_traits{.thread_safe = true, .moves = true}));
    EXPECT_EQ(source.good_size({100, 64}), 100u);
    EXPECT_EQ(source.describe().name.view(), "plug-in");
    EXPECT_STREQ(source.describe().kind, "malloc_source");
    EXPECT_EQ(source.describe().upstream, nullptr);
}

TEST(malloc_source, keeps_the_alignment_and_the_bytes_when_it_reallocates) {
    malloc_source source;
    for (std::size_t align : {std::size_t{1}, std::size_t{16}, std::size_t{64}, kibibytes(4)}) {
        auto* bytes = static_cast<char*>(source.allocate({10, align}));
        std::memcpy(bytes, "0123456789", 10);
        bytes = static_cast<char*>(source.try_reallocate(bytes, {10, align}, 100'000));
        ASSERT_TRUE(bytes && is_aligned(bytes, align));
        bytes = static_cast<char*>(source.try_reallocate(bytes, {100'000, align}, 5));
        ASSERT_TRUE(bytes && is_aligned(bytes, align));
        EXPECT_EQ(std::string_view(bytes, 5), "01234");
        EXPECT_FALSE(source.try_resize(bytes, {5, align}, 6));
        source.deallocate(bytes, {5, align});
    }
}

TEST(malloc_source, refuses_what_no_machine_has_and_counts_it) {
    malloc_source source({.name = "plug-in"});
    expect_refusal(source, {.size = std::size_t{1} << 60, .align = 16}, "plug-in");
    expect_refusal(source, {.size = std::size_t{1} << 60, .align = 4096}, "plug-in");
    void* const block = source.allocate({.size = 8, .align = 8});
    std::memcpy(block, "1234567", 8);
    EXPECT_EQ(source.try_reallocate(block, {8, 8}, std::size_t{1} << 60), nullptr);
    EXPECT_EQ(last_refusal().asked.size, std::size_t{1} << 60);
    EXPECT_EQ(source.usage().refused_count, 3u);
    EXPECT_STREQ(static_cast<const char*>(block), "1234567");
    source.deallocate(block, {8, 8});
    try {
        (void)source.allocate({.size = std::size_t{1} << 60, .align = 8});
        FAIL();
    } catch (const out_of_memory& shortage) {
        EXPECT_STREQ(shortage.what(), "allot: out of memory: malloc_source 'plug-in' refused "
                                      "1152921504606846976 bytes (aligned to 8)");
    }
}

TEST(malloc_source, gets_each_block_back_as_it_gave_it) {
    malloc_source source;
    auditing_source audited(source);
    run_model(audited, {}, [&](const model& m) {
        ASSERT_EQ(audited.live_count(), m.live_count());
        ASSERT_EQ(audited.live_bytes(), m.live_bytes());
    });
    EXPECT_EQ(source.usage().refused_count, 0u);
}

TEST(malloc_source, keeps_what_random_operations_write) {
    malloc_source source;
    run_model(source, {}, [&](const model&) {});
}

TEST(malloc_source, serves_many_threads) {
    malloc_source source;
    hammer(source, {});
}

TEST(malloc_source, fills_dead_and_fresh_bytes_at_level_full) {
    if constexpr (checks != check_level::full || ALLOT_HAS_ASAN)
        GTEST_SKIP() << "level full without ASan only";
    malloc_source source;
    auto* const bytes = static_cast<volatile unsigned char*>(source.allocate({.size = 100}));
    EXPECT_EQ(bytes[99], 0xCD);
    source.deallocate(const_cast<unsigned char*>(bytes), {.size = 100});
}

} // namespace
