#include <allot/core/contract.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace {

void check_index(std::size_t index, std::size_t count) {
    ALLOT_EXPECT(index < count, "buffer: index ", index, " of ", count);
}

TEST(contract, ends_the_program_with_one_line_when_the_condition_fails) {
    check_index(4, 5);
    EXPECT_DEATH(check_index(7, 5), "^allot: fatal: buffer: index 7 of 5\n$");
}

TEST(contract, aborts) { EXPECT_EXIT(check_index(7, 5), testing::KilledBySignal(SIGABRT), ""); }

TEST(contract, evaluates_its_condition_once_and_its_message_only_when_it_fails) {
    int conditions = 0, messages = 0;
    ALLOT_EXPECT(++conditions == 1, "message ", ++messages);
    EXPECT_EQ(conditions, 1);
    EXPECT_EQ(messages, 0);
}

TEST(contract, writes_numbers_of_all_widths_and_addresses) {
    using allot::fatal;
    const auto lowest = std::numeric_limits<std::int64_t>::min();
    const auto highest = std::numeric_limits<std::uint64_t>::max();
    EXPECT_DEATH(fatal({lowest, " ", highest}),
                 "^allot: fatal: -9223372036854775808 18446744073709551615\n$");
    EXPECT_DEATH(fatal({std::int8_t{-128}, " ", std::uint8_t{255}, " ", -1, " ", 0}),
                 "^allot: fatal: -128 255 -1 0\n$");
    EXPECT_DEATH(fatal({reinterpret_cast<const void*>(0xabc0), " ", static_cast<const void*>(nullptr)}),
                 "^allot: fatal: 0xabc0 0x0\n$");
    EXPECT_DEATH(fatal({std::string_view("text with length", 4), "", std::string_view()}),
                 "^allot: fatal: text\n$");
    EXPECT_DEATH(fatal({}), "^allot: fatal: \n$");
}

TEST(contract, cuts_a_long_line_where_one_can_see_it) {
    const std::string text(2000, 'x');
    EXPECT_DEATH(allot::fatal({text.c_str(), 12345}), "^allot: fatal: x{494}\\.\\.\\.\n$");
    const std::string longest_whole(493, 'x');
    EXPECT_DEATH(allot::fatal({longest_whole.c_str()}), "^allot: fatal: x{493}\n$");
}

} // namespace
