#include <allot/document/xml_scan.hpp>

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

namespace allot::detail {
namespace {

bool has(std::string_view some, char c) { return some.find(c) != some.npos; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20; }
bool may_be_none(char c, bool is_utf8) {
    return is_utf8 ? c == '\xEF' : static_cast<unsigned char>(c) >= 0x80;
}
bool stops_text(char c, bool is_utf8) {
    return has("<&]", c) || (is_control(c) && !has("\n\t", c)) || may_be_none(c, is_utf8);
}
bool stops_value(char c, bool is_utf8) { return has("<&\"'", c) || is_control(c) || may_be_none(c, is_utf8); }

bool stops_section(char c, bool is_utf8) {
    return c == '-' || (is_control(c) && !has("\n\t", c)) || may_be_none(c, is_utf8);
}

TEST(xml_scan, goes_as_far_as_characters_stand_for_themselves) {
    const std::string_view text = "a text of more than sixteen bytes & more that stands behind";
    const bool is_utf8 = true;
    const char* at = skip_xml_text(text.data(), text.data() + text.size(), is_utf8);
    EXPECT_EQ(at - text.data(), 34);
}

TEST(xml_scan, stops_at_each_byte_that_needs_a_look_wherever_it_is) {
    for (const bool is_utf8 : {false, true})
        for (unsigned byte = 0; byte != 256; ++byte)
            for (std::ptrdiff_t place = 0; place != 48; ++place) {
                const char c = static_cast<char>(byte);
                std::string text(48, 'x');
                text[static_cast<std::size_t>(place)] = c;
                const char* const from = text.data();
                const char* const to = from + text.size();
                SCOPED_TRACE(testing::Message() << byte << " at " << place << ", " << is_utf8);
                ASSERT_EQ(skip_xml_text(from, to, is_utf8) - from, stops_text(c, is_utf8) ? place : 48);
                ASSERT_EQ(skip_xml_value(from, to, is_utf8) - from, stops_value(c, is_utf8) ? place : 48);
                ASSERT_EQ(skip_xml_section(from, to, '-', is_utf8) - from,
                          stops_section(c, is_utf8) ? place : 48);
                std::string blanks(48, ' ');
                blanks[static_cast<std::size_t>(place)] = c;
                const char* const blank = blanks.data();
                ASSERT_EQ(skip_xml_blanks(blank, blank + 48) - blank, has(" \t\n\r", c) ? 48 : place);
            }
}

TEST(xml_scan, leaves_less_than_sixteen_bytes_at_the_end_to_others) {
    for (std::size_t size = 0; size != 40; ++size) {
        const std::string text(size, 'x'); // exactly as large: for sanitizers
        const char* const end = text.data() + size;
        EXPECT_EQ(end - skip_xml_text(text.data(), end, true), static_cast<std::ptrdiff_t>(size % 16));
        EXPECT_EQ(end - skip_xml_value(text.data(), end, true), static_cast<std::ptrdiff_t>(size % 16));
        EXPECT_EQ(skip_xml_blanks(text.data(), end) - text.data(), 0);
        EXPECT_EQ(xml_word::at(text.data(), end).size, 0);
    }
}

TEST(xml_scan, stops_at_a_character_where_the_blocks_end_within_one) {
    for (const std::string_view character : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"})
        for (std::size_t before = 0; before != 36; ++before) {
            std::string text(before, 'x');
            text += character;
            text.append(36 - before, 'y');
            const char* const from = text.data();
            const char* const to = from + text.size();
            for (const char* at : {skip_xml_text(from, to, true), skip_xml_value(from, to, true),
                                   skip_xml_section(from, to, '-', true)}) {
                ASSERT_LT(to - at, 20);
                ASSERT_NE(*at & 0xC0, 0x80) << before;
            }
        }
}

TEST(xml_scan, makes_a_word_of_what_stands_before_the_end_of_a_name) {
    for (unsigned size = 0; size != 20; ++size)
        for (const char stop : std::string_view(" \n\t\r=>/\0\x1F", 9)) {
            const std::string name = std::string("abcdefghijklmnopqrst").substr(0, size);
            const std::string text = name + stop + std::string(20, 'z');
            const xml_word word = xml_word::at(text.data(), text.data() + text.size());
            ASSERT_EQ(word.size, size < 16 ? size : 0) << size;
            const std::string other = name + "=" + std::string(20, 'y');
            const xml_word again = xml_word::at(other.data(), other.data() + other.size());
            ASSERT_TRUE(word == again);
            if (size == 0 || size >= 16) continue;
            ASSERT_LT(word.slot(6), 64);
            for (unsigned at = 0; at != size; ++at) {
                std::string changed = text;
                changed[at] = 'A';
                ASSERT_FALSE(word == xml_word::at(changed.data(), changed.data() + changed.size()));
            }
            const std::string longer = name + "a" + text.substr(size);
            ASSERT_FALSE(word == xml_word::at(longer.data(), longer.data() + longer.size()));
        }
}

TEST(xml_scan, sees_whether_a_name_comes_again_at_any_length_and_near_the_end) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    for (int round = 0; round != 3000; ++round) {
        std::string text;
        for (std::size_t i = 0; i != 60; ++i) text += "ab"[random() % 8 == 0];
        const std::size_t before = random() % 20;
        const std::size_t at = before + 1 + random() % 38;
        const std::size_t size = 1 + random() % (at - before);
        const bool repeats = text.compare(at, size, text, before, size) == 0 && at + size <= text.size();
        const char* const data = text.data();
        ASSERT_EQ(xml_repeats(data + at, data + text.size(), data + before, size), repeats)
            << text << ' ' << at << ' ' << before << ' ' << size;
    }
}

} // namespace
} // namespace allot::detail
