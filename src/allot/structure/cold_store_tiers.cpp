#include <allot/core/checksum.hpp>
#include <allot/structure/cold_block.hpp>
#include <allot/structure/cold_store.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace allot {

using detail::cold_block;
using detail::cold_extents;

// Going down.

std::span<const std::byte> cold_store::pack(block& of) noexcept {
    const detail::block_codec::packed packed = codec_.pack(of.plain(), {work_, block_bytes_max_});
    of.codec = packed.codec;
    of.packed = static_cast<std::uint32_t>(packed.bytes.size());
    of.checksum = checksum(packed.bytes);
    ++counts_.compressions;
    counts_.incompressible_count += packed.codec == cold_codec::raw && codec_.codec() != cold_codec::raw;
    return packed.bytes;
}

result<void> cold_store::write_extent(block& of, std::span<const std::byte> packed) noexcept {
    const std::uint64_t offset = extents_.try_allocate(packed.size());
    if (offset == cold_extents::none) {
        if (extents_.is_short()) return shortage(packed.size());
        ++counts_.store_failed_count;
        return failed("no room for %zu bytes in the store", packed.size());
    }
    if (const result<void> done = store_->write_at(offset, packed); !done) {
        ++counts_.store_failed_count;
        extents_.release(offset, packed.size(), false);
        return failed(done.error());
    }
    of.offset = offset;
    of.is_committed = false;
    return {};
}

void cold_store::drop_extent(block& of) noexcept {
    if (!of.has_extent()) return;
    extents_.release(of.offset, of.packed, of.is_committed);
    of.offset = cold_extents::none;
    of.is_committed = false;
}

// Its tier is as it was: the caller says the new one.
void cold_store::drop_memory(block& of) noexcept {
    if (of.tier == cold_tier::hot) {
        if (of.pin_count == 0) remove(hot_, of);
        counts_.hot_bytes -= of.size;
        --counts_.hot_count;
    } else if (of.tier == cold_tier::compressed) {
        remove(compressed_, of);
        counts_.compressed_bytes -= of.packed;
        counts_.compressed_plain_bytes -= of.size;
        --counts_.compressed_count;
    } else {
        counts_.stored_bytes -= of.packed;
        counts_.stored_plain_bytes -= of.size;
        --counts_.stored_count;
    }
    if (of.memory) memory_.give(of.memory, of.memory_layout());
    of.memory = nullptr;
}

void cold_store::become_stored(block& of) noexcept {
    drop_memory(of);
    of.tier = cold_tier::stored;
    counts_.stored_bytes += of.packed;
    counts_.stored_plain_bytes += of.size;
    ++counts_.stored_count;
    ++counts_.page_outs;
}

result<void> cold_store::page_out_compressed(block& of) noexcept {
    if (!of.has_extent()) {
        if (!store_)
            return failed("%llu compressed bytes are the limit, and there is no store",
                          static_cast<unsigned long long>(compressed_bytes_max_));
        if (const result<void> done = write_extent(of, {of.memory, of.packed}); !done) return done;
    }
    become_stored(of);
    return {};
}

result<void> cold_store::make_compressed_room(std::size_t size) noexcept {
    while (counts_.compressed_bytes + size > compressed_bytes_max_) {
        if (compressed_.last == no_index)
            return failed("%zu bytes are more than the limit of compressed ones", size);
        if (const result<void> done = page_out_compressed(records_[compressed_.last]); !done) return done;
    }
    return {};
}

result<void> cold_store::cool_to_memory(block& hot, std::span<const std::byte> packed) noexcept {
    if (const result<void> done = make_compressed_room(packed.size()); !done) return done;
    std::byte* kept = nullptr;
    if (packed.data() == hot.memory) { // it got no smaller, and stays where it is
        kept = std::exchange(hot.memory, nullptr);
    } else {
        kept = static_cast<std::byte*>(memory_.take({packed.size(), 16}));
        if (!kept) return shortage(packed.size());
        std::memcpy(kept, packed.data(), packed.size());
    }
    drop_memory(hot);
    hot.memory = kept;
    hot.tier = cold_tier::compressed;
    push_front(compressed_, hot);
    counts_.compressed_bytes += hot.packed;
    counts_.compressed_plain_bytes += hot.size;
    ++counts_.compressed_count;
    return {};
}

// A block whose packed bytes are in the store already needs no others. Where memory cannot take the packed bytes
// the store may, at once.
result<void> cold_store::cool(block& hot) noexcept {
    if (hot.has_extent()) {
        become_stored(hot);
        return {};
    }
    if (!try_prepare()) return shortage(block_bytes_max_);
    const std::span<const std::byte> packed = pack(hot);
    result<void> done;
    if (compressed_bytes_max_ != 0) {
        done = cool_to_memory(hot, packed);
        if (done || !store_) return done;
    } else if (!store_) {
        return failed("nothing may be compressed, and there is no store");
    }
    if (const result<void> written = write_extent(hot, packed); !written) return written;
    become_stored(hot);
    return {};
}

result<void> cold_store::make_hot_room(std::size_t size) noexcept {
    while (counts_.hot_bytes + size > hot_bytes_max_) {
        if (hot_.last == no_index)
            return failed("%llu hot bytes are the limit, and all are pinned",
                          static_cast<unsigned long long>(hot_bytes_max_));
        if (const result<void> done = cool(records_[hot_.last]); !done) return done;
    }
    return {};
}

// True: there is more memory than before.
bool cold_store::relieve() noexcept {
    if (hot_.last != no_index && cool(records_[hot_.last])) return true;
    return store_ && compressed_.last != no_index && page_out_compressed(records_[compressed_.last]);
}

std::byte* cold_store::take_bytes(std::size_t size) noexcept {
    for (;;) {
        if (void* const taken = memory_.take({size, 16})) return static_cast<std::byte*>(taken);
        const refusal why = last_refusal();
        if (relieve()) continue;
        note_refusal(why);
        return nullptr;
    }
}

result<std::byte*> cold_store::take_hot(std::size_t size) noexcept {
    if (const result<void> done = make_hot_room(size); !done) return done.error();
    if (size == 0) return static_cast<std::byte*>(nullptr);
    std::byte* const taken = take_bytes(size);
    if (!taken) return shortage(size);
    return taken;
}

// Coming back.

void cold_store::become_hot(block& of, std::byte* memory) noexcept {
    of.memory = memory;
    of.tier = cold_tier::hot;
    counts_.hot_bytes += of.size;
    ++counts_.hot_count;
    push_front(hot_, of);
    peak_live_bytes_ = std::max(peak_live_bytes_, counts_.hot_bytes + counts_.compressed_bytes);
}

result<void> cold_store::unpack(const block& from, std::span<std::byte> into) noexcept {
    std::span<const std::byte> packed(from.memory, from.packed);
    if (!detail::block_codec::has(from.codec))
        return failed("block %u: allot was built without %s", index_of(from), text(from.codec));
    if (!try_prepare() || !codec_.try_ready(from.codec)) return shortage(block_bytes_max_);
    if (from.tier == cold_tier::stored) {
        const std::span<std::byte> work(work_, from.packed);
        const result<std::size_t> got = store_->read_at(from.offset, work);
        counts_.store_failed_count += !got;
        if (!got) return failed(got.error());
        if (*got != work.size()) return damaged(from, "the store ends before it does");
        packed = work;
    }
    if (checksum(packed) != from.checksum) return damaged(from, "damaged: its checksum is another");
    if (!codec_.unpack(from.codec, packed, into)) return damaged(from, "damaged: it cannot be unpacked");
    return {};
}

result<void> cold_store::bring_back(block& of) noexcept {
    (of.tier == cold_tier::compressed ? counts_.compressed_gets : counts_.stored_gets) += 1;
    const result<std::byte*> memory = take_hot(of.size);
    if (!memory) return memory.error();
    if (const result<void> done = unpack(of, {*memory, of.size}); !done) {
        if (*memory) memory_.give(*memory, {of.size, 16});
        return done;
    }
    counts_.page_ins += of.tier == cold_tier::stored;
    drop_memory(of);
    if (!of.is_durable) drop_extent(of);
    become_hot(of, *memory);
    return {};
}

// Where a block is.

std::size_t cold_store::size_of(cold_handle wanted) const noexcept {
    const block* const found = find(wanted);
    return found ? found->size : 0;
}

cold_tier cold_store::tier_of(cold_handle wanted) const noexcept {
    const block* const found = find(wanted);
    return found ? found->tier : cold_tier::none;
}

bool cold_store::is_durable(cold_handle wanted) const noexcept {
    const block* const found = find(wanted);
    return found && found->is_durable;
}

} // namespace allot
