#include <cli/render/text.hpp>

#include <cli/render/names.hpp>
#include <cli/render/numbers.hpp>
#include <cli/render/places.hpp>
#include <cli/render/summary.hpp>
#include <cli/render/tree.hpp>
#include <cli/render/words.hpp>

#include <allot/analysis/contexts.hpp>
#include <allot/analysis/sites.hpp>

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string>
#include <vector>

namespace allot::cli {
namespace {

constexpr std::size_t columns_max = 100;

// What `sort` is called above a column and in a sentence.
struct metric_words {
    const char* column;
    const char* sentence;
};
metric_words words_of(sort_by sort) {
    static constexpr std::array<metric_words, 5> all{{{"at peak", "bytes held at the peak"},
                                                      {"live", "bytes live at exit"},
                                                      {"allocated", "bytes allocated"},
                                                      {"count", "allocations"},
                                                      {"temporary", "temporary allocations"}}};
    return all[static_cast<std::size_t>(sort)];
}

std::string number_text(const row_numbers& numbers, sort_by which) {
    const std::uint64_t value = sort_value(numbers, which);
    return which == sort_by::count || which == sort_by::temporary ? count_text(value) : bytes_text(value);
}

class text_report {
public:
    text_report(const snapshot& shot, debug_info& names, const report_options& options, output& out,
                bool colour)
        : shot_(shot),
          names_(names),
          options_(options),
          out_(out),
          colour_(colour),
          by_(shot.mode == recording_mode::full ? options.by : without_stacks(options.by)) {}

    void write() {
        write_head();
        write_totals();
        write_gaps();
        if (shot_.processes.size() > 1 && by_ != group_by::process) {
            write_processes();
        }
        write_named_memory();
        if (by_ != options_.by) {
            line("");
            line("Recorded with --count: no call stacks, so here are the processes.");
        }
        write_table();
        if (by_ == group_by::site) {
            write_call_tree(shot_, names_, options_, out_, colour_);
        }
        write_missing_names();
    }

private:
    static group_by without_stacks(group_by by) { return by == group_by::thread ? by : group_by::process; }

    void line(std::string_view text) {
        out_.write(text);
        out_.put('\n');
    }
    void title(const std::string& text) {
        line("");
        line(colour_ ? "\x1b[1m" + text + "\x1b[0m" : text);
    }

    void write_head() {
        if (shot_.processes.empty()) {
            return;
        }
        const process_row& root = shot_.processes.front();
        const std::string command = command_text(root, columns_max);
        line(colour_ ? "\x1b[1m" + command + "\x1b[0m" : command);
        line(fmt::format("{} after {}; {}, live and peak in {} bytes{}", exit_text(end_of_program(shot_)),
                         time_text(shot_.duration_ns),
                         shot_.mode == recording_mode::full ? "every allocation with its call stack"
                                                            : "counts only",
                         shot_.basis == live_basis::requested ? "requested" : "usable",
                         shot_.partial ? "; PARTIAL: the recording was cut off" : ""));
    }

    void total(std::string_view name, const std::string& value, const std::string& remark = {}) {
        line(fmt::format("  {} {}{}{}", left(name, 16), right(value, 14), remark.empty() ? "" : "   ",
                         remark));
    }
    void write_totals() {
        const heap_totals& totals = shot_.totals;
        line("");
        total("allocations", count_text(totals.allocations),
              totals.reallocations == 0 ? ""
                                        : fmt::format("{} by realloc", count_text(totals.reallocations)));
        total("frees", count_text(totals.frees));
        total("allocated in all", bytes_text(totals.allocated_bytes));
        total("peak heap", bytes_text(totals.peak_live_bytes),
              shot_.error_bound_bytes == 0 ? "" : "within " + bytes_text(shot_.error_bound_bytes));
        total("peak RSS", bytes_text(shot_.peak_rss_bytes), rss_remark());
        total("live at exit", bytes_text(totals.live_bytes_at_exit),
              "in " + counted(totals.live_blocks_at_exit, "block", "blocks"));
        if (shot_.mode == recording_mode::full) {
            total("temporary", count_text(totals.temporary_allocations),
                  share_text(totals.temporary_allocations, totals.allocations) +
                      " of the allocations: freed before the thread's next one");
        }
    }
    std::string rss_remark() const {
        const std::uint64_t heap = shot_.totals.peak_live_bytes;
        const std::uint64_t resident = shot_.peak_rss_bytes;
        if (resident == 0) {
            return "not known";
        }
        return shot_.processes.size() > 1 ? "of the largest process alone"
               : heap > resident
                   ? bytes_text(heap - resident) + " of the heap is not in it: never touched, or swapped out"
                   : bytes_text(resident - heap) +
                         " more than heap: code, stacks, mappings, the allocator's own";
    }
    void write_gaps() {
        const std::vector<std::string> gaps = gaps_of(shot_);
        if (!gaps.empty()) {
            title("Not in these numbers");
        }
        for (const std::string& gap : gaps) {
            wrapped(gap);
        }
    }
    void write_missing_names() {
        const std::vector<std::string> reasons = missing_names(shot_, names_);
        if (!reasons.empty()) {
            title("Without names");
        }
        for (const std::string& reason : reasons) {
            line("  " + fit(clean(reason), columns_max - 2));
        }
    }
    void wrapped(std::string_view text) {
        std::string row = "  ";
        while (!text.empty()) {
            const auto end = text.find(' ');
            const std::string_view word = text.substr(0, end);
            if (width(row) + 1 + width(word) > columns_max && row.size() > 2) {
                line(row);
                row = "    ";
            }
            row.append(row.back() == ' ' ? "" : " ").append(word);
            text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        }
        line(row);
    }

    void write_processes() {
        constexpr std::size_t shown_max = 20;
        const std::size_t all = shot_.processes.size();
        const std::string title_start = fmt::format("{} programs in {}", count_text(all),
                                                    counted(process_count(shot_), "process", "processes"));
        if (all <= shown_max) {
            title(title_start + ", in order of their start");
        } else {
            title(fmt::format("{}; the {} largest by {}", title_start, shown_max,
                              words_of(options_.sort).sentence));
        }
        line("       pid    at peak  allocations  command");
        if (all <= shown_max) {
            for (std::size_t i = 0; i < all; ++i) {
                process_line(shot_.processes[i], process_depth(i));
            }
            return;
        }
        for (const table_row& row : make_table(shot_, group_by::process, options_.sort, shown_max)) {
            process_line(shot_.processes[row.index], 0);
        }
    }
    void process_line(const process_row& process, std::size_t depth) {
        const std::string numbers =
            fmt::format("{} {} {}  {}", right(fmt::format("{}", process.pid), 10),
                        right(bytes_text(process.live_bytes_at_peak), 10),
                        right(count_text(process.totals.allocations), 12), std::string(2 * depth, ' '));
        const std::string end = process.observed ? exit_text(process.exit) : "not observed";
        const std::size_t room = columns_max - width(numbers) - width(end) - 2;
        line(numbers + command_text(process, room) + "  " + end);
    }
    // How far down the tree of parents; bounded, since a recording may say anything.
    std::size_t process_depth(std::size_t index) const {
        std::size_t depth = 0;
        for (std::size_t i = index; depth < 8;) {
            const std::uint32_t parent = shot_.processes[i].parent_pid;
            std::size_t above = i;
            while (above > 0 && shot_.processes[above - 1].pid != parent) {
                --above;
            }
            if (above == 0) {
                break;
            }
            i = above - 1;
            ++depth;
        }
        return depth;
    }

    // What the library's sources held, as they said themselves.
    void write_named_memory() {
        constexpr std::size_t shown_max = 20;
        std::vector<const named_source_row*> rows;
        for (const named_source_row& row : shot_.named_sources) {
            rows.push_back(&row);
        }
        if (rows.empty()) {
            return;
        }
        std::ranges::sort(rows, [](const auto* a, const auto* b) { // equal ones as they are
            return a->peak_held_bytes != b->peak_held_bytes ? a->peak_held_bytes > b->peak_held_bytes : a < b;
        });
        title(rows.size() <= shown_max ? std::string("Named memory, by its own peak")
                                       : fmt::format("Named memory: the {} largest of {} by their own peak",
                                                     shown_max, count_text(rows.size())));
        line("       peak    at exit   instances  kind name");
        rows.resize(std::min(rows.size(), shown_max));
        for (const named_source_row* row : rows) {
            const std::string numbers =
                fmt::format("{} {} {}  ", right(bytes_text(row->peak_held_bytes), 11),
                            right(bytes_text(row->held_bytes), 10), right(count_text(row->source_count), 11));
            std::string subject = clean(row->kind) + " " + clean(row->name);
            if (shot_.processes.size() > 1 && row->process < shot_.processes.size()) {
                const process_row& process = shot_.processes[row->process];
                subject += fmt::format(" of {} {}", process.pid, program_name(process));
            }
            line(numbers + fit(subject, columns_max - width(numbers)));
        }
    }

    std::size_t group_size() const {
        switch (by_) {
        case group_by::site: return shot_.sites.size();
        case group_by::module: return shot_.modules.size();
        case group_by::thread: return shot_.threads.size();
        case group_by::process: return shot_.processes.size();
        case group_by::context: break;
        }
        return static_cast<std::size_t>(
            std::count_if(shot_.contexts.begin(), shot_.contexts.end(),
                          [](const auto& node) { return node.numbers.allocations > 0; }));
    }

    void write_table() {
        static constexpr std::array<const char*, 5> ones{"site", "call stack", "module", "thread", "process"};
        static constexpr std::array<const char*, 5> many{"sites", "call stacks", "modules", "threads",
                                                         "processes"};
        std::size_t all = group_size();
        std::vector<table_row> rows;
        if (by_ == group_by::site) {
            places_ = make_place_table(shot_, names_, options_.sort, options_.top, all_rows, &all);
            for (const place_row& place : places_) {
                rows.push_back({static_cast<std::uint32_t>(rows.size()), place.numbers});
            }
        } else {
            rows = make_table(shot_, by_, options_.sort, options_.top);
        }
        const auto group = static_cast<std::size_t>(by_);
        const char* by = words_of(options_.sort).sentence;
        title(rows.size() < all
                  ? fmt::format("Top {} of {} {} by {}", rows.size(), count_text(all), many[group], by)
                  : fmt::format("{} by {}", counted(all, ones[group], many[group]), by));
        if (rows.empty()) {
            return;
        }
        // The number that ranks comes first, with its share; then the others.
        std::vector<sort_by> columns{options_.sort};
        for (const sort_by other : {sort_by::peak, sort_by::live, sort_by::bytes, sort_by::count}) {
            if (other != options_.sort && columns.size() < 4) {
                columns.push_back(other);
            }
        }
        std::string head;
        for (const sort_by column : columns) {
            head += right(words_of(column).column, column == sort_by::count ? 12 : 11);
            head += column == options_.sort ? "   share" : "";
        }
        line(head + "  " + ones[group]);
        for (const table_row& row : rows) {
            table_line(row, columns);
        }
    }
    void table_line(const table_row& row, const std::vector<sort_by>& columns) {
        std::string text;
        for (const sort_by column : columns) {
            text += right(number_text(row.numbers, column), column == sort_by::count ? 12 : 11);
            if (column == options_.sort) {
                text += right(share_text(sort_value(row.numbers, column), sort_total(shot_, column)), 8);
            }
        }
        text += "  ";
        if (by_ == group_by::context) {
            return context_lines(row, text);
        }
        line(text + subject(row, columns_max - width(text)));
    }
    std::string subject(const table_row& row, std::size_t columns) {
        switch (by_) {
        case group_by::module: {
            const std::string& path = shot_.modules[row.index].path;
            return path.empty() ? "(code without a file)" : fit_path(clean(path), columns);
        }
        case group_by::thread: {
            const thread_row& thread = shot_.threads[row.index];
            const bool known = thread.process < shot_.processes.size();
            const std::string which = thread.tid == 0 ? "(threads without a place of their own)"
                                                      : fmt::format("{} {}", thread.tid, clean(thread.name));
            return fit(which + (known && shot_.processes.size() > 1
                                    ? " of " + program_name(shot_.processes[thread.process])
                                    : ""),
                       columns);
        }
        case group_by::process: {
            const process_row& process = shot_.processes[row.index];
            const std::string end = "  " + (process.observed ? exit_text(process.exit) : "not observed");
            const std::string start = fmt::format("{} ", process.pid);
            return start + command_text(process, columns - width(start) - width(end)) + end;
        }
        case group_by::site:
        case group_by::context: break;
        }
        return place_text(shot_, *places_[row.index].source, places_[row.index].address, columns);
    }
    void context_lines(const table_row& row, const std::string& numbers) {
        constexpr std::size_t indentation = 6;
        const stack all = frames_of(shot_, row.index, names_, options_.wrappers);
        bool first = true;
        for (const stack_frame& frame : all.frames) {
            const std::string start = first ? numbers : std::string(indentation, ' ');
            line(start + place_text(shot_, *frame.source, frame.address, columns_max - width(start)));
            first = false;
        }
        if (first) {
            line(numbers + "(no call stack)");
        } else if (!all.complete) {
            line(std::string(indentation, ' ') + "(further callers are not known)");
        }
    }

    const snapshot& shot_;
    debug_info& names_;
    const report_options& options_;
    output& out_;
    bool colour_;
    group_by by_;
    std::vector<place_row> places_; // what the rows of the table point to, by site
};

} // namespace

void write_text(const snapshot& shot, debug_info& names, const report_options& options, output& out,
                bool colour) {
    text_report(shot, names, options, out, colour).write();
}

} // namespace allot::cli
