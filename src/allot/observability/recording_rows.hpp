// recording_rows: the inside of a recording's sections, each table described once for both directions.
//
// Part of the recording component: use `recording.hpp`; nothing else should need this.
// docs/format/recording.md says the same in words. A template `Packed` is packed_writer (the snapshot is
// const then) or packed_reader.
#pragma once

#include <allot/observability/packed.hpp>
#include <allot/observability/snapshot.hpp>

#include <optional>
#include <string>
#include <vector>

namespace allot::detail {

enum class section_kind : std::uint32_t {
    summary = 1,
    modules = 2,
    contexts = 3,
    sites = 4,
    processes = 5,
    threads = 6,
    notes = 7,
    named_sources = 8, // optional: there where it has rows
    last = named_sources
};

const char* section_name(section_kind kind) noexcept;

void write_section(packed_writer& to, section_kind kind, const snapshot& from);
void read_section(packed_reader& from, section_kind kind, snapshot& to); // check from.ok()
void drop_section(section_kind kind, snapshot& from);

// A place where rows refer to what is not there.
struct contradiction {
    section_kind where = section_kind::summary;
    std::string what;
};
std::optional<contradiction> first_contradiction(const snapshot& numbers);

// After this nothing contradicts itself, whichever tables were lost; says what it changed, one line each.
std::vector<std::string> repair_references(snapshot& numbers);

} // namespace allot::detail
