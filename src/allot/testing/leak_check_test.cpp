#include <allot/source/buffer_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/leak_check.hpp>
#include <allot/testing/no_allocation.hpp>
#include <array>
#include <cassert>
#include <cstdio>
#include <gtest/gtest.h>
#include <memory_resource>
#include <thread>
#include <vector>

namespace allot {
namespace {

constexpr leak_check_options collecting{.on_finding = on_finding::collect};

TEST(leak_check, usage) {
    malloc_source source;
    leak_check leaks(source, {.on_finding = on_finding::collect});
    void* lost = leaks.allocate({.size = 24});
    std::puts(leaks.report().c_str()); // "1 block, 24 bytes live", then whence
    assert(leaks.live_count() == 1 && leaks.live_bytes() == 24);
    EXPECT_EQ(leaks.live_count(), 1);
    EXPECT_EQ(leaks.live_bytes(), 24);
    leaks.deallocate(lost, {.size = 24});
}

[[gnu::noinline]] void* forget_here(memory_source& source, std::size_t size) {
    void* const lost = source.allocate(layout{.size = size});
    asm volatile("" : : "r"(lost)); // no tail call: this frame is on the stack
    return lost;
}

TEST(leak_check, joins_blocks_by_stack_and_shows_the_most_bytes_first) {
    malloc_source source;
    leak_check leaks(source, collecting);
    EXPECT_EQ(leaks.report(), "");
    std::vector<std::pair<void*, std::size_t>> lost;
    for (std::size_t size = 10; size <= 30; size += 10) {
        asm volatile("" : "+r"(size)); // not unrolled: one call, so one stack
        lost.emplace_back(forget_here(leaks, size), size);
    }
    void* const large = leaks.allocate({.size = 1000});
    lost.emplace_back(large, 1000);
    const std::string report = leaks.report();
    EXPECT_EQ(report.find("4 blocks, 1060 bytes live\n"), 0) << report;
    const auto first = report.find("    1 block, 1000 bytes, the first in allocation 4\n        ");
    const auto second = report.find("    3 blocks, 60 bytes, the first in allocation 1\n        ");
    EXPECT_NE(first, std::string::npos) << report;
    EXPECT_NE(second, std::string::npos) << report;
    EXPECT_LT(first, second);
    EXPECT_NE(report.find("leak_check_test+0x"), std::string::npos) << report;
    EXPECT_NE(leaks.report(1).find("    … and 1 more stacks\n"), std::string::npos);
    for (const auto& [address, size] : lost) leaks.deallocate(address, {.size = size});
    EXPECT_EQ(leaks.report(), "");
}

TEST(leak_check, takes_no_stacks_when_told_so) {
    malloc_source source;
    leak_check leaks(source, {.on_finding = on_finding::collect, .frame_count = 0});
    void* const one = leaks.allocate({.size = 24});
    void* const two = forget_here(leaks, 6);
    EXPECT_EQ(leaks.report(), "2 blocks, 30 bytes live\n    2 blocks, 30 bytes, the first in allocation 1\n");
    leaks.deallocate(one, {.size = 24});
    leaks.deallocate(two, {.size = 6});
}

TEST(leak_check, follows_blocks_that_change_their_size) {
    page_source source;
    leak_check leaks(source);
    void* block = leaks.allocate({.size = 100, .align = 16});
    ASSERT_TRUE(leaks.try_resize(block, {100, 16}, 200));
    EXPECT_EQ(leaks.live_bytes(), 200);
    EXPECT_FALSE(leaks.try_resize(block, {200, 16}, mebibytes(64 * 1024)));
    block = leaks.try_reallocate(block, {200, 16}, 9000);
    EXPECT_EQ(leaks.live_bytes(), 9000);
    EXPECT_EQ(leaks.usage().total_count, 1);
    leaks.deallocate(block, {9000, 16});
    const auto more = leaks.try_allocate_at_least({.size = 1});
    EXPECT_EQ(leaks.live_bytes(), more.size);
    leaks.deallocate(more.address, {.size = more.size});
    EXPECT_EQ(leaks.good_size({.size = 1}), 4096);
    EXPECT_EQ(leaks.traits(), source.traits());
    EXPECT_EQ(leaks.describe().upstream, &source);
}

TEST(leak_check, a_source_that_frees_in_bulk_has_no_leaks) {
    alignas(16) std::array<std::byte, 256> bytes;
    buffer_source buffer(bytes);
    leak_check leaks(buffer);
    EXPECT_NE(leaks.try_allocate({.size = 10}), nullptr);
}

TEST(leak_check, survives_each_refusal_and_keeps_its_books_to_itself) {
    EXPECT_EQ(for_each_failure([](failing_source& failing) {
                  leak_check leaks(failing);
                  no_allocation scope;
                  void* block = leaks.try_allocate({.size = 10});
                  if (!block) return;
                  void* const moved = leaks.try_reallocate(block, {.size = 10}, 100);
                  leaks.deallocate(moved ? moved : block, {.size = moved ? 100u : 10u});
                  EXPECT_EQ(leaks.live_count(), 0);
              }),
              2);
}

TEST(leak_check, counts_the_blocks_of_many_threads) {
    malloc_source source;
    leak_check leaks(source, {.frame_count = 4});
    std::vector<std::thread> threads;
    for (int i = 0; i != 4; ++i) {
        threads.emplace_back([&] {
            std::pmr::vector<std::pmr::vector<int>> rows(&leaks);
            for (int row = 0; row != 200; ++row) rows.emplace_back(10);
            EXPECT_FALSE(leaks.report(2).empty());
        });
    }
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(leaks.live_count(), 0);
}

TEST(leak_check, dies_when_something_still_lives) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            malloc_source source;
            leak_check leaks(source, {.name = "parser"});
            forget_here(leaks, 24);
        },
        "^allot: fatal: leak_check 'parser': 1 block, 24 bytes live: "
        "24 bytes at 0x[0-9a-f]+ \\(allocation 1\\)\n");
}

} // namespace
} // namespace allot
