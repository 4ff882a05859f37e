// What of a cold_store is on disk, and in which order it gets there. docs/format/cold-store.md has the bytes.
//
// The danger is a crash between two writes, which may also come out of order. Hence nothing is overwritten that an
// index on disk names: blocks and the new index go to free places, sync(), and only then the superblock of the other
// slot is written, which is one sector, sync(). Until that has returned both the old and the new index may be the
// one that a crash leaves, so that what either names stays as it is; then the old one's places become free.
#include <allot/core/checksum.hpp>
#include <allot/structure/cold_block.hpp>
#include <allot/structure/cold_store.hpp>

#include <algorithm>
#include <cstring>

namespace allot {

using detail::cold_block;
using detail::cold_extents;

namespace {

constexpr std::uint64_t slot_bytes = 4096;
constexpr std::uint32_t version = 1;
constexpr char magic[8] = {'A', 'L', 'L', 'O', 'T', 'C', 'L', 'D'};
constexpr std::size_t page_bytes = 4096;

struct entry {
    std::uint64_t handle;
    std::uint64_t offset;
    std::uint64_t checksum;
    std::uint32_t size;
    std::uint32_t packed;
    std::uint8_t codec;
    std::uint8_t unused[7];
};
static_assert(sizeof(entry) == 40);
constexpr std::size_t page_entries = page_bytes / sizeof(entry);

struct page {
    entry entries[page_entries];
    std::byte unused[page_bytes - page_entries * sizeof(entry)];
};
static_assert(sizeof(page) == page_bytes);

std::uint64_t pages_of(std::uint64_t entry_count) noexcept {
    return entry_count / page_entries + (entry_count % page_entries != 0);
}

template <class T>
std::span<std::byte> bytes_of(T& of) noexcept {
    return std::as_writable_bytes(std::span(&of, 1));
}

} // namespace

struct cold_store::superblock {
    char magic[8] = {};
    std::uint32_t version = 0;
    std::uint32_t generation_floor = 0;
    std::uint64_t sequence = 0;
    std::uint64_t index_offset = 0;
    std::uint64_t index_bytes = 0;
    std::uint64_t entry_count = 0;
    std::uint64_t index_checksum = 0;
    std::uint64_t checksum = 0;

    std::uint64_t right_checksum() const noexcept {
        return allot::checksum(std::as_bytes(std::span(this, 1)).first(offsetof(superblock, checksum)));
    }
    bool is_empty() const noexcept {
        const auto bytes = std::as_bytes(std::span(this, 1));
        return std::ranges::all_of(bytes, [](std::byte each) { return each == std::byte{0}; });
    }
    bool has_magic() const noexcept { return std::memcmp(magic, allot::magic, sizeof magic) == 0; }
    bool is_whole() const noexcept { return has_magic() && checksum == right_checksum(); }
};

// Opening.

result<void> cold_store::open() noexcept {
    ALLOT_EXPECT(store_, "cold_store '", memory_.name.view(), "': open() without a store");
    ALLOT_EXPECT(record_count_ == 0, "cold_store '", memory_.name.view(), "': open() with ", record_count_,
                 " blocks");
    superblock slots[2] = {};
    for (unsigned i = 0; i != 2; ++i) // what is not there stays zero
        if (const result<std::size_t> got = store_->read_at(i * slot_bytes, bytes_of(slots[i])); !got)
            return failed(got.error());
    const bool is_new = slots[0].is_empty() || (slots[0].has_magic() && !slots[0].is_whole());
    if (is_new && slots[1].is_empty()) return begin_store(); // or one of which only the beginning was torn
    if (!slots[0].has_magic() && !slots[1].has_magic())
        return failed("what is in the store is no cold store");
    const unsigned newest =
        slots[1].is_whole() && (!slots[0].is_whole() || slots[1].sequence > slots[0].sequence);
    result<void> done = failed("both superblocks are damaged");
    for (const unsigned slot : {newest, 1 - newest}) {
        if (!slots[slot].is_whole()) continue;
        const result<void> loaded = load(slots[slot]);
        if (loaded) {
            const superblock& other = slots[1 - slot];
            counts_.recovered_older = slot != newest || (!other.is_whole() && !other.is_empty());
            good_slot_ = slot;
            sequence_ = std::max(slots[slot].sequence, slots[newest].sequence);
            is_open_ = true;
            return {};
        }
        forget_all();
        if (!is_load_damaged_) return loaded; // it may be fine: more memory or another version reads it
        if (slot == newest || !slots[newest].is_whole()) done = loaded;
    }
    return done;
}

result<void> cold_store::begin_store() noexcept {
    superblock first{.version = version, .sequence = 1};
    std::memcpy(first.magic, magic, sizeof magic);
    first.checksum = first.right_checksum();
    if (const result<void> done = store_->write_at(0, bytes_of(first)); !done) return failed(done.error());
    if (const result<void> done = store_->sync(); !done) return failed(done.error());
    good_slot_ = 0;
    sequence_ = 1;
    is_open_ = true;
    return {};
}

result<void> cold_store::load(const superblock& from) noexcept {
    is_load_damaged_ = false;
    if (from.version != version) return failed("the store is of version %u, not %u", from.version, version);
    if (from.entry_count > block_count_max_ || from.index_bytes != pages_of(from.entry_count) * page_bytes)
        return failed("the index is damaged: %llu blocks in %llu bytes",
                      static_cast<unsigned long long>(from.entry_count),
                      static_cast<unsigned long long>(from.index_bytes));
    std::uint64_t sum = 0;
    page part;
    for (std::uint64_t at = 0; at != from.index_bytes; at += page_bytes) {
        const result<std::size_t> got = store_->read_at(from.index_offset + at, bytes_of(part));
        if (!got) return failed(got.error());
        if (*got != page_bytes) break;
        sum = checksum(bytes_of(part), sum);
    }
    is_load_damaged_ = sum != from.index_checksum;
    if (is_load_damaged_) return failed("the index is damaged");
    generation_floor_ = from.generation_floor & ~1u;
    if (const result<void> done = load_entries(from); !done) return done;
    return load_extents(from);
}

// The checksum was right, so that this is what some writer meant; who that was nobody knows.
result<void> cold_store::load_entries(const superblock& from) noexcept {
    page part;
    for (std::uint64_t i = 0; i != from.entry_count; ++i) {
        const std::uint64_t at = from.index_offset + i / page_entries * page_bytes;
        if (i % page_entries == 0)
            if (const result<std::size_t> got = store_->read_at(at, bytes_of(part)); !got)
                return failed(got.error());
        const entry& each = part.entries[i % page_entries];
        const cold_handle handle = cold_handle::from_bits(each.handle);
        const bool is_sane = handle && handle.index() >= record_count_ && handle.index() < block_count_max_ &&
                             each.size <= block_bytes_max_ && each.packed <= each.size &&
                             each.offset != detail::cold_extents::none &&
                             each.codec <= static_cast<std::uint8_t>(cold_codec::lz4) &&
                             (each.codec != 0 || each.packed == each.size);
        if (!is_sane)
            return failed("the index has an entry that cannot be: block %u of %u bytes", handle.index(),
                          each.size);
        if (!try_grow(handle.index() + 1)) return shortage((handle.index() + std::size_t{1}) * sizeof(block));
        while (record_count_ <= handle.index()) {
            ::new (static_cast<void*>(records_ + record_count_)) block{.generation = generation_floor_};
            if (record_count_ != handle.index()) {
                records_[record_count_].next = free_record_;
                free_record_ = record_count_;
            }
            ++record_count_;
        }
        records_[handle.index()] = {.offset = each.offset,
                                    .checksum = each.checksum,
                                    .size = each.size,
                                    .packed = each.packed,
                                    .generation = handle.generation(),
                                    .tier = cold_tier::stored,
                                    .codec = static_cast<cold_codec>(each.codec),
                                    .is_durable = true,
                                    .is_committed = true};
        ++live_count_;
        ++counts_.stored_count;
        counts_.stored_bytes += each.packed;
        counts_.stored_plain_bytes += each.size;
    }
    return {};
}

// An array of the blocks that have an extent; its layout is that of live_count_ + 1 indices.
cold_store::index* cold_store::sort_by_offset(std::uint32_t& count) noexcept {
    auto* const all = static_cast<index*>(memory_.take(sorting_layout()));
    if (!all) return nullptr;
    count = 0;
    for (index i = 0; i != record_count_; ++i)
        if (records_[i].has_extent()) all[count++] = i;
    std::sort(all, all + count, [&](index a, index b) { return records_[a].offset < records_[b].offset; });
    return all;
}

result<void> cold_store::load_extents(const superblock& from) noexcept {
    std::uint32_t count = 0;
    index* const sorted = sort_by_offset(count);
    if (!sorted) return shortage(sorting_layout().size);
    bool is_index_due = from.index_bytes != 0, fits = true;
    for (std::uint32_t i = 0; fits && i != count; ++i) {
        const block& each = records_[sorted[i]];
        if (is_index_due && from.index_offset < each.offset) {
            fits = extents_.try_append_used(from.index_offset, from.index_bytes);
            is_index_due = false;
        }
        fits = fits && extents_.try_append_used(each.offset, each.packed);
    }
    if (fits && is_index_due) fits = extents_.try_append_used(from.index_offset, from.index_bytes);
    memory_.give(sorted, sorting_layout());
    if (!fits && extents_.is_short()) return shortage(count * sizeof(index));
    if (!fits) return failed("the index is damaged: blocks overlap or lie outside of the store");
    index_bytes_ = from.index_bytes;
    index_offset_ = from.index_bytes != 0 ? from.index_offset : cold_extents::none;
    return {};
}

void cold_store::forget_all() noexcept {
    for (index i = 0; i != record_count_; ++i)
        if (records_[i].memory) memory_.give(records_[i].memory, records_[i].memory_layout());
    record_count_ = live_count_ = 0;
    free_record_ = no_index;
    hot_ = compressed_ = {};
    counts_ = {};
    extents_.clear();
    index_offset_ = cold_extents::none;
    index_bytes_ = 0;
    generation_floor_ = 0;
}

// Flushing.

result<void> cold_store::flush() noexcept {
    if (!is_index_old_) return {};
    if (const result<void> done = write_blocks(); !done) return done;
    return write_index();
}

result<void> cold_store::write_blocks() noexcept {
    for (index i = 0; i != record_count_; ++i) {
        block& each = records_[i];
        if (!each.is_durable || each.has_extent()) continue;
        std::span<const std::byte> packed(each.memory, each.packed);
        if (each.tier == cold_tier::hot) {
            if (!try_prepare()) return shortage(block_bytes_max_);
            packed = pack(each);
        }
        if (const result<void> done = write_extent(each, packed); !done) return done;
    }
    return {};
}

result<void> cold_store::write_index() noexcept {
    superblock next{.version = version, .generation_floor = generation_floor_, .sequence = ++sequence_};
    for (index i = 0; i != record_count_; ++i) {
        next.entry_count += records_[i].is_durable;
        next.generation_floor = std::max(next.generation_floor, (records_[i].generation + 1) & ~1u);
    }
    next.index_bytes = pages_of(next.entry_count) * page_bytes;
    if (next.index_bytes != 0) {
        next.index_offset = extents_.try_allocate(next.index_bytes);
        if (next.index_offset == cold_extents::none) {
            if (extents_.is_short()) return shortage(next.index_bytes);
            ++counts_.store_failed_count;
            return failed("no room for an index of %llu bytes in the store",
                          static_cast<unsigned long long>(next.index_bytes));
        }
    }
    result<void> done = write_entries(next);
    if (done) done = store_->sync();
    if (!done) {
        ++counts_.store_failed_count;
        if (next.index_bytes != 0) extents_.release(next.index_offset, next.index_bytes, false);
        return failed(done.error());
    }
    // From here on it may be on disk, whatever the next calls say.
    for (index i = 0; i != record_count_; ++i) records_[i].is_committed |= records_[i].is_durable;
    std::memcpy(next.magic, magic, sizeof magic);
    next.checksum = next.right_checksum();
    done = store_->write_at((1 - good_slot_) * slot_bytes, bytes_of(next));
    if (done) done = store_->sync();
    if (!done) {
        ++counts_.store_failed_count;
        if (next.index_bytes != 0) extents_.release(next.index_offset, next.index_bytes, true);
        return failed(done.error());
    }
    if (index_bytes_ != 0) extents_.release(index_offset_, index_bytes_, true);
    extents_.commit();
    index_bytes_ = next.index_bytes;
    index_offset_ = next.index_bytes != 0 ? next.index_offset : cold_extents::none;
    good_slot_ = 1 - good_slot_;
    is_index_old_ = false;
    return {};
}

result<void> cold_store::write_entries(superblock& to) noexcept {
    page part{};
    std::uint64_t written = 0;
    for (index i = 0; i != record_count_; ++i) {
        const block& each = records_[i];
        if (!each.is_durable) continue;
        part.entries[written++ % page_entries] = {.handle = handle_at(i).bits(),
                                                  .offset = each.offset,
                                                  .checksum = each.checksum,
                                                  .size = each.size,
                                                  .packed = each.packed,
                                                  .codec = static_cast<std::uint8_t>(each.codec),
                                                  .unused = {}};
        if (written % page_entries != 0 && written != to.entry_count) continue;
        const std::uint64_t at = (written - 1) / page_entries * page_bytes;
        to.index_checksum = checksum(bytes_of(part), to.index_checksum);
        if (const result<void> done = store_->write_at(to.index_offset + at, bytes_of(part)); !done)
            return done;
        part = {};
    }
    return {};
}

// Compacting.

// Its bytes to the first free place that has room, if that is further to the front.
result<void> cold_store::move_to_front(block& of) noexcept {
    const std::uint64_t offset = extents_.try_allocate_below(of.packed, of.offset);
    if (offset == cold_extents::none) return {};
    const std::span<std::byte> work(work_, of.packed);
    const result<std::size_t> got = store_->read_at(of.offset, work);
    result<void> done;
    if (!got)
        done = failed(got.error());
    else if (*got != work.size() || checksum(work) != of.checksum)
        done = damaged(of, "damaged: its checksum is another");
    else if (const result<void> written = store_->write_at(offset, work); !written)
        done = failed(written.error());
    if (!done) {
        extents_.release(offset, of.packed, false);
        return done;
    }
    extents_.release(of.offset, of.packed, of.is_committed);
    of.offset = offset;
    of.is_committed = false;
    is_index_old_ |= of.is_durable;
    return {};
}

result<void> cold_store::compact() noexcept {
    if (!store_) return {};
    if (const result<void> done = flush(); !done) return done;
    if (!try_prepare()) return shortage(block_bytes_max_);
    std::uint32_t count = 0;
    index* const sorted = sort_by_offset(count);
    if (!sorted) return shortage(sorting_layout().size);
    result<void> done;
    for (std::uint32_t i = count; i-- != 0;) // one that cannot be moved stays, and the others go on
        if (const result<void> moved = move_to_front(records_[sorted[i]]); !moved) done = moved;
    memory_.give(sorted, sorting_layout());
    for (int round = 0; round != 2; ++round) { // the old index goes with the first, the new one to the front
        is_index_old_ = index_bytes_ != 0;
        if (const result<void> flushed = flush(); !flushed) return flushed;
    }
    if (const result<void> cut = store_->discard_from(extents_.end()); !cut) return failed(cut.error());
    return done;
}

} // namespace allot
