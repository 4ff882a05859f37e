#include <recorder/preload/page_chain.hpp>

#include <allot/platform/threads.hpp>

// The stack of returned pages is shared by all processes. Only the collector pushes; a pop reads the link of
// a page that another process may have popped and filled meanwhile, which the tag in the upper half then
// shows.

namespace allot::recorder {
namespace {

std::uint32_t pop_returned(const segment_view& segment) noexcept {
    allot_wire_header* header = segment.header;
    std::uint64_t top = __atomic_load_n(&header->page_free, __ATOMIC_ACQUIRE);
    for (;;) {
        const auto index = static_cast<std::uint32_t>(top);
        if (index == 0 || index >= segment.page_count_max) return 0;
        const std::uint32_t next = __atomic_load_n(&segment.page(index)->next, __ATOMIC_RELAXED);
        const std::uint64_t below = ((top >> 32) + 1) << 32 | next;
        if (__atomic_compare_exchange_n(&header->page_free, &top, below, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return index;
    }
}

std::uint32_t take_next(const segment_view& segment, std::uint32_t limit) noexcept {
    allot_wire_header* header = segment.header;
    if (limit > segment.page_count_max) limit = segment.page_count_max;
    std::uint32_t next = __atomic_load_n(&header->page_next, __ATOMIC_RELAXED);
    do {
        if (next >= limit) return 0;
        if (next == 0) { // page 0 is never handed out
            __atomic_compare_exchange_n(&header->page_next, &next, 1, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED);
            next = __atomic_load_n(&header->page_next, __ATOMIC_RELAXED);
        }
    } while (!__atomic_compare_exchange_n(&header->page_next, &next, next + 1, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return next;
}

} // namespace

std::uint32_t page_chain::take(const segment_view& segment) noexcept {
    constexpr int waits_max = 5; // of 20 ms, and only while the collector's heart beats
    allot_wire_header* header = segment.header;
    std::uint64_t beat = __atomic_load_n(&header->heartbeat, __ATOMIC_RELAXED);
    for (int waits = 0;; ++waits) {
        const std::uint32_t limit = __atomic_load_n(&header->page_limit, __ATOMIC_ACQUIRE);
        if (const std::uint32_t index = pop_returned(segment)) return index;
        if (const std::uint32_t index = take_next(segment, limit)) return index;
        const std::uint64_t now = __atomic_load_n(&header->heartbeat, __ATOMIC_RELAXED);
        const bool lifeless = waits > 2 && now == beat;
        if (refused_limit_ == limit || limit >= segment.page_count_max || lifeless || waits == waits_max ||
            segment.stopped()) {
            refused_limit_ = limit;
            return 0;
        }
        beat = now;
        futex_wait(&header->page_limit, limit, 20'000'000, futex_scope::process_shared);
    }
}

bool page_chain::extend(const segment_view& segment, std::uint32_t* first, std::uint64_t serial,
                        std::uint32_t used) noexcept {
    const std::uint32_t index = take(segment);
    if (index == 0) return false;
    allot_wire_page* page = segment.page(index);
    page->process_serial = serial;
    __atomic_store_n(&page->next, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&page->used, used, __ATOMIC_RELAXED);
    __atomic_store_n(last_ == 0 ? first : &segment.page(last_)->next, index, __ATOMIC_RELEASE);
    last_ = index;
    return true;
}

std::uint32_t page_chain::add_node(const segment_view& segment, std::uint32_t* first, std::uint64_t serial,
                                   const allot_wire_node& node) noexcept {
    if (last_ == 0 || segment.page(last_)->used >= ALLOT_WIRE_NODES_PER_PAGE)
        if (!extend(segment, first, serial, 1)) return 0;
    allot_wire_page* page = segment.page(last_);
    const std::uint32_t slot = page->used;
    const std::uint32_t id = last_ * ALLOT_WIRE_NODES_PER_PAGE + slot;
    *segment.node(id) = node;
    __atomic_store_n(&page->used, slot + 1, __ATOMIC_RELEASE);
    return id;
}

bool page_chain::add_record(const segment_view& segment, std::uint32_t* first, std::uint64_t serial,
                            const allot_wire_record* record) noexcept {
    const std::uint32_t padded = (record->bytes + 7u) & ~7u;
    if (padded > record_bytes_max || record->bytes < sizeof *record) return false;
    if (last_ == 0 || segment.page(last_)->used + padded > record_bytes_max)
        if (!extend(segment, first, serial, 0)) return false;
    allot_wire_page* page = segment.page(last_);
    __builtin_memcpy(reinterpret_cast<char*>(page + 1) + page->used, record, record->bytes);
    __atomic_store_n(&page->used, page->used + padded, __ATOMIC_RELEASE);
    return true;
}

} // namespace allot::recorder
