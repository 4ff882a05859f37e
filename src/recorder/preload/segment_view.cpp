#include <recorder/preload/segment_view.hpp>

// The file was made by another process and may be of another version, cut, or somebody else's. Nothing of the
// header is believed before it was compared with the size of the file; what was compared is kept here and
// never read again.

namespace allot::recorder {
namespace {

constexpr std::uint64_t count_limit = std::uint64_t{1} << 24;

struct part {
    std::uint64_t offset, count, bytes_each, bytes_needed, align;
};

bool lies_within(const part& p, std::uint64_t segment_bytes) noexcept {
    if (p.count > count_limit || p.bytes_each < p.bytes_needed || p.bytes_each > (std::uint64_t{1} << 36))
        return false;
    if (p.offset % p.align != 0 || p.bytes_each % p.align != 0) return false;
    std::uint64_t bytes, end;
    if (__builtin_mul_overflow(p.count, p.bytes_each, &bytes)) return false;
    if (__builtin_add_overflow(p.offset, bytes, &end)) return false;
    return p.offset >= sizeof(allot_wire_header) && end <= segment_bytes;
}

} // namespace

bool segment_view::read(void* base, std::uint64_t file_bytes) noexcept {
    if (file_bytes < sizeof(allot_wire_header)) return false;
    auto* h = static_cast<allot_wire_header*>(base);
    if (__builtin_memcmp(h->magic, ALLOT_WIRE_MAGIC, 8) != 0 || h->version != ALLOT_WIRE_VERSION)
        return false;
    if (h->mode != ALLOT_MODE_COUNT && h->mode != ALLOT_MODE_FULL) return false;
    if (h->segment_bytes > file_bytes || h->page_bytes != ALLOT_WIRE_PAGE_BYTES) return false;
    const bool full = h->mode == ALLOT_MODE_FULL;
    if (full && (h->ring_count == 0 || h->ring_words < 64 || (h->ring_words & (h->ring_words - 1)) != 0))
        return false;
    if (h->process_count == 0 || h->thread_count == 0) return false;

    const std::uint64_t rings = full ? h->ring_count : 0;
    const std::uint64_t all = h->segment_bytes;
    if (!lies_within(
            {h->process_offset, h->process_count, h->process_entry_bytes, sizeof(allot_wire_process), 8},
            all))
        return false;
    if (!lies_within({h->thread_offset, h->thread_count, h->thread_entry_bytes, sizeof(allot_wire_thread), 8},
                     all))
        return false;
    if (h->source_count != 0 &&
        !lies_within({h->source_offset, h->source_count, h->source_entry_bytes, sizeof(allot_wire_source), 8},
                     all))
        return false;
    if (rings != 0 &&
        (!lies_within({h->ring_offset, rings, h->ring_header_bytes, sizeof(allot_wire_ring), 8}, all) ||
         h->ring_words > (std::uint64_t{1} << 32) ||
         !lies_within({h->ring_data_offset, rings, h->ring_words * 8, 8, 8}, all)))
        return false;
    if (h->page_count_max != 0 && !lies_within({h->page_offset, h->page_count_max, h->page_bytes, 1, 8}, all))
        return false;

    auto* bytes = static_cast<char*>(base);
    header = h;
    process_base = bytes + h->process_offset;
    thread_base = bytes + h->thread_offset;
    source_base = h->source_count != 0 ? bytes + h->source_offset : nullptr;
    ring_base = rings != 0 ? bytes + h->ring_offset : nullptr; // what is not there was not checked
    ring_words_base = rings != 0 ? bytes + h->ring_data_offset : nullptr;
    page_base = h->page_count_max != 0 ? bytes + h->page_offset : nullptr;
    ring_words = h->ring_words;
    process_count = h->process_count, process_entry_bytes = h->process_entry_bytes;
    thread_count = h->thread_count, thread_entry_bytes = h->thread_entry_bytes;
    source_count = h->source_count, source_entry_bytes = h->source_entry_bytes;
    ring_count = static_cast<std::uint32_t>(rings), ring_header_bytes = h->ring_header_bytes;
    page_count_max = h->page_count_max;
    return true;
}

} // namespace allot::recorder
