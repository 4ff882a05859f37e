#include <allot/governance/budgeted_source.hpp>

#include <allot/governance/budget.hpp>
#include <allot/governance/tracked_source.hpp>
#include <allot/source/buffer_source.hpp>
#include <allot/source/default_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <gtest/gtest.h>
#include <memory_resource>
#include <random>
#include <vector>

namespace allot {
namespace {

TEST(budgeted_source, usage) {
    memory_source& source = default_source();

    budget session({.name = "session", .limit_bytes = 100});
    budgeted_source limited({.upstream = &source, .limit = &session});
    void* block = limited.allocate(layout{.size = 100});
    EXPECT_TRUE(!limited.try_allocate({.size = 1}) && last_refusal().who == name("session"));
    limited.deallocate(block, {.size = 100});
}

TEST(budgeted_source, charges_what_upstream_takes) {
    page_source pages;
    budget limit({.limit_bytes = kibibytes(64)});
    budgeted_source limited({.upstream = &pages, .limit = &limit});
    void* const block = limited.try_allocate({.size = 1});
    const std::uint64_t cost = limit.usage().live_bytes;
    EXPECT_EQ(cost, pages.good_size({.size = 1}));
    EXPECT_GT(cost, 1u);
    EXPECT_EQ(limited.good_size({.size = 1}), cost);
    limited.deallocate(block, {.size = 1});
    const allot::block room = limited.try_allocate_at_least({.size = 5000});
    EXPECT_EQ(limit.usage().live_bytes, room.size);
    limited.deallocate(room.address, {.size = room.size});
    EXPECT_EQ(limit.usage().live_bytes, 0u);
}

TEST(budgeted_source, says_who_refused_in_the_message_of_the_exception) {
    budget limit({.name = "small", .limit_bytes = 10});
    budgeted_source limited({.limit = &limit});
    try {
        static_cast<void>(limited.allocate(layout{.size = 11}));
        FAIL();
    } catch (const out_of_memory& shortage) {
        EXPECT_STREQ(
            shortage.what(),
            "allot: out of memory: budget 'small' refused 11 bytes (aligned to 1): 0 of 10 are live");
    }
    EXPECT_EQ(limited.usage().refused_count, 1u);
    EXPECT_EQ(limited.describe().usage.refused_count, 1u);
}

TEST(budgeted_source, charges_the_difference_of_a_resize_and_both_blocks_of_a_move) {
    alignas(16) std::byte bytes[1000];
    buffer_source buffer(bytes);
    budget limit({.limit_bytes = 250, .quantum_bytes = 0});
    budgeted_source limited({.upstream = &buffer, .limit = &limit});
    void* const last = limited.try_allocate({.size = 100, .align = 1});
    EXPECT_TRUE(limited.try_resize(last, {.size = 100, .align = 1}, 250));
    EXPECT_FALSE(limited.try_resize(last, {.size = 250, .align = 1}, 251));
    EXPECT_EQ(limit.usage().live_bytes, 250u);
    EXPECT_TRUE(limited.try_resize(last, {.size = 250, .align = 1}, 90));
    EXPECT_EQ(limit.usage().live_bytes, 90u);
    void* const above = limited.try_allocate({.size = 10, .align = 1}); // now `last` cannot grow in place
    EXPECT_FALSE(limited.try_reallocate(last, {.size = 90, .align = 1}, 151)); // 251 while it moves
    void* const moved = limited.try_reallocate(last, {.size = 90, .align = 1}, 150);
    ASSERT_TRUE(moved);
    EXPECT_EQ(limit.usage().peak_live_bytes, 250u);
    EXPECT_EQ(limit.usage().live_bytes, 160u);
    EXPECT_FALSE(limited.try_reallocate(moved, {.size = 150, .align = 1}, 241));
    EXPECT_EQ(limit.usage().live_bytes, 160u);
    limited.deallocate(moved, {.size = 150, .align = 1});
    limited.deallocate(above, {.size = 10, .align = 1});
}

TEST(budgeted_source, charges_a_move_without_a_copy_by_the_difference) {
    budget limit({.limit_bytes = 1000});
    budgeted_source limited({.limit = &limit}); // over malloc, which moves
    void* const block = limited.try_allocate({.size = 600});
    void* const moved = limited.try_reallocate(block, {.size = 600}, 1000);
    ASSERT_TRUE(moved);
    EXPECT_FALSE(limited.try_reallocate(moved, {.size = 1000}, 1001));
    void* const less = limited.try_reallocate(moved, {.size = 1000}, 1);
    EXPECT_EQ(limit.usage().live_bytes, 1u);
    limited.deallocate(less, {.size = 1});
}

TEST(budgeted_source, refunds_what_upstream_refuses) {
    for_each_failure([](failing_source& source) {
        budget limit({.limit_bytes = 10'000});
        budgeted_source limited({.upstream = &source, .limit = &limit});
        struct always {
            budget& limit;
            ~always() { EXPECT_EQ(limit.usage().live_bytes, 0u); }
        } const check{limit};
        std::pmr::vector<int> numbers(&limited);
        for (int i = 0; i < 100; ++i) numbers.push_back(i);
        void* const block = limited.try_allocate({.size = 100});
        if (!block) return;
        void* const moved = limited.try_reallocate(block, {.size = 100}, 300);
        limited.deallocate(moved ? moved : block, {.size = moved ? 300u : 100u});
    });
}

TEST(budgeted_source, gives_each_block_back_and_takes_nothing_else) {
    auditing_source audited(default_source());
    budget limit({.limit_bytes = 10'000});
    budgeted_source limited({.upstream = &audited, .limit = &limit});
    limited.deallocate(limited.try_allocate({.size = 1}), {.size = 1});
    const no_allocation nothing;
    std::pmr::vector<int> numbers(&limited);
    for (int i = 0; i < 500; ++i) numbers.push_back(i);
}

// In both orders with a tracked_source: the budget never has more than the limit, and exactly what the books
// have.
TEST(budgeted_source, model_agrees_with_the_books_above_and_below) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    ledger books;
    budget limit({.limit_bytes = 20'000, .quantum_bytes = 300});
    tracked_source below({.books = &books, .whose = tags::edge});
    budgeted_source limited({.upstream = &below, .limit = &limit});
    tracked_source above({.upstream = &limited, .books = &books, .whose = tags::node});
    std::vector<block> live;
    std::uint64_t sum = 0;
    for (int step = 0; step < 20'000; ++step) {
        const std::size_t size = 1 + random() % 900;
        if (random() % 2 == 0 || live.empty()) {
            void* const got = above.try_allocate({.size = size});
            ASSERT_EQ(got != nullptr, sum + size <= 20'000);
            if (got) live.push_back({got, size}), sum += size;
        } else {
            block& one = live[random() % live.size()];
            if (random() % 3 == 0) {
                void* const moved = above.try_reallocate(one.address, {.size = one.size}, size);
                ASSERT_EQ(moved != nullptr, sum - one.size + size <= 20'000);
                if (moved) sum = sum - one.size + size, one = {moved, size};
            } else {
                above.deallocate(one.address, {.size = one.size});
                sum -= one.size;
                one = live.back();
                live.pop_back();
            }
        }
        ASSERT_EQ(limit.usage().live_bytes, sum);
        ASSERT_EQ(above.usage().live_bytes, sum);
        ASSERT_EQ(below.usage().live_bytes, sum);
    }
    for (const block& each : live) above.deallocate(each.address, {.size = each.size});
}

} // namespace
} // namespace allot
