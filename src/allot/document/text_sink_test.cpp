#include <allot/document/text_sink.hpp>

#include <allot/core/out_of_memory.hpp>
#include <allot/source/null_source.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory_resource>

using namespace allot;

namespace {

TEST(text_sink, writes_as_the_header_shows) {
    buffer text;
    buffer_sink sink(text);
    EXPECT_TRUE(sink.try_write("[1,") && sink.try_write("2]"));
    EXPECT_EQ(text.text(), "[1,2]");
}

TEST(text_sink, refuses_what_does_not_fit_into_bytes) {
    std::array<char, 4> bytes = {};
    span_sink sink(bytes);
    EXPECT_TRUE(sink.try_write("abc"));
    EXPECT_FALSE(sink.try_write("de"));
    EXPECT_EQ(last_refusal().who.view(), "span_sink");
    EXPECT_EQ(last_refusal().limit_bytes, 4u);
    EXPECT_TRUE(sink.try_write("d"));
    EXPECT_TRUE(sink.try_write(""));
    EXPECT_EQ(sink.written(), "abcd");
    span_sink none({});
    EXPECT_TRUE(none.try_write(""));
    EXPECT_FALSE(none.try_write("a"));
}

TEST(text_sink, answers_false_where_a_strings_memory_throws) {
    std::pmr::string text(std::pmr::null_memory_resource());
    string_sink sink(text);
    EXPECT_TRUE(sink.try_write("short"));
    const std::uint64_t noted = refusals_noted();
    EXPECT_FALSE(sink.try_write("a text that no string keeps in itself"));
    EXPECT_EQ(refusals_noted(), noted + 1);
    EXPECT_EQ(last_refusal().who.view(), "std::pmr::string");
    null_source nothing;
    std::pmr::string of_ours(&nothing);
    string_sink refused(of_ours);
    EXPECT_FALSE(refused.try_write("a text that no string keeps in itself"));
    EXPECT_EQ(last_refusal().kind, std::string_view("null_source")); // the innermost is heard
}

} // namespace
