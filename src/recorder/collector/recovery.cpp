#include <recorder/collector/recovery.hpp>

#include <cstring>
#include <fstream>
#include <numeric>
#include <recorder/collector/snapshot_builder.hpp>

namespace allot::recorder {

result<snapshot> recover(const std::string& path) {
    auto file = segment_map::open(path);
    if (!file) return file.error();
    auto tables = tables_view::read(file->collected());
    if (!tables) return std::move(tables.error()).during(path);
    snapshot found = build_snapshot(*tables, *file);
    found.partial = true;
    // The collector may have stopped in the middle of an event; the contexts' share is the better witness
    // then.
    if (found.mode == recording_mode::full)
        found.totals.peak_live_bytes =
            std::accumulate(found.contexts.begin(), found.contexts.end(), std::uint64_t{0},
                            [](std::uint64_t sum, const context_node& node) {
                                return sum + node.numbers.live_bytes_at_peak;
                            });
    found.notes.insert(
        found.notes.begin(),
        "Recovered from a recording that was not finished: totals are complete, contexts, sites, peaks "
        "and live bytes are as of the recorder's last look");
    return found;
}

bool is_segment(const std::string& path) {
    char magic[sizeof(allot_wire_header::magic)] = {};
    std::ifstream file(path, std::ios::binary);
    return file.read(magic, sizeof magic) && std::memcmp(magic, ALLOT_WIRE_MAGIC, sizeof magic) == 0;
}

} // namespace allot::recorder
