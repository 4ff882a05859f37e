// paged_subtrees: puts subtrees of a document into a cold_store, and takes them back.
//
// For bounded_document, which says what a user need know. A subtree becomes one block: its containers breadth first,
// each with its cells, then its texts; where a tree has pointers the block has offsets, so that a block that was read
// becomes a tree again in place, without memory. Keys are symbols of the document's interner, so that a block means
// something as long as that keeps them, and is never durable.
// Owns one block of upstream: room for one subtree, and the pages. Borrows upstream, the cold_store.
// Threads: as the document.
// Cost: two passes over a subtree's cells each way, and the cold_store's.
#pragma once

#include <allot/document/document.hpp>
#include <allot/document/path_access.hpp>
#include <allot/document/tree_page.hpp>
#include <allot/structure/cold_store.hpp>
#include <utility>

namespace allot::detail {

class paged_subtrees final : public page_keeper {
public:
    // Takes its memory; pages == nullptr: none, and every page_out is refused.
    paged_subtrees(cold_store* pages, std::size_t bytes_max, std::uint32_t count_max,
                   memory_source& upstream) noexcept;
    paged_subtrees(const paged_subtrees&) = delete;
    paged_subtrees& operator=(const paged_subtrees&) = delete;
    ~paged_subtrees();

    bool is_ready() const noexcept { return memory_ || !pages_; }
    // Containers and texts of 64 bytes and more.
    static bool may_page_out(const tree_cell& cell) noexcept;
    // `at` is of `in`, and nobody shares the container it stands in. On an error nothing changed.
    result<void> page_out(document& in, tree_cell& at) noexcept;
    result<void> page_in(document& in, tree_cell& at) noexcept;

    result<const tree_cell*> open(const tree_cell& at) noexcept override;
    void drop(tree_page& page) noexcept override;

    // The cell that is `depth` steps down the way, for whoever changes it: containers that a snapshot shares are
    // copied. nullptr on shortage, and where nothing is there.
    static tree_cell* reach(document& in, path way, std::size_t depth) noexcept;

    std::uint64_t count() const noexcept { return count_; }
    std::uint64_t bytes() const noexcept { return bytes_; }
    std::uint64_t page_outs() const noexcept { return page_outs_; }
    std::uint64_t page_ins() const noexcept { return page_ins_; }
    std::uint64_t take_lost_count() noexcept { return std::exchange(lost_count_, 0); } // others erased them
    const cold_store* pages() const noexcept { return pages_; }

private:
    std::span<std::byte> room() const noexcept { return {memory_, bytes_max_}; }
    layout memory_layout() const noexcept { return {bytes_max_ + count_max_ * sizeof(tree_page), 16}; }

    cold_store* pages_;
    memory_source& upstream_;
    std::size_t bytes_max_; // a multiple of 16
    std::uint32_t count_max_;
    std::byte* memory_ = nullptr;
    tree_page* free_ = nullptr;
    std::uint64_t count_ = 0, bytes_ = 0, page_outs_ = 0, page_ins_ = 0, lost_count_ = 0;
};

} // namespace allot::detail
