#include <allot/document/xml_tree.hpp>

#include <algorithm>
#include <cstring>

namespace allot::detail {

xml_tree::~xml_tree() {
    while (count_ != 0) store_->release(cells_[--count_]);
    if (cells_) store_->give_back(cells_, capacity_ * sizeof(tree_cell));
}

bool xml_tree::grow() noexcept {
    if (!store_) return false;
    if (capacity_ > tree_node::size_max / 2) return store_->refuse(capacity_ * sizeof(tree_cell));
    const std::uint32_t capacity = std::max(capacity_ * 2, 64u);
    auto* const grown = static_cast<tree_cell*>(store_->take(capacity * sizeof(tree_cell)));
    if (!grown) return false;
    if (cells_) {
        std::memcpy(static_cast<void*>(grown), cells_, count_ * sizeof(tree_cell));
        store_->give_back(cells_, capacity_ * sizeof(tree_cell));
    }
    cells_ = grown;
    capacity_ = capacity;
    return true;
}

bool xml_tree::end() noexcept {
    const std::uint32_t size = count_ - first_;
    if (size == 0 && count_ == capacity_ && !grow()) return false;
    tree_node* const node = store_->make_node(size);
    if (!node) return false;
    for (std::uint32_t at = 0; at != size; ++at) node->cells[at] = cells_[first_ + at];
    const element ended = open_.pop();
    cells_[first_] = {.type = value_type::element, .key = ended.name, .node = node};
    count_ = first_ + 1;
    first_ = ended.first_above;
    return true;
}

void xml_tree::commit() noexcept {
    count_ = 0;
    into_.replace_root(cells_[0]);
}

} // namespace allot::detail
