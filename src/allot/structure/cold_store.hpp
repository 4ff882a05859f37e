// cold_store: blocks of bytes that get smaller, and then leave memory, when nobody touches them.
//
// Use it for what must be kept but is seldom read: old messages, a history, subtrees of a document, undo steps. For
// what is read all the time keep plain memory; for whole files mapped_file; to save one thing whole saved_bytes.
// A block is hot (plain), compressed, or stored (in the byte_store). What was touched last stays hot: beyond
// hot_bytes_max, or after idle_operations_max operations without a touch, the block that was touched longest ago is
// compressed; beyond compressed_bytes_max it is stored. get() and pin() make it hot again. Each packed block has a
// checksum: a damaged one is an error that names the block and its place, and the others stay readable.
// Owns the blocks' memory, which it takes from upstream together with all it works with (zstd's contexts, once).
// Borrows upstream and store.
//
// A crash loses the volatile blocks. What is put as durable is on disk when flush() has returned, and open() finds it
// again under the same handle (others mean nothing then); a crash during flush() leaves the blocks of the flush before. The file's form is
// docs/format/cold-store.md. A durable block that is hot keeps its place in the store, a volatile one does not.
// A full disk is an error of the call that needed room: blocks stay where they were, readable.
//
// Errors are results, shortage of memory too (last_refusal() then has it). The text begins with
// "cold_store 'NAME': ". A call that fails leaves every block's content as it was.
// Threads: compatible (one thread at a time).
// Cost: a hot get is a look-up and a copy. Compressing and back are the codec's: docs/numbers.md. 64 bytes per block, with a store 112.
//
// Fatal:
//     cold_store 'NAME': block INDEX:GENERATION is not pinned           (unpin)
//     cold_store 'NAME': block INDEX:GENERATION is pinned               (erase, set)
//     cold_store 'NAME': a durable block before open()
//     cold_store 'NAME': open() without a store
//     cold_store 'NAME': open() with N blocks
//     cold_store 'NAME': blocks of N bytes cannot be hot in M bytes
//
//     cold_store history({.name = "history", .store = &file, .hot_bytes_max = 4096, .block_bytes_max = 4096});
//     result<cold_handle> first = history.put(page);
//     result<cold_handle> second = history.put(other); // only one is hot: `first` is compressed now
//     assert(history.tier_of(*first) == cold_tier::compressed);
//     std::vector<std::byte> back(history.size_of(*first));
//     assert(history.get(*first, back) && back == page); // hot again, and `second` is compressed
//     assert(history.statistics().ratio() > 1);
//     assert(history.erase(*first) && !history.get(*first, back));
#pragma once

#include <allot/core/byte_store.hpp>
#include <allot/core/checks.hpp>
#include <allot/structure/cold_codec.hpp>
#include <allot/structure/cold_extents.hpp>
#include <allot/structure/slot_handle.hpp>

namespace allot {

namespace detail {
struct cold_block;
}
using cold_handle = slot_handle<detail::cold_block>;

enum class cold_tier : std::uint8_t { none, hot, compressed, stored };

struct cold_store_options {
    allot::name name = "cold_store";
    memory_source* upstream = nullptr; // default_source()
    byte_store* store = nullptr;       // nullptr: blocks stay in memory
    std::uint64_t hot_bytes_max = mebibytes(8);
    std::uint64_t compressed_bytes_max = mebibytes(8); // 0: blocks go from hot to stored
    std::uint64_t store_bytes_max = usage::unlimited;  // of the store's length
    std::uint64_t limit_bytes = usage::unlimited; // of what is taken from upstream, book-keeping included
    std::uint64_t idle_operations_max = usage::unlimited;
    std::size_t block_bytes_max = kibibytes(64); // at most 1 GiB; what is worked with grows with it
    std::uint32_t block_count_max = 1u << 24;
    cold_codec codec = cold_codec::zstd; // where allot was built without it: raw, see traits()
    int level = 3;                       // of zstd
};

struct cold_store_traits {
    cold_codec codec; // what blocks are packed with
    bool has_zstd, has_lz4;
};

struct cold_store_statistics {
    std::uint64_t hot_count = 0, compressed_count = 0, stored_count = 0;
    std::uint64_t hot_bytes = 0;
    std::uint64_t compressed_bytes = 0, compressed_plain_bytes = 0; // in memory; what they are hot
    std::uint64_t stored_bytes = 0, stored_plain_bytes = 0;         // of the blocks that are stored alone
    std::uint64_t store_end_bytes = 0, store_free_bytes = 0; // the store's length; what is unused in it
    // How often get() and pin() found a block in which tier: the classes of their latency.
    std::uint64_t hot_gets = 0, compressed_gets = 0, stored_gets = 0;
    std::uint64_t unkept_gets = 0; // of these: the block found no room to be hot
    std::uint64_t compressions = 0, page_outs = 0, page_ins = 0;
    std::uint64_t incompressible_count = 0; // compressions after which a block was no smaller
    std::uint64_t refused_count = 0;        // calls that ended for want of memory or of room in a limit
    std::uint64_t store_failed_count = 0;   // operations of the store that failed, or that it had no room for
    std::uint64_t damaged_count = 0;
    bool recovered_older = false; // open() took the index before the newest, which was damaged

    std::uint64_t saved_bytes() const noexcept { // of memory
        return compressed_plain_bytes - compressed_bytes + stored_plain_bytes;
    }
    double ratio() const noexcept { // 1 where nothing is packed
        const std::uint64_t packed = compressed_bytes + stored_bytes;
        return packed == 0 ? 1
                           : static_cast<double>(compressed_plain_bytes + stored_plain_bytes) /
                                 static_cast<double>(packed);
    }
};

struct cold_put_options {
    bool durable = false;
};

class cold_store {
public:
    // Takes nothing from upstream and does nothing to the store yet.
    explicit cold_store(const cold_store_options& options) noexcept;
    cold_store(const cold_store&) = delete;
    cold_store& operator=(const cold_store&) = delete;
    ~cold_store(); // without a flush()

    // Reads the index of a store that another cold_store flushed; an empty store begins one. Nothing else is read.
    // Needed before durable blocks are put. Expects: a store, and no blocks yet.
    result<void> open() noexcept;
    // Memory for so many blocks' records beside those there are, so that later only blocks themselves can fail. What
    // compressing needs is taken here, or with the first put().
    bool try_reserve(std::uint32_t block_count) noexcept;

    result<cold_handle> put(std::span<const std::byte> bytes, cold_put_options how = {}) noexcept;
    // Other content for a block; durable with the next flush() if the block is. Expects: not pinned.
    result<void> set(cold_handle block, std::span<const std::byte> bytes) noexcept;
    // The block's size. An `into` that is smaller is an error.
    result<std::size_t> get(cold_handle block, std::span<std::byte> into) noexcept;
    // The block's bytes, where they stay until as many unpin() as pin(). Pinned blocks count as hot.
    result<std::span<const std::byte>> pin(cold_handle block) noexcept;
    void unpin(cold_handle block) noexcept;
    // False where the block is gone already. Expects: not pinned.
    bool erase(cold_handle block) noexcept;

    // Further down at once, unless it is pinned (an error) or there already.
    result<void> compress(cold_handle block) noexcept;
    result<void> page_out(cold_handle block) noexcept;

    // All durable blocks, and the index that finds them, are on disk from here on.
    result<void> flush() noexcept;
    // Moves stored blocks to the front, flushes, and gives the store's end back.
    result<void> compact() noexcept;

    bool contains(cold_handle block) const noexcept { return find(block) != nullptr; }
    std::size_t size_of(cold_handle block) const noexcept; // 0 where it is gone
    cold_tier tier_of(cold_handle block) const noexcept;
    bool is_durable(cold_handle block) const noexcept;
    std::uint64_t count() const noexcept { return live_count_; }
    // Calls with (cold_handle, bool durable) for each block, in the order of handles. It may erase blocks.
    template <class Function>
    void for_each(Function function) {
        for (std::uint32_t i = 0; i < record_count_; ++i)
            if (const cold_handle each = handle_at(i)) function(each, is_durable(each));
    }

    cold_store_traits traits() const noexcept;
    cold_store_statistics statistics() const noexcept;
    // live: the bytes of blocks that are in memory, hot or compressed. slack: records, contexts, books of the store.
    allot::usage usage() const noexcept;
    const allot::name& name() const noexcept { return memory_.name; }
    // Aborts where an invariant does not hold. Cost: O(blocks).
    void check() const noexcept;

private:
    using block = detail::cold_block;
    using index = std::uint32_t;
    static constexpr index no_index = static_cast<index>(-1);
    struct list { // newest touch first
        index first = no_index;
        index last = no_index;
    };

    const block* find(cold_handle wanted) const noexcept;
    block* find(cold_handle wanted) noexcept;
    cold_handle handle_at(index at) const noexcept; // null where no block is
    index index_of(const block& of) const noexcept;
    void push_front(list& to, block& added) noexcept;
    void remove(list& from, block& gone) noexcept;
    void touch(block& hot) noexcept;
    void tick() noexcept; // after each operation: compresses what is idle

    block* take_record() noexcept;
    bool try_grow(std::uint32_t count) noexcept;
    bool try_prepare() noexcept;
    void free_record(block& gone) noexcept;
    std::byte* take_bytes(std::size_t size) noexcept; // others go further down for it
    bool relieve() noexcept;
    result<void> make_hot_room(std::size_t size) noexcept;
    result<std::byte*> take_hot(std::size_t size) noexcept;
    result<std::byte*> take_for(std::span<const std::byte> bytes) noexcept;
    void fill(block& of, std::byte* memory, std::span<const std::byte> bytes) noexcept;
    void become_hot(block& of, std::byte* memory) noexcept;
    result<void> bring_back(block& of) noexcept;
    result<void> unpack(const block& from, std::span<std::byte> into) noexcept;
    void drop_memory(block& of) noexcept;
    void drop_extent(block& of) noexcept;

    // Of a hot block that is not pinned.
    result<void> cool(block& hot) noexcept;
    result<void> cool_to_memory(block& hot, std::span<const std::byte> packed) noexcept;
    result<void> make_compressed_room(std::size_t size) noexcept;
    void become_stored(block& of) noexcept;
    result<void> page_out_compressed(block& of) noexcept;
    result<void> write_extent(block& of, std::span<const std::byte> packed) noexcept;
    std::span<const std::byte> pack(block& of) noexcept; // also notes codec, size and checksum

    // cold_store_disk.cpp
    struct superblock;
    result<void> begin_store() noexcept;
    result<void> load(const superblock& from) noexcept;
    result<void> load_entries(const superblock& from) noexcept;
    result<void> load_extents(const superblock& from) noexcept;
    void forget_all() noexcept;
    result<void> write_blocks() noexcept;
    result<void> write_index() noexcept;
    result<void> write_entries(superblock& to) noexcept;
    result<void> move_to_front(block& of) noexcept;
    index* sort_by_offset(std::uint32_t& count) noexcept; // nullptr: no memory for it
    layout sorting_layout() const noexcept {
        return {(live_count_ + std::size_t{1}) * sizeof(index), alignof(index)};
    }

    [[gnu::format(printf, 2, 3)]] error failed(const char* format, ...) const noexcept;
    error failed(error inner) const noexcept;
    error gone(cold_handle which) const noexcept;
    error shortage(std::size_t size) noexcept;
    error damaged(const block& which, const char* how) noexcept;
    [[noreturn, gnu::cold]] void fatal_block(cold_handle which, const char* what) const noexcept;

    // Each block that lives is in hot_, in compressed_, pinned, or stored: their counts add up to live_count_, and
    // held == hot + compressed + records + work + contexts + free ranges.
    detail::cold_memory memory_;
    detail::block_codec codec_;
    detail::cold_extents extents_;
    byte_store* store_; // borrowed
    const std::uint64_t hot_bytes_max_;
    const std::uint64_t compressed_bytes_max_;
    const std::uint64_t idle_operations_max_;
    const std::size_t block_bytes_max_;
    const std::uint32_t block_count_max_;

    block* records_ = nullptr;
    std::byte* work_ = nullptr; // block_bytes_max_ of it
    index record_count_ = 0;    // that were ever used
    index record_capacity_ = 0;
    index free_record_ = no_index;
    index live_count_ = 0;
    list hot_, compressed_;
    std::uint64_t clock_ = 0; // operations
    std::uint64_t peak_live_bytes_ = 0, total_bytes_ = 0, total_count_ = 0;

    // The store's books. The newest index that is surely whole is that of good_slot_.
    bool is_open_ = false;
    bool is_load_damaged_ = false; // the index that could not be loaded is another than was written
    bool is_index_old_ = false;    // a durable block came, went or changed since the last flush
    unsigned good_slot_ = 0;
    std::uint64_t sequence_ = 0;
    std::uint64_t index_offset_ = detail::cold_extents::none;
    std::uint64_t index_bytes_ = 0;
    std::uint32_t generation_floor_ = 0; // even; records begin with it

    cold_store_statistics counts_;
};

} // namespace allot
