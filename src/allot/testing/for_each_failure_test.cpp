#include <allot/source/buffer_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <array>
#include <cassert>
#include <gtest/gtest.h>
#include <list>
#include <memory_resource>
#include <vector>

namespace allot {
namespace {

TEST(for_each_failure, usage) {
    std::uint64_t points = for_each_failure([](failing_source& source) {
        std::pmr::vector<int> numbers(&source);
        for (int i = 0; i != 100; ++i) numbers.push_back(i); // throws in every run but the last
    });
    assert(points == 8); // the vector asks for memory eight times
    EXPECT_EQ(points, 8);
}

TEST(for_each_failure, runs_once_when_nothing_is_asked) {
    int runs = 0;
    EXPECT_EQ(for_each_failure([&](failing_source&) { ++runs; }), 0);
    EXPECT_EQ(runs, 1);
}

TEST(for_each_failure, refuses_each_request_in_turn) {
    std::vector<std::string> runs;
    const auto body = [&](failing_source& source) {
        std::string& run = runs.emplace_back();
        for (int i = 0; i != 3; ++i) {
            void* const block = source.try_allocate({.size = 8});
            run += block ? '.' : 'x';
            source.deallocate(block, {.size = 8});
        }
    };
    EXPECT_EQ(for_each_failure(body), 3);
    EXPECT_EQ(runs, (std::vector<std::string>{"x..", ".x.", "..x", "..."}));
    runs.clear();
    EXPECT_EQ(for_each_failure(body, {.lasting = true}), 3);
    EXPECT_EQ(runs, (std::vector<std::string>{"xxx", ".xx", "..x", "..."}));
}

TEST(for_each_failure, lets_other_exceptions_through) {
    EXPECT_THROW(for_each_failure([](failing_source&) { throw 5; }), int);
    EXPECT_THROW(for_each_failure([](failing_source&) { throw std::bad_alloc(); }), std::bad_alloc)
        << "nothing was refused: it is the body's own";
}

TEST(for_each_failure, takes_its_memory_from_the_upstream_given) {
    std::array<std::byte, 4096> bytes;
    buffer_source buffer(bytes);
    for_each_failure(
        [&](failing_source& source) {
            std::pmr::list<int> numbers(&source);
            numbers.push_back(1);
            EXPECT_TRUE(buffer.owns(&numbers.front()));
        },
        {.upstream = &buffer});
}

TEST(for_each_failure, a_leak_after_a_refusal_is_fatal) {
    const auto leaky = [](failing_source& source) {
        void* const first = source.try_allocate({.size = 24});
        void* const second = source.try_allocate({.size = 8});
        if (!second) return; // and the first is forgotten
        source.deallocate(first, {.size = 24});
        source.deallocate(second, {.size = 8});
    };
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(for_each_failure(leaky),
                 "^allot: fatal: for_each_failure: after the refusal of request 2: leaked: 1 blocks of 24 "
                 "bytes together, the oldest 0x[0-9a-f]+ \\(24 bytes aligned to 16\\)\n");
}

TEST(for_each_failure, a_leak_in_the_last_run_is_fatal) {
    const auto leaky = [](failing_source& source) {
        void* volatile lost = source.try_allocate({.size = 24});
        static_cast<void>(lost);
    };
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(for_each_failure(leaky),
                 "^allot: fatal: for_each_failure: in the run without a refusal: leaked: ");
}

TEST(for_each_failure, a_body_that_never_passes_is_fatal) {
    const auto endless = [](failing_source& source) {
        for (;;) {
            void* const block = source.try_allocate({.size = 8});
            if (!block) return;
            source.deallocate(block, {.size = 8});
        }
    };
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(for_each_failure(endless, {.point_count_max = 20}),
                 "^allot: fatal: for_each_failure: still refusing after 20 runs\n");
}

} // namespace
} // namespace allot
