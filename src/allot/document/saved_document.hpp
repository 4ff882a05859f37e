// save_document, load_document: a tree in a byte_store, whole: after a crash at any moment the old one or the new.
//
// Use them with a platform/file_store for what must be there after a restart. For many parts that change one at a
// time take durable blocks of a cold_store; to hand a tree to others json_writer.
// The form is JSON behind the header of core/saved_bytes.hpp, of kind "JSON": a file that is torn, cut, of something
// else or newer is an error that says so, and the document stays as it was.
// Owns nothing. Borrows all; what it works with comes from `work` and goes back (and what simdjson takes, see
// json_reader.hpp).
// Threads: as the tree's document and the store.
// Cost: write_json or read_json, a checksum, and one replace() or read_at() of all bytes.
//
// Errors: those of write_json and read_json, of saved bytes, and of the store. A tree that JSON cannot say (elements of
// XML, an infinity) is refused before anything is written.
//
//     document memory({.name = "agent"});
//     (void)memory.set_root("the first state");
//     if (auto done = save_document(store, memory.root()); !done) return done.error();
//     (void)memory.set_root("another");
//     if (auto done = load_document(store, memory); !done) return done.error();
//     assert(memory.root().as_text() == "the first state");
#pragma once

#include <allot/core/byte_store.hpp>
#include <allot/document/json_reader.hpp>

namespace allot {

result<void> save_document(byte_store& store, value tree, memory_source& work = default_source()) noexcept;
// Replaces the document's tree, or leaves it as it was.
result<void> load_document(byte_store& store, document& into, memory_source& work = default_source(),
                           const json_read_options& limits = {}) noexcept;

} // namespace allot
