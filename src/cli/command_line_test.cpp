#include <cli/command_line.hpp>

#include <cli/render/words.hpp>

#include <gtest/gtest.h>
#include <initializer_list>
#include <string>
#include <vector>

namespace allot::cli {
namespace {

// argv that lives as long as the test.
class arguments {
public:
    arguments(std::initializer_list<const char*> words) : texts_(words.begin(), words.end()) {
        for (std::string& text : texts_) {
            pointers_.push_back(text.data());
        }
        pointers_.push_back(nullptr);
    }
    command_line parse() { return parse_command_line(static_cast<int>(texts_.size()), pointers_.data()); }

private:
    std::vector<std::string> texts_;
    std::vector<char*> pointers_;
};

run_options run_of(command_line line) {
    EXPECT_TRUE(std::holds_alternative<run_options>(line))
        << (std::holds_alternative<usage_error>(line) ? std::get<usage_error>(line).message : "no run");
    return std::holds_alternative<run_options>(line) ? std::get<run_options>(line) : run_options{};
}
report_options report_of(command_line line) {
    EXPECT_TRUE(std::holds_alternative<report_options>(line))
        << (std::holds_alternative<usage_error>(line) ? std::get<usage_error>(line).message : "no report");
    return std::holds_alternative<report_options>(line) ? std::get<report_options>(line) : report_options{};
}
std::string error_of(command_line line) {
    return std::holds_alternative<usage_error>(line) ? std::get<usage_error>(line).message : "(no error)";
}
std::vector<std::string> program_of(const run_options& run) {
    std::vector<std::string> all;
    for (char** word = run.program; word != nullptr && *word != nullptr; ++word) {
        all.emplace_back(*word);
    }
    return all;
}

using words = std::vector<std::string>;

TEST(command_line, run_takes_its_flags_and_leaves_the_program_its_own) {
    arguments line{"allot", "run", "--count", "-q", "-o", "x.allot", "--", "prog", "--count", "--", "-x"};
    const run_options run = run_of(line.parse());
    EXPECT_EQ(run.mode, recording_mode::count);
    EXPECT_TRUE(run.quiet);
    EXPECT_TRUE(run.arguments_stored);
    EXPECT_EQ(run.output, "x.allot");
    EXPECT_EQ(program_of(run), (words{"prog", "--count", "--", "-x"}));
}

TEST(command_line, run_without_dashes_ends_its_flags_at_the_first_word_that_is_none) {
    arguments plain{"allot", "run", "prog", "--quiet", "-h", "--version"};
    EXPECT_EQ(program_of(run_of(plain.parse())), (words{"prog", "--quiet", "-h", "--version"}));
    EXPECT_FALSE(run_of(plain.parse()).quiet);
    arguments value{"allot", "run", "-o", "out", "prog"};
    EXPECT_EQ(run_of(value.parse()).output, "out");
    EXPECT_EQ(program_of(run_of(value.parse())), (words{"prog"}));
}

TEST(command_line, odd_arguments_pass_untouched) {
    arguments odd{"allot", "run", "--", "prog", "[a,b]", "", "--", "-x", "{}", "a=b", "\xFF", "--top=%s"};
    EXPECT_EQ(program_of(run_of(odd.parse())),
              (words{"prog", "[a,b]", "", "--", "-x", "{}", "a=b", "\xFF", "--top=%s"}));
    arguments dash{"allot", "run", "-", "x"};
    EXPECT_EQ(program_of(run_of(dash.parse())), (words{"-", "x"}));
}

TEST(command_line, values_may_be_attached_and_short_flags_joined) {
    for (arguments line :
         {arguments{"allot", "run", "-qoout", "prog"}, arguments{"allot", "run", "-qo", "out", "prog"},
          arguments{"allot", "run", "-q", "--output=out", "prog"}}) {
        const run_options run = run_of(line.parse());
        EXPECT_TRUE(run.quiet);
        EXPECT_EQ(run.output, "out");
        EXPECT_EQ(program_of(run), (words{"prog"}));
    }
}

TEST(command_line, full_is_the_default_and_excludes_count) {
    EXPECT_EQ(run_of(arguments{"allot", "run", "prog"}.parse()).mode, recording_mode::full);
    EXPECT_EQ(run_of(arguments{"allot", "run", "--full", "prog"}.parse()).mode, recording_mode::full);
    EXPECT_NE(error_of(arguments{"allot", "run", "--full", "--count", "prog"}.parse()).find("exclude"),
              std::string::npos);
}

TEST(command_line, report_has_its_defaults) {
    const report_options report = report_of(arguments{"allot", "report", "x.allot"}.parse());
    EXPECT_EQ(report.file, "x.allot");
    EXPECT_EQ(report.format, report_format::text);
    EXPECT_EQ(report.by, group_by::site);
    EXPECT_EQ(report.sort, sort_by::peak);
    EXPECT_EQ(report.top, 20u);
    EXPECT_EQ(report_of(arguments{"allot", "report", "--format", "json", "x"}.parse()).top, all_rows);
}

TEST(command_line, report_takes_flags_before_and_behind_the_file) {
    arguments line{"allot", "report", "--by",     "context", "x.allot", "--sort=temporary",
                   "--top", "3",      "--salvage"};
    const report_options report = report_of(line.parse());
    EXPECT_EQ(report.file, "x.allot");
    EXPECT_EQ(report.by, group_by::context);
    EXPECT_EQ(report.sort, sort_by::temporary);
    EXPECT_EQ(report.top, 3u);
    EXPECT_TRUE(report.salvage);
    EXPECT_EQ(report_of(arguments{"allot", "report", "--", "-x"}.parse()).file, "-x");
}

TEST(command_line, unknown_names_suggest_the_near_one) {
    EXPECT_NE(error_of(arguments{"allot", "rnu", "x"}.parse()).find("did you mean run?"), std::string::npos);
    EXPECT_NE(error_of(arguments{"allot", "run", "--quite", "x"}.parse()).find("did you mean --quiet?"),
              std::string::npos);
    EXPECT_NE(
        error_of(arguments{"allot", "report", "x", "--formt=json"}.parse()).find("did you mean --format?"),
        std::string::npos);
    EXPECT_NE(error_of(arguments{"allot", "report", "x", "--by", "sites"}.parse()).find("did you mean site?"),
              std::string::npos);
    EXPECT_NE(
        error_of(arguments{"allot", "report", "x", "--sort", "zzzzzz"}.parse()).find("peak, live, bytes"),
        std::string::npos);
}

TEST(command_line, what_is_missing_is_named) {
    EXPECT_NE(error_of(arguments{"allot"}.parse()).find("allot run"), std::string::npos);
    EXPECT_NE(error_of(arguments{"allot", "run", "--quiet"}.parse()).find("no program"), std::string::npos);
    EXPECT_NE(error_of(arguments{"allot", "run", "--"}.parse()).find("no program"), std::string::npos);
    EXPECT_NE(error_of(arguments{"allot", "run", "-o"}.parse()).find("needs a value"), std::string::npos);
    EXPECT_NE(error_of(arguments{"allot", "report"}.parse()).find("no FILE"), std::string::npos);
    EXPECT_NE(error_of(arguments{"allot", "report", "a", "b"}.parse()), "(no error)");
    for (const char* top : {"0", "-1", "x", "1x", "99999999999999999999"}) {
        EXPECT_NE(error_of(arguments{"allot", "report", "x", "--top", top}.parse()), "(no error)") << top;
    }
}

TEST(command_line, help_names_every_flag_and_fits_100_columns) {
    for (arguments line : {arguments{"allot", "run", "--help"}, arguments{"allot", "report", "-h"},
                           arguments{"allot", "help", "run"}, arguments{"allot", "--help"}}) {
        const command_line parsed = line.parse();
        ASSERT_TRUE(std::holds_alternative<text_answer>(parsed));
        const std::string& text = std::get<text_answer>(parsed).text;
        EXPECT_NE(text.find("Examples:"), std::string::npos);
        EXPECT_EQ(text.find("{options}"), std::string::npos);
        for (std::size_t start = 0; start < text.size();) {
            const std::size_t end = text.find('\n', start);
            ASSERT_NE(end, std::string::npos);
            EXPECT_LE(width(text.substr(start, end - start)), 100u) << text.substr(start, end - start);
            start = end + 1;
        }
    }
    const auto run = std::get<text_answer>(arguments{"allot", "run", "--help"}.parse()).text;
    for (const char* flag : {"--full", "--count", "-o, --output FILE", "-q, --quiet", "--no-arguments"}) {
        EXPECT_NE(run.find(flag), std::string::npos) << flag;
    }
}

} // namespace
} // namespace allot::cli
