// report_to_client: what a source or structure holds, told to the recorder of its process, if there is one.
//
// For structures that take memory in chunks, whenever what they hold changes, never per block: under `allot run`
// the report then has a row of their name. Not for blocks: those are the tracked heap's.
// Owns nothing: the id is the structure's own, 0 before the first report, and says that it was ever told.
// Threads: one at a time for one id.
// Cost: one load where nobody listens.
//
//     std::uint64_t id = 0;
//     report_to_client(id, {.kind = "arena", .who = "request", .held_bytes = 65536, .held_count = 1});
//     assert(id == 0); // nobody listens
#pragma once

#include <allot/core/name.hpp>
#include <cstdint>

namespace allot {

struct client_report {
    const char* kind = ""; // of at most 15 bytes
    name who = {};
    std::uint64_t held_bytes = 0;
    std::uint64_t held_count = 0; // chunks or slabs
};

void report_to_client(std::uint64_t& id, const client_report& now) noexcept;

} // namespace allot
