#include <allot/core/out_of_memory.hpp>
#include <allot/core/result.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>

namespace {

using namespace allot;

TEST(out_of_memory, says_who_refused_what_and_how_much_is_live) {
    const refusal why{
        .who = "session", .kind = "budget", .asked = {4096, 16}, .limit_bytes = 61440, .live_bytes = 60000};
    note_refusal(why);
    try {
        throw_out_of_memory();
    } catch (const out_of_memory& shortage) {
        EXPECT_STREQ(shortage.what(),
                     "allot: out of memory: budget 'session' refused 4096 bytes (aligned to 16): "
                     "60000 of 61440 are live");
        EXPECT_EQ(shortage.why().asked, why.asked);
    }
}

TEST(out_of_memory, is_said_without_the_programs_name_where_a_result_carries_it) {
    note_refusal({.who = "session", .kind = "budget", .asked = {5, 1}, .limit_bytes = 4, .live_bytes = 3});
    EXPECT_EQ(shortage_error().during("line 3").text(),
              "line 3: out of memory: budget 'session' refused 5 bytes (aligned to 1): 3 of 4 are live");
}

TEST(out_of_memory, keeps_its_text_when_later_refusals_come) {
    const out_of_memory first({.who = "a", .kind = "pool", .asked = {1, 1}});
    note_refusal({.who = "b", .kind = "pool", .asked = {2, 1}});
    const out_of_memory copy = first;
    EXPECT_STREQ(copy.what(), "allot: out of memory: pool 'a' refused 1 bytes (aligned to 1)");
}

TEST(out_of_memory, fits_the_longest_name_and_the_largest_numbers) {
    const refusal why{.who = name(std::string(100, 'x')),
                      .kind = "synchronized_source",
                      .asked = {~std::size_t{0}, std::size_t{1} << 62},
                      .limit_bytes = ~std::uint64_t{0} - 1,
                      .live_bytes = ~std::uint64_t{0}};
    const std::string text = out_of_memory(why).what();
    EXPECT_EQ(text.substr(text.size() - 8), "are live") << text;
}

TEST(refusal, is_of_its_own_thread) {
    note_refusal({.who = "mine", .kind = "arena", .asked = {8, 8}});
    const std::uint64_t noted = refusals_noted();
    std::thread([] {
        EXPECT_EQ(last_refusal().who, name());
        EXPECT_EQ(refusals_noted(), 0u);
        note_refusal({.who = "other", .kind = "arena", .asked = {9, 8}});
    }).join();
    EXPECT_EQ(last_refusal().who.view(), "mine");
    EXPECT_EQ(refusals_noted(), noted);
}

} // namespace
