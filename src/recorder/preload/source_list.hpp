// source_list: the library's sources of this process, and the entries of the segment that they add up in.
//
// Use it under the process's source lock, for what programs report through allot/core/client.h; not per block. Each
// source keeps what it reported last, so that an entry changes by the difference. Sources of one kind and name share
// an entry: a thousand request arenas are one row. A source that holds nothing is forgotten here; its id may come
// back. In a forked child the list is empty (wiped): an id of its parent is a new source there. All zero is an empty
// list. Borrows everything. Threads: one at a time; other processes claim entries meanwhile.
// Cost: a report of a change 26 ns, a source's birth and end 49 ns; a new name looks through the segment's entries.
// 32 bytes a source, 8,192 of them, backed as they are used.
//
//     source_list sources{};
//     allot_client_source request{.size = sizeof request, .kind = "arena", .name = "request", .held_bytes = 4096};
//     sources.report(segment, process.index, request); // request.id is not 0 any more
#pragma once

#include <allot/core/client.h>
#include <cstddef>
#include <cstdint>
#include <recorder/preload/segment_view.hpp>

namespace allot::recorder {

class source_list {
public:
    // Expects: a process entry that is live. What finds no room is counted in the header.
    void report(const segment_view& segment, std::uint32_t process, allot_client_source& newest) noexcept;

    static constexpr std::uint32_t count_max = 8192;

private:
    struct source {
        std::uint64_t id;
        std::uint64_t held_bytes, held_count; // as reported last
        std::uint16_t entry;                  // index in own_
        std::uint16_t next;                   // index + 1 in its bucket, or of the free ones
    };
    static constexpr std::uint32_t bucket_count = 4096;

    std::uint16_t* link_to(std::uint64_t id) noexcept; // leads to 0 where the id is not in the list
    source* add(std::uint64_t id) noexcept;
    // Index in own_, or own_count_: no room.
    std::uint32_t entry_of(const segment_view& segment, std::uint32_t process,
                           const allot_client_source& newest) noexcept;

    std::uint64_t first_id_; // ids below it were given before this process began; 0: not known yet
    std::uint32_t own_count_;
    std::uint16_t own_[ALLOT_WIRE_SOURCES]; // indexes of this process's entries
    std::uint16_t used_;                    // sources below were in use once
    std::uint16_t free_;                    // index + 1 of a chain of given back ones
    std::uint16_t buckets_[bucket_count];   // index + 1
    source sources_[count_max];
};

} // namespace allot::recorder
