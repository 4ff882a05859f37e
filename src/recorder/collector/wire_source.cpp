#include <recorder/collector/wire_source.hpp>

#include <algorithm>
#include <cstring>

namespace allot::recorder {

std::optional<wire_source> read_source(const allot_wire_source& wire) noexcept {
    if (__atomic_load_n(&wire.state, __ATOMIC_ACQUIRE) != ALLOT_LIVE) return std::nullopt;
    const auto number = [](const std::uint64_t& from) { return __atomic_load_n(&from, __ATOMIC_RELAXED); };
    wire_source seen{.entry = wire.process, .serial = wire.process_serial, .record = {}};
    std::memcpy(seen.record.kind, wire.kind, sizeof wire.kind);
    std::memcpy(seen.record.name, wire.name, sizeof wire.name);
    seen.record.kind[sizeof wire.kind - 1] = '\0';
    seen.record.name[sizeof wire.name - 1] = '\0';
    seen.record.held_bytes = number(wire.held_bytes);
    seen.record.peak_held_bytes = std::max(number(wire.peak_held_bytes), seen.record.held_bytes);
    seen.record.held_count = number(wire.held_count);
    seen.record.source_count = number(wire.source_count);
    return seen;
}

void keep_sources(segment& file, tables& all, std::uint64_t serial, std::uint32_t record) {
    for (std::uint32_t index = 0; index < file.source_count(); ++index) {
        auto seen = read_source(*file.source(index));
        if (!seen || seen->serial != serial) continue;
        seen->record.process = record;
        if (all.sources.add(seen->record) == none)
            __atomic_fetch_add(&file.header().source_reports_lost, std::uint64_t{1}, __ATOMIC_RELAXED);
    }
}

void free_sources(segment& file, std::uint64_t serial) noexcept {
    for (std::uint32_t index = 0; index < file.source_count(); ++index) {
        allot_wire_source& wire = *file.source(index);
        // One that was only claimed as its process died has the serial too.
        if (__atomic_load_n(&wire.state, __ATOMIC_ACQUIRE) == ALLOT_FREE ||
            __atomic_load_n(&wire.process_serial, __ATOMIC_RELAXED) != serial)
            continue;
        std::memset(reinterpret_cast<char*>(&wire) + sizeof wire.state, 0, sizeof wire - sizeof wire.state);
        __atomic_store_n(&wire.state, unsigned{ALLOT_FREE}, __ATOMIC_RELEASE);
    }
}

} // namespace allot::recorder
