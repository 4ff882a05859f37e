// module_list: the loaded objects whose code was seen in call stacks, each written once as a record.
//
// Use it under the process's tree lock when a return address gets its first node. No dl_iterate_phdr and no
// lock of the dynamic loader's: `_dl_find_object` answers without, and the rest is read from the object's own
// headers in memory. Not to be called while a library may be unmapped by this very thread (dlclose calls
// retain_loaded after it). All zero is an empty list. Borrows everything. Cost: a hit is a scan of the list
// (most often its last hit).
//
//     std::uint32_t module = modules.find(return_address); // 0: new, or code made at run time
//     if (module == 0) module = modules.add(return_address, write_record);
#pragma once

#include <cstddef>
#include <cstdint>
#include <recorder/preload/page_chain.hpp>
#include <recorder/wire.h>

namespace allot::recorder {

class module_list {
public:
    static constexpr std::uint32_t capacity = 2048;

    // Id of the module that the address lies in; 0: none known.
    std::uint32_t find(std::uint64_t address) noexcept;

    // Finds and records the object there. `executable` is the path of the main program, which its own link
    // map does not have. 0: code that no object holds, or no room.
    std::uint32_t add(std::uint64_t address, const char* executable, std::size_t executable_length,
                      const segment_view& segment, std::uint32_t* blob_first, std::uint64_t serial,
                      page_chain& blobs) noexcept;

    // After a dlclose: forgets the objects that are no longer loaded. True: there were some.
    bool retain_loaded() noexcept;

private:
    struct known {
        std::uint64_t start, end;
        const void* link_map;
        std::uint32_t id;
    };
    std::uint32_t count_;
    std::uint32_t last_hit_;
    std::uint32_t last_id_;
    known known_[capacity];
};

} // namespace allot::recorder
