#include <cli/command_line.hpp>

#include <cli/suggestion.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <string_view>
#include <vector>

#ifndef ALLOT_VERSION
#    error "the build names the version"
#endif

namespace allot::cli {
namespace {

constexpr std::string_view tool_help =
    R"(allot shows where every byte of a program's heap lives and dies. The program needs no rebuild.

Usage: allot run [OPTIONS] [--] PROGRAM [ARGUMENTS…]
       allot report [OPTIONS] FILE
       allot help [run|report]

  run      run a program, say what its heap did, and keep a recording
  report   show a recording: totals, the places that allocate, the call tree

  -h, --help       this text; `allot run --help` and `allot report --help` say more
  -V, --version    the version

Examples:
  allot run -- ./server --port 8080      run it as always; the numbers follow at its end
  allot run --count -- make -j8          counts only, for the price of almost nothing
  allot report allot.server.4711.allot   who held the memory at the peak

Exit codes:
  allot run ends as the program ended: with its exit code, or by the same signal. Otherwise:
    1      a threshold was passed or something was found (no verb of this version does that)
    2      the command line or a file can't be used as it is
    125    allot itself failed
    126    the program was found but could not be run
    127    the program was not found
)";

constexpr std::string_view run_help =
    R"(Runs PROGRAM and records what it, and every process that it starts, does with heap memory.
Input, output, signals and exit code are the program's own. At the end a summary of at most
15 lines goes to stderr, and the recording to a file that `allot report` reads.

Usage: allot run [OPTIONS] [--] PROGRAM [ARGUMENTS…]

{options}
Everything from PROGRAM on belongs to the program. While it runs, FILE.partial holds what is
known; it stays if allot is killed, and `allot report FILE.partial` reads it. A recording
holds the command lines of the processes; --no-arguments keeps them out.

Examples:
  allot run -- sqlite3 data.db 'select count(*) from t'
  allot run -o before.allot -- ./server --port 8080     ^C ends the server, the summary follows
  allot run --quiet --count -- make -j8                 every compiler is followed
  PYTHONMALLOC=malloc allot run -- python3 job.py       Python's own pools hide objects otherwise
)";

constexpr std::string_view report_help =
    R"(Shows a recording that `allot run` wrote, or the FILE.partial that it left when it was killed.

Usage: allot report [OPTIONS] FILE

{options}
A row's peak is its share of the bytes at the instant when the whole heap was largest, so the
rows add up to the peak. `live` is what was not freed by the end; it need not be a leak.
A damaged FILE is refused with one line and exit code 2.

Examples:
  allot report allot.server.4711.allot
  allot report --by context --sort temporary --top 5 server.allot | less
  allot report --format json server.allot | jq '.sites[0]'
  allot report --format folded --sort bytes server.allot > all.folded   for flame-graph viewers
)";

struct choice_lists {
    std::vector<std::string> format{"text", "json", "folded"};
    std::vector<std::string> by{"site", "context", "module", "thread", "process"};
    std::vector<std::string> sort{"peak", "live", "bytes", "count", "temporary"};
};
const choice_lists& choices() {
    static const choice_lists lists; // the order is that of the enumerations
    return lists;
}

std::string alternatives(const std::vector<std::string>& names) {
    std::string all;
    for (std::size_t i = 0; i < names.size(); ++i) {
        all += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
    }
    return all;
}

// A verb: its flags, where their values go, and its help.
struct verb {
    CLI::App parser;
    std::string_view help;

    verb(std::string_view help_text) : help(help_text) {
        parser.set_help_flag();
        flag("-h,--help", help_wanted, "this text");
    }
    bool help_wanted = false;

    void flag(const std::string& names, bool& to, const std::string& description) {
        parser.add_flag(names, to, description)->take_last();
    }
    void value(const std::string& names, std::string& to, const std::string& type,
               const std::string& description) {
        parser.add_option(names, to, description)->type_name(type)->take_last();
    }
    std::vector<std::string> flag_names() const {
        std::vector<std::string> names;
        for (const CLI::Option* option : parser.get_options()) {
            for (const std::string& name : option->get_lnames()) {
                names.push_back("--" + name);
            }
        }
        return names;
    }
    std::string help_text() const;
    std::optional<std::string> check_flags(int argc, char** argv, int& position) const;
    std::optional<std::string> parse(int from, int to, char** argv);
};

struct run_verb : verb {
    bool count = false;
    bool full = false;
    bool no_arguments = false;
    run_options wish;

    run_verb() : verb(run_help) {
        flag("--full", full, "every allocation with its call stack (the default)");
        flag("--count", count, "exact counts, bytes and peaks only: no call stacks, almost free");
        value("-o,--output", wish.output, "FILE",
              "where the recording goes; default allot.PROGRAM.PID.allot in the current\n"
              "folder. An existing file is never overwritten");
        flag("-q,--quiet", wish.quiet, "nothing on stderr but the program's own and errors");
        flag("--no-arguments", no_arguments, "keep only the names of programs in the recording");
    }
};

struct report_verb : verb {
    std::string format = "text";
    std::string by = "site";
    std::string sort = "peak";
    std::string top;
    bool wrappers = false;
    report_options wish;

    report_verb() : verb(report_help) {
        value("--format", format, "FORMAT", "text (the default), json, or folded call stacks");
        value("--by", by, "GROUP",
              "what a row is: site (the code that wanted the memory; the default, with the\n"
              "call tree), context (whole call stacks), module, thread or process");
        value("--sort", sort, "NUMBER", "peak (the default), live, bytes, count or temporary");
        value("--top", top, "N", "rows to show; default 20 in text, all in JSON");
        flag("--wrappers", wrappers, "show allocator wrappers (operator new, xmalloc) in call stacks");
        flag("--salvage", wish.salvage, "show what can be read of a damaged recording");
        parser.add_option("FILE", wish.file, "");
    }
};

std::string verb::help_text() const {
    std::string table;
    for (const CLI::Option* option : parser.get_options()) {
        if (option->get_lnames().empty()) {
            continue; // FILE: the usage line names it
        }
        std::string names = option->get_snames().empty() ? "    " : "-" + option->get_snames()[0] + ", ";
        names += "--" + option->get_lnames()[0];
        if (option->get_items_expected_max() > 0) {
            names += " " + option->get_type_name();
        }
        std::string description = option->get_description();
        for (std::size_t at = 0; (at = description.find('\n', at)) != std::string::npos; ++at) {
            description.insert(at + 1, std::string(25, ' '));
        }
        table += fmt::format("  {:<22} {}\n", names, description);
    }
    std::string text(help);
    const std::string_view place = "{options}\n";
    return text.replace(text.find(place), place.size(), table + "\n");
}

// The option that `token` names, and how many further tokens its value takes; null where there is none.
const CLI::Option* option_of(const CLI::App& parser, std::string_view token, int& values) {
    values = 0;
    if (token.starts_with("--")) {
        const auto equals = token.find('=');
        const CLI::Option* option = parser.get_option_no_throw(std::string(token.substr(0, equals)));
        values =
            option != nullptr && option->get_items_expected_max() > 0 && equals == std::string_view::npos;
        return option;
    }
    for (std::size_t i = 1; i < token.size(); ++i) {
        const CLI::Option* option = parser.get_option_no_throw(std::string("-") + token[i]);
        if (option == nullptr || option->get_items_expected_max() > 0) {
            values = option != nullptr && i + 1 == token.size();
            return option;
        }
    }
    return parser.get_option_no_throw(std::string(token.substr(0, 2)));
}

// Moves `position` over this verb's flags, to the first argument that is none, or to `--`. Answers what is
// wrong.
std::optional<std::string> verb::check_flags(int argc, char** argv, int& position) const {
    while (position < argc) {
        const std::string_view token = argv[position];
        if (!token.starts_with('-') || token == "-" || token == "--") {
            return std::nullopt;
        }
        int values = 0;
        if (option_of(parser, token, values) == nullptr) {
            const std::string near = suggest(token.substr(0, token.find('=')), flag_names());
            return fmt::format("unknown flag {}{}", token,
                               near.empty() ? "" : ": did you mean " + near + "?");
        }
        if (values > 0 && position + 1 >= argc) {
            return fmt::format("{} needs a value", token);
        }
        position += 1 + values;
    }
    return std::nullopt;
}

std::optional<std::string> verb::parse(int from, int to, char** argv) {
    std::vector<std::string> tokens(argv + from, argv + to);
    std::reverse(tokens.begin(), tokens.end()); // as CLI11 takes them
    try {
        parser.parse(tokens);
    } catch (const CLI::ParseError& failure) {
        return failure.what();
    }
    return std::nullopt;
}

usage_error wrong(std::string_view of, const std::string& what) {
    return {fmt::format("{} (allot {}{}--help tells more)", what, of, of.empty() ? "" : " ")};
}

command_line parse_run(int argc, char** argv) {
    run_verb run;
    int position = 2;
    if (auto problem = run.check_flags(argc, argv, position)) {
        return wrong("run", *problem);
    }
    if (auto problem = run.parse(2, position, argv)) {
        return wrong("run", *problem);
    }
    if (run.help_wanted) {
        return text_answer{run.help_text()};
    }
    if (run.count && run.full) {
        return wrong("run", "--count and --full exclude each other");
    }
    if (position < argc && std::string_view(argv[position]) == "--") {
        ++position;
    }
    if (position >= argc) {
        return wrong("run", "no program given: allot run [OPTIONS] -- PROGRAM ARGUMENTS…");
    }
    run.wish.mode = run.count ? recording_mode::count : recording_mode::full;
    run.wish.arguments_stored = !run.no_arguments;
    run.wish.program = argv + position;
    return run.wish;
}

template <class Enumeration>
std::optional<std::string> choose(const std::string& flag, const std::string& given,
                                  const std::vector<std::string>& names, Enumeration& to) {
    const auto found = std::find(names.begin(), names.end(), given);
    if (found == names.end()) {
        const std::string near = suggest(given, names);
        return fmt::format("{} {}: {}", flag, given,
                           near.empty() ? "must be " + alternatives(names) : "did you mean " + near + "?");
    }
    to = static_cast<Enumeration>(found - names.begin());
    return std::nullopt;
}

std::optional<std::string> interpret(report_verb& report) {
    report_options& wish = report.wish;
    auto problem = choose("--format", report.format, choices().format, wish.format);
    problem = problem ? problem : choose("--by", report.by, choices().by, wish.by);
    problem = problem ? problem : choose("--sort", report.sort, choices().sort, wish.sort);
    if (problem) {
        return problem;
    }
    wish.wrappers = report.wrappers ? wrapper_view::shown : wrapper_view::hidden;
    if (!report.top.empty()) {
        const char* end = report.top.data() + report.top.size();
        const auto [stop, failure] = std::from_chars(report.top.data(), end, wish.top);
        if (failure != std::errc() || stop != end || wish.top == 0) {
            return fmt::format("--top {}: must be a whole number of at least 1", report.top);
        }
    } else if (wish.format == report_format::text) {
        wish.top = 20;
    }
    const bool groups = report.parser.count("--by") > 0 || report.parser.count("--top") > 0;
    if (wish.format == report_format::folded && groups) {
        return "folded stacks are all stacks: --by and --top don't apply";
    }
    if (wish.file.empty()) {
        return "no FILE given: allot report [OPTIONS] FILE";
    }
    return std::nullopt;
}

command_line parse_report(int argc, char** argv) {
    report_verb report;
    for (int position = 2; position < argc; ++position) {
        if (auto problem = report.check_flags(argc, argv, position)) {
            return wrong("report", *problem);
        }
        if (position < argc && std::string_view(argv[position]) == "--") {
            break;
        }
    }
    if (auto problem = report.parse(2, argc, argv)) {
        return wrong("report", *problem);
    }
    if (report.help_wanted) {
        return text_answer{report.help_text()};
    }
    if (auto problem = interpret(report)) {
        return wrong("report", *problem);
    }
    return report.wish;
}

} // namespace

command_line parse_command_line(int argc, char** argv) {
    if (argc < 2) {
        return usage_error{
            "no verb given: allot run -- PROGRAM, or allot report FILE (allot --help tells more)"};
    }
    const std::string_view first = argv[1];
    if (first == "run") {
        return parse_run(argc, argv);
    }
    if (first == "report") {
        return parse_report(argc, argv);
    }
    if (first == "--version" || first == "-V") {
        return text_answer{"allot " ALLOT_VERSION "\n"};
    }
    const std::string_view topic = argc > 2 ? argv[2] : "";
    if (first == "--help" || first == "-h" || (first == "help" && topic.empty())) {
        return text_answer{std::string(tool_help)};
    }
    if (first == "help" && (topic == "run" || topic == "report")) {
        return text_answer{topic == "run" ? run_verb().help_text() : report_verb().help_text()};
    }
    const std::string_view unknown = first == "help" ? topic : first;
    const std::vector<std::string> known{"run", "report", "help", "--help", "--version"};
    const std::string near = suggest(unknown, known);
    return wrong("", fmt::format("unknown {} {}{}", unknown.starts_with('-') ? "flag" : "verb", unknown,
                                 near.empty() ? "" : ": did you mean " + near + "?"));
}

} // namespace allot::cli
