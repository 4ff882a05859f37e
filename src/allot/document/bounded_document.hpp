// bounded_document: a document whose whole memory is reserved at its start, and never grows.
//
// Use it for what runs for long and may not run away: an agent's memory, a session, an editor's model. Where
// memory may grow take document; a document with limit_bytes has a limit, but takes memory as it goes.
// Owns a tiered_pool, an interner that takes from it up to keys_bytes_max, and a document over both.
// Borrows upstream and observer. After its constructor nothing is asked of upstream, whatever is edited, and
// nothing of the system: slots are touched when they are first used.
// When a tier of the pool is filled to warn_percent the observer is told, with the tier's name ("NAME/256").
// When it is full the next larger one serves, by policy; then edits answer false, the tree is as it was, and
// last_refusal() says which tier, how much was asked and how much there is. A container or text is one block:
// none is larger than the largest tier (about 65,500 children, or a text of 1 MiB, with the default ones).
// What is seldom read can leave the pool: subtrees are paged out to a cold_store (pages), one block each, and come
// back when a path leads into them (find_at, set_at). In their place stands a value of type paged_out, which has no
// children and is never mistaken for null; writers and copies to other documents read through it. What is in a block
// counts as the tree's: erasing, replacing or closing drops it. A subtree of which a part is paged out stays until
// that is back. Going out takes nothing from the pool; the block lives in the cold_store's memory, which is not the
// pool's, and is not durable: to save a document write it whole (saved_document.hpp).
// Prints nothing. End snapshots, and give back what was taken from pool(), before the end: what is missing
// then is told by close() and to the observer.
// Threads: compatible; describe() of the pool from any.
// Cost: document's, and a slot for each block: see numbers().slack_bytes. The default tiers take 90 MiB of
// addresses; tiers of 100 KiB together work as well. Keys come in blocks of up to 4,160 bytes, about 10 KiB
// for the first one.
//
//     constexpr size_tier tiers[] = {{32, 512}, {80, 256}, {272, 64}, {1'040, 16}, {4'160, 8}};
//     bounded_document memory({.name = "agent", .tiers = tiers, .keys_bytes_max = kibibytes(32)});
//     (void)memory.set_root(content::object());
//     node root = memory.edit();
//     (void)root.set("role", "reviewer");
//     const std::string text(5000, 'x');
//     assert(!root.set("plan", std::string_view(text))); // no slot is so large: nothing changed
//     assert(last_refusal().who == name("agent") && memory.root().size() == 1);
//     assert(memory.numbers().tree_bytes > 0 && memory.numbers().key_bytes > 0);
//     assert(memory.close());                            // every slot is free again
#pragma once

#include <allot/core/result.hpp>
#include <allot/document/document.hpp>
#include <allot/document/json_reader.hpp>
#include <allot/document/paged_subtrees.hpp>
#include <allot/structure/interner.hpp>
#include <allot/structure/tiered_pool.hpp>
#include <array>

namespace allot {

// 88 MiB, and 2 for their states. Each size is a power of two and what stands before it in a document's
// blocks (the head of a container's cells, of a text, of an interner's block), in steps of 2 where most
// blocks are.
inline constexpr std::array<size_tier, 12> document_size_tiers{{{32, 262'144},
                                                                {80, 131'072},
                                                                {144, 65'536},
                                                                {272, 32'768},
                                                                {528, 16'384},
                                                                {1'040, 8'192},
                                                                {2'064, 4'096},
                                                                {4'160, 2'048},
                                                                {16'448, 256},
                                                                {65'600, 64},
                                                                {262'208, 16},
                                                                {1'048'640, 8}}};

struct bounded_document_options {
    allot::name name = "bounded_document";
    std::span<const size_tier> tiers = document_size_tiers;
    std::uint64_t keys_bytes_max = mebibytes(4); // of the pool: what the keys' slots may take
    memory_source* upstream = nullptr;           // default_source()
    bool promotes = true;
    std::uint32_t warn_percent = 90;
    std::uint64_t json_bytes_max =
        0; // of a text for read_json(); about 18 bytes for each are taken at the start
    allot::observer* observer = nullptr;
    // Where subtrees are paged out to; it outlives the document, and takes no memory from its pool.
    cold_store* pages = nullptr;
    std::size_t page_bytes_max = kibibytes(64); // of one subtree: at most the cold_store's block_bytes_max
    std::uint32_t page_count_max = 1024;
    // Containers whose children page_out_cold() may page out. Borrowed, and so are their texts. At most 8.
    std::span<const path> pageable = {};
    // Whether find_at, set_at and page_in that find no room page out cold children and try again. Not where the path or
    // what is set is borrowed from this document: it might be what goes.
    bool makes_room = false;
};

// Who has how much of the pool: tree + keys + others + slack + free == capacity, in bytes.
struct bounded_document_numbers {
    std::uint64_t tree_bytes = 0;  // the document's and its snapshots'
    std::uint64_t key_bytes = 0;   // the interner's, without its slots' rest
    std::uint64_t other_bytes = 0; // taken from pool() by others
    std::uint64_t slack_bytes = 0; // in slots that are larger than what was asked for
    std::uint64_t free_bytes = 0;
    std::uint64_t capacity_bytes = 0;
    std::uint64_t paged_count = 0, paged_bytes = 0; // subtrees that are paged out; plain, in the cold_store
    std::uint64_t page_outs = 0, page_ins = 0;
};

namespace detail {

// A pool for one owner: passes everything on, and counts what that owner has.
class pool_part final : public memory_source {
public:
    pool_part(const allot::name& whose, tiered_pool& pool) noexcept : name_(whose), pool_(pool) {}
    std::uint64_t live_bytes() const noexcept { return live_bytes_.load(); }

private:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* block, layout given) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override { return pool_.good_size(wanted); }
    source_description do_describe() const noexcept override;

    const allot::name name_;
    tiered_pool& pool_;
    owned_counter live_bytes_, live_count_;
};

} // namespace detail

class bounded_document {
public:
    // Takes all its memory. Where upstream refuses it, is_ready() is false and every edit is refused.
    explicit bounded_document(const bounded_document_options& options = {}) noexcept;
    // As close(); the observer is told of each tier that is not whole.
    ~bounded_document();
    bounded_document(const bounded_document&) = delete;
    bounded_document& operator=(const bounded_document&) = delete;

    bool is_ready() const noexcept { return pool_.capacity() != 0 && paged_.is_ready(); }
    // The tree: what document.hpp says.
    document& tree() noexcept { return tree_; }
    value root() const noexcept { return tree_.root(); }
    node edit() noexcept { return tree_.edit(); }
    [[nodiscard]] bool set_root(const content& what) noexcept { return tree_.set_root(what); }
    [[nodiscard]] document snapshot() noexcept { return tree_.snapshot(); }
    const interner& keys() const noexcept { return keys_; }
    // As the functions of path_access.hpp; what is paged out on the way comes back, and so does what find_at leads
    // to. Where the pool has no room for it, or its block is damaged, that is the error, and the tree and the block
    // stay. (Those functions, a node and a value leave it where it is: value::is_paged_out() tells.)
    // Values are valid until the next call of these and of page_out, page_out_cold.
    result<value> find_at(path way) noexcept;
    result<void> set_at(path way, const content& what) noexcept;
    result<bool> erase_at(path way) noexcept;

    // A container with its children, or a text of 64 bytes and more, leaves the pool: handles to what is in it are
    // refused from then on. Done already: no error. On an error it stays.
    result<void> page_out(path way) noexcept;
    result<void> page_in(path way) noexcept;
    // Children of the pageable containers, until so many bytes are free: first those that no path led to since they
    // came, in their order, then those that were touched longest ago. Answers how many bytes became free; an error
    // where there were none because something failed.
    result<std::uint64_t> page_out_cold(std::uint64_t bytes_wanted) noexcept;

    // Replaces the tree by a JSON text's, with nothing from upstream or the system; an error leaves it as it
    // was: a wrong text, one above json_bytes_max, a full tier. The old tree lives until the new one is
    // whole.
    result<void> read_json(std::string_view text) noexcept;
    // For what lives beside the tree within the same bounds: bounded_string, std::pmr containers.
    tiered_pool& pool() noexcept { return pool_; }
    const tiered_pool& pool() const noexcept { return pool_; }
    const allot::name& name() const noexcept { return pool_.name(); }

    bounded_document_numbers numbers() const noexcept;
    allot::usage usage() const noexcept { return pool_.usage(); }
    // Aborts where an invariant does not hold. Cost: O(values + keys + slots).
    void check() const noexcept;

    // Ends tree and keys. An error names every owner that still has a part of the pool, and each tier that is
    // not whole; all the same everything that can go has gone, and the document is empty and may be used
    // again.
    result<void> close() noexcept;

private:
    result<void> bring(path way, bool with_last) noexcept;
    bool may_make_room(const void* borrowed) const noexcept {
        return makes_room_ && !pool_.surrounds(borrowed);
    }
    // Whether there may be room now, where a shortage was noted since.
    bool make_room(std::uint64_t bytes, std::uint64_t noted_before, unsigned& tries) noexcept;
    void touch(path way) noexcept;
    void touch(detail::tree_cell& child) noexcept;
    void age() noexcept;

    tiered_pool pool_;
    detail::pool_part tree_part_; // of pool_
    detail::pool_part keys_part_; // of pool_
    interner keys_;
    static constexpr std::size_t pageable_max = 8;
    detail::paged_subtrees paged_;
    std::span<const path> pageable_;
    bool makes_room_;
    std::uint8_t rank_ = 0; // of the child that was touched last
    const detail::tree_cell* last_touched_ = nullptr;
    document tree_; // with keys_
    json_reader reader_;
    bool reads_json_;
};

} // namespace allot
