// tree_store: the memory of one document and its snapshots: headers in slabs, blocks of cells, texts, keys.
//
// For the document layer alone. Made with the first edit, gone with the last document that shares it. Where the
// source is bulk_free nothing is given back at the end: the memory goes with the source, and the end is O(1).
// Owns all blocks; owns the interner unless one was lent. Borrows the source.
// Nothing here recurses: what is released is walked with links in the cells that are emptied.
// Threads: compatible.
// Cost: a header is 16 bytes in slabs that double up to 4 KiB.
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/poison.hpp>
#include <allot/document/value_cell.hpp>
#include <allot/structure/arena.hpp>
#include <allot/structure/symbol.hpp>
#include <new>

namespace allot {

class interner;
class concurrent_interner;

struct document_options {
    allot::name name = "document";
    memory_source* upstream = nullptr;          // borrowed; nullptr: default_source()
    interner* keys = nullptr;                   // borrowed; where both are nullptr the document has its own,
    concurrent_interner* shared_keys = nullptr; // within its limit
    std::uint64_t limit_bytes = usage::unlimited; // of the document and its snapshots
};

// What becomes of a member whose key is there already.
enum class duplicate_keys : std::uint8_t {
    last,  // it takes the place of the one before, as most parsers do
    first, // it is dropped
    refuse // the text is an error, a builder's end() answers false
};

namespace detail {

class tree_store {
public:
    static tree_store* try_make(const document_options& options) noexcept;
    tree_store(const tree_store&) = delete;
    tree_store& operator=(const tree_store&) = delete;
    void share() noexcept { ++sharers_; }
    // The last one's ends the store; its tree has been released, or goes with the source.
    void unshare() noexcept;
    bool is_shared() const noexcept { return sharers_ != 1; }
    std::uint32_t sharer_count() const noexcept { return sharers_; }
    bool forgets() const noexcept { return bulk_free_; } // nothing need be released before the end

    symbol try_intern(std::string_view text) noexcept;
    symbol find_key(std::string_view text) const noexcept;
    std::string_view key_text(symbol key) const noexcept;
    bool same_keys(const tree_store& other) const noexcept; // symbols mean the same

    // A container of `size` cells, which are not written yet; extended when it has room for more or an index.
    // nullptr on shortage. refs is 1.
    tree_node* make_node(std::uint32_t size, std::uint32_t capacity, bool indexed) noexcept;
    tree_node* make_node(std::uint32_t size) noexcept;
    void free_node(tree_node* node) noexcept; // its block and its header, not what its cells refer to
    // Room for one more cell, and an index in an object that needs one.
    bool try_reserve(tree_node* node, bool is_object, std::uint32_t more = 1) noexcept;
    // Moves the cells from `at` on by one; the cell at `at` is then written by the caller.
    void open_gap(tree_node* node, std::uint32_t at) noexcept;
    void close_gap(tree_node* node, std::uint32_t at) noexcept;
    void trim(tree_node* node, std::uint32_t size) noexcept; // forgets the cells behind; no index is touched
    void enter_key(tree_node* node, std::uint32_t at) noexcept; // of the cell that was written
    bool build_index(tree_node* node) noexcept;                 // whether all keys are distinct
    // Of an object whose cells are all written: its index, and what `policy` says of keys that are there twice. The
    // key that is refused, or none.
    symbol settle_keys(tree_node* node, duplicate_keys policy) noexcept {
        return node->index_slots() == 0 && surely_distinct(*node) ? symbol() : settle_more_keys(node, policy);
    }

    bool make_text(tree_cell& cell, std::string_view text) noexcept; // sets length and payload
    void retain(const tree_cell& cell) noexcept {
        if (cell.has_node())
            ++cell.node->refs_bits;
        else if (cell.has_text_block())
            ++cell.text->refs;
    }
    // One reference less, and what nobody refers to any more goes. Without recursion, without memory.
    void release(tree_cell cell) noexcept;
    void give_back_cells(const tree_node& node) noexcept;
    // A container that others refer to, too, is replaced by a copy of its own. False on shortage.
    bool unshare_node(tree_cell& cell) noexcept;
    void check_node(const tree_node& node, value_type type) const noexcept;
    void renew_index(tree_node* node) noexcept; // after its cells changed places
    // A copy of the container's cells, which then refer to the same texts and containers; nullptr on shortage.
    tree_node* copy_node(const tree_node& from, bool is_object) noexcept;

    // nullptr on shortage; notes a refusal of its own limit.
    void* take(std::size_t size, std::size_t align = 8) noexcept {
        void* const block = size <= limit_bytes_ && live_bytes_ <= limit_bytes_ - size
                                ? take_upstream({size, align})
                                : nullptr;
        if (!block) [[unlikely]]
            return take_none(size);
        live_bytes_ += size;
        total_bytes_ += size;
        ++live_count_;
        ++total_count_;
        if (live_bytes_ > peak_live_bytes_) peak_live_bytes_ = live_bytes_;
        return block;
    }
    void give_back(void* block, std::size_t size, std::size_t align = 8) noexcept;
    bool refuse(std::size_t asked) noexcept; // notes it, counts it; false
    memory_source& upstream() const noexcept { return upstream_; }
    const allot::name& name() const noexcept { return name_; }
    allot::usage usage() const noexcept;
    static std::size_t block_size(std::uint32_t capacity, std::uint32_t slots, bool extended) noexcept {
        return (extended ? sizeof(tree_extent) : 0) + capacity * sizeof(tree_cell) +
               slots * sizeof(std::uint32_t);
    }
    static std::size_t block_size(const tree_node& node) noexcept {
        return block_size(node.capacity(), node.index_slots(), node.is_extended());
    }
    static constexpr std::uint32_t indexed_from = 33; // members
    static std::uint32_t slots_for(std::uint32_t capacity) noexcept;

private:
    struct slab;
    struct own_keys;

    tree_store(const document_options& options, memory_source& upstream) noexcept;
    bool add_slab() noexcept;
    tree_cell* make_cells(std::uint32_t capacity, std::uint32_t slots, bool extended) noexcept;
    // Keys that differ in their last six bits differ.
    static bool surely_distinct(const tree_node& node) noexcept {
        if (node.size() < 3) return node.size() < 2 || node.cells[0].key != node.cells[1].key;
        std::uint64_t seen = 0, again = 0;
        for (std::uint32_t at = 0; at != node.size(); ++at) {
            const std::uint64_t bit = std::uint64_t{1} << (node.cells[at].key & 63);
            again |= seen & bit;
            seen |= bit;
        }
        return again == 0;
    }
    symbol settle_more_keys(tree_node* node, duplicate_keys policy) noexcept;
    bool have_keys() noexcept;
    void* take_upstream(layout wanted) noexcept {
        return arena_ ? arena_->try_allocate(wanted) : upstream_.try_allocate(wanted);
    }
    [[gnu::cold]] void* take_none(std::size_t size) noexcept;
    void end() noexcept;

    allot::name name_;
    memory_source& upstream_;
    arena* arena_; // upstream, where it is one: whose blocks are taken without a virtual call
    interner* keys_;
    concurrent_interner* shared_keys_;
    own_keys* own_keys_ = nullptr;
    bool bulk_free_;
    std::uint32_t sharers_ = 1;
    std::uint64_t limit_bytes_;
    std::uint64_t live_bytes_ = 0;
    std::uint64_t live_count_ = 0;
    std::uint64_t peak_live_bytes_ = 0;
    std::uint64_t total_bytes_ = 0;
    std::uint64_t total_count_ = 0;
    std::uint64_t refused_count_ = 0;
    slab* slabs_ = nullptr;
    tree_node* free_nodes_ = nullptr;
    tree_node* fresh_node_ = nullptr; // of the newest slab, never used yet
    tree_node* fresh_end_ = nullptr;
};

inline tree_node* tree_store::make_node(std::uint32_t size) noexcept {
    if (free_nodes_ || (fresh_node_ == fresh_end_ && !add_slab())) [[unlikely]]
        return free_nodes_ ? make_node(size, size, false) : nullptr;
    auto* const cells = size == 0 ? nullptr : static_cast<tree_cell*>(take(size * sizeof(tree_cell)));
    if (size != 0 && !cells) [[unlikely]]
        return nullptr;
    tree_node* const made = fresh_node_++;
    allot::mark_live(made, sizeof *made);
    return ::new (made) tree_node{cells, size, 1u << 20 | 1};
}

} // namespace detail
} // namespace allot
