#include <allot/source/buffer_source.hpp>
#include <allot/source/default_source.hpp>
#include <allot/source/fallback_source.hpp>
#include <allot/source/fixtures/model.hpp>
#include <allot/source/null_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/source/region.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>

#include <gtest/gtest.h>

#include <array>

namespace {

using namespace allot;
using namespace allot::testing_model;

// Calls multiples of a step good, and gives nothing.
struct stepping : memory_source {
    explicit stepping(std::size_t bytes) : step(bytes) {}
    bool owns(const void*) const noexcept { return false; }
    void* do_try_allocate(layout) noexcept override { return nullptr; }
    void do_give_back(void*, layout) noexcept override {}
    std::size_t do_good_size(layout wanted) const noexcept override {
        return (wanted.size + step - 1) / step * step;
    }
    std::size_t step;
};

TEST(fallback_source, asks_the_second_when_the_first_is_full) {
    std::array<std::byte, 1024> bytes;
    buffer_source stack(bytes);
    fallback_source source(stack, default_source(), {.name = "stack, then malloc"});
    void* here = source.try_allocate({.size = 1000});
    void* there = source.try_allocate({.size = 1000});
    ASSERT_TRUE(stack.owns(here) && !stack.owns(there) && source.fallback_count() == 1);
    source.deallocate(there, {.size = 1000});
    source.deallocate(here, {.size = 1000});
    EXPECT_EQ(stack.usage().live_count, 0u);
}

TEST(fallback_source, moves_a_block_that_outgrows_the_first) {
    std::array<std::byte, 64> bytes;
    buffer_source stack(bytes);
    auditing_source second(default_source());
    fallback_source source(stack, second);
    auto* text = static_cast<char*>(source.allocate({8, 8}));
    std::memcpy(text, "1234567", 8);
    ASSERT_TRUE(source.try_resize(text, {8, 8}, 60));
    EXPECT_FALSE(source.try_resize(text, {60, 8}, 65));
    text = static_cast<char*>(source.try_reallocate(text, {60, 8}, 100));
    ASSERT_TRUE(text && !stack.owns(text));
    EXPECT_STREQ(text, "1234567");
    EXPECT_EQ(stack.usage().live_count, 0u);
    EXPECT_EQ(second.live_bytes(), 100u);
    EXPECT_EQ(source.fallback_count(), 1u);
    text = static_cast<char*>(source.try_reallocate(text, {100, 8}, 8)); // what went stays gone
    EXPECT_STREQ(text, "1234567");
    EXPECT_EQ(second.live_bytes(), 8u);
    source.deallocate(text, {8, 8});
}

TEST(fallback_source, calls_good_what_both_call_good) {
    std::array<std::byte, 64> bytes;
    buffer_source stack(bytes);
    page_source pages;
    fallback_source source(stack, pages);
    const std::size_t page = pages.good_size({.size = 1});
    EXPECT_EQ(source.good_size({.size = 1}), page);
    EXPECT_EQ(source.good_size({.size = page}), page);
    EXPECT_EQ(source.good_size({.size = page + 1}), 2 * page);
    stepping eights(8), twelves(12);
    fallback_source mixed(eights, twelves); // 10 is 12 for the one, and 12 is 16 for the other
    EXPECT_EQ(mixed.good_size({10, 1}), 24u);
    EXPECT_EQ(mixed.good_size({24, 1}), 24u);
}

TEST(fallback_source, can_what_both_can) {
    region first({.reserved_bytes = mebibytes(1)});
    page_source pages;
    EXPECT_EQ(fallback_source(first, pages).traits(), source_traits{.zeroed = true});
    std::array<std::byte, 64> bytes;
    buffer_source stack(bytes);
    EXPECT_EQ(fallback_source(first, stack).traits(), source_traits{.bulk_free = true});
    fallback_source source(first, stack, {.name = "two"});
    EXPECT_EQ(source.describe().name.view(), "two");
    EXPECT_STREQ(source.describe().kind, "fallback_source");
    EXPECT_EQ(source.describe().upstream, &first);
}

TEST(fallback_source, refuses_with_the_seconds_words_when_both_do) {
    std::array<std::byte, 64> bytes;
    buffer_source stack(bytes, {.name = "stack"});
    null_source nothing({.name = "the end"});
    fallback_source source(stack, nothing);
    EXPECT_EQ(source.try_allocate({.size = 65}), nullptr);
    EXPECT_EQ(last_refusal().who.view(), "the end");
    void* const block = source.allocate({64, 1});
    EXPECT_EQ(source.try_reallocate(block, {64, 1}, 65), nullptr);
    EXPECT_EQ(last_refusal().who.view(), "the end");
    EXPECT_EQ(source.usage().refused_count, 2u);
    EXPECT_EQ(source.fallback_count(), 0u);
    source.deallocate(block, {64, 1});
}

TEST(fallback_source, survives_a_shortage_at_every_point) {
    EXPECT_GT(for_each_failure([](failing_source& failing) {
                  std::array<std::byte, 100> bytes;
                  buffer_source stack(bytes);
                  fallback_source source(stack, failing);
                  std::pmr::vector<int> numbers(&source);
                  for (int i = 0; i != 100; ++i) numbers.push_back(i);
              }),
              1u);
}

TEST(fallback_source, returns_each_block_to_whose_it_is) {
    std::vector<std::byte> bytes(kibibytes(32));
    buffer_source stack(bytes);
    auditing_source second(default_source());
    fallback_source source(stack, second);
    run_model(source, {}, [&](const model& m) {
        stack.check();
        ASSERT_EQ(stack.usage().live_count + second.live_count(), m.live_count());
        ASSERT_EQ(stack.usage().live_bytes + second.live_bytes(), m.live_bytes());
    });
    EXPECT_GT(source.fallback_count(), 100u);
    EXPECT_GT(stack.usage().total_count, 100u);
}

} // namespace
