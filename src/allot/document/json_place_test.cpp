#include <allot/document/json_place.hpp>

#include <gtest/gtest.h>

#include <vector>

using namespace allot;

namespace {

std::string fault_in(std::string_view text, const detail::json_limits& limits = {.depth_max = 1000}) {
    std::vector<std::uint64_t> stack(detail::json_stack_words(limits.depth_max), ~UINT64_C(0));
    detail::json_fault fault;
    return detail::find_json_fault(text, limits, stack, fault) ? fault.as_error().text() : "none";
}

TEST(json_place, counts_lines_and_columns_from_one_and_bytes_from_zero) {
    const std::string_view text = "ab\n\r\n\xc3\xa9x";
    const auto place = [&](std::uint64_t byte) {
        const text_place at = place_of(text, byte);
        return std::to_string(at.line) + ":" + std::to_string(at.column) + ":" + std::to_string(at.byte);
    };
    EXPECT_EQ(place(0), "1:1:0");
    EXPECT_EQ(place(2), "1:3:2");
    EXPECT_EQ(place(3), "2:1:3");
    EXPECT_EQ(place(5), "3:1:5");
    EXPECT_EQ(place(7), "3:3:7"); // columns are bytes
    EXPECT_EQ(place(8), "3:4:8");
    EXPECT_EQ(place(100), "3:4:8");
    EXPECT_EQ(place_of("", 0).column, 1u);
}

TEST(json_place, names_the_value_that_the_fault_is_in) {
    EXPECT_EQ(fault_in("{\"a\": [1, {\"b\": x}]}"),
              "line 1, column 17, byte 16, at /a/1/b: expected a value, found 'x'");
    EXPECT_EQ(fault_in("{\"a\": [1, {\"b\": 1 x}]}"),
              "line 1, column 19, byte 18, at /a/1: expected ',' or '}', found 'x'");
    EXPECT_EQ(fault_in("{\"a\": [1, {\"b\": 1}, x]}"),
              "line 1, column 21, byte 20, at /a/2: expected a value, found 'x'");
    EXPECT_EQ(fault_in("{\"a\": [[], {}], x}"),
              "line 1, column 17, byte 16: expected a key in quotes, found 'x'");
    EXPECT_EQ(fault_in("{\"a/b~c\": {\"\": x}}"),
              "line 1, column 16, byte 15, at /a~1b~0c/: expected a value, found 'x'");
}

TEST(json_place, cuts_paths_that_are_too_long) {
    std::string deep;
    for (int i = 0; i != 40; ++i) deep += "[0,";
    EXPECT_NE(fault_in(deep).find("/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/…: "),
              std::string::npos)
        << fault_in(deep);
    const std::string key(1000, 'k');
    EXPECT_NE(fault_in("{\"" + key + "\": x}").find(", at /" + std::string(59, 'k') + "…: "),
              std::string::npos)
        << fault_in("{\"" + key + "\": x}");
    std::string wide;
    for (int i = 0; i != 20; ++i) wide += "{\"" + key + "\":";
    const std::string path = fault_in(wide);
    EXPECT_NE(path.find("…/…: expected a value"), std::string::npos) << path;
    EXPECT_LT(path.size(), 400u);
}

TEST(json_place, uses_no_more_levels_than_it_is_given) {
    EXPECT_EQ(fault_in("[[[]]]", {.depth_max = 3}), "none");
    EXPECT_EQ(fault_in("[[[]]]", {.depth_max = 2}), "line 1, column 3, byte 2, at /0/0: more than 2 levels");
    EXPECT_EQ(fault_in("[[[1,]]]", {.depth_max = 2}),
              "line 1, column 3, byte 2, at /0/0: more than 2 levels");
    const std::string deep(64, '[');
    EXPECT_NE(fault_in(deep + "[", {.depth_max = 64}).find("byte 64"), std::string::npos);
    EXPECT_NE(fault_in(deep, {.depth_max = 64}).find("expected a value, found the end"), std::string::npos);
}

TEST(json_place, stops_at_the_key_that_it_is_told) {
    const std::string_view text = "{\"a\":{\"b\":1},\n\"c\":[{\"d\":2}]}";
    EXPECT_EQ(fault_in(text, {.depth_max = 9, .stop_at_key = 1}),
              "line 1, column 2, byte 1: this key is there already");
    EXPECT_EQ(fault_in(text, {.depth_max = 9, .stop_at_key = 4}),
              "line 2, column 7, byte 20, at /c/0: this key is there already");
    EXPECT_EQ(fault_in(text, {.depth_max = 9, .stop_at_key = 5}), "none");
}

TEST(json_place, knows_utf8) {
    using detail::utf8_bytes;
    EXPECT_EQ(utf8_bytes("a"), 1u);
    EXPECT_EQ(utf8_bytes("\xc3\xa9z"), 2u);
    EXPECT_EQ(utf8_bytes("\xe2\x82\xac"), 3u);
    EXPECT_EQ(utf8_bytes("\xf0\x9f\x98\x80"), 4u);
    for (const std::string_view bad : {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80",
                                       "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "\xff", "\xe2\x82"})
        EXPECT_EQ(utf8_bytes(bad), 0u);
}

} // namespace
