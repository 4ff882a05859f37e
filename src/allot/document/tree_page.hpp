// tree_page: what stands in a tree for a subtree that is paged out.
//
// For the document layer alone. A cell of type paged_out refers to one, in place of a text: it begins like a
// tree_text, so that what counts and shares texts counts and shares pages, too. Whoever walks a tree from one child
// to the next and done with each before the next (writers, copies) can read through it with open_page().
// Owned by its keeper. Threads: as the tree.
#pragma once

#include <allot/core/result.hpp>
#include <allot/document/value.hpp>

namespace allot::detail {

struct tree_page;

class page_keeper {
public:
    // The subtree's own cell, readable until the next open() of this keeper, with key and place of `at`.
    virtual result<const tree_cell*> open(const tree_cell& at) noexcept = 0;
    virtual void drop(tree_page& page) noexcept = 0; // nobody refers to it any more

protected:
    ~page_keeper() = default;
};

struct tree_page {
    tree_text counted;
    page_keeper* keeper;
    std::uint64_t handle; // of the block in the cold_store; of a free page the next free one
    std::uint64_t bytes;  // of the block
    char zero;            // as behind a text

    static tree_page& of(const tree_cell& cell) noexcept { return reinterpret_cast<tree_page&>(*cell.text); }
};
inline constexpr std::uint32_t tree_page_text_size = sizeof(page_keeper*) + 2 * sizeof(std::uint64_t);
static_assert(sizeof(tree_text) + tree_page_text_size == offsetof(tree_page, zero));

inline void drop_page(const tree_cell& cell) noexcept {
    tree_page::of(cell).keeper->drop(tree_page::of(cell));
}

// nullptr where it cannot be read.
inline const tree_cell* page_content(const tree_cell& at) noexcept {
    const result<const tree_cell*> content = tree_page::of(at).keeper->open(at);
    return content ? *content : nullptr;
}
// What is paged out, to be read; all other values are answered as they are.
inline result<value> open_page(value at) noexcept {
    if (!at.is_paged_out()) return at;
    const tree_cell& cell = *tree_access::cell(at);
    const result<const tree_cell*> content = tree_page::of(cell).keeper->open(cell);
    if (!content) return content.error();
    return tree_access::make(*content, tree_access::store(at));
}

} // namespace allot::detail
