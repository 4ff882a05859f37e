// process_blobs: what a process has written about itself: its command, its executable, its modules.
//
// Use it to read the chain of blob pages bit by bit while the process adds to it (wire.h says how). Takes
// nothing on trust: a chain that makes no sense ends there.
// Borrows the segment. Threads: one. Cost: read() with nothing new is one load.
//
//     process_blobs blobs(file, entry);
//     blobs.read([&](const allot_wire_record& record, std::span<const std::byte> rest) { … });
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <recorder/collector/segment.hpp>
#include <span>
#include <string_view>

namespace allot::recorder {

class process_blobs {
public:
    // Expects: entry below the process count.
    process_blobs(const segment_map& file, std::uint32_t entry) noexcept : file_(file), entry_(entry) {}

    // f(record, what follows the record's header) for each whole record not read before.
    template <class F>
    void read(F&& f) {
        if (page_ == 0) page_ = __atomic_load_n(&file_.process(entry_)->blob_page_first, __ATOMIC_ACQUIRE);
        while (page_ != 0 && pages_read_ < file_.page_count_max()) {
            const allot_wire_page* page = file_.page(page_);
            if (page == nullptr || page->process_serial != file_.process(entry_)->serial) return;
            // `next` first: once it is set, `used` is final.
            const std::uint32_t next = __atomic_load_n(&page->next, __ATOMIC_ACQUIRE);
            if (!read_page(page, __atomic_load_n(&page->used, __ATOMIC_ACQUIRE), f)) return;
            if (next == 0) return;
            page_ = next;
            at_ = 0;
            ++pages_read_;
        }
    }

private:
    template <class F>
    bool read_page(const allot_wire_page* page, std::uint32_t used, F&& f) {
        const auto* bytes = reinterpret_cast<const std::byte*>(page + 1);
        if (used > ALLOT_WIRE_PAGE_BYTES - sizeof(allot_wire_page)) return false;
        while (at_ < used) {
            allot_wire_record record;
            if (used - at_ < sizeof record) return false;
            std::memcpy(&record, bytes + at_, sizeof record);
            if (record.bytes < sizeof record || record.bytes > used - at_) return false;
            f(record, std::span(bytes + at_ + sizeof record, record.bytes - sizeof record));
            at_ += (record.bytes + 7u) & ~7u;
        }
        return true;
    }

    const segment_map& file_; // borrowed
    std::uint32_t entry_;
    std::uint32_t page_ = 0;
    std::uint32_t at_ = 0; // in the page, behind its header
    std::uint32_t pages_read_ = 0;
};

inline std::string_view as_text(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

} // namespace allot::recorder
