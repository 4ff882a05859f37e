#include <allot/source/fixtures/model.hpp>
#include <allot/source/null_source.hpp>

#include <gtest/gtest.h>

namespace {

using namespace allot;
using namespace allot::testing_model;

TEST(null_source, refuses_everything) {
    null_source nothing({.name = "no growth"});
    ASSERT_TRUE(nothing.try_allocate({.size = 1}) == nullptr);
    ASSERT_TRUE(last_refusal().who.view() == "no growth" && last_refusal().limit_bytes == 0);
}

TEST(null_source, counts_and_says_so) {
    null_source nothing({.name = "no growth"});
    expect_refusal(nothing, {.size = 1}, "no growth");
    expect_refusal(nothing, {.size = 1, .align = kibibytes(64)}, "no growth");
    EXPECT_FALSE(nothing.try_allocate_at_least({.size = 0}));
    EXPECT_EQ(nothing.usage(), (usage{.refused_count = 3, .limit_bytes = 0}));
    EXPECT_STREQ(nothing.describe().kind, "null_source");
    EXPECT_TRUE(nothing.traits().thread_safe);
    EXPECT_EQ(nothing.good_size({100, 8}), 100u);
    nothing.deallocate(nullptr, {.size = 1});
    try {
        (void)nothing.allocate({.size = 5, .align = 1});
        FAIL();
    } catch (const out_of_memory& shortage) {
        EXPECT_STREQ(shortage.what(), "allot: out of memory: null_source 'no growth' refused 5 bytes "
                                      "(aligned to 1): 0 of 0 are live");
    }
}

TEST(null_source, refuses_many_threads) { hammer(*std::make_unique<null_source>(), {.step_count = 400}); }

TEST(null_source_misuse, names_a_block_that_comes_back) {
    if constexpr (checks == check_level::off) GTEST_SKIP() << "level off looks at nothing";
    null_source nothing({.name = "no growth"});
    int block = 0;
    EXPECT_DEATH(
        nothing.deallocate(&block, {.size = 4, .align = 4}),
        "^allot: fatal: null_source 'no growth': deallocate of 0x[0-9a-f]+ with 4 bytes, but it never "
        "gave a block\n$");
}

} // namespace
