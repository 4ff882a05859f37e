#include <cli/render/words.hpp>

#include <gtest/gtest.h>
#include <random>
#include <string>

namespace allot::cli {
namespace {

TEST(words, are_made_fit_as_the_header_says) {
    EXPECT_EQ(clean("a\x1b[31mb"), "a?[31mb");
    EXPECT_EQ(width("größe"), 5u);
    EXPECT_EQ(fit("a_rather_long_name", 10), "a_rat…name");
    EXPECT_EQ(shell_word("my file"), "'my file'");
}

TEST(words, keep_valid_text_and_replace_broken_sequences) {
    EXPECT_EQ(clean("größe €𐍈"), "größe €𐍈");
    EXPECT_EQ(clean("\xC0\x80"), "??");           // overlong
    EXPECT_EQ(clean("\xED\xA0\x80"), "???");      // a surrogate
    EXPECT_EQ(clean("a\xE2\x82"), "a??");         // cut
    EXPECT_EQ(clean("\xF4\x90\x80\x80"), "????"); // beyond the last character
    EXPECT_EQ(clean("\xC2\x9B"
                    "31m"),
              "?31m"); // a control sequence of the second set
    EXPECT_EQ(clean(std::string("a\0b\n", 4)), "a?b?");
    EXPECT_EQ(valid_utf8("a\n\xFF"), "a\n\uFFFD");
}

TEST(words, fit_into_any_width) {
    for (std::size_t columns = 1; columns < 20; ++columns) {
        EXPECT_LE(width(fit("äöü_a_name_with_some_length", columns)), columns);
        EXPECT_LE(width(fit_path("/usr/include/c++/12/bits/new_allocator.h", columns)), columns);
        EXPECT_LE(width(fit_function("std::vector<int, std::allocator<int> >::push_back(int&&)", columns)),
                  columns);
    }
    EXPECT_EQ(fit("short", 5), "short");
    EXPECT_EQ(fit_start("äöü_a_name", 5), "äöü_…");
    EXPECT_EQ(fit_start("short", 5), "short");
    EXPECT_EQ(fit_path("/usr/include/c++/12/bits/new_allocator.h", 30), "…/c++/12/bits/new_allocator.h");
    EXPECT_EQ(fit_function("std::vector<int, std::allocator<int> >::push_back(int&&)", 30),
              "std::vector::push_back");
}

TEST(words, are_padded_by_their_width) {
    EXPECT_EQ(left("ä", 3), "ä  ");
    EXPECT_EQ(right("ä", 3), "  ä");
    EXPECT_EQ(right("long", 2), "long");
}

TEST(words, survive_the_shell) {
    EXPECT_EQ(shell_word("plain-1.allot"), "plain-1.allot");
    EXPECT_EQ(shell_word(""), "''");
    EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
    EXPECT_EQ(shell_words({"a", "b c", "$d"}), "a 'b c' '$d'");
}

TEST(words, cleaned_random_bytes_have_no_control_character_and_stay_as_they_are_when_cleaned_again) {
    const std::uint32_t seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 2000; ++round) {
        std::string bytes(random() % 24, '\0');
        for (char& c : bytes) {
            c = static_cast<char>(random());
        }
        const std::string cleaned = clean(bytes);
        for (const char c : cleaned) {
            EXPECT_GE(static_cast<unsigned char>(c), 0x20);
        }
        EXPECT_EQ(clean(cleaned), cleaned);
        EXPECT_EQ(valid_utf8(cleaned), cleaned);
    }
}

} // namespace
} // namespace allot::cli
