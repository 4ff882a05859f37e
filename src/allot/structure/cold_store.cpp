#include <allot/source/default_source.hpp>
#include <allot/structure/cold_block.hpp>
#include <allot/structure/cold_store.hpp>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace allot {

using detail::cold_block;

namespace {
constexpr std::uint32_t generation_max = static_cast<std::uint32_t>(-3);
constexpr std::size_t block_bytes_limit = gibibytes(1);
} // namespace

cold_store::cold_store(const cold_store_options& options) noexcept
    : memory_{.name = options.name,
              .upstream = options.upstream ? *options.upstream : default_source(),
              .limit_bytes = options.limit_bytes},
      codec_(options.codec, options.level, options.block_bytes_max, memory_),
      extents_(detail::first_extent, options.store_bytes_max, memory_),
      store_(options.store),
      hot_bytes_max_(options.hot_bytes_max),
      compressed_bytes_max_(options.compressed_bytes_max),
      idle_operations_max_(options.idle_operations_max),
      block_bytes_max_(options.block_bytes_max),
      block_count_max_(options.block_count_max) {
    ALLOT_EXPECT(block_bytes_max_ <= hot_bytes_max_ && block_bytes_max_ <= block_bytes_limit, "cold_store '",
                 memory_.name.view(), "': blocks of ", block_bytes_max_, " bytes cannot be hot in ",
                 hot_bytes_max_, " bytes");
}

cold_store::~cold_store() {
    forget_all();
    memory_.give(records_, {record_capacity_ * sizeof(cold_block), alignof(cold_block)});
    memory_.give(work_, {block_bytes_max_, 64});
}

// Errors.

error cold_store::failed(const char* format, ...) const noexcept {
    char text[200]; // nothing is allocated where memory may be short
    std::va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return failed(error(text));
}

error cold_store::failed(error inner) const noexcept {
    char who[64];
    std::snprintf(who, sizeof who, "cold_store '%s'", memory_.name.c_str());
    return inner.during(who);
}

error cold_store::gone(cold_handle which) const noexcept {
    return failed("block %u:%u is gone", which.index(), which.generation());
}

error cold_store::shortage(std::size_t size) noexcept {
    const refusal& why = last_refusal();
    return failed("no memory for %zu bytes: refused by %s '%s'", size, why.kind, why.who.c_str());
}

error cold_store::damaged(const block& which, const char* how) noexcept {
    ++counts_.damaged_count;
    const cold_handle handle = handle_at(index_of(which));
    if (!which.has_extent())
        return failed("block %u:%u in memory: %s", handle.index(), handle.generation(), how);
    return failed("block %u:%u at %llu: %s", handle.index(), handle.generation(),
                  static_cast<unsigned long long>(which.offset), how);
}

void cold_store::fatal_block(cold_handle which, const char* what) const noexcept {
    fatal({"cold_store '", memory_.name.view(), "': block ", which.index(), ":", which.generation(), what});
}

// Records and lists.

const cold_block* cold_store::find(cold_handle wanted) const noexcept {
    if (!wanted || wanted.index() >= record_count_) return nullptr;
    const block& found = records_[wanted.index()];
    return found.generation == wanted.generation() ? &found : nullptr;
}
cold_block* cold_store::find(cold_handle wanted) noexcept {
    return const_cast<block*>(static_cast<const cold_store*>(this)->find(wanted));
}

cold_handle cold_store::handle_at(index at) const noexcept {
    return cold_handle::from_bits(std::uint64_t{records_[at].generation} << 32 | at);
}

cold_store::index cold_store::index_of(const block& of) const noexcept {
    return static_cast<index>(&of - records_);
}

void cold_store::push_front(list& to, block& added) noexcept {
    const index at = index_of(added);
    added.previous = no_index;
    added.next = to.first;
    (to.first == no_index ? to.last : records_[to.first].previous) = at;
    to.first = at;
}

void cold_store::remove(list& from, block& gone) noexcept {
    (gone.previous == no_index ? from.first : records_[gone.previous].next) = gone.next;
    (gone.next == no_index ? from.last : records_[gone.next].previous) = gone.previous;
}

void cold_store::touch(block& hot) noexcept {
    hot.touched = clock_;
    if (hot.pin_count != 0 || hot_.first == index_of(hot)) return;
    remove(hot_, hot);
    push_front(hot_, hot);
}

// An operation touches one block, so that one at most becomes idle by it.
void cold_store::tick() noexcept {
    ++clock_;
    if (hot_.last == no_index || clock_ - records_[hot_.last].touched <= idle_operations_max_) return;
    (void)cool(records_[hot_.last]);
}

bool cold_store::try_grow(std::uint32_t count) noexcept {
    if (count <= record_capacity_) return true;
    if (count > block_count_max_) {
        note_refusal({.who = memory_.name, .kind = "cold_store", .asked = layout_of<block>()});
        return false;
    }
    const index larger = std::min(block_count_max_, std::max({count, record_capacity_ * 2, index{64}}));
    // The store's books, too: paging out is what makes room, and must not need some.
    while (store_ && !extents_.try_reserve(2 * std::uint64_t{larger} + 2))
        if (!relieve()) return false;
    void* next = nullptr;
    while (!(next = memory_.take({larger * sizeof(block), alignof(block)})))
        if (!relieve()) return false;
    if (record_count_ != 0) std::memcpy(next, static_cast<void*>(records_), record_count_ * sizeof(block));
    memory_.give(records_, {record_capacity_ * sizeof(block), alignof(block)});
    records_ = static_cast<block*>(next);
    record_capacity_ = larger;
    return true;
}

cold_block* cold_store::take_record() noexcept {
    index at = free_record_;
    if (at != no_index) {
        free_record_ = records_[at].next;
    } else {
        if (!try_grow(record_count_ + 1)) return nullptr;
        at = record_count_++;
        ::new (static_cast<void*>(records_ + at)) block{.generation = generation_floor_};
    }
    block& taken = records_[at];
    taken = {.generation = taken.generation + 1};
    ++live_count_;
    return &taken;
}

// One that had all its generations is never used again.
void cold_store::free_record(block& gone) noexcept {
    gone = {.generation = gone.generation + 1};
    --live_count_;
    if (gone.generation >= generation_max - 1) return;
    gone.next = free_record_;
    free_record_ = index_of(gone);
}

bool cold_store::try_prepare() noexcept {
    if (!work_) work_ = static_cast<std::byte*>(memory_.take({block_bytes_max_, 64}));
    return work_ && codec_.try_prepare();
}

bool cold_store::try_reserve(std::uint32_t block_count) noexcept {
    const bool done = try_grow(record_count_ + block_count) && try_prepare();
    if (!done) ++counts_.refused_count;
    return done;
}

// Operations.

result<cold_handle> cold_store::put(std::span<const std::byte> bytes, cold_put_options how) noexcept {
    ALLOT_EXPECT(!how.durable || is_open_, "cold_store '", memory_.name.view(),
                 "': a durable block before open()");
    const result<std::byte*> memory = take_for(bytes);
    if (!memory) return memory.error();
    block* const taken = take_record();
    if (!taken) {
        if (*memory) memory_.give(*memory, {bytes.size(), 16});
        ++counts_.refused_count;
        return shortage(sizeof(block));
    }
    taken->is_durable = how.durable;
    is_index_old_ |= how.durable;
    fill(*taken, *memory, bytes);
    const cold_handle made = handle_at(index_of(*taken));
    tick();
    return made;
}

// Memory for a block's new content, which others make room for.
result<std::byte*> cold_store::take_for(std::span<const std::byte> bytes) noexcept {
    result<std::byte*> taken = static_cast<std::byte*>(nullptr);
    if (bytes.size() > block_bytes_max_)
        taken = failed("%zu bytes are more than a block's %zu", bytes.size(), block_bytes_max_);
    else if (!try_prepare()) // before blocks fill the memory: without it none of them can make room
        taken = shortage(block_bytes_max_);
    else
        taken = take_hot(bytes.size());
    counts_.refused_count += !taken;
    return taken;
}

void cold_store::fill(block& of, std::byte* memory, std::span<const std::byte> bytes) noexcept {
    if (!bytes.empty()) std::memcpy(memory, bytes.data(), bytes.size());
    of.size = static_cast<std::uint32_t>(bytes.size());
    of.touched = clock_;
    become_hot(of, memory);
    total_bytes_ += bytes.size();
    ++total_count_;
}

result<void> cold_store::set(cold_handle wanted, std::span<const std::byte> bytes) noexcept {
    block* const found = find(wanted);
    if (!found) return gone(wanted);
    if (found->pin_count != 0) fatal_block(wanted, " is pinned");
    const result<std::byte*> memory = take_for(bytes);
    if (!memory) return memory.error();
    drop_memory(*found);
    drop_extent(*found);
    is_index_old_ |= found->is_durable;
    fill(*found, *memory, bytes);
    tick();
    return {};
}

result<std::size_t> cold_store::get(cold_handle wanted, std::span<std::byte> into) noexcept {
    block* const found = find(wanted);
    if (!found) return gone(wanted);
    if (into.size() < found->size)
        return failed("block %u:%u has %u bytes, and there is room for %zu", wanted.index(),
                      wanted.generation(), found->size, into.size());
    into = into.first(found->size);
    if (found->tier == cold_tier::hot) {
        ++counts_.hot_gets;
    } else {
        const std::uint64_t damaged_before = counts_.damaged_count;
        if (const result<void> done = bring_back(*found); !done) {
            // Without room to be hot it is read all the same, and stays where it is.
            if (counts_.damaged_count != damaged_before) return done.error();
            if (const result<void> read = unpack(*found, into); !read) return read.error();
            ++counts_.unkept_gets;
            tick();
            return into.size();
        }
    }
    touch(*found);
    if (!into.empty()) std::memcpy(into.data(), found->memory, into.size());
    tick();
    return into.size();
}

result<std::span<const std::byte>> cold_store::pin(cold_handle wanted) noexcept {
    block* const found = find(wanted);
    if (!found) return gone(wanted);
    if (found->tier == cold_tier::hot) {
        ++counts_.hot_gets;
    } else if (const result<void> done = bring_back(*found); !done) {
        ++counts_.refused_count;
        return done.error();
    }
    touch(*found);
    if (found->pin_count++ == 0) remove(hot_, *found);
    tick();
    return found->plain();
}

void cold_store::unpin(cold_handle wanted) noexcept {
    block* const found = find(wanted);
    if (!found || found->pin_count == 0) fatal_block(wanted, " is not pinned");
    if (--found->pin_count != 0) return;
    found->touched = clock_;
    push_front(hot_, *found);
    tick();
}

bool cold_store::erase(cold_handle wanted) noexcept {
    block* const found = find(wanted);
    if (!found) return false;
    if (found->pin_count != 0) fatal_block(wanted, " is pinned");
    is_index_old_ |= found->is_durable;
    drop_memory(*found);
    drop_extent(*found);
    free_record(*found);
    return true;
}

result<void> cold_store::compress(cold_handle wanted) noexcept {
    block* const found = find(wanted);
    if (!found) return gone(wanted);
    if (found->tier != cold_tier::hot) return {};
    if (found->pin_count != 0) return failed("block %u:%u is pinned", wanted.index(), wanted.generation());
    return cool(*found);
}

result<void> cold_store::page_out(cold_handle wanted) noexcept {
    if (const result<void> done = compress(wanted); !done) return done;
    block& found = *find(wanted);
    return found.tier == cold_tier::compressed ? page_out_compressed(found) : result<void>();
}

// Inquiries.

cold_store_traits cold_store::traits() const noexcept {
    return {.codec = codec_.codec(),
            .has_zstd = detail::block_codec::has(cold_codec::zstd),
            .has_lz4 = detail::block_codec::has(cold_codec::lz4)};
}

cold_store_statistics cold_store::statistics() const noexcept {
    cold_store_statistics now = counts_;
    now.store_end_bytes = extents_.end();
    now.store_free_bytes = extents_.free_bytes();
    return now;
}

allot::usage cold_store::usage() const noexcept {
    allot::usage now;
    now.live_bytes = counts_.hot_bytes + counts_.compressed_bytes;
    now.live_count = live_count_;
    now.peak_live_bytes = peak_live_bytes_;
    now.total_bytes = total_bytes_;
    now.total_count = total_count_;
    now.refused_count = counts_.refused_count;
    now.held_bytes = memory_.held_bytes;
    now.held_count = memory_.held_count;
    now.peak_held_bytes = memory_.peak_held_bytes;
    now.slack_bytes = now.held_bytes - now.live_bytes;
    now.limit_bytes = memory_.limit_bytes;
    return now;
}

void cold_store::check() const noexcept {
    const auto expect = [&](bool holds, const char* what) {
        ALLOT_EXPECT(holds, "cold_store '", memory_.name.view(), "': ", what);
    };
    cold_store_statistics sum;
    std::uint64_t extent_count = index_offset_ != detail::cold_extents::none, listed = 0, pinned = 0,
                  live = 0;
    for (index i = 0; i != record_count_; ++i) {
        const block& each = records_[i];
        live += each.generation % 2;
        expect((each.tier == cold_tier::none) == (each.generation % 2 == 0), "a record without a tier lives");
        expect(each.tier != cold_tier::stored || (each.has_extent() && !each.memory),
               "a stored block is nowhere");
        expect(!each.has_extent() || each.tier == cold_tier::stored || each.is_durable,
               "a volatile block is in memory and in the store");
        extent_count += each.has_extent();
        pinned += each.pin_count != 0;
        sum.hot_bytes += each.tier == cold_tier::hot ? each.size : 0;
        sum.compressed_bytes += each.tier == cold_tier::compressed ? each.packed : 0;
        sum.stored_bytes += each.tier == cold_tier::stored ? each.packed : 0;
    }
    for (const list* of : {&hot_, &compressed_})
        for (index at = of->first, before = no_index; at != no_index; before = at, at = records_[at].next) {
            expect(records_[at].previous == before && ++listed <= live, "a list is broken");
            expect(of == &compressed_ || before == no_index ||
                       records_[at].touched <= records_[before].touched,
                   "the hot blocks are not in the order of their touches");
        }
    expect(live == live_count_ && listed + pinned + counts_.stored_count == live, "blocks are in no list");
    expect(sum.hot_bytes == counts_.hot_bytes && sum.compressed_bytes == counts_.compressed_bytes &&
               sum.stored_bytes == counts_.stored_bytes,
           "the sums are off");
    expect(sum.hot_bytes <= hot_bytes_max_ && sum.compressed_bytes <= compressed_bytes_max_,
           "a limit is broken");
    const std::uint64_t books = record_capacity_ * sizeof(block) + (work_ ? block_bytes_max_ : 0);
    expect(memory_.held_bytes == counts_.hot_bytes + counts_.compressed_bytes + books + codec_.held_bytes() +
                                     extents_.held_bytes(),
           "held bytes are off");
    expect(extents_.is_consistent() && extents_.used_count() == extent_count,
           "the store's free ranges are off");
}

} // namespace allot
