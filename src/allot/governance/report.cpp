#include <algorithm>
#include <allot/governance/report.hpp>
#include <cinttypes>
#include <cstdio>

namespace allot {
namespace {

constexpr int tag_width = 32;
constexpr std::size_t line_bytes = 160;

struct row {
    const char* label = "";
    int indent = 0;
    usage numbers;
    std::uint64_t live_of = 0;   // what the share of bytes is of
    std::uint64_t blocks_of = 0; // and that of allocations; 0: no such column
};

// 0 of 0 is no share at all, which is 0.
double percent(std::uint64_t part, std::uint64_t whole) noexcept {
    return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

template <class Write>
void write_row(const row& line, Write write) noexcept {
    char text[line_bytes];
    const usage& now = line.numbers;
    const int label_width = std::max(tag_width - line.indent, 0);
    int length = std::snprintf(
        text, sizeof text,
        "%*s%-*s %14" PRIu64 " %14" PRIu64 " %10" PRIu64 " %12" PRIu64 " %12" PRIu64 " %6.1f%%\n",
        std::min(line.indent, tag_width), "", label_width, line.label, now.live_bytes, now.peak_live_bytes,
        now.live_count, now.total_count, now.total_count - std::min(now.total_count, now.live_count),
        percent(now.live_bytes, line.live_of));
    length = std::clamp(length, 0, static_cast<int>(sizeof text) - 1);
    write(std::string_view(text, static_cast<std::size_t>(length)));
}

// Each tag that was used, or has such below it, after its parent: children in the order they were made.
template <class Write>
void write_tree(const ledger& books, tag parent, std::uint64_t live_of, Write write) noexcept {
    for (std::size_t index = parent.index() + 1; index < tag::count(); ++index) {
        const tag each = tag::at(index);
        if (each.parent() != parent) continue;
        if (const usage tree = books.usage_of_tree(each); tree.total_count == 0 && tree.refused_count == 0)
            continue;
        write_row({.label = each.name().c_str(),
                   .indent = 2 * static_cast<int>(each.depth() - 1),
                   .numbers = books.usage(each),
                   .live_of = live_of},
                  write);
        write_tree(books, each, live_of, write);
    }
}

} // namespace

void write_report(const ledger& books, void (*write)(void* to, std::string_view line), void* to) noexcept {
    const auto put = [write, to](std::string_view line) { write(to, line); };
    const usage all = books.usage_of_tree(tag());
    const usage untagged = books.usage(tag());
    char text[line_bytes];
    int length = std::snprintf(text, sizeof text, "%-*s %14s %14s %10s %12s %12s %7s\n", tag_width,
                               books.name().c_str(), "live bytes", "peak bytes", "blocks", "allocations",
                               "frees", "share");
    put(std::string_view(text, static_cast<std::size_t>(length)));
    write_tree(books, tag(), all.live_bytes, put);
    write_row({.label = "untagged", .numbers = untagged, .live_of = all.live_bytes}, put);
    write_row({.label = "all", .numbers = all, .live_of = all.live_bytes}, put);
    length = std::snprintf(text, sizeof text,
                           "without a tag: %.1f%% of live bytes, %.1f%% of allocations; healed %" PRIu64
                           " times, %" PRIu64 " bytes\n",
                           percent(untagged.live_bytes, all.live_bytes),
                           percent(untagged.total_count, all.total_count), books.healed_count(),
                           books.healed_bytes());
    put(std::string_view(text, static_cast<std::size_t>(length)));
}

std::string report(const ledger& books) {
    std::string text;
    write_report(books, [&text](std::string_view line) { text += line; });
    return text;
}

} // namespace allot
