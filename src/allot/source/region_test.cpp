#include <allot/core/poison.hpp>
#include <allot/platform/pages.hpp>
#include <allot/source/fixtures/model.hpp>
#include <allot/source/region.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <atomic>

namespace {

using namespace allot;
using namespace allot::testing_model;

TEST(region, lets_a_block_grow_where_it_lies) {
    region memory({.name = "log", .reserved_bytes = gibibytes(1)});
    layout now{.size = 100, .align = 16};
    void* log = memory.try_allocate(now);
    ASSERT_TRUE(log && memory.try_resize(log, now, mebibytes(3))); // the address stays
    ASSERT_TRUE(memory.usage().held_bytes == mebibytes(3));
    memory.deallocate(log, {.size = mebibytes(3), .align = 16});
    EXPECT_EQ(memory.usage().held_bytes, 0u);
}

TEST(region, is_full_at_its_last_page) {
    const std::size_t page = page_size();
    region memory({.name = "small", .reserved_bytes = 4 * page - 1, .align = mebibytes(2)});
    EXPECT_TRUE(is_aligned(memory.reserved().address, mebibytes(2)));
    EXPECT_EQ(memory.reserved().size, 4 * page);
    auto* const block = static_cast<char*>(memory.allocate({4 * page, 1}));
    block[4 * page - 1] = 1;
    EXPECT_FALSE(memory.try_resize(block, {4 * page, 1}, 4 * page + 1));
    expect_refusal(memory, {1, 1}, "small");
    EXPECT_EQ(last_refusal().limit_bytes, 4 * page);
    EXPECT_TRUE(memory.try_resize(block, {4 * page, 1}, 3 * page));
    void* const last = memory.allocate({1, 1});
    EXPECT_EQ(last, block + 3 * page);
    EXPECT_TRUE(memory.owns(last));
    EXPECT_FALSE(memory.owns(block + 4 * page));
    EXPECT_FALSE(memory.owns(&memory));
    memory.deallocate(block, {3 * page, 1});
    expect_refusal(memory, {4 * page, 1}, "small");
    expect_refusal(memory, {1, mebibytes(4)}, "small");
    expect_refusal(memory, {(std::size_t{1} << 63) - 1, 1}, "small");
    memory.deallocate(last, {1, 1});
    memory.check();
    memory.deallocate(memory.allocate({4 * page, 1}), {4 * page, 1});
}

TEST(region, without_addresses_refuses_everything) {
    for (std::size_t size : {std::size_t{0}, std::size_t{1} << 60, ~std::size_t{0}}) {
        region none({.name = "none", .reserved_bytes = size});
        EXPECT_EQ(none.reserved().size, 0u);
        EXPECT_FALSE(none.owns(nullptr));
        expect_refusal(none, {1, 1}, "none");
        none.check();
    }
}

TEST(region, gives_memory_back_at_once_and_addresses_when_it_can) {
    const std::size_t page = page_size();
    region memory({.reserved_bytes = 16 * page});
    void* const a = memory.allocate({page + 1, 1});
    void* const b = memory.allocate({page, 1});
    void* const c = memory.allocate({page, 1});
    EXPECT_EQ(memory.usage().slack_bytes, page - 1);
    EXPECT_FALSE(memory.try_resize(a, {page + 1, 1}, 3 * page)); // b lies behind it
    EXPECT_TRUE(memory.try_resize(a, {page + 1, 1}, 2 * page));
    EXPECT_TRUE(memory.try_resize(a, {2 * page, 1}, 5));
    memory.deallocate(b, {page, 1});
    EXPECT_EQ(memory.usage().held_bytes, 2 * page);
    EXPECT_DEATH(*static_cast<volatile char*>(b) = 1, "");
    void* const d = memory.allocate({page, 1});
    EXPECT_EQ(d, static_cast<char*>(c) + page);
    memory.deallocate(d, {page, 1});
    EXPECT_EQ(memory.allocate({page, 1}), d);
    memory.deallocate(d, {page, 1});
    memory.deallocate(c, {page, 1});
    memory.deallocate(a, {5, 1});
    EXPECT_EQ(memory.allocate({16 * page, 1}), a);
    EXPECT_EQ(memory.usage().peak_held_bytes, 16 * page);
}

TEST(region, says_what_it_is) {
    region memory({.name = "log", .reserved_bytes = mebibytes(1)});
    EXPECT_EQ(memory.traits(), (source_traits{.zeroed = true, .bulk_free = true}));
    EXPECT_EQ(memory.good_size({.size = 1}), page_size());
    const std::size_t absurd = (std::size_t{1} << 63) - 1;
    EXPECT_EQ(memory.good_size({absurd, 1}), absurd);
    EXPECT_STREQ(memory.describe().kind, "region");
    EXPECT_EQ(memory.describe().name.view(), "log");
    EXPECT_EQ(memory.describe().usage.limit_bytes, mebibytes(1));
}

TEST(region, takes_nothing_from_malloc) {
    const no_allocation scope;
    region memory({.reserved_bytes = mebibytes(1)});
    void* const block = memory.try_allocate({100, 8});
    EXPECT_TRUE(memory.try_resize(block, {100, 8}, kibibytes(100)));
    memory.deallocate(block, {kibibytes(100), 8});
    EXPECT_EQ(scope.count(), 0u);
}

TEST(region, gets_each_block_back_as_it_gave_it) {
    region memory;
    auditing_source audited(memory);
    run_model(audited, {.step_count = 1000},
              [&](const model& m) { ASSERT_EQ(audited.live_bytes(), m.live_bytes()); });
    EXPECT_EQ(memory.usage().live_count, 0u);
}

TEST(region, keeps_what_random_operations_write) {
    for (bool newest_first : {false, true}) {
        region memory({.reserved_bytes = mebibytes(1)});
        std::uint64_t refused = 0;
        run_model(memory, {.newest_first = newest_first}, [&](const model& m) {
            memory.check();
            const usage now = memory.usage();
            ASSERT_EQ(now.live_bytes, m.live_bytes());
            ASSERT_EQ(now.live_count, m.live_count());
            ASSERT_EQ(now.live_bytes + now.slack_bytes + now.free_bytes, now.held_bytes);
            refused = std::max(refused, m.refused_count());
        });
        EXPECT_GT(refused, 0u);
        EXPECT_EQ(memory.usage().held_bytes, 0u);
    }
}

TEST(region, is_described_from_another_thread) {
    region memory({.reserved_bytes = mebibytes(1)});
    std::atomic<bool> done = false;
    std::thread looker([&] {
        while (!done) EXPECT_LE(memory.describe().usage.held_bytes, mebibytes(1));
    });
    run_model(memory, {.step_count = 500}, [](const model&) {});
    done = true;
    looker.join();
}

TEST(region_misuse, names_a_block_that_is_not_its_own) {
    if constexpr (checks == check_level::off) GTEST_SKIP() << "level off looks at nothing";
    region memory({.name = "log", .reserved_bytes = mebibytes(1)});
    auto* const block = static_cast<char*>(memory.allocate({100, 8}));
    const char* const line =
        "^allot: fatal: region 'log': 0x[0-9a-f]+ with [0-9]+ bytes is not a block of it\n$";
    int other = 0;
    EXPECT_DEATH(memory.deallocate(&other, {4, 4}), line);
    EXPECT_DEATH(memory.deallocate(block + 8, {92, 8}), line);
    EXPECT_DEATH(memory.deallocate(block, {page_size() + 1, 8}), line);
    memory.deallocate(block, {100, 8});
    EXPECT_DEATH(memory.deallocate(block, {100, 8}), line);
    EXPECT_DEATH(*static_cast<volatile char*>(block) = 1, "");
}

TEST(region_misuse, makes_the_rest_of_the_last_page_visible) {
    if constexpr (!ALLOT_HAS_ASAN) GTEST_SKIP() << "AddressSanitizer only";
    region memory({.reserved_bytes = mebibytes(1)});
    auto* const block = static_cast<volatile char*>(memory.allocate({104, 8}));
    EXPECT_DEATH(block[104] = 1, "use-after-poison");
    ASSERT_TRUE(memory.try_resize(const_cast<char*>(block), {104, 8}, 200));
    block[199] = 1;
    EXPECT_DEATH(block[200] = 1, "use-after-poison");
    memory.deallocate(const_cast<char*>(block), {200, 8});
    EXPECT_DEATH(block[0] = 1, "use-after-poison");
}

} // namespace
