#include <cli/render/json.hpp>

#include <cli/render/words.hpp>

#include <allot/analysis/contexts.hpp>
#include <allot/analysis/sites.hpp>
#include <allot/analysis/tables.hpp>

#include <cstdint>
#include <rapidjson/writer.h>
#include <string>
#include <string_view>

namespace allot::cli {
namespace {

// What rapidjson writes to; the names are its own.
// NOLINTBEGIN(readability-identifier-naming)
struct stream {
    using Ch = char;
    output& out;
    void Put(char c) { out.put(c); }
    void Flush() {} // the caller flushes at the end
};
// NOLINTEND(readability-identifier-naming)

class json_report {
public:
    json_report(const snapshot& shot, debug_info& names, const report_options& options, output& out)
        : shot_(shot), names_(names), options_(options), stream_{out}, writer_(stream_) {}

    void write() {
        writer_.StartObject();
        text("format", "allot-report");
        number("version", 1);
        text("mode", shot_.mode == recording_mode::full ? "full" : "count");
        text("live_basis", shot_.basis == live_basis::requested ? "requested" : "usable");
        key("totals");
        totals(shot_.totals);
        number("peak_rss_bytes", shot_.peak_rss_bytes);
        number("duration_ns", shot_.duration_ns);
        processes();
        sites();
        contexts();
        named_memory();
        groups();
        gaps();
        writer_.EndObject();
    }

private:
    void key(std::string_view name) {
        writer_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
    }
    void value(std::string_view outside) {
        // JSON escapes control characters by itself; only what is no UTF-8 at all must be replaced.
        const std::string valid = valid_utf8(outside);
        writer_.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
    }
    void text(std::string_view name, std::string_view outside) {
        key(name);
        value(outside);
    }
    void text_or_null(std::string_view name, std::string_view outside) {
        key(name);
        outside.empty() ? static_cast<void>(writer_.Null()) : value(outside);
    }
    void number(std::string_view name, std::uint64_t n) {
        key(name);
        writer_.Uint64(n);
    }
    void temporaries(std::uint64_t n) { // not measured without stacks
        key("temporary_allocations");
        shot_.mode == recording_mode::full ? writer_.Uint64(n) : writer_.Null();
    }

    void totals(const heap_totals& of) {
        writer_.StartObject();
        number("allocations", of.allocations);
        number("frees", of.frees);
        number("reallocations", of.reallocations);
        number("allocated_bytes", of.allocated_bytes);
        number("live_blocks_at_exit", of.live_blocks_at_exit);
        number("live_bytes_at_exit", of.live_bytes_at_exit);
        number("peak_live_bytes", of.peak_live_bytes);
        temporaries(of.temporary_allocations);
        writer_.EndObject();
    }
    void numbers(const row_numbers& of) {
        number("allocations", of.allocations);
        number("allocated_bytes", of.allocated_bytes);
        number("live_blocks_at_exit", of.live_blocks_at_exit);
        number("live_bytes_at_exit", of.live_bytes_at_exit);
        number("peak_live_bytes", of.peak_live_bytes);
        number("live_bytes_at_peak", of.live_bytes_at_peak);
        temporaries(of.temporary_allocations);
    }
    void frame(const source_frame& source, code_address address) {
        writer_.StartObject();
        text_or_null("function", source.function);
        text_or_null("file", source.file);
        key("line");
        source.line == 0 ? writer_.Null() : writer_.Uint(source.line);
        text_or_null("module",
                     address.module < shot_.modules.size() ? shot_.modules[address.module].path : "");
        number("offset", address.offset);
        writer_.EndObject();
    }

    void exit(const process_exit& end) {
        key("exit");
        if (end.how == process_exit::kind::unknown || end.how == process_exit::kind::running) {
            writer_.Null();
            return;
        }
        writer_.StartObject();
        if (end.how == process_exit::kind::exec) {
            key("exec");
            writer_.Bool(true);
        } else {
            key(end.how == process_exit::kind::code ? "code" : "signal");
            writer_.Int(end.value);
        }
        writer_.EndObject();
    }
    void processes() {
        key("processes");
        writer_.StartArray();
        for (const process_row& process : shot_.processes) {
            writer_.StartObject();
            number("pid", process.pid);
            number("parent_pid", process.parent_pid);
            key("command");
            writer_.StartArray();
            for (const std::string& argument : process.command) {
                value(argument);
            }
            writer_.EndArray();
            exit(process.exit);
            key("observed");
            writer_.Bool(process.observed);
            text_or_null("reason", process.reason);
            key("totals");
            totals(process.totals);
            number("live_bytes_at_peak", process.live_bytes_at_peak);
            writer_.EndObject();
        }
        writer_.EndArray();
    }
    void sites() {
        key("sites");
        writer_.StartArray();
        if (shot_.mode == recording_mode::full) {
            for (const table_row& row : make_table(shot_, group_by::site, options_.sort, options_.top)) {
                const code_address address = shot_.sites[row.index].address;
                writer_.StartObject();
                key("frame");
                frame(site_frame(names_, address), address);
                numbers(row.numbers);
                writer_.EndObject();
            }
        }
        writer_.EndArray();
    }
    void contexts() {
        key("contexts");
        writer_.StartArray();
        if (shot_.mode == recording_mode::full) {
            for (const table_row& row : make_table(shot_, group_by::context, options_.sort, options_.top)) {
                const stack all = frames_of(shot_, row.index, names_, wrapper_view::shown);
                writer_.StartObject();
                key("frames");
                writer_.StartArray();
                for (const stack_frame& one : all.frames) {
                    frame(*one.source, one.address);
                }
                writer_.EndArray();
                key("complete");
                writer_.Bool(all.complete);
                numbers(row.numbers);
                writer_.EndObject();
            }
        }
        writer_.EndArray();
    }

    void named_memory() {
        key("named_memory");
        writer_.StartArray();
        for (const named_source_row& row : shot_.named_sources) {
            writer_.StartObject();
            number("pid", row.process < shot_.processes.size() ? shot_.processes[row.process].pid : 0);
            text("kind", row.kind);
            text("name", row.name);
            number("held_bytes_at_exit", row.held_bytes);
            number("peak_held_bytes", row.peak_held_bytes);
            number("held_count_at_exit", row.held_count);
            number("source_count", row.source_count);
            writer_.EndObject();
        }
        writer_.EndArray();
    }

    // Further tables, where they are asked for.
    void groups() {
        if (options_.by == group_by::module && shot_.mode == recording_mode::full) {
            key("modules");
            writer_.StartArray();
            for (const table_row& row : make_table(shot_, group_by::module, options_.sort, options_.top)) {
                writer_.StartObject();
                text_or_null("module", shot_.modules[row.index].path);
                numbers(row.numbers);
                writer_.EndObject();
            }
            writer_.EndArray();
        } else if (options_.by == group_by::thread) {
            key("threads");
            writer_.StartArray();
            for (const table_row& row : make_table(shot_, group_by::thread, options_.sort, options_.top)) {
                thread(shot_.threads[row.index]);
            }
            writer_.EndArray();
        }
    }
    void thread(const thread_row& of) {
        writer_.StartObject();
        number("pid", of.process < shot_.processes.size() ? shot_.processes[of.process].pid : 0);
        number("tid", of.tid);
        text_or_null("name", of.name);
        key("totals");
        totals(of.totals);
        number("live_bytes_at_peak", of.live_bytes_at_peak);
        writer_.EndObject();
    }
    void gaps() {
        key("dropped");
        writer_.StartObject();
        number("stacks", shot_.dropped_stacks);
        number("events", shot_.dropped_events);
        writer_.EndObject();
        number("short_stacks", shot_.short_stacks);
        number("folded_stacks", shot_.folded_stacks);
        number("processes_lost", shot_.processes_lost);
        number("error_bound_bytes", shot_.error_bound_bytes);
        key("partial");
        writer_.Bool(shot_.partial);
        key("notes");
        writer_.StartArray();
        for (const std::string& note : shot_.notes) {
            value(note);
        }
        writer_.EndArray();
    }

    const snapshot& shot_;
    debug_info& names_;
    const report_options& options_;
    stream stream_;
    rapidjson::Writer<stream> writer_;
};

} // namespace

void write_json(const snapshot& shot, debug_info& names, const report_options& options, output& out) {
    json_report(shot, names, options, out).write();
    out.put('\n');
}

} // namespace allot::cli
