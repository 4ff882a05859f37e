#include <cli/commands/report.hpp>

#include <cli/exit_codes.hpp>
#include <cli/render/json.hpp>
#include <cli/render/output.hpp>
#include <cli/render/text.hpp>
#include <cli/render/words.hpp>

#include <allot/analysis/contexts.hpp>
#include <allot/core/result.hpp>
#include <allot/observability/recording.hpp>
#include <allot/platform/whole_file.hpp>
#include <recorder/collector/recovery.hpp>

#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace allot::cli {
namespace {

void say(std::string_view message) { fmt::print(stderr, "allot: {}\n", clean(message)); }

result<snapshot> salvage(const std::string& file, bool& damaged) {
    auto bytes = read_whole_file(file);
    if (!bytes) {
        return bytes.error();
    }
    auto salvaged = salvage_recording(*bytes);
    if (!salvaged) {
        return salvaged.error().during(file);
    }
    for (const std::string& damage : salvaged->damage) {
        say(file + ": " + damage);
        damaged = true;
    }
    return std::move(salvaged->numbers);
}

void write_folded(const snapshot& shot, debug_info& names, const report_options& options, output& out) {
    for_each_folded(shot, names, {.metric = options.sort, .wrappers = options.wrappers},
                    [&out](std::string_view stack, std::uint64_t value) {
                        out.write(clean(stack));
                        out.write(fmt::format(" {}\n", value));
                    });
}

} // namespace

int report_command(const report_options& options) {
    bool damaged = false;
    auto shot = recorder::is_segment(options.file) ? recorder::recover(options.file)
                : options.salvage                  ? salvage(options.file, damaged)
                                                   : load_recording(options.file);
    if (!shot) {
        say(shot.error().text());
        return exit_bad_input;
    }
    if (options.format == report_format::folded && shot->mode == recording_mode::count) {
        say(options.file + ": recorded with --count: it has no call stacks to fold");
        return exit_bad_input;
    }
    debug_info names(shot->modules);
    output out(STDOUT_FILENO);
    switch (options.format) {
    case report_format::text: write_text(*shot, names, options, out, takes_colour(STDOUT_FILENO)); break;
    case report_format::json: write_json(*shot, names, options, out); break;
    case report_format::folded: write_folded(*shot, names, options, out); break;
    }
    if (!out.flush() && !out.reader_gone()) {
        say("cannot write the report: " + system_error(out.error_number()).text());
        return exit_failed;
    }
    return damaged ? exit_bad_input : exit_success;
}

} // namespace allot::cli
