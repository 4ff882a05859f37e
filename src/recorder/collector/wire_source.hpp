// wire_source: what one source entry of the segment says, and the end of those of a process.
//
// Use it for every look at an entry: text without its end and a peak that was not yet written are mended here.
// Owns nothing. Threads: one; the entry may change meanwhile. Cost: a copy of about 100 bytes.
//
//     allot_wire_source entry{};
//     entry.state = ALLOT_LIVE, entry.process_serial = 7, entry.held_bytes = 4096;
//     std::optional<wire_source> seen = read_source(entry);
//     seen->record.peak_held_bytes; // 4096: at least what is held
#pragma once

#include <cstdint>
#include <optional>
#include <recorder/collector/tables.hpp>
#include <recorder/wire.h>

namespace allot::recorder {

struct wire_source {
    std::uint32_t entry = none; // of its process; anything, since others write it
    std::uint64_t serial = 0;
    source_record record; // without its process
};

// Empty where the entry is not in use.
std::optional<wire_source> read_source(const allot_wire_source& wire) noexcept;

// Copies the entries of the process that has this serial into its record's tables. What finds no room is counted.
void keep_sources(segment& file, tables& all, std::uint64_t serial, std::uint32_t record);

// Frees the entries. Expects: their process is gone.
void free_sources(segment& file, std::uint64_t serial) noexcept;

} // namespace allot::recorder
