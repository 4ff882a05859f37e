// command_line: what the user asked for, as plain values.
//
// Each flag is defined once, in command_line.cpp: from there come the parser, the help, the suggestions for
// misspelt names, and the place where the observed program's own arguments begin. Use it in main only.
// Owns its texts; `program` borrows argv. Threads: one. Cost: about 1 ms.
//
//     auto wish = allot::cli::parse_command_line(argc, argv);
//     if (const auto* run = std::get_if<allot::cli::run_options>(&wish)) {
//         return run_command(*run);
//     }
#pragma once

#include <allot/analysis/contexts.hpp>
#include <allot/analysis/tables.hpp>
#include <allot/observability/snapshot.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

namespace allot::cli {

struct run_options {
    recording_mode mode = recording_mode::full;
    bool quiet = false;
    bool arguments_stored = true;
    std::string output;       // empty: allot.<program>.<pid>.allot in the current folder
    char** program = nullptr; // argv of the program, ended by a null pointer, untouched; borrowed
};

enum class report_format : std::uint8_t { text, json, folded };

struct report_options {
    std::string file;
    report_format format = report_format::text;
    group_by by = group_by::site;
    sort_by sort = sort_by::peak;
    std::size_t top = all_rows;
    wrapper_view wrappers = wrapper_view::hidden;
    bool salvage = false;
};

struct text_answer { // --help and --version: to stdout, exit code 0
    std::string text;
};
struct usage_error { // to stderr, exit code 2
    std::string message;
};

using command_line = std::variant<run_options, report_options, text_answer, usage_error>;

command_line parse_command_line(int argc, char** argv);

} // namespace allot::cli
