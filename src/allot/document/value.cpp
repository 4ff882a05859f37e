#include <algorithm>
#include <allot/document/tree_stack.hpp>
#include <allot/document/tree_store.hpp>
#include <allot/document/value.hpp>

namespace allot {
namespace {

using detail::tree_cell;
using detail::tree_node;
using detail::tree_store;

std::uint64_t own_bytes(const tree_cell& cell) noexcept {
    if (cell.has_node())
        return sizeof(tree_node) + (cell.node->cells ? tree_store::block_size(*cell.node) : 0);
    return cell.has_text_block() && cell.type != value_type::paged_out
               ? detail::tree_text::block_size(cell.text->size)
               : 0;
}

// Apart from what lies below.
bool same_own(const tree_cell& a, const tree_cell& b) noexcept {
    if (a.type != b.type || a.is_attribute != b.is_attribute) return false;
    if (a.has_node()) return a.node->size() == b.node->size();
    if (has_text(a.type)) return a.view() == b.view();
    if (a.type == value_type::boolean) return a.boolean == b.boolean;
    return a.type == value_type::null || a.unsigned_integer == b.unsigned_integer;
}

bool same_key(const tree_cell& a, const tree_store& a_store, const tree_cell& b, const tree_store& b_store,
              bool same_keys) noexcept {
    if (same_keys) return a.key == b.key;
    return a_store.key_text(symbol::from_value(a.key)) == b_store.key_text(symbol::from_value(b.key));
}

struct pair_level {
    const tree_node* a;
    const tree_node* b;
    std::uint32_t at;
};

} // namespace

std::optional<tree_size> measure(value root) noexcept {
    struct level {
        const tree_node* in;
        std::uint32_t at;
    };
    tree_size sum;
    if (!root) return sum;
    detail::tree_stack<level> above(detail::tree_access::store(root)->upstream());
    const tree_cell& top = *detail::tree_access::cell(root);
    const auto add = [&sum](const tree_cell& cell) {
        ++sum.value_count;
        sum.bytes += own_bytes(cell);
        if (has_text(cell.type)) sum.text_bytes += cell.view().size();
    };
    add(top);
    sum.bytes += sizeof(tree_cell);
    sum.depth = 1;
    if (!top.has_node()) return sum;
    for (level here{top.node, 0};;) {
        if (here.at == here.in->size()) {
            if (above.empty()) return sum;
            here = above.pop();
            continue;
        }
        const tree_cell& cell = here.in->cells[here.at++];
        add(cell);
        sum.depth = std::max(sum.depth, static_cast<std::uint32_t>(above.size()) + 2);
        if (!cell.has_node()) continue;
        if (!above.try_push(here)) return std::nullopt;
        here = {cell.node, 0};
    }
}

std::optional<bool> same_tree(value a, value b) noexcept {
    if (!a || !b) return !a && !b;
    const tree_store& a_store = *detail::tree_access::store(a);
    const tree_store& b_store = *detail::tree_access::store(b);
    const bool same_keys = a_store.same_keys(b_store);
    const tree_cell& a_top = *detail::tree_access::cell(a);
    const tree_cell& b_top = *detail::tree_access::cell(b);
    const bool named = detail::has_own_name(a_top.type);
    if (!same_own(a_top, b_top) || (named && !same_key(a_top, a_store, b_top, b_store, same_keys)))
        return false;
    if (!a_top.has_node()) return true;
    detail::tree_stack<pair_level> above(a_store.upstream());
    for (pair_level here{a_top.node, b_top.node, 0};;) {
        if (here.a == here.b || here.at == here.a->size()) {
            if (above.empty()) return true;
            here = above.pop();
            continue;
        }
        const tree_cell& a_cell = here.a->cells[here.at];
        const tree_cell& b_cell = here.b->cells[here.at++];
        if (!same_own(a_cell, b_cell) || !same_key(a_cell, a_store, b_cell, b_store, same_keys)) return false;
        if (!a_cell.has_node()) continue;
        if (!above.try_push(here)) return std::nullopt;
        here = {a_cell.node, b_cell.node, 0};
    }
}

} // namespace allot
