// value: one place of a document's tree, to be read: null, bool, number, text, array, object, XML element.
//
// Use it to read; it is two words that look into the tree and allocate nothing. To change a tree take document.hpp's
// node, to build one in one go document_builder. What is not there (no such member, index past the end) is an empty
// value: it is false, its type is none, and every question to it has an answer, so that x["a"]["b"][3] needs no test
// between.
// Objects keep the order of their members; keys are symbols of the document's interner. Numbers are exact: integer,
// unsigned_integer and real are three types, and as_int(), as_uint() and as_double() convert where nothing is lost
// but, for a double, digits.
// Of an XML element key() is the name, the children are elements and texts, attributes stand apart.
// Owns nothing, borrows the document. Valid until the next edit, clear or end of its document; a snapshot's values
// are valid as long as the snapshot.
// Threads: compatible: any number may read while none edits.
// Cost: a child by index is O(1); a member by symbol a scan of at most 32 keys, O(1) above; by text a look-up in the
// interner more.
//
//     document config;
//     (void)config.set_root(content::object());
//     (void)config.edit().set("retries", 3);
//     value root = config.root();
//     assert(root["retries"].as_int() == 3 && !root["colour"]);
//     for (value member : root.children()) use(member.key(), member);
#pragma once

#include <allot/document/value_cell.hpp>
#include <allot/structure/symbol.hpp>
#include <iterator>
#include <optional>

namespace allot {

class value;
class value_range;
class node;

namespace detail {
class tree_store;
class paged_subtrees;
struct tree_access;

// Of the interner of the store.
std::string_view key_text(const tree_store* store, std::uint32_t key) noexcept;
std::uint32_t find_key(const tree_store* store, std::string_view text) noexcept; // 0: nobody has it
} // namespace detail

class value {
public:
    constexpr value() noexcept = default;

    value_type type() const noexcept { return cell_ ? cell_->type : value_type::none; }
    explicit operator bool() const noexcept { return cell_ != nullptr; }
    // A subtree that is not in memory: it has no children here, and is no null. See bounded_document.
    bool is_paged_out() const noexcept { return type() == value_type::paged_out; }
    // What it is when it has come back; of all others their type().
    value_type type_within() const noexcept { return cell_ ? cell_->type_within() : value_type::none; }
    bool is_null() const noexcept { return type() == value_type::null; }
    bool is_bool() const noexcept { return type() == value_type::boolean; }
    bool is_integer() const noexcept {
        return type() == value_type::integer || type() == value_type::unsigned_integer;
    }
    bool is_number() const noexcept { return is_integer() || type() == value_type::real; }
    bool is_text() const noexcept { return type() == value_type::text; }
    bool is_array() const noexcept { return type() == value_type::array; }
    bool is_object() const noexcept { return type() == value_type::object; }
    bool is_element() const noexcept { return type() == value_type::element; }

    // `otherwise` where it is of another type, or a number that is no whole one or does not fit.
    bool as_bool(bool otherwise = false) const noexcept { return is_bool() ? cell_->boolean : otherwise; }
    std::int64_t as_int(std::int64_t otherwise = 0) const noexcept {
        if (type() == value_type::integer) return cell_->integer;
        const double real = type() == value_type::real ? cell_->real : 0.5;
        if (!(real >= -0x1p63 && real < 0x1p63)) return otherwise;
        const auto whole = static_cast<std::int64_t>(real);
        return static_cast<double>(whole) == real ? whole : otherwise;
    }
    std::uint64_t as_uint(std::uint64_t otherwise = 0) const noexcept {
        if (type() == value_type::unsigned_integer) return cell_->unsigned_integer;
        const std::int64_t whole = as_int(-1);
        return whole >= 0 ? static_cast<std::uint64_t>(whole) : otherwise;
    }
    double as_double(double otherwise = 0) const noexcept {
        switch (type()) {
        case value_type::real: return cell_->real;
        case value_type::integer: return static_cast<double>(cell_->integer);
        case value_type::unsigned_integer: return static_cast<double>(cell_->unsigned_integer);
        default: return otherwise;
        }
    }
    // Of a text, comment, cdata or instruction. A zero follows its bytes, but there may be zeros in it, too.
    std::string_view as_text(std::string_view otherwise = {}) const noexcept {
        return has_text(type()) ? cell_->view() : otherwise;
    }

    // Children; 0 for what is no container.
    std::size_t size() const noexcept {
        if (!is_container(type())) return 0;
        return cell_->node->size() - first_child();
    }
    value operator[](std::size_t index) const noexcept {
        return index < size() ? value(cell_->node->cells + first_child() + index, store_) : value();
    }
    value operator[](int index) const noexcept {
        return index < 0 ? value() : (*this)[static_cast<std::size_t>(index)];
    }
    // A member of an object, or the first child of an element that is an element of this name.
    value find(symbol key) const noexcept {
        const std::uint32_t bits = key.value();
        if (bits == 0 || (!is_object() && !is_element())) return {};
        const std::uint32_t at = cell_->node->position_of(bits, first_child());
        return at == detail::tree_node::nowhere ? value() : value(cell_->node->cells + at, store_);
    }
    value find(std::string_view key) const noexcept {
        return is_object() || is_element() ? find(symbol::from_value(detail::find_key(store_, key)))
                                           : value();
    }
    value operator[](symbol key) const noexcept { return find(key); }
    value operator[](std::string_view key) const noexcept { return find(key); }
    value operator[](const char* key) const noexcept { return find(std::string_view(key)); }
    value_range children() const noexcept;

    // Of an element.
    std::size_t attribute_count() const noexcept { return is_element() ? first_child() : 0; }
    value_range attributes() const noexcept;
    value attribute(symbol name) const noexcept {
        const std::size_t count = attribute_count();
        for (std::size_t at = 0; at != count; ++at)
            if (cell_->node->cells[at].key == name.value()) return value(cell_->node->cells + at, store_);
        return {};
    }
    value attribute(std::string_view name) const noexcept {
        return attribute_count() == 0 ? value()
                                      : attribute(symbol::from_value(detail::find_key(store_, name)));
    }

    // A member's key, an element's or attribute's name, an instruction's target; else none and empty.
    symbol key_symbol() const noexcept { return symbol::from_value(cell_ ? cell_->key : 0); }
    std::string_view key() const noexcept {
        return cell_ && cell_->key != 0 ? detail::key_text(store_, cell_->key) : std::string_view();
    }

    // Whether both look at the same place; for equal contents there is same_tree().
    friend bool operator==(const value&, const value&) = default;

private:
    friend class document;
    friend class document_builder;
    friend class node;
    friend class value_iterator;
    friend class value_range;
    friend class detail::paged_subtrees;
    friend struct detail::tree_access;

    value(const detail::tree_cell* cell, const detail::tree_store* store) noexcept
        : cell_(cell), store_(store) {}
    std::uint32_t first_child() const noexcept {
        return cell_->type == value_type::element ? cell_->node->attribute_count() : 0;
    }

    const detail::tree_cell* cell_ = nullptr;
    const detail::tree_store* store_ = nullptr;
};

namespace detail {
struct tree_access { // for what walks a tree faster than by values
    static const tree_cell* cell(value of) noexcept { return of.cell_; }
    static const tree_store* store(value of) noexcept { return of.store_; }
    static value make(const tree_cell* cell, const tree_store* store) noexcept { return {cell, store}; }
};
} // namespace detail

class value_iterator {
public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = value;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = value;

    value_iterator() noexcept = default;
    value operator*() const noexcept { return value(cell_, store_); }
    value_iterator& operator++() noexcept {
        ++cell_;
        return *this;
    }
    value_iterator operator++(int) noexcept {
        value_iterator before = *this;
        ++cell_;
        return before;
    }
    friend bool operator==(const value_iterator& a, const value_iterator& b) noexcept {
        return a.cell_ == b.cell_;
    }

private:
    friend class value_range;
    value_iterator(const detail::tree_cell* cell, const detail::tree_store* store) noexcept
        : cell_(cell), store_(store) {}
    const detail::tree_cell* cell_ = nullptr;
    const detail::tree_store* store_ = nullptr;
};

class value_range {
public:
    value_iterator begin() const noexcept { return {first_, store_}; }
    value_iterator end() const noexcept { return {first_ + count_, store_}; }
    std::size_t size() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }
    value operator[](std::size_t index) const noexcept {
        return index < count_ ? value(first_ + index, store_) : value();
    }

private:
    friend class value;
    friend class node;
    value_range(const detail::tree_cell* first, std::size_t count, const detail::tree_store* store) noexcept
        : first_(first), count_(count), store_(store) {}
    const detail::tree_cell* first_;
    std::size_t count_;
    const detail::tree_store* store_;
};

inline value_range value::children() const noexcept {
    const std::size_t count = size();
    return {count == 0 ? nullptr : cell_->node->cells + first_child(), count, store_};
}
inline value_range value::attributes() const noexcept {
    const std::size_t count = attribute_count();
    return {count == 0 ? nullptr : cell_->node->cells, count, store_};
}

// What a subtree takes. Cells of spare room count, keys do not: they are the interner's.
struct tree_size {
    std::uint64_t value_count = 0; // attributes included
    std::uint64_t text_bytes = 0;  // of all texts, the short ones that take no block included
    std::uint64_t bytes = 0;       // cells, headers, blocks of texts, indices; of the source
    std::uint32_t depth = 0;       // of a value without children: 1
    friend bool operator==(const tree_size&, const tree_size&) = default;
};

// A subtree that is paged out is one value without bytes, and equal to no other but itself.
// Both walk without recursion. Trees of at most 32 levels need no memory; deeper ones take a stack from the
// document's source, and nothing is answered where that is short.
std::optional<tree_size> measure(value root) noexcept;
// Equal types, contents, keys (as texts, where the documents differ) and order; a real equals its own bits alone.
std::optional<bool> same_tree(value a, value b) noexcept;

} // namespace allot
