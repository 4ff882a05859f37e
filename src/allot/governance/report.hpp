// report: a ledger as a table of text: the tree of tags with bytes, blocks and shares.
//
// For people: a log, a debugging session. For programs take ledger::usage.
// Owns nothing.
// Threads: any; the numbers are read tag by tag while others write.
// Cost: a lock and a walk per tag. write_report() allocates nothing; a line is 160 bytes at most, longer tag
// paths are cut on the left.
// Columns: live and peak bytes, live blocks, allocations and frees ever, and the tag's share of all live
// bytes. A tag's numbers are its own, without its children's. "untagged" bears no tag: its line is what is
// not accounted for, and stands last, with its shares of bytes and of allocations. Tags that were never used
// are left out.
//
//     ledger books({.name = "app"});
//     account(books, tags::parse).enter(100);
//     std::string text = report(books);
#pragma once

#include <allot/governance/ledger.hpp>
#include <string>
#include <string_view>
#include <type_traits>

namespace allot {

std::string report(const ledger& books);

// One call per line, which ends in a newline.
void write_report(const ledger& books, void (*write)(void* to, std::string_view line), void* to) noexcept;

template <class Write>
    requires std::is_invocable_v<Write&, std::string_view>
void write_report(const ledger& books, Write&& write) {
    using callee = std::remove_reference_t<Write>;
    write_report(
        books, [](void* to, std::string_view line) { (*static_cast<callee*>(to))(line); },
        const_cast<void*>(static_cast<const void*>(&write)));
}

} // namespace allot
