// usage: the numbers of one source, structure, tag or budget at one moment.
//
// A value that is pulled: whoever wants numbers asks for it, nobody is told. Every counter states its error:
// what may be off says by how much. What a component does not have stays 0 (or unlimited); its header names
// the fields that it fills.
// Bytes are requested bytes, unless the field says otherwise.
// Threads: a value; whose call is exact and whose is behind stands in the header of the component.
//
//     usage now = arena.usage();
//     assert(now.live_bytes + now.slack_bytes + now.free_bytes == now.held_bytes);
#pragma once

#include <cstddef>
#include <cstdint>

namespace allot {

struct usage {
    static constexpr std::uint64_t unlimited = static_cast<std::uint64_t>(-1);

    std::uint64_t live_bytes = 0;      // handed out and not given back
    std::uint64_t live_count = 0;      // blocks, or slots
    std::uint64_t peak_live_bytes = 0; // the highest that live_bytes ever was
    std::uint64_t total_bytes = 0;     // handed out, ever
    std::uint64_t total_count = 0;
    std::uint64_t refused_count = 0; // requests that could not be served

    // held == live + slack + free, for what takes blocks from an upstream and hands out parts of them.
    std::uint64_t held_bytes = 0;      // taken from upstream and not given back
    std::uint64_t peak_held_bytes = 0; // the highest that held_bytes ever was
    std::uint64_t held_count = 0;      // chunks or slabs
    std::uint64_t slack_bytes = 0;     // held or granted, but not asked for: padding, rounding, book-keeping
    std::uint64_t free_bytes = 0;      // held, and ready to be handed out

    std::uint64_t limit_bytes = unlimited;
    std::uint64_t behind_bytes_max = 0; // live may differ from the truth by so much while others write
    std::uint64_t early_bytes_max = 0;  // a request may be refused though so much is left
    friend constexpr bool operator==(const usage&, const usage&) = default;
};

} // namespace allot
