// tagged_heap: a heap with a source per tag: the tag that memory is for is where it comes from.
//
// Use it where parts of a program need memory of their own that can be counted, and ended, per part. For one
// source under one tag take tracked_source; for memory of one short scope, an arena.
// Owns the sources of its tags, what is out of them, and its books. Borrows factory and observer.
// Threads: source(), usage() and the sources are for any thread, if the factory's are thread_safe. end()
// needs quiet in that tag.
// Cost: account.hpp's entry and what the factory's source costs; with the default factory 32 bytes per block.
// A block that comes back under another tag's source goes to its owner and the books stay right: told to the
// observer as `healed`; without an observer it is fatal. (Level off does not look: the books are wrong until
// end().) What lives at the heap's end goes with it, and is told to the observer as `unbalanced`.
// Fatal (level on): `allot: fatal: tagged_heap 'x': block 0x… of 100 bytes of tag 'node' came back to 'edge'`
// and `allot: fatal: tagged_heap 'x': tag 'edge' ends with 40 live bytes that its source cannot free`.
//
//     tagged_heap heap({.name = "app"});
//     {
//         std::pmr::vector<int> numbers(10, &heap.source(tags::node));
//         assert(heap.usage(tags::node).live_bytes == 10 * sizeof(int));
//     }
//     void* left = heap.source(tags::node).allocate(layout{.size = 100});
//     assert(left && heap.end(tags::node) == 100);
//     assert(heap.usage(tags::node).live_bytes == 0);
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/observer.hpp>
#include <allot/core/source_factory.hpp>
#include <allot/governance/ledger.hpp>
#include <allot/governance/malloc_factory.hpp>
#include <allot/governance/tag.hpp>
#include <allot/platform/thread_slots.hpp>
#include <atomic>
#include <cstdint>

namespace allot {

struct tagged_heap_options {
    allot::name name = "heap";
    source_factory* factory = nullptr;   // nullptr: its own malloc_factory
    allot::observer* observer = nullptr; // told of healed and unbalanced books
    memory_source* upstream = nullptr;   // of its own needs and its own factory; nullptr: default_source()
};

class tagged_heap {
public:
    explicit tagged_heap(tagged_heap_options wanted = {}) noexcept;
    ~tagged_heap();
    tagged_heap(const tagged_heap&) = delete;
    tagged_heap& operator=(const tagged_heap&) = delete;

    // The same source for the same tag, as long as the heap lives. Throws: out_of_memory.
    memory_source& source(tag whose);
    memory_source* try_source(tag whose) noexcept; // nullptr on shortage

    // All blocks of the tag and of the tags below it are gone; how many bytes were live. The sources stay
    // usable.
    // Invalidates: those blocks.
    std::uint64_t end(tag whose) noexcept;

    // ledger.hpp's numbers; books().usage_of_tree(tag()) for all, report.hpp for a table.
    allot::usage usage(tag whose) const noexcept { return books_.usage(whose); }
    const ledger& books() const noexcept { return books_; }
    ledger& books() noexcept {
        return books_;
    } // for a tracked_source or an account that should stand here too

private:
    class tag_source;

    void tell_balance(const tag_source& source) noexcept;
    std::uint64_t end_one(tag_source& source) noexcept;

    allot::name name_;
    memory_source& upstream_;
    allot::observer* observer_;
    ledger books_;
    malloc_factory own_factory_;
    source_factory& factory_;
    detail::fork_mutex mutex_;                              // making and ending of sources
    std::atomic<tag_source*> sources_[tag::count_max] = {}; // by the tag's index
};

} // namespace allot
