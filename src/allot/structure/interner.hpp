// interner: each text once: equal texts get one symbol, and the symbol gives the text back.
//
// Use it where the same texts come again and again: keys of documents, identifiers of a compiler, tags,
// paths. Not for texts that mostly differ (an arena's copy() is smaller), for texts that go one by one (none
// is ever forgotten singly), and not for several threads: concurrent_interner.
// Owns copies of the texts and its tables. Borrows upstream. May not be moved.
// A view from resolve() stays valid and where it is until clear() or the end, and a zero stands behind it,
// for C.
// Texts are bytes: any, zeros too, and the empty one. Two texts with the same hash stay two (B33).
// Threads: compatible (one thread at a time); usage() and numbers() from any.
// Cost: a text takes itself and a zero, 8 bytes of entry and 11 to 21 of slots, in blocks of mostly 4 KiB. It
// grows without ever holding an old and a new table side by side: 73,620 identifiers (11 bytes on the average)
// take 2.6 MB at their peak. The first text takes 9.3 KiB. A hit hashes and reads one slot, one entry and the
// text; resolve() is three loads. Texts chosen to have equal hashes make it linear: bound input from outside
// by limit_bytes.
// Symbols from before a clear() are told apart for ever, others as symbol.hpp says. resolve() looks at check
// level on; contains() at every level.
//
// Fatal:
//     allot: fatal: interner 'NAME': symbol N is not of this interner, or from before clear()
//     allot: fatal: interner 'NAME': intern_many of N texts into N symbols [always]
//
//     interner names({.name = "names", .limit_bytes = mebibytes(1)});
//     names.preload(keywords::python);
//     symbol first = names.intern("request");
//     symbol again = names.intern(std::string("req") + "uest");
//     assert(first == again && names.resolve(first) == "request");
//     assert(names.find("request") == first && !names.find("response"));
//     if (symbol more = names.try_intern("response"); !more) log(last_refusal().limit_bytes);
//     assert(names.numbers().hits == 1 && names.numbers().misses == 2);
#pragma once

#include <allot/structure/interner_keywords.hpp>
#include <allot/structure/interner_reading.hpp>

namespace allot {

struct interner_options {
    allot::name name = "interner";
    memory_source* upstream = nullptr;            // borrowed; nullptr: default_source()
    std::uint64_t limit_bytes = usage::unlimited; // held at most: texts and all tables
};

// Since the beginning, or the last clear(). preload() and load() count in distinct and text_bytes alone.
struct interner_numbers {
    std::uint64_t hits = 0;        // texts interned that were there
    std::uint64_t misses = 0;      // that were not
    std::uint64_t distinct = 0;    // texts that are there
    std::uint64_t text_bytes = 0;  // theirs; a text counts once however often it came (B36)
    std::uint64_t asked_bytes = 0; // of all hits and misses: what separate copies would hold
    std::uint64_t held_bytes = 0;  // texts and all tables (B36)
    // Net of tables. Below 0 while the tables cost more than they save.
    std::int64_t saved_bytes() const noexcept {
        return static_cast<std::int64_t>(asked_bytes) - static_cast<std::int64_t>(held_bytes);
    }
};

// What reads (resolve, contains, find by index, for_each, save, usage …) stands in interner_reading.hpp.
class interner : public detail::interner_reading {
public:
    // Takes nothing from upstream yet.
    explicit interner(const interner_options& options = {}) noexcept;

    // None on shortage or at the limit, with last_refusal(); everything is as it was.
    [[nodiscard]] symbol try_intern(std::string_view text) noexcept;
    // Throws: out_of_memory.
    symbol intern(std::string_view text);
    // Faster than one by one. Returns how many of the first were interned: all, or up to the one that was
    // refused. Expects: symbols.size() >= texts.size().
    [[nodiscard]] std::size_t intern_many(std::span<const std::string_view> texts,
                                          std::span<symbol> symbols) noexcept;
    // Texts to be there from the beginning, uncounted. False on shortage: some of the first are there then.
    [[nodiscard]] bool try_preload(std::span<const std::string_view> texts) noexcept;
    // Throws: out_of_memory.
    void preload(std::span<const std::string_view> texts);

    // None where it was never interned.
    symbol find(std::string_view text) const noexcept;

    // Forgets all texts and gives all memory upstream. Symbols from before are refused from then on.
    void clear() noexcept;

    // Into an empty interner; one that was never cleared gives the same symbols again. On an error it is as
    // before.
    result<void> load(byte_store& from) noexcept;

    interner_numbers numbers() const noexcept;

private:
    symbol miss(std::string_view text, std::uint32_t hash) noexcept;
    symbol intern_hashed(std::string_view text, std::uint32_t hash) noexcept;

    std::atomic<std::uint64_t> hits_ = 0;
    std::atomic<std::uint64_t> misses_ = 0;
    std::atomic<std::uint64_t> asked_bytes_ = 0;
};

} // namespace allot
