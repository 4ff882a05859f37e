#include <recorder/collector/segment.hpp>

#include <algorithm>
#include <allot/platform/clock.hpp>
#include <allot/platform/threads.hpp>
#include <cstring>
#include <unistd.h>
#include <utility>

namespace allot::recorder {
namespace {

constexpr std::uint64_t part_alignment = 4096;
constexpr std::uint32_t pages_ahead_min = 256; // 2 MiB: about 130,000 nodes, what a tick cannot use up

std::uint64_t up(std::uint64_t value) {
    return (value + part_alignment - 1) / part_alignment * part_alignment;
}

// Where a part lies: checked without overflow.
bool within(std::uint64_t offset, std::uint64_t count, std::uint64_t each, std::uint64_t limit) {
    std::uint64_t bytes = 0, end = 0;
    return offset % 8 == 0 && !__builtin_mul_overflow(count, each, &bytes) &&
           !__builtin_add_overflow(offset, bytes, &end) && end <= limit;
}

allot_wire_header plan(const segment_options& options) {
    allot_wire_header header{};
    std::memcpy(header.magic, ALLOT_WIRE_MAGIC, sizeof header.magic);
    header.version = ALLOT_WIRE_VERSION;
    header.mode = static_cast<std::uint32_t>(options.mode);
    const bool full = options.mode == recording_mode::full;
    header.process_offset = up(sizeof header);
    header.process_count = options.process_count;
    header.process_entry_bytes = sizeof(allot_wire_process);
    header.thread_offset =
        up(header.process_offset + std::uint64_t{options.process_count} * sizeof(allot_wire_process));
    header.thread_count = options.thread_count;
    header.thread_entry_bytes = sizeof(allot_wire_thread);
    header.source_offset =
        up(header.thread_offset + std::uint64_t{options.thread_count} * sizeof(allot_wire_thread));
    header.source_count = options.source_count;
    header.source_entry_bytes = sizeof(allot_wire_source);
    header.ring_offset =
        up(header.source_offset + std::uint64_t{options.source_count} * sizeof(allot_wire_source));
    header.ring_count = full ? options.ring_count : 0;
    header.ring_header_bytes = sizeof(allot_wire_ring);
    header.ring_data_offset =
        up(header.ring_offset + std::uint64_t{header.ring_count} * sizeof(allot_wire_ring));
    header.ring_words = options.ring_words;
    header.page_offset = up(header.ring_data_offset + header.ring_count * header.ring_words * 8);
    header.page_bytes = ALLOT_WIRE_PAGE_BYTES;
    header.page_count_max = options.pages_max;
    header.page_limit = std::min(options.pages_start, options.pages_max);
    header.page_next = 1; // page 0 is never handed out
    header.segment_bytes = header.page_offset + std::uint64_t{options.pages_max} * ALLOT_WIRE_PAGE_BYTES;
    header.collected_offset = options.collected_bytes != 0 ? header.segment_bytes : 0;
    header.collector_pid = static_cast<std::uint32_t>(::getpid());
    header.batch_bytes = options.batch_bytes;
    header.started_realtime_ns = realtime_ns();
    return header;
}

} // namespace

result<void> segment_map::read_layout(std::size_t file_bytes) {
    if (file_bytes < sizeof(allot_wire_header)) return error("too short for a segment");
    allot_wire_header copy;
    std::memcpy(&copy, base_, sizeof copy);
    if (std::memcmp(copy.magic, ALLOT_WIRE_MAGIC, sizeof copy.magic) != 0) return error("not a segment");
    if (copy.version != ALLOT_WIRE_VERSION)
        return error("segment of version " + std::to_string(copy.version) + ", this allot reads version " +
                     std::to_string(ALLOT_WIRE_VERSION));
    if (copy.mode != ALLOT_MODE_COUNT && copy.mode != ALLOT_MODE_FULL)
        return error("segment of an unknown mode");
    const std::uint64_t ring_bytes = copy.ring_words * 8;
    const bool sizes = copy.process_entry_bytes == sizeof(allot_wire_process) &&
                       copy.thread_entry_bytes == sizeof(allot_wire_thread) &&
                       copy.source_entry_bytes == sizeof(allot_wire_source) &&
                       copy.ring_header_bytes == sizeof(allot_wire_ring) &&
                       copy.page_bytes == ALLOT_WIRE_PAGE_BYTES && copy.ring_words >= 16 &&
                       copy.ring_words <= (1u << 28) && (copy.ring_words & (copy.ring_words - 1)) == 0;
    if (!sizes) return error("segment with entries of other sizes");
    const std::uint64_t limit = copy.segment_bytes;
    // The parts lie in the header's order; each must end where the next begins, or before.
    const bool places =
        limit <= file_bytes && limit % 8 == 0 && copy.process_offset >= sizeof copy &&
        within(copy.process_offset, copy.process_count, sizeof(allot_wire_process), copy.thread_offset) &&
        within(copy.thread_offset, copy.thread_count, sizeof(allot_wire_thread), copy.source_offset) &&
        within(copy.source_offset, copy.source_count, sizeof(allot_wire_source), copy.ring_offset) &&
        within(copy.ring_offset, copy.ring_count, sizeof(allot_wire_ring), copy.ring_data_offset) &&
        within(copy.ring_data_offset, copy.ring_count, ring_bytes, copy.page_offset) &&
        within(copy.page_offset, copy.page_count_max, ALLOT_WIRE_PAGE_BYTES, limit);
    if (!places) return error("segment cut short, or with parts outside of it");
    if (copy.collected_offset != 0 && copy.collected_offset != limit)
        return error("segment with its tables in an unknown place");
    mode_ = static_cast<recording_mode>(copy.mode);
    process_count_ = copy.process_count;
    thread_count_ = copy.thread_count;
    source_count_ = copy.source_count;
    ring_count_ = copy.ring_count;
    page_count_max_ = copy.page_count_max;
    process_offset_ = copy.process_offset;
    thread_offset_ = copy.thread_offset;
    source_offset_ = copy.source_offset;
    ring_offset_ = copy.ring_offset;
    ring_data_offset_ = copy.ring_data_offset;
    page_offset_ = copy.page_offset;
    ring_words_ = copy.ring_words;
    segment_bytes_ = limit;
    collected_bytes_ = copy.collected_offset == 0 ? 0 : file_bytes - limit;
    return {};
}

result<segment_map> segment_map::open(const std::string& path) {
    auto file = mapped_file::open(path);
    if (!file) return file.error();
    segment_map map;
    map.base_ = file->bytes().data();
    if (auto read = map.read_layout(file->bytes().size()); !read) return read.error().during(path);
    map.file_ = std::move(*file);
    return map;
}

result<segment> segment::make(const segment_options& options) {
    const allot_wire_header header = plan(options);
    const std::size_t file_bytes = header.segment_bytes + up(options.collected_bytes);
    auto file =
        shared_file::create_new(options.path, {.apparent_bytes = file_bytes, .replace = options.replace});
    if (!file) return file.error();
    const std::size_t backed = header.page_offset + std::size_t{header.page_limit} * ALLOT_WIRE_PAGE_BYTES;
    if (auto room = file->back(0, backed); !room) {
        (void)remove_file(options.path);
        return room.error();
    }
    std::memcpy(file->data(), &header, sizeof header);
    segment made;
    made.base_ = file->data();
    if (auto read = made.read_layout(file_bytes); !read) { // only with senseless options
        (void)remove_file(options.path);
        return read.error().during(options.path);
    }
    made.file_ = std::move(*file);
    return made;
}

bool segment::grow_pages() {
    const std::uint32_t limit = __atomic_load_n(&header().page_limit, __ATOMIC_RELAXED);
    const std::uint32_t next =
        std::min(__atomic_load_n(&header().page_next, __ATOMIC_RELAXED), page_count_max_);
    const std::uint32_t wanted = std::min(page_count_max_, next + std::max(pages_ahead_min, next / 4));
    if (limit >= wanted || full_ || limit >= page_count_max_) return true;
    const std::uint32_t grown = std::min(page_count_max_, std::max(wanted, limit + pages_ahead_min));
    const std::size_t each = ALLOT_WIRE_PAGE_BYTES;
    if (!file_->back(page_offset_ + limit * each, (grown - limit) * each)) {
        full_ = true;
        return false;
    }
    __atomic_store_n(&header().page_limit, grown, __ATOMIC_RELEASE);
    futex_wake(&header().page_limit, ~0u >> 1, futex_scope::process_shared);
    return true;
}

void segment::return_page(std::uint32_t index) {
    allot_wire_page* returned = page(index);
    if (returned == nullptr) return;
    __atomic_store_n(&returned->used, 0u, __ATOMIC_RELAXED);
    std::uint64_t top = __atomic_load_n(&header().page_free, __ATOMIC_RELAXED);
    for (;;) {
        __atomic_store_n(&returned->next, static_cast<std::uint32_t>(top), __ATOMIC_RELAXED);
        const std::uint64_t pushed = ((top >> 32) + 1) << 32 | index;
        if (__atomic_compare_exchange_n(&header().page_free, &top, pushed, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
            return;
    }
}

} // namespace allot::recorder
