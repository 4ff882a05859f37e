// value_cell: what a tree is made of in memory: cells of 16 bytes, the headers of containers, texts.
//
// For the document layer alone. A value is one cell; the children of a container are contiguous cells in one block,
// so that a child is found by its number in O(1) and a walk reads memory in order. A container's header (16 bytes)
// lies in a slab of its tree_store, apart from its cells, and never moves: a handle to a container may keep its
// address, and the generation in it tells whether that container still lives.
// A block of cells is exactly as long as the container when it was built in one go; then nothing stands before the
// cells. One that grew, or has an index of its keys, is extended: a tree_extent stands before the cells, the index
// behind them.
// Headers and texts count who refers to them: more than one does where snapshots share them.
// Threads: compatible; counts are not atomic, a document and its snapshots belong to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace allot {

// What a value is. `none` is the answer where nothing is there; no tree contains it.
enum class value_type : std::uint8_t {
    none,
    null,
    boolean,
    integer,          // a signed one, exact
    unsigned_integer, // one above the range of the signed, exact
    real,
    paged_out, // a subtree that a bounded_document keeps in its cold_store: see there
    text,
    array,
    object,
    element,     // of XML: a name, attributes, children
    comment,     // of XML, as the next two: a text
    cdata,       // a text that is written as a CDATA section
    instruction, // a target and a text
};

constexpr bool is_container(value_type type) noexcept {
    return type >= value_type::array && type <= value_type::element;
}
constexpr bool has_text(value_type type) noexcept {
    return type == value_type::text || type > value_type::element;
}

namespace detail {

// A name of its own, that is no key of the object it stands in.
constexpr bool has_own_name(value_type type) noexcept {
    return type == value_type::element || type == value_type::instruction;
}

struct tree_node;

// A text of more than 7 bytes. A zero follows its bytes. A tree_page (tree_page.hpp) begins like one.
struct tree_text {
    std::uint32_t refs;
    std::uint32_t size;

    char* bytes() noexcept { return reinterpret_cast<char*>(this + 1); }
    const char* bytes() const noexcept { return reinterpret_cast<const char*>(this + 1); }
    static constexpr std::size_t block_size(std::size_t size) noexcept {
        return sizeof(tree_text) + size + 1;
    }
};

struct tree_cell {
    static constexpr std::size_t inline_max = 7;
    static constexpr std::uint8_t in_block = 255; // length of a text that is a tree_text

    value_type type = value_type::none;
    std::uint8_t length = 0;   // of an inline text
    bool is_attribute = false; // of an element; they come before its children
    // When it was touched last, among those that may be paged out; where it is paged out, its value_type.
    std::uint8_t rank = 0;
    std::uint32_t key = 0; // the symbol of a member's key, an element's or attribute's name, a target; or 0
    union {
        std::int64_t integer = 0;
        std::uint64_t unsigned_integer;
        double real;
        bool boolean;
        char chars[8]; // ends in a zero
        tree_text* text;
        tree_node* node;
    };

    bool has_node() const noexcept { return is_container(type); }
    value_type type_within() const noexcept {
        return type == value_type::paged_out ? static_cast<value_type>(rank) : type;
    }
    bool has_text_block() const noexcept { return length == in_block; }
    std::string_view view() const noexcept {
        return has_text_block() ? std::string_view(text->bytes(), text->size)
                                : std::string_view(chars, length);
    }
};
static_assert(sizeof(tree_cell) == 16);

// Before the cells of an extended block.
struct tree_extent {
    std::uint32_t capacity;    // cells
    std::uint32_t index_slots; // a power of two; 0: no index
    std::uint32_t unused[2];   // it is as large as a cell, whose room it can take
};

// The header of a container.
struct tree_node {
    static constexpr std::uint32_t size_max = (1u << 30) - 1;
    static constexpr std::uint32_t extended = 1u << 30;
    static constexpr std::uint32_t refs_max = (1u << 20) - 1;

    tree_cell* cells; // of a free header: the next free one
    std::uint32_t size_bits;
    std::uint32_t refs_bits; // refs, and the generation above them

    std::uint32_t size() const noexcept { return size_bits & size_max; }
    void set_size(std::uint32_t size) noexcept { size_bits = (size_bits & extended) | size; }
    bool is_extended() const noexcept { return (size_bits & extended) != 0; }
    tree_extent* extent() const noexcept { return reinterpret_cast<tree_extent*>(cells) - 1; }
    std::uint32_t capacity() const noexcept { return is_extended() ? extent()->capacity : size(); }
    std::uint32_t index_slots() const noexcept { return is_extended() ? extent()->index_slots : 0; }
    // Of each key its child's number + 1; 0 is empty.
    std::uint32_t* index() const noexcept {
        return reinterpret_cast<std::uint32_t*>(cells + extent()->capacity);
    }
    std::uint32_t refs() const noexcept { return refs_bits & refs_max; }
    std::uint32_t generation() const noexcept { return refs_bits >> 20; }

    // How many of the cells are attributes.
    std::uint32_t attribute_count() const noexcept {
        std::uint32_t count = 0;
        while (count != size() && cells[count].is_attribute) ++count;
        return count;
    }
    static std::uint32_t slot_of(std::uint32_t key, std::uint32_t slots) noexcept {
        return static_cast<std::uint32_t>((std::uint64_t{key * 0x9E3779B1u} * slots) >> 32);
    }
    static constexpr std::uint32_t nowhere = static_cast<std::uint32_t>(-1);
    // The first child from `from` on that has this key; nowhere if there is none.
    std::uint32_t position_of(std::uint32_t key, std::uint32_t from = 0) const noexcept {
        if (const std::uint32_t slots = index_slots(); slots != 0) return indexed_position_of(key, slots);
        for (std::uint32_t at = from; at != size(); ++at)
            if (cells[at].key == key) return at;
        return nowhere;
    }
    std::uint32_t indexed_position_of(std::uint32_t key, std::uint32_t slots) const noexcept {
        for (std::uint32_t slot = slot_of(key, slots);; slot = (slot + 1) & (slots - 1)) {
            const std::uint32_t entry = index()[slot];
            if (entry == 0) return nowhere;
            if (cells[entry - 1].key == key) return entry - 1;
        }
    }
};
static_assert(sizeof(tree_node) == 16);

} // namespace detail
} // namespace allot
