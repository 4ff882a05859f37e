// value_at, find_at, set_at, erase_at: what a path leads to in a document's tree: read, set, erase.
//
// Use them for single places that text names. For a way that is gone often take compiled_path; in a loop over children
// value's own calls; to build a whole tree document_builder. What stands below a place: value_at(…).children().
// Own nothing; a value that they answer is valid as value.hpp says.
// Threads: as the document.
// Cost: one look-up in the interner and one in its container for each name, however many siblings there are (B44); an
// index is an addition. Reading allocates nothing. An edit goes down twice: first it looks, then it changes.
//
// set_at replaces what the last step leads to, whatever that was, or adds it. It creates what is missing on the way:
// an array where the next step is in brackets, which must be [0] or [-] then, else an object. [-], and the index
// behind the last item, append. It goes through containers alone: a text or null on the way is an error. XML
// elements are not created: in one the last step is an attribute, a child's index, or what is there.
// On an error, a shortage half-way too, the tree is as it was; a new key may stay in the interner.
// A value of the same document as what is set is copied after the way to the place was made: give one only where
// nothing is missing on the way and no snapshot shares the tree; else take a copy of it into another document first.
//
// Errors:
//     path 'a.b.c', column 3: nothing is there
//     path 'a.b.c', column 5: what stands before it is a text
//     path 'a[7]', column 2: the array has 2 items
//     path 'a.b', column 3: out of memory: …                       (a shortage: shortage_error())
//
//     document memory({.name = "agent"});
//     assert(set_at(memory, "agent.notes[0].text", "read the header first"));
//     assert(set_at(memory, "agent.notes[-].text", "then the test"));
//     assert(value_at(memory.root(), "agent.notes[1].text").as_text() == "then the test");
//     assert(value_at(memory.root(), json_pointer("/agent/notes")).size() == 2);
//     assert(!value_at(memory.root(), "agent.mood"));
//     assert(!set_at(memory, "agent.notes.text", "") && !set_at(memory, "agent.notes[5]", ""));
//     assert(erase_at(memory, "agent.notes[0]").value() && !erase_at(memory, "agent.mood").value());
#pragma once

#include <allot/document/document.hpp>
#include <allot/document/path.hpp>

namespace allot {

namespace detail {

// Key is a text or a symbol. A position that is none is beyond every container.
template <class Key>
value step_into(value from, path_step::step_kind kind, std::uint64_t position, Key key) noexcept {
    if (kind == path_step::attribute) return from.attribute(key);
    if (kind == path_step::name) {
        if (from.is_object()) return from.find(key);
        if (from.is_element())
            if (const value child = from.find(key)) return child;
    }
    return from.is_array() || from.is_element() ? from[static_cast<std::size_t>(position)] : value();
}

} // namespace detail

// Empty where nothing is there, and where the path does not follow its grammar.
value value_at(value from, path way) noexcept;
// With the reason where nothing is there.
result<value> find_at(value from, path way) noexcept;

result<void> set_at(document& in, path way, const content& what) noexcept;
// False where nothing was there. The root is not erased by a path: that is an error.
result<bool> erase_at(document& in, path way) noexcept;

} // namespace allot
