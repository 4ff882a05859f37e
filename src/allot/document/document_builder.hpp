// document_builder: builds a document's tree in one go, from the root on, for parsers and generators.
//
// Use it where the whole tree is made in document order; to change one take document's node. Containers whose size
// is known beforehand are exactly as large and are filled in place; others are gathered first and then copied. A
// count may be too large, which wastes the room, but not too small.
// Nothing of the document changes before commit(), which puts the new tree in the old one's place: a builder that is
// dropped, or cannot go on, leaves the document as it was.
// On shortage a call answers false, and so does every later one: a parser may look at commit() alone. Keys go into
// the document's interner at once and stay there.
// Owns what is built until commit(). Borrows the document, which may not be edited meanwhile.
// Threads: compatible.
// Cost: no virtual call; a value is one cell written, a container two blocks, a long text one.
//
// Fatal (level on):
//     document_builder 'NAME': a value without a key in an object
//     document_builder 'NAME': an element in an object
//     document_builder 'NAME': a key outside an object
//     document_builder 'NAME': a key without a value
//     document_builder 'NAME': an attribute outside an element's beginning
//     document_builder 'NAME': end() of nothing
//     document_builder 'NAME': a second root
//     document_builder 'NAME': more than N children in a container of N
//     document_builder 'NAME': commit() without a root
//     document_builder 'NAME': commit() with N open containers
//
//     document numbers;
//     document_builder build(numbers);
//     build.begin_object(2);
//     build.key("unit");
//     build.text("ms");
//     build.key("samples");
//     build.begin_array(); // of a size that is not known
//     for (int i = 0; i != 100; ++i) build.integer(i);
//     build.end();
//     build.end();
//     if (!build.commit()) return last_refusal();
#pragma once

#include <allot/core/checks.hpp>
#include <allot/document/document.hpp>
#include <allot/document/tree_stack.hpp>

namespace allot {

class document_builder {
public:
    static constexpr std::size_t unknown = static_cast<std::size_t>(-1);

    explicit document_builder(document& target, duplicate_keys duplicates = duplicate_keys::last) noexcept;
    ~document_builder();
    document_builder(const document_builder&) = delete;
    document_builder& operator=(const document_builder&) = delete;

    bool begin_array(std::size_t count = unknown) noexcept { return begin(value_type::array, 0, count); }
    bool begin_object(std::size_t count = unknown) noexcept { return begin(value_type::object, 0, count); }
    // Attributes and children together; attributes come first.
    bool begin_element(symbol name, std::size_t count = unknown) noexcept {
        return begin(value_type::element, name.value(), count);
    }
    bool begin_element(std::string_view name, std::size_t count = unknown) noexcept {
        return begin_element(intern(name), count);
    }
    bool end() noexcept;

    bool key(symbol key) noexcept;
    bool key(std::string_view text) noexcept { return key(intern(text)); }
    symbol intern(std::string_view text) noexcept; // none on shortage

    bool null() noexcept { return put({.type = value_type::null, .integer = 0}); }
    bool boolean(bool truth) noexcept { return put({.type = value_type::boolean, .boolean = truth}); }
    bool integer(std::int64_t number) noexcept {
        return put({.type = value_type::integer, .integer = number});
    }
    // A small one becomes an integer.
    bool unsigned_integer(std::uint64_t number) noexcept {
        if (number >> 63 == 0) return integer(static_cast<std::int64_t>(number));
        return put({.type = value_type::unsigned_integer, .unsigned_integer = number});
    }
    bool real(double number) noexcept { return put({.type = value_type::real, .real = number}); }
    bool text(std::string_view text) noexcept { return put_text(value_type::text, 0, text); }
    bool comment(std::string_view text) noexcept { return put_text(value_type::comment, 0, text); }
    bool cdata(std::string_view text) noexcept { return put_text(value_type::cdata, 0, text); }
    bool instruction(std::string_view target, std::string_view text) noexcept {
        return put_text(value_type::instruction, intern(target).value(), text);
    }
    // Of the element that is open, before its children. Twice the same name: as duplicate_keys says.
    bool attribute(symbol name, std::string_view text) noexcept;
    bool attribute(std::string_view name, std::string_view text) noexcept {
        return attribute(intern(name), text);
    }

    // Containers that are open.
    std::size_t depth() const noexcept { return depth_; }
    bool has_failed() const noexcept { return failed_; }
    symbol duplicate_key() const noexcept { return duplicate_; } // none but after end() refused one
    // Puts the tree in place of the document's; false where anything failed, then nothing changed.
    // Expects: one root, no open container.
    [[nodiscard]] bool commit() noexcept;
    // Drops what is built; it can begin again.
    void reset() noexcept;

private:
    // An open container. Its children are written to its own cells, or gathered behind those of the ones around it.
    struct frame {
        detail::tree_node* node = nullptr; // nullptr: gathered
        std::uint32_t first = 0;           // gathered: where its children begin
        std::uint32_t written = 0;         // in place: so many, while a container inside it is open
        std::uint32_t key = 0;             // of its own cell
        value_type type = value_type::none;
    };

    bool begin(value_type type, std::uint32_t name, std::size_t count) noexcept;
    bool put(detail::tree_cell cell) noexcept {
        cell.key = key_;
        if (next_ == limit_ && !make_room()) return false;
        if constexpr (checks >= check_level::on) check_place(cell);
        key_ = 0;
        *next_++ = cell;
        return true;
    }
    bool put_text(value_type type, std::uint32_t name, std::string_view text) noexcept;
    bool make_room() noexcept; // where next_ == limit_
    bool fail() noexcept;
    void check_place(const detail::tree_cell& cell) const noexcept {
        if (top_.type == value_type::object && (cell.key == 0 || detail::has_own_name(cell.type)))
            [[unlikely]]
            fatal_place(cell);
    }
    [[noreturn, gnu::cold]] void fatal_place(const detail::tree_cell& cell) const noexcept;
    void save() noexcept;
    void restore() noexcept;

    document& target_;
    detail::tree_store* store_; // the document's; nullptr where there was no memory for one
    duplicate_keys duplicates_;
    bool failed_ = false;
    symbol duplicate_;
    std::uint32_t key_ = 0; // of the next value
    std::size_t depth_ = 0;
    detail::tree_cell* next_; // where the next value goes
    detail::tree_cell* limit_;
    frame top_ = {};
    detail::tree_cell root_ = {};
    detail::tree_stack<frame> outer_;
    detail::tree_cell* gathered_ = nullptr;
    std::uint32_t gathered_count_ = 0; // while the open container is built in place
    std::uint32_t gathered_capacity_ = 0;
};

} // namespace allot
