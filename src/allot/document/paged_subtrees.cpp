#include <allot/document/json_writer.hpp>
#include <allot/document/paged_subtrees.hpp>

#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

namespace allot::detail {
namespace {

constexpr std::size_t text_bytes_min = 64;

// A block begins with a container that has one cell, the subtree's own; its `cells` says where texts begin.
struct image_writer {
    std::span<std::byte> into;
    std::size_t used = 0;
    const char* problem = nullptr;

    tree_node* node_at(std::size_t at) const noexcept {
        return reinterpret_cast<tree_node*>(into.data() + at);
    }
    static tree_cell* cells_of(tree_node* node) noexcept { return reinterpret_cast<tree_cell*>(node + 1); }

    bool take(std::size_t bytes) noexcept {
        if (bytes > into.size() - used) return false;
        used += bytes;
        return true;
    }
    bool add_node(const tree_cell* cells, std::uint32_t size) noexcept {
        const std::size_t at = used;
        if (!take(sizeof(tree_node) + size * sizeof(tree_cell))) return false;
        ::new (static_cast<void*>(into.data() + at)) tree_node{nullptr, size, 1u << 20 | 1};
        if (size != 0)
            std::memcpy(static_cast<void*>(cells_of(node_at(at))), cells, size * sizeof(tree_cell));
        return true;
    }
    bool add_text(tree_cell& cell) noexcept {
        const std::size_t at = used, size = tree_text::block_size(cell.text->size);
        if (!take((size + 7) & ~std::size_t{7})) return false;
        std::memset(into.data() + used - 8, 0, 8);
        std::memcpy(into.data() + at, static_cast<const void*>(cell.text), size);
        reinterpret_cast<tree_text*>(into.data() + at)->refs = 1;
        cell.unsigned_integer = at;
        return true;
    }
    // 0: it is larger than `into`, or there is a problem.
    std::size_t write(const tree_cell& root) noexcept {
        if (!add_node(&root, 1)) return 0;
        for (std::size_t at = 0; at != used;) { // what is added is what the loop comes to later
            tree_node* const node = node_at(at);
            for (tree_cell* cell = cells_of(node); cell != cells_of(node) + node->size(); ++cell) {
                if (cell->type == value_type::paged_out) {
                    problem = "a part of it is paged out already";
                    return 0;
                }
                if (!cell->has_node()) continue;
                const std::size_t added = used;
                if (!add_node(cell->node->cells, cell->node->size())) return 0;
                cell->unsigned_integer = added;
            }
            at += sizeof(tree_node) + node->size() * sizeof(tree_cell);
        }
        const std::size_t nodes_end = used;
        for (std::size_t at = 0; at != nodes_end;) {
            tree_node* const node = node_at(at);
            for (tree_cell* cell = cells_of(node); cell != cells_of(node) + node->size(); ++cell)
                if (!cell->has_node() && cell->has_text_block() && !add_text(*cell)) return 0;
            at += sizeof(tree_node) + node->size() * sizeof(tree_cell);
        }
        node_at(0)->cells = reinterpret_cast<tree_cell*>(nodes_end);
        return used;
    }
};

// Offsets become pointers. nullptr where these bytes are no block of a subtree.
tree_cell* link_image(std::span<std::byte> image) noexcept {
    constexpr std::size_t head = sizeof(tree_node) + sizeof(tree_cell);
    if (image.size() < head) return nullptr;
    const auto node_at = [&](std::size_t at) { return reinterpret_cast<tree_node*>(image.data() + at); };
    const auto nodes_end = reinterpret_cast<std::uintptr_t>(node_at(0)->cells);
    if (nodes_end < head || nodes_end > image.size() || nodes_end % 16 != 0 || node_at(0)->size() != 1)
        return nullptr;
    std::size_t next = head; // where the next container is that a cell may refer to
    for (std::size_t at = 0; at != nodes_end;) {
        tree_node* const node = node_at(at);
        node->cells = reinterpret_cast<tree_cell*>(node + 1);
        for (tree_cell* cell = node->cells; cell != node->cells + node->size(); ++cell) {
            if (cell->has_node()) {
                if (cell->unsigned_integer != next || nodes_end - next < sizeof(tree_node)) return nullptr;
                const std::size_t size = node_at(next)->size_bits;
                if (size > (nodes_end - next - sizeof(tree_node)) / sizeof(tree_cell)) return nullptr;
                cell->node = node_at(next);
                next += sizeof(tree_node) + size * sizeof(tree_cell);
            } else if (cell->has_text_block()) {
                const std::uint64_t from = cell->unsigned_integer;
                if (from < nodes_end || from % 8 != 0 || from > image.size() - sizeof(tree_text))
                    return nullptr;
                auto* const text = reinterpret_cast<tree_text*>(image.data() + from);
                if (text->size >= image.size() - from - sizeof(tree_text)) return nullptr;
                cell->text = text;
            }
        }
        at += sizeof(tree_node) + node->size() * sizeof(tree_cell);
    }
    return next == nodes_end ? node_at(0)->cells : nullptr;
}

} // namespace

paged_subtrees::paged_subtrees(cold_store* pages, std::size_t bytes_max, std::uint32_t count_max,
                               memory_source& upstream) noexcept
    : pages_(pages),
      upstream_(upstream),
      bytes_max_((bytes_max + 15) & ~std::size_t{15}),
      count_max_(count_max) {
    if (!pages_) return;
    memory_ = static_cast<std::byte*>(upstream_.try_allocate(memory_layout()));
    if (!memory_) return;
    auto* const page = reinterpret_cast<tree_page*>(memory_ + bytes_max_);
    for (std::uint32_t i = count_max_; i-- != 0;)
        free_ = ::new (static_cast<void*>(page + i))
            tree_page{{0, tree_page_text_size}, this, reinterpret_cast<std::uintptr_t>(free_), 0, 0};
}

paged_subtrees::~paged_subtrees() {
    if (memory_) upstream_.deallocate(memory_, memory_layout());
}

bool paged_subtrees::may_page_out(const tree_cell& cell) noexcept {
    if (cell.is_attribute || cell.type == value_type::paged_out) return false;
    if (cell.has_node()) return cell.node->size() != 0;
    return cell.has_text_block() && cell.text->size >= text_bytes_min;
}

result<void> paged_subtrees::page_out(document& in, tree_cell& at) noexcept {
    if (at.type == value_type::paged_out) return {};
    if (!pages_) return error("no cold_store was named (pages)");
    if (!memory_) return error("the document is not ready");
    if (!may_page_out(at)) return error("only containers with children and long texts are paged out");
    if ((at.has_node() ? at.node->refs() : at.text->refs) != 1)
        return error("a snapshot shares it: nothing would become free");
    char text[120];
    if (!free_) {
        std::snprintf(text, sizeof text, "%llu subtrees are paged out: more have no room (page_count_max)",
                      static_cast<unsigned long long>(count_));
        return error(text);
    }
    image_writer image{room()};
    const std::size_t size = image.write(at);
    if (image.problem) return error(image.problem);
    if (size == 0) {
        std::snprintf(text, sizeof text, "it takes more than %zu bytes (page_bytes_max)", bytes_max_);
        return error(text);
    }
    const result<cold_handle> block = pages_->put(room().first(size));
    if (!block) return block.error();

    tree_page& page = *free_;
    free_ = reinterpret_cast<tree_page*>(static_cast<std::uintptr_t>(page.handle));
    page.counted.refs = 1;
    page.handle = block->bits();
    page.bytes = size;
    tree_cell stub = at;
    stub.rank = static_cast<std::uint8_t>(at.type);
    stub.type = value_type::paged_out;
    stub.length = tree_cell::in_block;
    stub.text = &page.counted;
    in.store_->release(std::exchange(at, stub));
    ++count_;
    bytes_ += size;
    ++page_outs_;
    return {};
}

result<const tree_cell*> paged_subtrees::open(const tree_cell& at) noexcept {
    const tree_page& page = tree_page::of(at);
    const result<std::size_t> size = pages_->get(cold_handle::from_bits(page.handle), room());
    if (!size) return size.error();
    tree_cell* const found = *size == page.bytes ? link_image(room().first(*size)) : nullptr;
    if (!found || found->type != at.type_within())
        return error("the block in the cold_store is not that of a subtree");
    found->key = at.key;
    return found;
}

result<void> paged_subtrees::page_in(document& in, tree_cell& at) noexcept {
    const result<const tree_cell*> content = open(at);
    if (!content) return content.error();
    tree_cell made;
    if (!in.deep_copy(value(*content, in.store_), made, false)) return shortage_error();
    made.key = at.key;
    made.rank = 0;
    in.store_->release(std::exchange(at, made));
    ++page_ins_;
    return {};
}

void paged_subtrees::drop(tree_page& page) noexcept {
    lost_count_ += !pages_->erase(cold_handle::from_bits(page.handle));
    --count_;
    bytes_ -= page.bytes;
    page.handle = reinterpret_cast<std::uintptr_t>(free_);
    free_ = &page;
}

tree_cell* paged_subtrees::reach(document& in, path way, std::size_t depth) noexcept {
    if (!in.store_) return nullptr;
    tree_cell* at = &in.root_;
    path_cursor steps(way);
    for (path_step step; depth != 0 && steps.next(step); --depth) {
        const value child = step_into(value(at, in.store_), step.kind, step.position, step.text);
        if (!child) return nullptr;
        const std::ptrdiff_t place = tree_access::cell(child) - at->node->cells;
        if (!in.store_->unshare_node(*at)) return nullptr;
        at = at->node->cells + place;
    }
    return depth == 0 && at->type != value_type::none ? at : nullptr;
}

} // namespace allot::detail
