// save_texts, load_texts: an interner's texts in a byte_store. The format is docs/format/interner.md.
//
// Inner part of interner and concurrent_interner. Nothing of the file is believed: all of it is read and
// checked before the first text goes into the table, and again while they go in.
// Threads: save_texts beside whoever inserts; load_texts as interner_table::insert.
// Cost: save takes a block as large as the file from the table's upstream, load one as large as the longest
// text and 4 KiB.
//
//     if (auto saved = detail::save_texts(table, store); !saved) return saved;
#pragma once

#include <allot/core/byte_store.hpp>
#include <allot/structure/interner_table.hpp>

namespace allot::detail {

result<void> save_texts(const interner_table& table, byte_store& to) noexcept;
result<void> load_texts(interner_table& table, byte_store& from) noexcept;

} // namespace allot::detail
