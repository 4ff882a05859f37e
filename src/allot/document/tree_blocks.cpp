#include <algorithm>
#include <allot/core/poison.hpp>
#include <allot/document/tree_store.hpp>
#include <bit>
#include <cstring>
#include <new>

// The blocks of cells: how they grow, shrink and find keys.
namespace allot::detail {
namespace {

void mark_rest_dead(tree_node* node) noexcept {
    if (node->is_extended())
        allot::mark_dead(node->cells + node->size(),
                         (node->extent()->capacity - node->size()) * sizeof(tree_cell));
}

// False where the key is there already.
bool enter(const tree_node& node, std::uint32_t slots, std::uint32_t at) noexcept {
    const std::uint32_t key = node.cells[at].key;
    std::uint32_t* index = node.index();
    for (std::uint32_t slot = tree_node::slot_of(key, slots);; slot = (slot + 1) & (slots - 1)) {
        if (index[slot] == 0) {
            index[slot] = at + 1;
            return true;
        }
        if (node.cells[index[slot] - 1].key == key) return false;
    }
}

// What stands behind the slot and would not be found across the hole moves up.
void leave(const tree_node& node, std::uint32_t slots, std::uint32_t at) noexcept {
    std::uint32_t* index = node.index();
    std::uint32_t hole = tree_node::slot_of(node.cells[at].key, slots);
    while (index[hole] != at + 1) hole = (hole + 1) & (slots - 1);
    for (std::uint32_t slot = (hole + 1) & (slots - 1); index[slot] != 0; slot = (slot + 1) & (slots - 1)) {
        const std::uint32_t home = tree_node::slot_of(node.cells[index[slot] - 1].key, slots);
        if (((slot - home) & (slots - 1)) < ((slot - hole) & (slots - 1))) continue;
        index[hole] = index[slot];
        hole = slot;
    }
    index[hole] = 0;
}

} // namespace

std::uint32_t tree_store::slots_for(std::uint32_t capacity) noexcept {
    return std::bit_ceil(capacity + capacity / 3 + 1);
}

tree_cell* tree_store::make_cells(std::uint32_t capacity, std::uint32_t slots, bool extended) noexcept {
    void* memory = take(block_size(capacity, slots, extended));
    if (!memory) return nullptr;
    if (!extended) return static_cast<tree_cell*>(memory);
    auto* cells = reinterpret_cast<tree_cell*>(::new (memory) tree_extent{capacity, slots, {}} + 1);
    if (slots != 0) std::memset(static_cast<void*>(cells + capacity), 0, slots * sizeof(std::uint32_t));
    return cells;
}

bool tree_store::try_reserve(tree_node* node, bool is_object, std::uint32_t more) noexcept {
    const std::uint32_t size = node->size();
    if (more <= node->capacity() - size) return true;
    if (more > tree_node::size_max / 2 - size) return refuse(std::size_t{size} * sizeof(tree_cell));
    // Blocks of powers of two, with the extent in them.
    const std::uint32_t capacity = std::bit_ceil(std::max(size + more + 1, 4u)) - 1;
    const bool is_indexed = is_object && capacity >= indexed_from;
    tree_cell* cells = make_cells(capacity, is_indexed ? slots_for(capacity) : 0, true);
    if (!cells) return false;
    if (size != 0) std::memcpy(static_cast<void*>(cells), node->cells, size * sizeof(tree_cell));
    if (node->cells) give_back_cells(*node);
    node->cells = cells;
    node->size_bits = size | tree_node::extended;
    if (is_indexed) build_index(node);
    mark_rest_dead(node);
    return true;
}

void tree_store::give_back_cells(const tree_node& node) noexcept {
    const std::size_t bytes = block_size(node);
    std::byte* block = reinterpret_cast<std::byte*>(node.cells);
    if (node.is_extended()) block -= sizeof(tree_extent);
    allot::mark_live(block, bytes);
    give_back(block, bytes);
}

void tree_store::open_gap(tree_node* node, std::uint32_t at) noexcept {
    const std::uint32_t size = node->size();
    allot::mark_live(node->cells + size, sizeof(tree_cell));
    if (const std::uint32_t slots = node->index_slots(); slots != 0 && at != size)
        for (std::uint32_t slot = 0; slot != slots; ++slot) node->index()[slot] += node->index()[slot] > at;
    std::memmove(static_cast<void*>(node->cells + at + 1), node->cells + at, (size - at) * sizeof(tree_cell));
    node->set_size(size + 1);
}

void tree_store::enter_key(tree_node* node, std::uint32_t at) noexcept {
    if (const std::uint32_t slots = node->index_slots(); slots != 0) enter(*node, slots, at);
}

void tree_store::close_gap(tree_node* node, std::uint32_t at) noexcept {
    const std::uint32_t size = node->size();
    if (!node->is_extended()) {
        // The room of the cell that goes becomes the extent: what stood before it moves, and nothing is asked for.
        std::memmove(static_cast<void*>(node->cells + 1), node->cells, at * sizeof(tree_cell));
        ::new (static_cast<void*>(node->cells)) tree_extent{size - 1, 0, {}};
        ++node->cells;
        node->size_bits = (size - 1) | tree_node::extended;
        return;
    }
    if (const std::uint32_t slots = node->index_slots(); slots != 0) {
        leave(*node, slots, at);
        if (at != size - 1)
            for (std::uint32_t slot = 0; slot != slots; ++slot)
                node->index()[slot] -= node->index()[slot] > at + 1;
    }
    std::memmove(static_cast<void*>(node->cells + at), node->cells + at + 1,
                 (size - at - 1) * sizeof(tree_cell));
    node->set_size(size - 1);
    allot::mark_dead(node->cells + size - 1, sizeof(tree_cell));
}

void tree_store::trim(tree_node* node, std::uint32_t size) noexcept {
    const std::uint32_t room = node->size();
    if (size == room) return;
    if (!node->is_extended()) {
        // As in close_gap: one of the cells that go becomes the extent.
        std::memmove(static_cast<void*>(node->cells + 1), node->cells, size * sizeof(tree_cell));
        ::new (static_cast<void*>(node->cells)) tree_extent{room - 1, 0, {}};
        ++node->cells;
        node->size_bits = tree_node::extended;
    }
    node->set_size(size);
    mark_rest_dead(node);
}

bool tree_store::build_index(tree_node* node) noexcept {
    const std::uint32_t slots = node->index_slots();
    bool is_distinct = true;
    for (std::uint32_t at = 0; at != node->size(); ++at) is_distinct &= enter(*node, slots, at);
    return is_distinct;
}

symbol tree_store::settle_more_keys(tree_node* node, duplicate_keys policy) noexcept {
    if (node->index_slots() != 0 && build_index(node)) return {};
    const std::uint32_t size = node->size();
    std::uint32_t kept = 0;
    for (std::uint32_t at = 0; at != size; ++at) {
        const tree_cell cell = node->cells[at];
        const std::uint32_t first = node->position_of(cell.key);
        if (first == at) continue;
        if (policy == duplicate_keys::refuse) return symbol::from_value(cell.key);
        const bool takes_place = policy == duplicate_keys::last;
        release(takes_place ? node->cells[first] : cell);
        if (takes_place) node->cells[first] = cell;
        node->cells[at] = {.type = value_type::none, .key = cell.key, .integer = 0};
    }
    for (std::uint32_t at = 0; at != size; ++at)
        if (node->cells[at].type != value_type::none) node->cells[kept++] = node->cells[at];
    if (kept == size) return {};
    trim(node, kept);
    renew_index(node);
    return {};
}

void tree_store::renew_index(tree_node* node) noexcept {
    const std::uint32_t slots = node->index_slots();
    if (slots == 0) return;
    std::memset(static_cast<void*>(node->index()), 0, slots * sizeof(std::uint32_t));
    build_index(node);
}

bool tree_store::unshare_node(tree_cell& cell) noexcept {
    if (cell.node->refs() == 1) return true;
    tree_node* own = copy_node(*cell.node, cell.type == value_type::object);
    if (!own) return false;
    --cell.node->refs_bits;
    cell.node = own;
    return true;
}

void tree_store::check_node(const tree_node& node, value_type type) const noexcept {
    const auto expect = [this](bool holds, const char* what) {
        ALLOT_EXPECT(holds, "document '", name_.view(), "': ", what);
    };
    expect(node.refs() >= 1 && node.refs() <= sharers_ + 1, "a container has a wrong count of references");
    expect(node.size() <= node.capacity(), "a container has more children than room");
    const bool is_object = type == value_type::object;
    expect(!is_object || node.capacity() < indexed_from || node.index_slots() != 0, "an object has no index");
    if (const std::uint32_t slots = node.index_slots(); slots != 0) {
        const auto free_slots = std::count(node.index(), node.index() + slots, 0u);
        expect(slots - static_cast<std::uint32_t>(free_slots) == node.size(), "an index has too many keys");
    }
    const std::uint32_t attributes = type == value_type::element ? node.attribute_count() : 0;
    for (std::uint32_t at = 0; at != node.size(); ++at) {
        const tree_cell& cell = node.cells[at];
        expect(cell.type != value_type::none, "a cell is empty");
        expect(!cell.is_attribute || at < attributes, "an attribute stands behind a child");
        expect(!is_object || node.position_of(cell.key) == at, "a key is there twice, or its index is wrong");
        expect((cell.key != 0) == (is_object || cell.is_attribute || has_own_name(cell.type_within())),
               "a cell has a key where it should not, or none");
        expect(!cell.has_text_block() || (cell.text->refs != 0 && cell.text->bytes()[cell.text->size] == 0),
               "a text is broken");
    }
}

tree_node* tree_store::copy_node(const tree_node& from, bool is_object) noexcept {
    const std::uint32_t size = from.size();
    tree_node* made = make_node(size, size, is_object && size >= indexed_from);
    if (!made) return nullptr;
    if (size != 0) std::memcpy(static_cast<void*>(made->cells), from.cells, size * sizeof(tree_cell));
    for (std::uint32_t at = 0; at != size; ++at) retain(made->cells[at]);
    if (made->index_slots() != 0) build_index(made);
    return made;
}

} // namespace allot::detail
