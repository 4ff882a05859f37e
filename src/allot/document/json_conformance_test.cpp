// The grammar of RFC 8259, case by case: what must be accepted, with the bytes that it is written back as, and what
// must be refused, with the byte and the reason. Each is asked of read_json and of the walk that finds places.
#include <allot/document/json_reader.hpp>
#include <allot/document/json_writer.hpp>

#include <gtest/gtest.h>

#include <vector>

using namespace std::string_view_literals;

namespace {

struct accepted {
    const char* name;
    std::string_view text;
    std::string_view written;
};

struct refused {
    const char* name;
    std::string_view text;
    std::uint64_t byte;
    std::string_view why; // a part of it
};

const accepted accepted_cases[] = {
    // values alone
    {"null", "null", "null"},
    {"true", "true", "true"},
    {"false", "false", "false"},
    {"integer_alone", "42", "42"},
    {"real_alone", "1.5", "1.5"},
    {"text_alone", "\"a\"", "\"a\""},
    {"empty_text", "\"\"", "\"\""},
    {"empty_array", "[]", "[]"},
    {"empty_object", "{}", "{}"},
    // blanks
    {"blanks_around", " \t\r\n[1] \t\r\n", "[1]"},
    {"blanks_inside_an_array", "[ 1\n,\t2 \r]", "[1,2]"},
    {"blanks_inside_an_object", "{ \"a\"\n:\t1 \r, \"b\" : 2 }", "{\"a\":1,\"b\":2}"},
    {"blanks_in_an_empty_array", "[ \n ]", "[]"},
    {"blanks_in_an_empty_object", "{ \n }", "{}"},
    {"blanks_before_a_number_alone", "  7", "7"},
    {"a_line_end_after_a_number_alone", "7\n", "7"},
    {"many_blanks", "[                                                                      1]", "[1]"},
    // arrays and objects
    {"array_of_one", "[1]", "[1]"},
    {"array_of_each_kind", "[null,true,false,1,1.5,\"x\",[],{}]", "[null,true,false,1,1.5,\"x\",[],{}]"},
    {"array_in_array", "[[[]]]", "[[[]]]"},
    {"object_of_one", "{\"a\":1}", "{\"a\":1}"},
    {"object_of_each_kind", "{\"a\":null,\"b\":true,\"c\":[1],\"d\":{\"e\":\"\"}}",
     "{\"a\":null,\"b\":true,\"c\":[1],\"d\":{\"e\":\"\"}}"},
    {"order_is_kept", "{\"z\":1,\"a\":2,\"m\":3}", "{\"z\":1,\"a\":2,\"m\":3}"},
    {"empty_key", "{\"\":0}", "{\"\":0}"},
    {"key_with_a_zero", "{\"a\\u0000b\":0}", "{\"a\\u0000b\":0}"},
    {"key_with_escapes", "{\"a\\n\\\"\":0}", "{\"a\\n\\\"\":0}"},
    {"key_beyond_ascii", "{\"\xc3\xa9\":0}", "{\"\xc3\xa9\":0}"},
    {"key_as_another_escape", "{\"\\u0061\":0}", "{\"a\":0}"},
    {"long_key", "{\"a key of far more than sixteen bytes\":0}",
     "{\"a key of far more than sixteen bytes\":0}"},
    {"duplicate_keys_the_last_counts", "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"},
    {"array_of_objects", "[{\"a\":1},{\"a\":2}]", "[{\"a\":1},{\"a\":2}]"},
    {"array_of_null", "[null]", "[null]"},
    // integers
    {"zero", "0", "0"},
    {"minus_zero_is_the_integer_zero", "-0", "0"},
    {"one", "1", "1"},
    {"minus_one", "-1", "-1"},
    {"digits", "1234567890", "1234567890"},
    {"zero_in_an_array", "[0,-0]", "[0,0]"},
    {"largest_signed", "9223372036854775807", "9223372036854775807"},
    {"smallest_signed", "-9223372036854775808", "-9223372036854775808"},
    {"first_unsigned", "9223372036854775808", "9223372036854775808"},
    {"largest_unsigned", "18446744073709551615", "18446744073709551615"},
    {"beyond_a_double", "9007199254740993", "9007199254740993"},
    // other numbers
    {"minus_zero_with_a_fraction", "-0.0", "-0.0"},
    {"fraction", "0.1", "0.1"},
    {"fraction_of_zeros", "1.000", "1.0"},
    {"long_fraction", "3.141592653589793", "3.141592653589793"},
    {"fraction_with_more_digits_than_a_double", "0.1000000000000000055511151231257827", "0.1"},
    {"exponent", "1e5", "1e+05"},
    {"exponent_upper_case", "1E5", "1e+05"},
    {"exponent_with_plus", "1e+2", "100.0"},
    {"exponent_with_minus", "1e-2", "0.01"},
    {"exponent_with_zeros", "1e0002", "100.0"},
    {"exponent_zero", "1e0", "1.0"},
    {"zero_with_exponent", "0e10", "0.0"},
    {"zero_with_a_huge_exponent", "0e99999999999", "0.0"},
    {"fraction_and_exponent", "-12.5e-1", "-1.25"},
    {"largest_double", "1.7976931348623157e308", "1.7976931348623157e+308"},
    {"smallest_double", "5e-324", "5e-324"},
    {"smallest_normal_double", "2.2250738585072014e-308", "2.2250738585072014e-308"},
    {"a_hard_one_to_round", "2.2250738585072011e-308", "2.225073858507201e-308"},
    {"halfway_rounds_to_even", "9007199254740993.0", "9007199254740992.0"},
    {"too_small_is_zero", "1e-400", "0.0"},
    {"too_small_below_zero", "-1e-400", "-0.0"},
    {"too_small_by_its_digits", "0.0000000001e-320", "0.0"},
    {"a_huge_negative_exponent", "1e-99999999999999999999", "0.0"},
    {"integer_digits_beyond_64_bits_with_a_fraction", "123456789012345678901234567890.0",
     "1.2345678901234568e+29"},
    {"large_power", "1e22", "1e+22"},
    {"large_power_beyond_exact", "1e23", "1e+23"},
    // texts
    {"escapes_of_two", R"("\"\\\/\b\f\n\r\t")", R"("\"\\/\b\f\n\r\t")"},
    {"escaped_letter", R"("\u0041")", "\"A\""},
    {"escape_in_upper_and_lower_case", R"("\u00eA\u00Ea")", "\"\xc3\xaa\xc3\xaa\""},
    {"escaped_zero", R"("a\u0000b")", R"("a\u0000b")"},
    {"escaped_control_character", R"("\u001f")", R"("\u001f")"},
    {"escaped_line_end_has_a_short_form", R"("\u000a")", R"("\n")"},
    {"escaped_quote", R"("\u0022")", R"("\"")"},
    {"escaped_backslash_before_the_end", R"("\\")", R"("\\")"},
    {"escaped_backslash_and_a_quote", R"("\\\"")", R"("\\\"")"},
    {"escaped_two_bytes", R"("\u00e9")", "\"\xc3\xa9\""},
    {"escaped_three_bytes", R"("\u20ac")", "\"\xe2\x82\xac\""},
    {"surrogate_pair", R"("\ud83d\ude00")", "\"\xf0\x9f\x98\x80\""},
    {"surrogate_pair_first", R"("\ud800\udc00")", "\"\xf0\x90\x80\x80\""},
    {"surrogate_pair_last", R"("\udbff\udfff")", "\"\xf4\x8f\xbf\xbf\""},
    {"escaped_noncharacter", R"("\uffff")", "\"\xef\xbf\xbf\""},
    {"escaped_before_the_surrogates", R"("\ud7ff")", "\"\xed\x9f\xbf\""},
    {"escaped_behind_the_surrogates", R"("\ue000")", "\"\xee\x80\x80\""},
    {"delete_as_itself", "\"\x7f\"", "\"\x7f\""},
    {"two_bytes", "\"\xc2\x80\xdf\xbf\"", "\"\xc2\x80\xdf\xbf\""},
    {"three_bytes", "\"\xe0\xa0\x80\xef\xbf\xbf\"", "\"\xe0\xa0\x80\xef\xbf\xbf\""},
    {"four_bytes", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""},
    {"line_separator_as_itself", "\"\xe2\x80\xa8\"", "\"\xe2\x80\xa8\""},
    {"byte_order_mark_inside_a_text", "\"\xef\xbb\xbf\"", "\"\xef\xbb\xbf\""},
    {"slash_as_itself", "\"/\"", "\"/\""},
    {"brackets_in_a_text", "\"[{]},:\"", "\"[{]},:\""},
    {"comment_in_a_text", "\"/* a */\"", "\"/* a */\""},
    {"seven_bytes", "\"1234567\"", "\"1234567\""},
    {"eight_bytes", "\"12345678\"", "\"12345678\""},
    {"more_than_a_block", "\"0123456789012345678901234567890123456789012345678901234567890123456789\"",
     "\"0123456789012345678901234567890123456789012345678901234567890123456789\""},
};

const refused refused_cases[] = {
    // nothing, or something before or behind
    {"nothing", "", 0, "expected a value: the text is empty"},
    {"blanks_only", " \n\t", 3, "expected a value: the text is empty"},
    {"byte_order_mark", "\xef\xbb\xbf[1]", 0, "byte order mark"},
    {"byte_order_mark_only", "\xef\xbb\xbf", 0, "byte order mark"},
    {"half_a_byte_order_mark", "\xef\xbb[1]", 0, "expected a value, found the byte 0xef"},
    {"utf16", "[\0]\0"sv, 1, "expected a value, found the byte 0x00"},
    {"two_values", "1 2", 2, "expected the end, found '2'"},
    {"two_arrays", "[] []", 3, "expected the end"},
    {"array_and_a_letter", "[1]x", 3, "expected the end, found 'x'"},
    {"object_and_a_brace", "{}}", 2, "expected the end, found '}'"},
    {"array_and_a_bracket", "[1]]", 3, "expected the end, found ']'"},
    {"array_and_a_comma", "[1],", 3, "expected the end, found ','"},
    {"zero_byte_behind", "[1]\0"sv, 3, "expected the end, found the byte 0x00"},
    {"zero_byte_before", "\0[1]"sv, 0, "found the byte 0x00"},
    {"zero_byte_alone", "\0"sv, 0, "found the byte 0x00"},
    {"comma_alone", ",", 0, "expected a value, found ','"},
    {"colon_alone", ":", 0, "expected a value, found ':'"},
    {"form_feed_is_no_blank", "[\f1]", 1, "found the byte 0x0c"},
    {"vertical_tab_is_no_blank", "[1\v]", 2, "expected ',' or ']', found the byte 0x0b"},
    {"no_break_space_is_no_blank",
     "[\xc2\xa0"
     "1]",
     1, "found the byte 0xc2"},
    {"word_joiner", "\xe2\x81\xa0[]", 0, "found the byte 0xe2"},
    {"comment", "[1] // one", 4, "expected the end, found '/'"},
    {"comment_inside", "[/**/1]", 1, "expected a value, found '/'"},
    {"hash_comment", "# a\n1", 0, "expected a value, found '#'"},
    // arrays
    {"array_open", "[", 1, "expected a value, found the end"},
    {"array_open_behind_a_value", "[1", 2, "expected ',' or ']', found the end"},
    {"array_open_behind_a_comma", "[1,", 3, "expected a value, found the end"},
    {"array_trailing_comma", "[1,]", 3, "expected a value, found ']'"},
    {"array_leading_comma", "[,1]", 1, "expected a value, found ','"},
    {"array_only_a_comma", "[,]", 1, "expected a value, found ','"},
    {"array_two_commas", "[1,,2]", 3, "expected a value, found ','"},
    {"array_without_comma", "[1 2]", 3, "expected ',' or ']', found '2'"},
    {"array_with_a_colon", "[1:2]", 2, "expected ',' or ']', found ':'"},
    {"array_closed_as_an_object", "[1}", 2, "expected ',' or ']', found '}'"},
    {"array_close_alone", "]", 0, "expected a value, found ']'"},
    {"array_member_without_comma", "[\"a\" \"b\"]", 5, "expected ',' or ']', found '\"'"},
    {"array_inner_open", "[[1]", 4, "expected ',' or ']', found the end"},
    {"array_semicolon", "[1;2]", 2, "expected ',' or ']', found ';'"},
    // objects
    {"object_open", "{", 1, "expected a key in quotes, found the end"},
    {"object_open_behind_a_key", "{\"a\"", 4, "expected ':', found the end"},
    {"object_open_behind_a_colon", "{\"a\":", 5, "expected a value, found the end"},
    {"object_open_behind_a_value", "{\"a\":1", 6, "expected ',' or '}', found the end"},
    {"object_open_behind_a_comma", "{\"a\":1,", 7, "expected a key in quotes, found the end"},
    {"object_trailing_comma", "{\"a\":1,}", 7, "expected a key in quotes, found '}'"},
    {"object_leading_comma", "{,\"a\":1}", 1, "expected a key in quotes, found ','"},
    {"object_two_commas", "{\"a\":1,,\"b\":2}", 7, "expected a key in quotes, found ','"},
    {"object_without_comma", "{\"a\":1 \"b\":2}", 7, "expected ',' or '}', found '\"'"},
    {"object_without_colon", "{\"a\" 1}", 5, "expected ':', found '1'"},
    {"object_two_colons", "{\"a\"::1}", 5, "expected a value, found ':'"},
    {"object_comma_for_colon", "{\"a\",1}", 4, "expected ':', found ','"},
    {"object_without_value", "{\"a\":}", 5, "expected a value, found '}'"},
    {"object_key_alone", "{\"a\"}", 4, "expected ':', found '}'"},
    {"object_number_as_key", "{1:2}", 1, "expected a key in quotes, found '1'"},
    {"object_null_as_key", "{null:1}", 1, "expected a key in quotes, found 'n'"},
    {"object_bare_key", "{a:1}", 1, "expected a key in quotes, found 'a'"},
    {"object_single_quotes", "{'a':1}", 1, "expected a key in quotes, found '''"},
    {"object_array_as_key", "{[]:1}", 1, "expected a key in quotes, found '['"},
    {"object_closed_as_an_array", "{\"a\":1]", 6, "expected ',' or '}', found ']'"},
    {"object_close_alone", "}", 0, "expected a value, found '}'"},
    {"object_inner_open", "{\"a\":{\"b\":1}", 12, "expected ',' or '}', found the end"},
    {"object_key_open", "{\"a", 1, "a string without its closing quote"},
    {"object_key_with_a_line_end", "{\"a\n\":1}", 3, "control character"},
    // words
    {"word_cut", "nul", 0, "expected null"},
    {"word_cut_in_an_array", "[tru]", 1, "expected true"},
    {"word_false_cut", "[fals]", 1, "expected false"},
    {"word_too_long", "nullx", 4, "expected the end, found 'x'"},
    {"word_too_long_in_an_array", "[truex]", 5, "expected ',' or ']', found 'x'"},
    {"word_upper_case", "TRUE", 0, "expected a value, found 'T'"},
    {"word_capital", "[Null]", 1, "expected a value, found 'N'"},
    {"word_nan", "NaN", 0, "expected a value, found 'N'"},
    {"word_nan_small", "nan", 0, "expected null"},
    {"word_infinity", "[Infinity]", 1, "expected a value, found 'I'"},
    {"word_minus_infinity", "-Infinity", 1, "expected a digit, found 'I'"},
    {"word_undefined", "undefined", 0, "expected a value, found 'u'"},
    {"words_without_comma", "[true false]", 6, "expected ',' or ']', found 'f'"},
    // numbers
    {"number_minus_alone", "-", 1, "expected a digit, found the end"},
    {"number_minus_in_an_array", "[-]", 2, "expected a digit, found ']'"},
    {"number_two_minus", "--1", 1, "expected a digit, found '-'"},
    {"number_plus", "+1", 0, "expected a value, found '+'"},
    {"number_leading_zero", "01", 0, "a 0 too many"},
    {"number_leading_zeros", "[00]", 1, "a 0 too many"},
    {"number_minus_leading_zero", "-01", 1, "a 0 too many"},
    {"number_leading_zero_with_fraction", "00.1", 0, "a 0 too many"},
    {"number_point_alone", ".", 0, "expected a value, found '.'"},
    {"number_leading_point", ".5", 0, "expected a value, found '.'"},
    {"number_minus_leading_point", "-.5", 1, "expected a digit, found '.'"},
    {"number_trailing_point", "1.", 2, "expected a digit, found the end"},
    {"number_trailing_point_in_an_array", "[1.]", 3, "expected a digit, found ']'"},
    {"number_point_before_exponent", "1.e1", 2, "expected a digit, found 'e'"},
    {"number_two_points", "1.2.3", 3, "expected the end, found '.'"},
    {"number_exponent_alone", "1e", 2, "expected a digit, found the end"},
    {"number_exponent_sign_alone", "1e+", 3, "expected a digit, found the end"},
    {"number_exponent_two_signs", "1e+-1", 3, "expected a digit, found '-'"},
    {"number_exponent_fraction", "1e1.5", 3, "expected the end, found '.'"},
    {"number_exponent_twice", "1e1e1", 3, "expected the end, found 'e'"},
    {"number_leading_exponent", "e1", 0, "expected a value, found 'e'"},
    {"number_hexadecimal", "0x1f", 1, "expected the end, found 'x'"},
    {"number_octal", "[017]", 1, "a 0 too many"},
    {"number_underscore", "1_000", 1, "expected the end, found '_'"},
    {"number_thousands", "[1 000]", 3, "expected ',' or ']', found '0'"},
    {"number_suffix", "[1u]", 2, "expected ',' or ']', found 'u'"},
    {"number_blank_behind_minus", "[- 1]", 2, "expected a digit, found ' '"},
    {"number_full_width_digit", "\xef\xbc\x91", 0, "found the byte 0xef"},
    {"number_zero_byte", "1\0"sv, 1, "expected the end, found the byte 0x00"},
    {"integer_beyond_64_bits", "18446744073709551616", 0, "an integer that 64 bits cannot hold"},
    {"integer_below_64_bits", "[1,-9223372036854775809]", 3, "an integer that 64 bits cannot hold"},
    {"integer_of_thirty_digits", "123456789012345678901234567890", 0, "an integer that 64 bits cannot hold"},
    {"integer_of_minus_nineteen_digits", "-9999999999999999999", 0, "an integer that 64 bits cannot hold"},
    {"double_beyond_range", "1e400", 0, "a number that a double cannot hold"},
    {"double_below_range", "[-1e400]", 1, "a number that a double cannot hold"},
    {"double_just_beyond_range", "1.7976931348623159e308", 0, "a number that a double cannot hold"},
    {"double_huge_exponent", "1e99999999999999999999", 0, "a number that a double cannot hold"},
    {"double_huge_by_digits", "1000.0e306", 0, "a number that a double cannot hold"},
    {"double_small_digits_huge_exponent", "0.0001e4000", 0, "a number that a double cannot hold"},
    // texts
    {"text_open", "\"", 0, "a string without its closing quote"},
    {"text_open_behind_letters", "[\"ab", 1, "a string without its closing quote"},
    {"text_open_behind_an_escape", "\"a\\\"", 0, "a string without its closing quote"},
    {"text_open_in_an_escape", "\"a\\", 2, "no such escape"},
    {"text_single_quotes", "'a'", 0, "expected a value, found '''"},
    {"text_bare", "[abc]", 1, "expected a value, found 'a'"},
    {"text_line_end", "\"a\nb\"", 2, "control character in a string: write it as \\u000a"},
    {"text_tab", "[\"\t\"]", 2, "write it as \\u0009"},
    {"text_zero_byte", "\"a\0b\""sv, 2, "write it as \\u0000"},
    {"text_unit_separator", "\"\x1f\"", 1, "write it as \\u001f"},
    {"text_no_such_escape", R"("\a")", 1, "no such escape"},
    {"text_escape_of_a_digit", R"(["\0"])", 2, "no such escape"},
    {"text_escape_hexadecimal", R"("\x41")", 1, "no such escape"},
    {"text_escape_single_quote", R"("\'")", 1, "no such escape"},
    {"text_escape_upper_case", R"("\U0041")", 1, "no such escape"},
    {"text_escape_line_end", "\"\\\n\"", 1, "no such escape"},
    {"text_escape_zero_byte", "\"\\\0\""sv, 1, "no such escape"},
    {"text_escape_beyond_ascii", "\"\\\xc3\xa9\"", 1, "no such escape"},
    {"text_unicode_cut", R"("\u")", 1, "four hexadecimal digits"},
    {"text_unicode_three_digits", R"("\u00e")", 1, "four hexadecimal digits"},
    {"text_unicode_no_digit", R"("\u00g0")", 1, "four hexadecimal digits"},
    {"text_unicode_at_the_end", R"("\u00)", 1, "four hexadecimal digits"},
    {"surrogate_first_alone", R"("\ud800")", 1, "the first half of a surrogate pair alone"},
    {"surrogate_first_before_a_letter", R"("\ud800x")", 1, "the first half of a surrogate pair alone"},
    {"surrogate_first_twice", R"("\ud800\ud800")", 1, "the first half of a surrogate pair alone"},
    {"surrogate_first_before_an_escape", R"("\ud800\n")", 1, "the first half of a surrogate pair alone"},
    {"surrogate_first_before_a_cut_escape", R"("\ud800\u")", 1, "the first half of a surrogate pair alone"},
    {"surrogate_second_alone", R"("\udc00")", 1, "the second half of a surrogate pair alone"},
    {"surrogates_in_the_wrong_order", R"("\udc00\ud800")", 1, "the second half of a surrogate pair alone"},
    {"surrogate_second_twice", R"("\ud800\udc00\udc00")", 13, "the second half of a surrogate pair alone"},
    // UTF-8
    {"utf8_lone_continuation", "\"\x80\"", 1, "invalid UTF-8"},
    {"utf8_ff", "\"\xff\"", 1, "invalid UTF-8"},
    {"utf8_fe", "\"\xfe\"", 1, "invalid UTF-8"},
    {"utf8_latin1", "\"\xe9\"", 1, "invalid UTF-8"},
    {"utf8_cut_two", "\"\xc3\"", 1, "invalid UTF-8"},
    {"utf8_cut_three", "\"\xe2\x82\"", 1, "invalid UTF-8"},
    {"utf8_cut_four", "\"\xf0\x9f\x98\"", 1, "invalid UTF-8"},
    {"utf8_overlong_two", "\"\xc0\xaf\"", 1, "invalid UTF-8"},
    {"utf8_overlong_two_last", "\"\xc1\xbf\"", 1, "invalid UTF-8"},
    {"utf8_overlong_three", "\"\xe0\x9f\xbf\"", 1, "invalid UTF-8"},
    {"utf8_overlong_four", "\"\xf0\x8f\xbf\xbf\"", 1, "invalid UTF-8"},
    {"utf8_surrogate", "\"\xed\xa0\x80\"", 1, "invalid UTF-8"},
    {"utf8_beyond_the_last", "\"\xf4\x90\x80\x80\"", 1, "invalid UTF-8"},
    {"utf8_five_bytes", "\"\xf8\x88\x80\x80\x80\"", 1, "invalid UTF-8"},
    {"utf8_behind_good_ones", "\"\xc3\xa9\xe2\x82\xac\xc3\x28\"", 6, "invalid UTF-8"},
    {"utf8_in_a_key", "{\"\xff\":1}", 2, "invalid UTF-8"},
    {"utf8_outside_of_texts", "[1,\xe9]", 3, "found the byte 0xe9"},
};

bool has_fault(std::string_view text, allot::detail::json_fault& fault) {
    std::vector<std::uint64_t> stack(allot::detail::json_stack_words(64));
    return allot::detail::find_json_fault(text, {.depth_max = 64}, stack, fault);
}

class json_accepts : public testing::TestWithParam<accepted> {};
class json_refuses : public testing::TestWithParam<refused> {};

TEST_P(json_accepts, and_writes_back) {
    allot::detail::json_fault fault;
    EXPECT_FALSE(has_fault(GetParam().text, fault)) << fault.as_error().text();
    if (!allot::has_json())
        GTEST_SKIP() << "allot was built without JSON: install libsimdjson-dev and rebuild";
    allot::document read;
    const auto done = allot::read_json(read, GetParam().text);
    ASSERT_TRUE(done) << done.error().text();
    allot::buffer text;
    ASSERT_TRUE(allot::write_json(text, read.root()));
    EXPECT_EQ(text.text(), GetParam().written);
    // What was written once is written the same again.
    allot::document again;
    ASSERT_TRUE(allot::read_json(again, text.text()));
    allot::buffer second;
    ASSERT_TRUE(allot::write_json(second, again.root()));
    EXPECT_EQ(second.text(), text.text());
}

TEST_P(json_refuses, with_the_place) {
    allot::detail::json_fault fault;
    ASSERT_TRUE(has_fault(GetParam().text, fault));
    EXPECT_EQ(fault.place.byte, GetParam().byte) << fault.what;
    EXPECT_NE(std::string_view(fault.what).find(GetParam().why), std::string_view::npos) << fault.what;
    if (!allot::has_json())
        GTEST_SKIP() << "allot was built without JSON: install libsimdjson-dev and rebuild";
    allot::document read;
    ASSERT_TRUE(read.set_root("before"));
    const auto done = allot::read_json(read, GetParam().text);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().text(), fault.as_error().text());
    EXPECT_EQ(read.root().as_text(), "before");
}

template <class Case>
std::string name_of(const testing::TestParamInfo<Case>& info) {
    return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(rfc8259, json_accepts, testing::ValuesIn(accepted_cases), name_of<accepted>);
INSTANTIATE_TEST_SUITE_P(rfc8259, json_refuses, testing::ValuesIn(refused_cases), name_of<refused>);

} // namespace
