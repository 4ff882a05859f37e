// What happens in calls that do not find their text, and what is asked seldom. Growth is
// interner_table_growth.cpp.
#include <algorithm>
#include <allot/core/bytes.hpp>
#include <allot/core/contract.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/core/poison.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/interner_table.hpp>

namespace allot::detail {

interner_table::interner_table(const interner_table_options& how) noexcept : how_(how) {
    if (!how_.upstream) how_.upstream = &default_source();
}

interner_table::~interner_table() { clear(); }

std::uint32_t interner_table::find_slowly(std::string_view text, std::uint32_t hash,
                                          certainty& how) const noexcept {
    how = certainty::sure;
    for (int attempt = 0; attempt != 4; ++attempt) {
        const std::uintptr_t directory = segments_.load(std::memory_order_acquire);
        if (directory == 0) return 0;
        const interner_segment& head = *segment_of(directory, hash);
        const std::uint64_t state = head.state.load(std::memory_order_acquire);
        const interner_segment* in = &head;
        for (; in; in = in->next.load(std::memory_order_acquire))
            if (const std::uint32_t found = probe(*in, text, hash)) return found;
        // The loads above are acquire: this one comes after them.
        if (interner_segment::holds(state, hash) && head.state.load(std::memory_order_relaxed) == state)
            return 0;
    }
    how = certainty::unsure;
    return 0;
}

std::uint32_t interner_table::find_chained(std::string_view text, std::uint32_t hash) const noexcept {
    const std::uintptr_t directory = segments_.load(std::memory_order_acquire);
    const interner_segment* in = directory == 0 ? nullptr : segment_of(directory, hash);
    while (in && (in = in->next.load(std::memory_order_acquire)))
        if (const std::uint32_t found = probe(*in, text, hash)) return found;
    return 0;
}

std::uint32_t interner_table::insert(std::string_view text, std::uint32_t hash) noexcept {
    // All that can fail comes first, and leaves nothing behind but room.
    if (!ready_entry()) return 0;
    const bool is_long = text.size() >= long_size;
    std::size_t size = 0;
    if (!checked_add(text.size(), is_long ? 1 + sizeof(std::uint64_t) : std::size_t{1}, size)) {
        note_limit({.size = text.size(), .align = 1});
        return 0;
    }
    interner_segment* const into = ready_segment(hash);
    if (!into) return 0;
    char* at = ready_text(size); // last: a chunk for one long text must not stay behind unused
    if (!at) return 0;

    allot::mark_live(at, size);
    if (at == text_at_) text_at_ += size; // else it has a chunk of its own
    if (is_long) {
        const std::uint64_t stored = text.size();
        std::memcpy(at, &stored, sizeof stored);
        at += sizeof stored;
    }
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    at[text.size()] = 0;

    const std::uint32_t index = count_.load(std::memory_order_relaxed);
    const std::uint32_t value = base_ + 1 + index;
    const std::uint64_t packed = reinterpret_cast<std::uintptr_t>(at) |
                                 std::min<std::uint64_t>(text.size(), long_size) << address_bits;
    const_cast<entry_word&>(entry(index)).store(packed, std::memory_order_release);
    count_.store(index + 1, std::memory_order_release);
    for (std::uint32_t place = hash;; ++place) {
        std::atomic<std::uint64_t>& slot = into->slots[place % interner_segment::slot_count];
        if (slot.load(std::memory_order_relaxed) != 0) continue;
        slot.store(std::uint64_t{hash} << 32 | value, std::memory_order_release);
        break;
    }
    ++into->used;
    note_text(text.size());
    return value;
}

void interner_table::note_text(std::size_t size) noexcept {
    const auto add = [](std::atomic<std::uint64_t>& to, std::uint64_t more) {
        to.store(to.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
    };
    add(text_bytes_, size);
    add(total_bytes_, size + 1);
    add(total_count_, 1);
    free_bytes_.store(static_cast<std::uint64_t>(text_end_ - text_at_), std::memory_order_relaxed);
    const std::uint64_t live = text_bytes() + count();
    if (live > peak_live_bytes_.load(std::memory_order_relaxed))
        peak_live_bytes_.store(live, std::memory_order_relaxed);
}

void interner_table::note_limit(layout asked) noexcept {
    note_refusal({.who = how_.name,
                  .kind = how_.kind,
                  .asked = asked,
                  .limit_bytes = how_.limit_bytes,
                  .live_bytes = held_bytes()});
    refuse();
}

void interner_table::refuse() noexcept {
    refused_count_.store(refused_count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

usage interner_table::usage() const noexcept {
    allot::usage now;
    now.live_count = count();
    now.live_bytes = text_bytes() + now.live_count;
    now.peak_live_bytes = peak_live_bytes_.load(std::memory_order_relaxed);
    now.total_bytes = total_bytes_.load(std::memory_order_relaxed);
    now.total_count = total_count_.load(std::memory_order_relaxed);
    now.refused_count = refused_count_.load(std::memory_order_relaxed);
    now.held_bytes = held_bytes();
    now.peak_held_bytes = peak_held_bytes_.load(std::memory_order_relaxed);
    now.held_count = held_count_.load(std::memory_order_relaxed);
    now.free_bytes = free_bytes_.load(std::memory_order_relaxed);
    // A reader among other threads may have caught held before the rest.
    const std::uint64_t used = now.live_bytes + now.free_bytes;
    now.slack_bytes = now.held_bytes > used ? now.held_bytes - used : 0;
    now.limit_bytes = how_.limit_bytes;
    return now;
}

void interner_table::check() const noexcept {
    std::uint64_t bytes = 0;
    std::uint64_t slots = 0;
    const auto expect = [&](bool holds, const char* what) {
        ALLOT_EXPECT(holds, how_.kind, " '", how_.name.view(), "': check: ", what);
    };
    for (std::uint32_t index = 0; index != count(); ++index) {
        const std::uint32_t value = base_ + 1 + index;
        const std::string_view stored = text(value);
        bytes += stored.size();
        expect(stored.data()[stored.size()] == 0, "a text does not end in a zero");
        certainty how{};
        expect(find_slowly(stored, hash(stored), how) == value, "a text is not found as its symbol");
    }
    expect(bytes == text_bytes(), "the texts' sizes are not their sum");
    for (const interner_segment* each = newest_segment_; each; each = each->older) {
        std::uint32_t used = 0;
        for (const std::atomic<std::uint64_t>& slot : each->slots)
            used += slot.load(std::memory_order_relaxed) != 0;
        expect(used == each->used, "a segment's slots are not as many as it counts");
        slots += used;
    }
    expect(slots == count(), "slots are not as many as symbols");
    const allot::usage now = usage();
    expect(now.live_bytes + now.slack_bytes + now.free_bytes == now.held_bytes, "held is not its parts");
}

} // namespace allot::detail
