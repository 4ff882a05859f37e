#include <algorithm>
#include <allot/document/document_builder.hpp>
#include <allot/source/default_source.hpp>
#include <cstring>
#include <utility>

namespace allot {

using detail::tree_cell;
using detail::tree_node;
using detail::tree_store;

document_builder::document_builder(document& target, duplicate_keys duplicates) noexcept
    : target_(target),
      store_(target.have_store()),
      duplicates_(duplicates),
      next_(&root_),
      limit_(&root_ + 1),
      outer_(target.options_.upstream ? *target.options_.upstream : default_source()) {
    if (!store_) fail();
}

document_builder::~document_builder() { reset(); }

symbol document_builder::intern(std::string_view text) noexcept {
    return failed_ ? symbol() : store_->try_intern(text);
}

// Writes down where the open container is, which the pointers know.
void document_builder::save() noexcept {
    if (depth_ == 0) return;
    if (top_.node)
        top_.written = static_cast<std::uint32_t>(next_ - top_.node->cells);
    else
        gathered_count_ = static_cast<std::uint32_t>(next_ - gathered_);
}

void document_builder::restore() noexcept {
    if (depth_ == 0) {
        next_ = &root_;
        limit_ = &root_ + 1;
    } else if (top_.node) {
        next_ = top_.node->cells + top_.written;
        limit_ = top_.node->cells + top_.node->size();
    } else {
        next_ = gathered_ + gathered_count_;
        limit_ = gathered_ + gathered_capacity_;
    }
}

bool document_builder::fail() noexcept {
    if (!failed_) save();
    failed_ = true;
    next_ = limit_ = nullptr;
    return false;
}

void document_builder::reset() noexcept {
    if (!failed_) save();
    if (store_) {
        for (; depth_ != 0; --depth_, top_ = outer_.pop()) {
            if (!top_.node) continue;
            for (std::uint32_t at = top_.written; at != top_.node->size(); ++at) top_.node->cells[at] = {};
            store_->release({.type = top_.type, .node = top_.node});
        }
        while (gathered_count_ != 0) store_->release(gathered_[--gathered_count_]);
        store_->release(std::exchange(root_, {}));
        if (gathered_) store_->give_back(gathered_, gathered_capacity_ * sizeof(tree_cell));
    }
    gathered_ = nullptr;
    gathered_capacity_ = 0;
    key_ = 0;
    duplicate_ = {};
    failed_ = store_ == nullptr;
    top_ = {};
    if (!failed_) restore();
}

bool document_builder::make_room() noexcept {
    if (failed_) return false;
    ALLOT_CHECK(depth_ != 0, "document_builder '", target_.name().view(), "': a second root");
    ALLOT_CHECK(!top_.node, "document_builder '", target_.name().view(), "': more than ", top_.node->size(),
                " children in a container of ", top_.node->size());
    if (depth_ == 0 || top_.node || gathered_capacity_ > tree_node::size_max / 2) return fail();
    save();
    const std::uint32_t capacity = std::max(gathered_capacity_ * 2, 64u);
    auto* grown = static_cast<tree_cell*>(store_->take(capacity * sizeof(tree_cell)));
    if (!grown) return fail();
    if (gathered_) {
        std::memcpy(static_cast<void*>(grown), gathered_, gathered_count_ * sizeof(tree_cell));
        store_->give_back(gathered_, gathered_capacity_ * sizeof(tree_cell));
    }
    gathered_ = grown;
    gathered_capacity_ = capacity;
    restore();
    return true;
}

void document_builder::fatal_place(const tree_cell& cell) const noexcept {
    ALLOT_EXPECT(detail::has_own_name(cell.type), "document_builder '", target_.name().view(),
                 "': a value without a key in an object");
    ALLOT_EXPECT(false, "document_builder '", target_.name().view(), "': an element in an object");
}

bool document_builder::begin(value_type type, std::uint32_t name, std::size_t count) noexcept {
    if (next_ == limit_ && !make_room()) return false;
    tree_cell own{.type = type, .key = key_, .integer = 0};
    if constexpr (checks >= check_level::on) check_place(own);
    frame inner{.key = type == value_type::element ? name : key_, .type = type};
    if (type == value_type::element && name == 0) return fail();
    if (count != unknown) {
        if (count > tree_node::size_max / 2) {
            store_->refuse(count);
            return fail();
        }
        const auto size = static_cast<std::uint32_t>(count);
        inner.node =
            store_->make_node(size, size, type == value_type::object && size >= tree_store::indexed_from);
        if (!inner.node) return fail();
    }
    save();
    if (!outer_.try_push(top_)) {
        if (inner.node) store_->free_node(inner.node);
        return fail();
    }
    key_ = 0;
    ++depth_;
    inner.first = gathered_count_;
    top_ = inner;
    restore();
    return true;
}

bool document_builder::end() noexcept {
    if (failed_) return false;
    ALLOT_CHECK(depth_ != 0, "document_builder '", target_.name().view(), "': end() of nothing");
    ALLOT_CHECK(key_ == 0, "document_builder '", target_.name().view(), "': a key without a value");
    save();
    tree_node* node = top_.node;
    if (!node) {
        const std::uint32_t size = gathered_count_ - top_.first;
        node = store_->make_node(size, size,
                                 top_.type == value_type::object && size >= tree_store::indexed_from);
        if (!node) return fail();
        if (size != 0)
            std::memcpy(static_cast<void*>(node->cells), gathered_ + top_.first, size * sizeof(tree_cell));
        gathered_count_ = top_.first;
        top_.node = node;
        top_.written = size;
    } else if (top_.written != node->size()) {
        store_->trim(node, top_.written);
    }
    restore();
    if (top_.type == value_type::object) {
        duplicate_ = store_->settle_keys(node, duplicates_);
        if (duplicate_) return fail();
    }
    const tree_cell own{.type = top_.type, .key = top_.key, .node = node};
    --depth_;
    top_ = outer_.pop();
    restore();
    *next_++ = own;
    if (depth_ == 0) limit_ = next_;
    return true;
}

bool document_builder::key(symbol key) noexcept {
    if (failed_) return false;
    ALLOT_CHECK(top_.type == value_type::object && key_ == 0, "document_builder '", target_.name().view(),
                "': a key outside an object");
    if (!key) return fail();
    key_ = key.value();
    return true;
}

bool document_builder::put_text(value_type type, std::uint32_t name, std::string_view text) noexcept {
    if (next_ == limit_ && !make_room()) return false;
    tree_cell cell{.type = type, .key = key_, .integer = 0};
    if constexpr (checks >= check_level::on) check_place(cell);
    if (type == value_type::instruction) {
        if (name == 0) return fail();
        cell.key = name;
    }
    if (!store_->make_text(cell, text)) return fail();
    key_ = 0;
    *next_++ = cell;
    return true;
}

bool document_builder::attribute(symbol name, std::string_view text) noexcept {
    if (next_ == limit_ && !make_room()) return false;
    if (!name) return fail();
    tree_cell* first = top_.node ? top_.node->cells : gathered_ + top_.first;
    ALLOT_CHECK(top_.type == value_type::element && (first == next_ || next_[-1].is_attribute),
                "document_builder '", target_.name().view(),
                "': an attribute outside an element's beginning");
    tree_cell made{.type = value_type::text, .is_attribute = true, .key = name.value(), .integer = 0};
    tree_cell* known =
        std::find_if(first, next_, [name](const tree_cell& cell) { return cell.key == name.value(); });
    if (known != next_) {
        if (duplicates_ == duplicate_keys::first) return true;
        if (duplicates_ == duplicate_keys::refuse) {
            duplicate_ = name;
            return fail();
        }
    }
    if (!store_->make_text(made, text)) return fail();
    if (known != next_)
        store_->release(std::exchange(*known, made));
    else
        *next_++ = made;
    return true;
}

bool document_builder::commit() noexcept {
    if (failed_) return false;
    ALLOT_CHECK(depth_ == 0, "document_builder '", target_.name().view(), "': commit() with ", depth_,
                " open containers");
    ALLOT_CHECK(next_ == limit_, "document_builder '", target_.name().view(), "': commit() without a root");
    if (depth_ != 0 || next_ != limit_) return false;
    target_.replace_root(std::exchange(root_, {}));
    reset();
    return true;
}

} // namespace allot
