#include <recorder/collector/accounts.hpp>

#include <algorithm>

namespace allot::recorder {
namespace {

// How far stamps of two processors may be out of order: 512 units are 4096 cycles, about a microsecond. rdtsc
// may run ahead of the instructions before it by a few hundred cycles.
constexpr std::uint64_t disorder = 512;
constexpr std::size_t waiting_max = 1u << 16;
constexpr std::uint64_t size_max = ~0ull >> 1; // what a live table holds
constexpr std::size_t pending_max = 64;        // threads in realloc at once in one shared ring

std::int64_t bytes_of(const live_block& block) { return static_cast<std::int64_t>(block.size); }

} // namespace

void accounts::open_process(std::uint32_t process) {
    if (books_.size() <= process) books_.resize(process + 1);
    if (books_[process] == nullptr) books_[process] = std::make_unique<process_books>();
}

void accounts::apply(const event_origin& from, const ring_event& event, std::uint32_t row) {
    ++all_.head().taken_in;
    switch (event.kind) {
    case ALLOT_EVENT_ALLOCATE: return allocate(from, event, row);
    case ALLOT_EVENT_FREE: return free_block(from, event);
    case ALLOT_EVENT_REALLOCATE_FREE: return free_block(from, event);
    case ALLOT_EVENT_REALLOCATE_ALLOCATE: {
        // The old block's end now counts: if it was a temporary, here is where that is known.
        if (auto& list = pending(from.ring); !list.empty()) {
            const reallocation& old = list.front();
            if (old.temporary) {
                ++all_.rows[old.block.row].temporaries;
                ++all_.threads[old.block.thread].temporaries;
            }
            list.erase(list.begin());
        }
        return allocate(from, event, row);
    }
    case ALLOT_EVENT_REALLOCATE_FAILED: return reallocate_failed(from, event);
    default: return;
    }
}

void accounts::add_live(const live_block& block, std::uint32_t process) {
    const std::int64_t bytes = bytes_of(block);
    gauge& total = all_.head().total;
    const std::uint64_t now = total.epoch;
    row_record& row = all_.rows[block.row];
    ++row.live_blocks;
    row.live_bytes.add(bytes, now);
    site_record& site = all_.sites[row.site];
    site.live_bytes.add(bytes, now);
    all_.modules[site.module].live_bytes.add(bytes, now);
    thread_record& thread = all_.threads[block.thread];
    ++thread.live_blocks;
    thread.live_bytes.add(bytes, now);
    all_.processes[process].live_bytes.add(bytes, now);
    total.live = gauge::sum(total.live, bytes);
    if (total.live > total.peak) {
        total.peak = total.live;
        ++total.epoch; // from here on every row's change is one after the peak
    }
}

void accounts::subtract_live(const live_block& block, std::uint32_t process) {
    const std::int64_t bytes = bytes_of(block);
    gauge& total = all_.head().total;
    const std::uint64_t now = total.epoch;
    row_record& row = all_.rows[block.row];
    --row.live_blocks;
    row.live_bytes.subtract(bytes, now);
    site_record& site = all_.sites[row.site];
    site.live_bytes.subtract(bytes, now);
    all_.modules[site.module].live_bytes.subtract(bytes, now);
    thread_record& thread = all_.threads[block.thread];
    --thread.live_blocks;
    thread.live_bytes.subtract(bytes, now);
    all_.processes[process].live_bytes.subtract(bytes, now);
    total.live = gauge::sum(total.live, -bytes);
}

void accounts::allocate(const event_origin& from, const ring_event& event, std::uint32_t row) {
    process_books& books = *books_[from.process];
    const live_block block{std::min(event.size, size_max), row, from.thread};
    row_record& context = all_.rows[row];
    ++context.allocations;
    context.allocated_bytes += event.size;
    thread_record& thread = all_.threads[from.thread];
    ++thread.sequence;
    const live_table::place at = books.blocks.reserve(event.address);
    if (!at) [[unlikely]] {
        ++all_.head().untracked;
        thread.last_address = 0;
        return;
    }
    if (at.live()) [[unlikely]] {
        const live_block old = at.block();
        if (end_block(old, from.process, event.address)) {
            ++all_.rows[old.row].temporaries;
            ++all_.threads[old.thread].temporaries;
        }
        books.blocks.erase(at);
        if (books.owed.size() < waiting_max) books.owed[event.address] = {event.stamp, from.ring};
        anything_waits_ = true;
        thread.last_address = event.address;
        books.blocks.fill(books.blocks.reserve(event.address), block);
        return add_live(block, from.process);
    }
    thread.last_address = event.address;
    if (!books.early.empty() && pair_early(books, from, event)) [[unlikely]] {
        // Freed already: it was live for a moment.
        add_live(block, from.process);
        if (end_block(block, from.process, event.address)) {
            ++context.temporaries;
            ++thread.temporaries;
        }
        return;
    }
    books.blocks.fill(at, block);
    add_live(block, from.process);
}

// What ends with a block; answers whether it was its thread's newest allocation.
bool accounts::end_block(const live_block& block, std::uint32_t process, std::uint64_t address) {
    subtract_live(block, process);
    thread_record& thread = all_.threads[block.thread];
    if (thread.last_address != address || thread.process != process) return false;
    thread.last_address = 0;
    return true;
}

void accounts::free_block(const event_origin& from, const ring_event& event) {
    process_books& books = *books_[from.process];
    const bool reallocates = event.kind == ALLOT_EVENT_REALLOCATE_FREE;
    if (reallocates && !from.shared_ring) pending(from.ring).clear();
    if (!books.owed.empty() && pair_owed(books, from, event)) [[unlikely]]
        return;
    const live_table::place at = books.blocks.find(event.address);
    if (!at) [[unlikely]] {
        ++all_.head().unknown_frees;
        if (books.early.size() < waiting_max) books.early[event.address] = {event.stamp, from.ring};
        anything_waits_ = true;
        return;
    }
    const live_block block = at.block();
    books.blocks.erase(at);
    const bool temporary = end_block(block, from.process, event.address);
    if (reallocates) {
        auto& list = pending(from.ring);
        if (list.size() == pending_max) list.erase(list.begin());
        list.push_back({event.address, block, all_.threads[block.thread].sequence, temporary});
    } else if (temporary) {
        ++all_.rows[block.row].temporaries;
        ++all_.threads[block.thread].temporaries;
    }
}

// A free by another thread, stamped before or with the allocation that took its address, is the one owed. A
// later one is a true free: the one owed was dropped.
bool accounts::pair_owed(process_books& books, const event_origin& from, const ring_event& event) {
    const auto found = books.owed.find(event.address);
    if (found == books.owed.end()) return false;
    const waiting owed = found->second;
    books.owed.erase(found);
    return (owed.ring != from.ring || from.shared_ring) && event.stamp <= owed.stamp + disorder;
}

bool accounts::pair_early(process_books& books, const event_origin& from, const ring_event& event) {
    const auto found = books.early.find(event.address);
    if (found == books.early.end()) return false;
    const waiting early = found->second;
    books.early.erase(found);
    if ((early.ring == from.ring && !from.shared_ring) || event.stamp > early.stamp + disorder) return false;
    --all_.head().unknown_frees;
    return true;
}

void accounts::reallocate_failed(const event_origin& from, const ring_event& event) {
    auto& list = pending(from.ring);
    const auto found =
        std::find_if(list.begin(), list.end(), [&](const auto& r) { return r.address == event.address; });
    if (found == list.end()) { // of memory from before the attach: it was counted as an unknown free
        auto& early = books_[from.process]->early;
        if (early.erase(event.address) != 0) --all_.head().unknown_frees;
        return;
    }
    const reallocation old = *found;
    list.erase(found);
    live_table& blocks = books_[from.process]->blocks;
    const live_table::place at = blocks.reserve(event.address);
    if (!at || at.live()) return;
    blocks.fill(at, old.block);
    add_live(old.block, from.process);
    thread_record& thread = all_.threads[old.block.thread];
    if (old.temporary && thread.sequence == old.sequence) thread.last_address = event.address;
}

std::vector<accounts::reallocation>& accounts::pending(std::uint32_t ring) {
    if (pending_.size() <= ring) pending_.resize(ring + 1);
    return pending_[ring];
}

void accounts::settle_before(std::uint64_t stamp) {
    if (!anything_waits_) return;
    anything_waits_ = false;
    for (auto& books : books_) {
        if (books == nullptr) continue;
        auto gone = [&](const auto& entry) { return entry.second.stamp + disorder < stamp; };
        if (!books->owed.empty()) std::erase_if(books->owed, gone);
        if (!books->early.empty()) std::erase_if(books->early, gone);
        anything_waits_ = anything_waits_ || !books->owed.empty() || !books->early.empty();
    }
}

void accounts::close_process(std::uint32_t process) {
    if (!is_open(process)) return;
    books_[process]->blocks.for_each([&](std::uint64_t, const live_block& block) {
        subtract_live(block, process);
        row_rest_record& rest = all_.row_rests[block.row];
        ++rest.exit_blocks;
        rest.exit_bytes += block.size;
        thread_record& thread = all_.threads[block.thread];
        ++thread.exit_blocks;
        thread.exit_bytes += block.size;
    });
    books_[process].reset();
}

bool accounts::check(std::string* why) const {
    const gauge& total = all_.head().total;
    auto agrees = [&](const char* what, const auto& records) {
        std::int64_t live = 0, at_peak = 0;
        for (const auto& record : records) {
            live += record.live_bytes.live;
            at_peak += record.live_bytes.value_at_peak(total.epoch);
            if (record.live_bytes.live < 0 ||
                record.live_bytes.peak < record.live_bytes.value_at_peak(total.epoch)) {
                if (why) *why = std::string(what) + ": a row's live bytes are impossible";
                return false;
            }
        }
        if (live == total.live && at_peak == total.peak) return true;
        if (why)
            *why = std::string(what) + ": live " + std::to_string(live) + " of " +
                   std::to_string(total.live) + ", at peak " + std::to_string(at_peak) + " of " +
                   std::to_string(total.peak);
        return false;
    };
    std::int64_t counted = 0;
    for (const auto& books : books_)
        if (books != nullptr) {
            books->blocks.for_each(
                [&](std::uint64_t, const live_block& block) { counted += bytes_of(block); });
            if (!books->blocks.check()) {
                if (why) *why = "live table: its own books do not agree";
                return false;
            }
        }
    if (counted != total.live) {
        if (why) *why = "live table: " + std::to_string(counted) + " of " + std::to_string(total.live);
        return false;
    }
    return agrees("contexts", all_.rows.all()) && agrees("sites", all_.sites.all()) &&
           agrees("modules", all_.modules.all()) && agrees("threads", all_.threads.all()) &&
           agrees("processes", all_.processes.all());
}

} // namespace allot::recorder
