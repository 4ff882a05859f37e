// page_chain: a process's chain of node pages or of blob pages in the segment.
//
// Use it under the process's tree lock. Pages come from the stack of returned ones, else from the next that
// was never used, and only below page_limit: what lies beyond is not backed by the disk, and a touch would
// kill the program. When there is none it waits a few times for the collector to back more; after that it
// refuses until the limit moves. All zero is an empty chain. Borrows everything. Threads: one at a time;
// other processes take pages meanwhile. Cost: a node is some 20 instructions, a new page about 100.
//
//     page_chain nodes{};
//     std::uint32_t id = nodes.add_node(segment, &entry->node_page_first, serial, {return_address, parent, module});
//     if (id == 0) id = ALLOT_NODE_DROPPED; // no page left
#pragma once

#include <cstddef>
#include <cstdint>
#include <recorder/preload/segment_view.hpp>
#include <recorder/wire.h>

namespace allot::recorder {

class page_chain {
public:
    // The new node's id; 0: no room.
    std::uint32_t add_node(const segment_view& segment, std::uint32_t* first, std::uint64_t serial,
                           const allot_wire_node& node) noexcept;

    // Copies a record (its header's `bytes`), padded to 8. False: no room, or it is larger than a page.
    bool add_record(const segment_view& segment, std::uint32_t* first, std::uint64_t serial,
                    const allot_wire_record* record) noexcept;

    static constexpr std::size_t record_bytes_max = ALLOT_WIRE_PAGE_BYTES - sizeof(allot_wire_page);

private:
    bool extend(const segment_view& segment, std::uint32_t* first, std::uint64_t serial,
                std::uint32_t used) noexcept;
    std::uint32_t take(const segment_view& segment) noexcept;

    std::uint32_t last_;          // page index, 0: none yet
    std::uint32_t refused_limit_; // page_limit when the last wait for a page was in vain, 0: never
};

} // namespace allot::recorder
