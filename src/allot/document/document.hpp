// document: a tree of values that owns its memory, is edited in place and snapshot in O(1).
//
// Use it for what has no type in the program: configurations, messages, an agent's memory, JSON and XML. For what
// has one take its struct. Built in an arena (upstream = &arena) its end is O(1); over a pool or malloc every edit
// gives back what it frees. To fill it from a text: json.hpp, xml.hpp; to build it in one go: document_builder; to
// find by paths: path.hpp.
// root() is read; edit() gives a `node`, a handle to a container by which it is changed. Every edit is strong: where
// it answers false, for shortage or because there is no such place, the tree is as it was; on shortage
// last_refusal() says who refused. A container has one parent.
// A handle stays valid while its container lives, however its parents and siblings change. It is refused (edits
// answer false, reads are empty) once the container was erased, replaced or had its whole document cleared or
// assigned, and after a snapshot(): take handles anew then. Told by a generation of 12 bits: a handle kept
// while its container's 16 bytes were used a multiple of 4096 times again can be mistaken. A handle may not be used
// after its document's end.
// snapshot() is a document of its own that shares everything; an edit of either then copies the containers on its
// way, and nothing else, when edit() goes down to them. Restoring is assigning: doc = old.snapshot().
// Owns the tree and, unless one is lent, the interner of its keys. Borrows upstream, which outlives it.
// Threads: compatible; a document and its snapshots together belong to one thread.
// Cost: 16 bytes a value, 16 more a container, 9 more and the bytes a text above 7 bytes. append O(1), insert and
// erase by index O(siblings behind), move in addition the containers of what is moved (to refuse a cycle).
// Nothing recurses: depth is bounded by memory alone.
//
// Fatal:
//     document 'NAME': more than 1000000 snapshots
//     document 'NAME': ends with N blocks of M bytes that no value refers to   (level on: a builder outlives it)
//
//     document memory({.name = "agent", .limit_bytes = mebibytes(1)});
//     (void)memory.set_root(content::object());
//     node root = memory.edit();
//     (void)root.set("role", "reviewer");
//     (void)root.set("thoughts", content::array());
//     (void)root.edit("thoughts").push_back("read the header first");
//     document before = memory.snapshot();
//     (void)memory.edit().edit("thoughts").erase(0);
//     assert(memory.root()["thoughts"].size() == 0 && before.root()["thoughts"].size() == 1);
#pragma once

#include <allot/document/tree_store.hpp>
#include <allot/document/value.hpp>
#include <allot/source/default_source.hpp>
#include <concepts>

namespace allot {

class document;
namespace detail {
class json_tree;
class xml_tree;
}

// What an edit puts somewhere: a scalar, a text, an empty container, or a deep copy of a value of any document.
// Borrows texts and values until the edit is done.
class content {
public:
    content(std::nullptr_t = nullptr) noexcept { cell_.type = value_type::null; }
    content(std::same_as<bool> auto truth) noexcept {
        cell_.type = value_type::boolean;
        cell_.boolean = truth;
    }
    template <std::integral T>
        requires(!std::same_as<T, bool> && sizeof(T) <= 8)
    content(T number) noexcept {
        const bool is_large = number > T{} && static_cast<std::uint64_t>(number) >> 63 != 0;
        cell_.type = is_large ? value_type::unsigned_integer : value_type::integer;
        if (is_large)
            cell_.unsigned_integer = static_cast<std::uint64_t>(number);
        else
            cell_.integer = static_cast<std::int64_t>(number);
    }
    content(std::floating_point auto number) noexcept {
        cell_.type = value_type::real;
        cell_.real = static_cast<double>(number);
    }
    content(std::string_view text) noexcept : text_(text) { cell_.type = value_type::text; }
    content(const char* text) noexcept : content(std::string_view(text)) {}
    content(value copied) noexcept : copied_(copied) {} // an empty value is refused

    static content array() noexcept { return content(value_type::array, {}, {}); }
    static content object() noexcept { return content(value_type::object, {}, {}); }
    // Stand at the root, in arrays and in elements.
    static content element(std::string_view name) noexcept { return content(value_type::element, name, {}); }
    static content comment(std::string_view text) noexcept { return content(value_type::comment, {}, text); }
    static content cdata(std::string_view text) noexcept { return content(value_type::cdata, {}, text); }
    static content instruction(std::string_view target, std::string_view text) noexcept {
        return content(value_type::instruction, target, text);
    }

    bool is_text() const noexcept { return cell_.type == value_type::text || copied_.is_text(); }
    std::string_view text() const noexcept { // of a text; else empty
        return copied_.is_text() ? copied_.as_text() : is_text() ? text_ : std::string_view();
    }
    // Where the value or the text that it borrows is; nullptr where it borrows none.
    const void* borrowed() const noexcept {
        return copied_ ? static_cast<const void*>(detail::tree_access::cell(copied_)) : text_.data();
    }

private:
    friend class document;
    friend class node;

    content(value_type type, std::string_view name, std::string_view text) noexcept
        : text_(text), name_(name) {
        cell_.type = type;
    }

    detail::tree_cell cell_;
    std::string_view text_ = {};
    std::string_view name_ = {};
    value copied_ = {};
};

// A handle to a container of a document. Indices are those of children; attributes are apart.
class node {
public:
    static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

    constexpr node() noexcept = default; // of nothing: refused everywhere
    explicit operator bool() const noexcept { return is_live(); }
    bool is_live() const noexcept;

    // Reads; empty through a handle that is not live.
    value_type type() const noexcept { return is_live() ? type_ : value_type::none; }
    std::size_t size() const noexcept { return children().size(); }
    value operator[](std::size_t index) const noexcept { return children()[index]; }
    value find(symbol key) const noexcept;
    value find(std::string_view key) const noexcept;
    std::size_t index_of(symbol key) const noexcept; // nowhere
    std::size_t index_of(std::string_view key) const noexcept;
    value_range children() const noexcept;
    value_range attributes() const noexcept;

    // A child that is a container; not live where there is none, or on shortage (a shared one is copied).
    node edit(std::size_t index) noexcept;
    node edit(symbol key) noexcept;
    node edit(std::string_view key) noexcept;

    // Replaces a child; its key stays.
    [[nodiscard]] bool set(std::size_t index, const content& what) noexcept;
    // Of an object: replaces the member, or adds it behind the others.
    [[nodiscard]] bool set(symbol key, const content& what) noexcept;
    [[nodiscard]] bool set(std::string_view key, const content& what) noexcept;
    // Before the child `index`, or behind the last one. Into an object with a key that it does not have yet.
    [[nodiscard]] bool insert(std::size_t index, const content& what) noexcept;
    [[nodiscard]] bool insert(std::size_t index, std::string_view key, const content& what) noexcept;
    [[nodiscard]] bool insert(std::size_t index, symbol key, const content& what) noexcept;
    [[nodiscard]] bool push_back(const content& what) noexcept { return insert(size(), what); }
    bool erase(std::size_t index) noexcept;
    bool erase(symbol key) noexcept { return erase(index_of(key)); }
    bool erase(std::string_view key) noexcept { return erase(index_of(key)); }
    bool clear() noexcept; // children and attributes

    // Moves child `from_index` of `from` here; handles into it stay valid. Refused where `from` is of another document
    // or this container lies in what would be moved. Into an object with a key that it does not have yet.
    [[nodiscard]] bool take(std::size_t index, node from, std::size_t from_index) noexcept;
    [[nodiscard]] bool take(std::size_t index, std::string_view key, node from,
                            std::size_t from_index) noexcept;
    // Two children change places, keys stay. Refused where one contains the other.
    [[nodiscard]] bool swap(std::size_t index, node other, std::size_t other_index) noexcept;

    // Of an element.
    [[nodiscard]] bool set_attribute(std::string_view name, std::string_view text) noexcept;
    bool erase_attribute(std::string_view name) noexcept;

private:
    friend class document;

    node(document* owner, detail::tree_node* at, value_type type) noexcept;
    std::uint32_t first_child() const noexcept {
        return type_ == value_type::element ? at_->attribute_count() : 0;
    }
    detail::tree_cell* child(std::size_t index) const noexcept; // nullptr
    bool insert_cell(std::size_t index, std::uint32_t key, const content& what) noexcept;
    bool take_cell(std::size_t index, std::uint32_t key, node from, std::size_t from_index) noexcept;
    bool admits(value_type type) const noexcept;

    document* owner_ = nullptr;
    detail::tree_node* at_ = nullptr;
    std::uint32_t epoch_ = 0;
    std::uint16_t generation_ = 0;
    value_type type_ = value_type::none;
};

class document {
public:
    // Takes nothing yet.
    explicit document(const document_options& options = {}) noexcept : options_(options) {}
    document(document&& from) noexcept;
    document& operator=(document&& from) noexcept;
    document(const document&) = delete;
    document& operator=(const document&) = delete;
    ~document() { clear(); }

    value root() const noexcept { return root_.type == value_type::none ? value() : value(&root_, store_); }
    // Of a root that is a container; not live otherwise, or on shortage.
    node edit() noexcept;
    [[nodiscard]] bool set_root(const content& what) noexcept;
    // Everything goes, the document's own keys too; snapshots stay. Where upstream is bulk_free and no snapshot is
    // left nothing is given back: it goes with upstream, which may be reset then.
    void clear() noexcept;

    // Shares everything, allocates nothing. Handles of this document are refused from then on.
    // Expects: at most 1,000,000 of them at a time.
    [[nodiscard]] document snapshot() noexcept;

    // A key for look-ups by symbol; none on shortage.
    [[nodiscard]] symbol try_intern(std::string_view key) noexcept;
    symbol find_key(std::string_view key) const noexcept; // none where no document of this interner has it
    std::string_view key_text(symbol key) const noexcept;

    // live: what is taken from upstream, the document's own keys included, snapshots too. Exact.
    allot::usage usage() const noexcept;
    const allot::name& name() const noexcept { return options_.name; }
    memory_source& upstream() const noexcept {
        return options_.upstream ? *options_.upstream : default_source();
    }
    // Aborts where an invariant does not hold. Cost: O(values).
    void check() const noexcept;

private:
    friend class node;
    friend class document_builder;
    friend class detail::paged_subtrees;
    friend class detail::json_tree;
    friend class detail::xml_tree;

    detail::tree_store* have_store() noexcept; // nullptr on shortage
    void replace_root(detail::tree_cell cell) noexcept;
    bool make_cell(const content& what, detail::tree_cell& cell) noexcept;
    bool deep_copy(value from, detail::tree_cell& cell, bool shares_texts = true) noexcept;

    document_options options_;
    detail::tree_store* store_ = nullptr;
    detail::tree_cell root_ = {};
    std::uint32_t epoch_ = 1;
    std::uint64_t refused_count_ = 0; // of handles that are not live, and places that are not there
};

inline bool node::is_live() const noexcept {
    return owner_ && owner_->epoch_ == epoch_ && at_->generation() == generation_;
}

} // namespace allot
