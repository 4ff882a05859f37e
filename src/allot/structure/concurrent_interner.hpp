// concurrent_interner: an interner for any number of threads: equal texts get one symbol, whoever asks first.
//
// Use it where threads share names: documents parsed in parallel, tags of metrics, a compiler's passes. On
// one thread take interner: the same without a lock. Not for texts that mostly differ: insertions go one
// after another.
// Owns copies of the texts, its tables and a cell of counters for each thread that asked. Borrows upstream,
// which must be thread_safe. May not be moved.
// A view from resolve() stays valid and where it is until clear() or the end, whatever others insert; a zero
// stands behind it, for C. Two threads that intern one text at once get one symbol (B34): whoever does not
// find it looks again under the lock of insertions.
// Threads: any, but for clear(), load(), check() and the destructor, which need quiet: no other thread is
// inside a call, and no view is in use. The text behind a symbol that came from another thread is seen by
// whoever got the symbol in order (from try_intern, find, or handed over with release and acquire).
// Fork: the child finds it whole.
// Cost: as interner's. A hit takes no lock, no atomic read-modify-write and writes to this thread's cell
// alone (64 bytes); resolve() writes nothing. An insertion takes a mutex.
// Symbols from before a clear() are told apart for ever, others as symbol.hpp says. resolve() looks at check
// level on; contains() at every level.
//
// Fatal:
//     allot: fatal: concurrent_interner 'NAME': symbol N is not of this interner, or from before clear()
//     allot: fatal: concurrent_interner 'NAME': intern_many of N texts into N symbols [always]
//     allot: fatal: concurrent_interner 'NAME': its upstream is not thread_safe
//
//     concurrent_interner names({.name = "names"});
//     symbol first, second;
//     std::thread other([&] { first = names.intern("request"); });
//     second = names.intern("request");
//     other.join();
//     assert(first == second && names.resolve(first) == "request");
//     assert(names.numbers().hits == 1 && names.numbers().misses == 1);
#pragma once

#include <allot/platform/thread_slots.hpp>
#include <allot/structure/interner.hpp>
#include <atomic>

namespace allot {

// What reads (resolve, contains, for_each, save, usage …) stands in interner_reading.hpp.
class concurrent_interner : public detail::interner_reading {
public:
    // Takes nothing from upstream yet.
    explicit concurrent_interner(const interner_options& options = {.name = "concurrent_interner"}) noexcept;
    ~concurrent_interner();

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

    // None where it was not there when the call began. Lock-free but for a miss that meets a split of its
    // segment again and again: it asks under the lock.
    symbol find(std::string_view text) const noexcept;

    // Forgets all texts and gives all memory upstream. Symbols from before are refused from then on. Needs
    // quiet.
    void clear() noexcept;

    // As interner's. Needs quiet.
    result<void> load(byte_store& from) noexcept;

    // Exact when no other thread is inside a call.
    interner_numbers numbers() const noexcept;

private:
    // A thread's, found by its slot: one writer, any reader. nobodys_ is of threads without a cell.
    struct alignas(64) cell {
        std::atomic<std::uint64_t> hits = 0;
        std::atomic<std::uint64_t> misses = 0;
        std::atomic<std::uint64_t> asked_bytes = 0;
    };
    enum class counted : std::uint8_t { yes, no };

    symbol intern_hashed(std::string_view text, std::uint32_t hash, cell* own) noexcept;
    symbol miss(std::string_view text, std::uint32_t hash, counted how) noexcept;
    [[nodiscard]] cell* own_cell() noexcept {
        return cells_[detail::thread_slot()].load(std::memory_order_relaxed);
    }
    cell& cell_locked() noexcept; // called under mutex_
    void count_slowly(std::uint64_t hits, std::uint64_t bytes) noexcept;
    template <class Visit>
    void for_each_cell(Visit visit) noexcept {
        for (std::atomic<cell*>& place : cells_)
            if (cell* const each = place.load(std::memory_order_acquire)) visit(*each);
        visit(nobodys_);
    }

    mutable detail::fork_mutex mutex_; // of insertions, and of making cells
    std::atomic<cell*> cells_[detail::thread_slot_count + 1] = {};
    cell nobodys_;
};

} // namespace allot
