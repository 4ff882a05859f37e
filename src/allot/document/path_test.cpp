#include <allot/document/json_pointer.hpp>
#include <allot/document/path.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

// Usage.

TEST(path, leads_step_by_step_through_a_tree) {
    path_cursor steps(R"(models["llm.gpt-3.5"].price[2])");
    std::string seen;
    for (path_step step; steps.next(step);)
        seen += step.kind == path_step::name ? std::string(step.text) + ";" : std::to_string(step.position);
    EXPECT_TRUE(steps.check() && seen == "models;llm.gpt-3.5;price;2");
    EXPECT_TRUE(path("a..b").check().error().text() == "path 'a..b', column 3: a name is missing");
}

TEST(json_pointer, is_a_path_in_the_standards_form) {
    path_cursor steps(json_pointer("/a~1b/0/-"));
    path_step first, second, third;
    EXPECT_TRUE(steps.next(first) && first.text == "a/b");
    EXPECT_TRUE(steps.next(second) && second.text == "0" && second.position == 0);
    EXPECT_TRUE(steps.next(third) && third.text == "-" && third.position == path_step::end);
    EXPECT_TRUE(json_pointer("a").check().error().text() ==
                "path 'a', column 1: a JSON Pointer is empty or begins with '/'");
}

// Edges.

// Names as they are, items as [3] or [-], attributes as @name; or the error.
std::vector<std::string> steps_of(path way) {
    std::vector<std::string> steps;
    path_cursor cursor(way);
    for (path_step step; cursor.next(step);) {
        if (step.kind == path_step::name)
            steps.emplace_back(step.text);
        else if (step.kind == path_step::attribute)
            steps.push_back("@" + std::string(step.text));
        else
            steps.push_back(step.position == path_step::end ? "[-]"
                                                            : "[" + std::to_string(step.position) + "]");
    }
    if (!cursor.check()) return {cursor.check().error().text()};
    return steps;
}
using list = std::vector<std::string>;

TEST(path, reaches_names_with_dots_and_brackets_in_them) { // B45
    EXPECT_EQ(steps_of(R"(llm\.gpt-3\.5)"), (list{"llm.gpt-3.5"}));
    EXPECT_EQ(steps_of(R"(["llm.gpt-3.5"])"), (list{"llm.gpt-3.5"}));
    EXPECT_EQ(steps_of(R"(a["b.c"]["d]"].e)"), (list{"a", "b.c", "d]", "e"}));
    EXPECT_EQ(steps_of(R"(a\[0\].\@b.c\\d)"), (list{"a[0]", "@b", "c\\d"}));
    EXPECT_EQ(steps_of(R"(["\"\\"])"), (list{"\"\\"}));
    EXPECT_EQ(steps_of(R"([""].a[""])"), (list{"", "a", ""}));
    EXPECT_EQ(steps_of(json_pointer("/llm.gpt-3.5/a[0]")), (list{"llm.gpt-3.5", "a[0]"}));
}

TEST(path, tells_indices_and_attributes_from_names) {
    EXPECT_EQ(steps_of(""), list{});
    EXPECT_EQ(steps_of("agent.state.base.prompt.role"), (list{"agent", "state", "base", "prompt", "role"}));
    EXPECT_EQ(steps_of("a[3].b"), (list{"a", "[3]", "b"}));
    EXPECT_EQ(steps_of("[0][12][-]"), (list{"[0]", "[12]", "[-]"}));
    EXPECT_EQ(steps_of("server.@port"), (list{"server", "@port"}));
    EXPECT_EQ(steps_of("@xml:lang"), (list{"@xml:lang"}));
    EXPECT_EQ(steps_of("you@example"), (list{"you@example"}));
    EXPECT_EQ(steps_of("h\u00e9.\u4e16"), (list{"h\u00e9", "\u4e16"}));
}

TEST(path, says_what_a_name_means_in_an_array) {
    const auto position_of = [](path way) {
        path_cursor cursor(way);
        path_step step;
        EXPECT_TRUE(cursor.next(step)) << way.text();
        EXPECT_EQ(step.kind, path_step::name);
        return step.position;
    };
    EXPECT_EQ(position_of("3"), 3);
    EXPECT_EQ(position_of("0"), 0);
    EXPECT_EQ(position_of("1234567890123456789"), 1234567890123456789u);
    for (const char* none : {"03", "00", "3a", "-", "-1", "+1", "12345678901234567890", "[\"3\"]"})
        EXPECT_EQ(position_of(none), path_step::no_position) << none;
    for (const char* none : {"/03", "/", "/-1", "/1e1", "/12345678901234567890"})
        EXPECT_EQ(position_of(json_pointer(none)), path_step::no_position) << none;
    EXPECT_EQ(position_of(json_pointer("/-")), path_step::end);
    EXPECT_EQ(position_of(json_pointer("/10")), 10);
}

TEST(path, names_the_column_of_what_is_wrong) {
    const struct {
        const char* text;
        std::size_t column;
        const char* what;
    } wrong[] = {
        {".", 1, "a name is missing"},
        {".a", 1, "a name is missing"},
        {"a.", 3, "a name is missing"},
        {"a..b", 3, "a name is missing"},
        {"a.[0]", 3, "a name is missing"},
        {"a.@", 4, "a name is missing"},
        {"@a.b", 3, "nothing follows an attribute"},
        {"@a[0]", 3, "nothing follows an attribute"},
        {"a[0]b", 5, "'.' or '[' is missing"},
        {"a[0]@b", 5, "'.' or '[' is missing"},
        {"a[", 3, "'[' is followed by an index, '-' or a name in '\"'"},
        {"a[]", 3, "'[' is followed by an index, '-' or a name in '\"'"},
        {"a[b]", 3, "'[' is followed by an index, '-' or a name in '\"'"},
        {"a[01]", 3, "an index has no leading zeros and at most 19 digits"},
        {"a[12345678901234567890]", 3, "an index has no leading zeros and at most 19 digits"},
        {"a[1", 4, "']' is missing"},
        {"a[1.b", 4, "']' is missing"},
        {"a[-1]", 4, "']' is missing"},
        {"a[\"b]", 3, "'\"' is not closed"},
        {"a[\"b\"", 6, "']' is missing"},
        {"a[\"\\b\"]", 4, "'\\' is followed by '\"' or \\"},
        {"a]", 2, "']' without '['"},
        {"a.b]c", 4, "']' without '['"},
        {"a\\", 2, "'\\' is followed by . [ ] @ or \\"},
        {"a.b\\n", 4, "'\\' is followed by . [ ] @ or \\"},
    };
    for (const auto& each : wrong)
        EXPECT_EQ(steps_of(each.text), list{"path '" + std::string(each.text) + "', column " +
                                            std::to_string(each.column) + ": " + each.what});
}

TEST(path, says_errors_in_one_line_and_cuts_a_long_path) {
    EXPECT_EQ(path("a\n]").check().error().text(), "path 'a?]', column 3: ']' without '['");
    EXPECT_EQ(path(std::string_view("a\0]", 3)).check().error().text(),
              "path 'a?]', column 3: ']' without '['");
    EXPECT_EQ(path(std::string(1000, 'a') + "..").check().error().text(),
              "path '" + std::string(160, 'a') + "...', column 1002: a name is missing");
}

TEST(path, limits_only_names_that_escapes_stand_in) {
    const std::string most(path_cursor::escaped_bytes_max - 1, 'a');
    const std::string beyond(100'000, 'a');
    for (const std::string& name : {most, beyond}) {
        EXPECT_EQ(steps_of(name), list{name});
        EXPECT_EQ(steps_of("[\"" + name + "\"]"), list{name});
        EXPECT_EQ(steps_of(json_pointer("/" + name)), list{name});
    }
    EXPECT_EQ(steps_of(most + "\\."), list{most + "."});
    EXPECT_EQ(steps_of("\\." + most), list{"." + most});
    EXPECT_EQ(steps_of(json_pointer("/" + most + "~0")), list{most + "~"});
    for (const std::string& far : {"a\\.a" + most, most + "a\\.", beyond + "\\.", "[\"\\\"" + beyond + "\"]"})
        EXPECT_TRUE(path(far).check().error().text().ends_with("column 1: a name with escapes is too long") ||
                    path(far).check().error().text().ends_with("column 3: a name with escapes is too long"));
    EXPECT_TRUE(json_pointer("/~0" + beyond).check().error().text().ends_with("too long"));
}

TEST(json_pointer, reads_what_the_standard_shows) { // RFC 6901, section 5
    EXPECT_EQ(steps_of(json_pointer("")), list{});
    const struct {
        const char* text;
        list steps;
    } shown[] = {{"/foo", {"foo"}},  {"/foo/0", {"foo", "0"}}, {"/", {""}},
                 {"/a~1b", {"a/b"}}, {"/c%d", {"c%d"}},        {"/e^f", {"e^f"}},
                 {"/g|h", {"g|h"}},  {"/i\\j", {"i\\j"}},      {"/k\"l", {"k\"l"}},
                 {"/ ", {" "}},      {"/m~0n", {"m~n"}},       {"/~01", {"~1"}},
                 {"//", {"", ""}}};
    for (const auto& each : shown) EXPECT_EQ(steps_of(json_pointer(each.text)), each.steps) << each.text;
}

TEST(json_pointer, reads_the_form_of_a_uri_fragment) { // RFC 6901, section 6
    const struct {
        const char* text;
        list steps;
    } shown[] = {{"#", {}},
                 {"#/foo", {"foo"}},
                 {"#/foo/0", {"foo", "0"}},
                 {"#/", {""}},
                 {"#/a~1b", {"a/b"}},
                 {"#/c%25d", {"c%d"}},
                 {"#/e%5Ef", {"e^f"}},
                 {"#/g%7Ch", {"g|h"}},
                 {"#/i%5Cj", {"i\\j"}},
                 {"#/k%22l", {"k\"l"}},
                 {"#/%20", {" "}},
                 {"#/m~0n", {"m~n"}},
                 {"#/%7e1%2f%7E%30", {"//~"}}};
    for (const auto& each : shown) EXPECT_EQ(steps_of(json_pointer(each.text)), each.steps) << each.text;
}

TEST(json_pointer, names_the_column_of_what_is_wrong) {
    const struct {
        const char* text;
        std::size_t column;
        const char* what;
    } wrong[] = {{"foo", 1, "a JSON Pointer is empty or begins with '/'"},
                 {"#foo", 2, "a JSON Pointer is empty or begins with '/'"},
                 {"/a~", 3, "'~' is followed by 0 or 1"},
                 {"/a~2", 3, "'~' is followed by 0 or 1"},
                 {"/~/", 2, "'~' is followed by 0 or 1"},
                 {"#/%", 3, "'%' needs two hexadecimal digits"},
                 {"#/a%2", 4, "'%' needs two hexadecimal digits"},
                 {"#/a%g0", 4, "'%' needs two hexadecimal digits"}};
    for (const auto& each : wrong)
        EXPECT_EQ(steps_of(json_pointer(each.text)), list{"path '" + std::string(each.text) + "', column " +
                                                          std::to_string(each.column) + ": " + each.what});
}

// Books.

TEST(path, allocates_nothing) {
    no_allocation nothing;
    path_cursor steps(R"(agent\.x.state[3]["b\""].c)");
    std::size_t count = 0;
    for (path_step step; steps.next(step);) ++count;
    path_cursor pointed(json_pointer("/a~0/b/0"));
    for (path_step step; pointed.next(step);) ++count;
    EXPECT_EQ(count, 8);
}

// Model.

TEST(path, reads_back_any_names_that_were_written_with_escapes) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    constexpr std::string_view bytes = "ab.[]@\\\"~/01%#- ";
    for (int round = 0; round != 2000; ++round) {
        list names(random() % 5 + 1);
        std::string bare, quoted, pointer;
        for (std::string& name : names) {
            for (std::size_t n = random() % 6 + 1; n != 0; --n) name += bytes[random() % bytes.size()];
            if (!bare.empty()) bare += '.';
            quoted += "[\"";
            pointer += '/';
            for (const char c : name) {
                if (std::string_view(".[]@\\").find(c) != std::string_view::npos) bare += '\\';
                bare += c;
                if (c == '"' || c == '\\') quoted += '\\';
                quoted += c;
                pointer += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
            }
            quoted += "\"]";
        }
        ASSERT_EQ(steps_of(bare), names) << bare;
        ASSERT_EQ(steps_of(quoted), names) << quoted;
        ASSERT_EQ(steps_of(json_pointer(pointer)), names) << pointer;
    }
}

} // namespace
} // namespace allot
