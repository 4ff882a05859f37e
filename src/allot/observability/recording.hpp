// recording: a snapshot as bytes in a file, and back.
//
// `allot run` writes one at its end, `allot report` and every later analysis read it. Use it to keep an
// observation or to carry it to another machine; do not use it while the program runs: that is the segment
// (recorder/wire.h). The bytes are described in docs/format/recording.md. Every byte is under a checksum: a
// damaged recording is refused with the place and the reason, never read as another one. Counts in the file
// are believed only as far as the file has bytes for them, so a lying recording cannot make the reader
// allocate much.
// Owns nothing beyond the call. Threads: functions without state. Cost: docs/format/recording.md.
//
//     memory_sink bytes;
//     if (auto done = write_recording(numbers, bytes); !done) return done.error();
//     auto again = read_recording(bytes.bytes());
//     if (!again) return again.error(); // "section 'contexts' at byte 1234: the checksum does not match"
//     use(again->totals);
#pragma once

#include <allot/core/result.hpp>
#include <allot/observability/sink.hpp>
#include <allot/observability/snapshot.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace allot {

inline constexpr std::uint32_t recording_version = 1;

// Fails where the snapshot contradicts itself (an index out of its table) or the sink refuses.
result<void> write_recording(const snapshot& numbers, sink& to);

// All or nothing. Unknown sections are skipped (their checksum is still asked).
result<snapshot> read_recording(std::span<const std::byte> bytes);

// True for bytes that begin as a recording does, whatever follows: tells a recording from a segment
// (FILE.partial).
bool looks_like_recording(std::span<const std::byte> bytes) noexcept;

struct salvaged_recording {
    snapshot numbers;                // of the sections that could be read; the rest is empty
    std::vector<std::string> damage; // what was wrong and where, one line each; empty: the recording is whole
};

// What can be read of a damaged recording: each section whose own checksum holds. References to rows that are
// lost become `none`, except that lost modules stay as rows without a name. Fails only where nothing could be
// read.
result<salvaged_recording> salvage_recording(std::span<const std::byte> bytes);

// The same of a file; errors begin with the path. A recording at `path` is replaced whole or not at all.
result<void> save_recording(const snapshot& numbers, const std::string& path);
result<snapshot> load_recording(const std::string& path);

} // namespace allot
