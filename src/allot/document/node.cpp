#include <algorithm>
#include <allot/document/document.hpp>
#include <allot/document/tree_stack.hpp>
#include <cstring>
#include <optional>
#include <utility>

namespace allot {

using detail::tree_cell;
using detail::tree_node;
using detail::tree_store;

namespace {

// Whether `wanted` is `root` or lies below it; nothing where there is no memory to find out.
std::optional<bool> contains(memory_source& source, const tree_node* root, const tree_node* wanted) noexcept {
    detail::tree_stack<const tree_node*> rest(source);
    for (const tree_node* at = root;;) {
        if (at == wanted) return true;
        for (std::uint32_t i = 0; i != at->size(); ++i)
            if (at->cells[i].has_node() && !rest.try_push(at->cells[i].node)) return std::nullopt;
        if (rest.empty()) return false;
        at = rest.pop();
    }
}

bool may_move(memory_source& source, const tree_cell& moved, const tree_node* into) noexcept {
    return !moved.has_node() || contains(source, moved.node, into) == false;
}

} // namespace

node::node(document* owner, tree_node* at, value_type type) noexcept
    : owner_(owner),
      at_(at),
      epoch_(owner->epoch_),
      generation_(static_cast<std::uint16_t>(at->generation())),
      type_(type) {}

tree_cell* node::child(std::size_t index) const noexcept {
    if (!is_live()) return nullptr;
    const std::uint32_t first = first_child();
    return index < at_->size() - first ? at_->cells + first + index : nullptr;
}

bool node::admits(value_type type) const noexcept {
    return type_ != value_type::object || !detail::has_own_name(type);
}

// --- reading

value_range node::children() const noexcept {
    if (!is_live()) return {nullptr, 0, nullptr};
    const std::uint32_t first = first_child();
    return {at_->size() == first ? nullptr : at_->cells + first, at_->size() - first, owner_->store_};
}

value_range node::attributes() const noexcept {
    const std::uint32_t count = is_live() ? first_child() : 0;
    return {count == 0 ? nullptr : at_->cells, count, owner_ ? owner_->store_ : nullptr};
}

std::size_t node::index_of(symbol key) const noexcept {
    if (!is_live() || !key || type_ == value_type::array) return nowhere;
    const std::uint32_t first = first_child();
    const std::uint32_t at = at_->position_of(key.value(), first);
    return at == tree_node::nowhere ? nowhere : at - first;
}

std::size_t node::index_of(std::string_view key) const noexcept {
    return is_live() ? index_of(owner_->store_->find_key(key)) : nowhere;
}

value node::find(symbol key) const noexcept { return children()[index_of(key)]; }
value node::find(std::string_view key) const noexcept { return children()[index_of(key)]; }

node node::edit(std::size_t index) noexcept {
    tree_cell* cell = child(index);
    if (!cell || !cell->has_node() || !owner_->store_->unshare_node(*cell)) return {};
    return {owner_, cell->node, cell->type};
}

node node::edit(symbol key) noexcept { return edit(index_of(key)); }
node node::edit(std::string_view key) noexcept { return edit(index_of(key)); }

// --- changing

bool node::set(std::size_t index, const content& what) noexcept {
    if (!child(index)) return false;
    tree_cell made;
    if (!owner_->make_cell(what, made)) return false;
    tree_cell& place = *child(index);
    if (!admits(made.type_within())) {
        owner_->store_->release(made);
        return false;
    }
    if (type_ == value_type::object) made.key = place.key;
    owner_->store_->release(std::exchange(place, made));
    return true;
}

bool node::set(symbol key, const content& what) noexcept {
    const std::size_t index = index_of(key);
    return index == nowhere ? insert(size(), key, what) : set(index, what);
}

bool node::set(std::string_view key, const content& what) noexcept {
    return type() == value_type::object && set(owner_->store_->try_intern(key), what);
}

bool node::insert(std::size_t index, const content& what) noexcept {
    return type() != value_type::object && insert_cell(index, 0, what);
}

bool node::insert(std::size_t index, symbol key, const content& what) noexcept {
    return type() == value_type::object && key && index_of(key) == nowhere &&
           insert_cell(index, key.value(), what);
}

bool node::insert(std::size_t index, std::string_view key, const content& what) noexcept {
    return type() == value_type::object && index <= size() &&
           insert(index, owner_->store_->try_intern(key), what);
}

bool node::insert_cell(std::size_t index, std::uint32_t key, const content& what) noexcept {
    if (!is_live() || index > size()) return false;
    tree_cell made;
    if (!owner_->make_cell(what, made)) return false;
    tree_store& store = *owner_->store_;
    if (!admits(made.type_within()) || !store.try_reserve(at_, type_ == value_type::object)) {
        store.release(made);
        return false;
    }
    if (key != 0) made.key = key;
    const std::uint32_t at = first_child() + static_cast<std::uint32_t>(index);
    store.open_gap(at_, at);
    at_->cells[at] = made;
    store.enter_key(at_, at);
    return true;
}

bool node::erase(std::size_t index) noexcept {
    const tree_cell* cell = child(index);
    if (!cell) return false;
    const tree_cell gone = *cell;
    owner_->store_->close_gap(at_, static_cast<std::uint32_t>(cell - at_->cells));
    owner_->store_->release(gone);
    return true;
}

bool node::clear() noexcept {
    if (!is_live()) return false;
    for (std::uint32_t at = 0; at != at_->size(); ++at) owner_->store_->release(at_->cells[at]);
    if (at_->cells) owner_->store_->give_back_cells(*at_);
    at_->cells = nullptr;
    at_->size_bits = 0;
    return true;
}

bool node::take(std::size_t index, node from, std::size_t from_index) noexcept {
    return type() != value_type::object && take_cell(index, 0, from, from_index);
}

bool node::take(std::size_t index, std::string_view key, node from, std::size_t from_index) noexcept {
    if (type() != value_type::object || !from.child(from_index)) return false;
    const symbol made = owner_->store_->try_intern(key);
    const std::size_t known = index_of(made);
    const bool renames = from.at_ == at_ && known == from_index; // its own key is no obstacle
    return made && (known == nowhere || renames) && take_cell(index, made.value(), from, from_index);
}

bool node::take_cell(std::size_t index, std::uint32_t key, node from, std::size_t from_index) noexcept {
    const tree_cell* source = from.child(from_index);
    const bool is_here = from.at_ == at_;
    if (!source || from.owner_ != owner_ || index > size() - is_here || !admits(source->type_within()))
        return false;
    tree_store& store = *owner_->store_;
    const auto at = static_cast<std::uint32_t>(first_child() + index);
    const auto from_at = static_cast<std::uint32_t>(source - from.at_->cells);
    tree_cell moved = *source;
    if (key != 0 || !detail::has_own_name(moved.type_within())) moved.key = key;
    if (is_here) {
        tree_cell* cells = at_->cells;
        cells[from_at].key = moved.key;
        if (from_at < at)
            std::rotate(cells + from_at, cells + from_at + 1, cells + at + 1);
        else
            std::rotate(cells + at, cells + from_at, cells + from_at + 1);
        store.renew_index(at_);
        return true;
    }
    if (!may_move(store.upstream(), moved, at_)) return false;
    if (!store.try_reserve(at_, type_ == value_type::object)) return false;
    store.close_gap(from.at_, from_at);
    store.open_gap(at_, at);
    at_->cells[at] = moved;
    store.enter_key(at_, at);
    return true;
}

bool node::swap(std::size_t index, node other, std::size_t other_index) noexcept {
    tree_cell* a = child(index);
    tree_cell* b = other.child(other_index);
    if (!a || !b || owner_ != other.owner_ || !admits(b->type_within()) || !other.admits(a->type_within()))
        return false;
    memory_source& source = owner_->store_->upstream();
    if (at_ != other.at_ && !(may_move(source, *a, other.at_) && may_move(source, *b, at_))) return false;
    const std::uint32_t a_key = a->key;
    const std::uint32_t b_key = b->key;
    std::swap(*a, *b);
    const auto rekey = [](tree_cell& cell, value_type parent, std::uint32_t key) {
        if (parent == value_type::object)
            cell.key = key;
        else if (!detail::has_own_name(cell.type_within()))
            cell.key = 0;
    };
    rekey(*a, type_, a_key);
    rekey(*b, other.type_, b_key);
    return true;
}

bool node::set_attribute(std::string_view name, std::string_view text) noexcept {
    if (type() != value_type::element) return false;
    tree_store& store = *owner_->store_;
    tree_cell made = {.type = value_type::text, .is_attribute = true, .integer = 0};
    made.key = store.try_intern(name).value();
    if (made.key == 0 || !store.make_text(made, text)) return false;
    const std::uint32_t count = first_child();
    std::uint32_t at = 0;
    while (at != count && at_->cells[at].key != made.key) ++at;
    if (at != count) {
        store.release(std::exchange(at_->cells[at], made));
        return true;
    }
    if (!store.try_reserve(at_, false)) {
        store.release(made);
        return false;
    }
    store.open_gap(at_, at);
    at_->cells[at] = made;
    return true;
}

bool node::erase_attribute(std::string_view name) noexcept {
    if (type() != value_type::element) return false;
    const std::uint32_t key = owner_->store_->find_key(name).value();
    const std::uint32_t count = first_child();
    for (std::uint32_t at = 0; at != count; ++at) {
        if (at_->cells[at].key != key) continue;
        const tree_cell gone = at_->cells[at];
        owner_->store_->close_gap(at_, at);
        owner_->store_->release(gone);
        return true;
    }
    return false;
}

} // namespace allot
