// accounts: the books of a full recording: events in, exact rows per context, site, module, thread and
// process out.
//
// Feed it the events of all rings in the order of their stamps (merger does that) and tell it when a process
// ends. Rows live in tables; the live blocks themselves here. Use it for requested bytes only: count mode has
// its own sums.
//
// Stamps may be out of order by a little where one thread frees what another allocates, so per address
// allocations and frees are paired: an allocation at a live address ends the old block at once and the free
// that is then owed is swallowed; a free that finds nothing is kept for a moment, since its allocation may
// still come.
// Borrows the tables. Threads: one. Cost: about 15 ns an event hot (six rows and the live table).
//
//     accounts books(all);                               // tables with one process, thread, row
//     books.open_process(0);
//     ring_event made{.address = 64, .size = 24, .kind = ALLOT_EVENT_ALLOCATE};
//     books.apply({.process = 0, .thread = 0, .ring = 0}, made, 0);
//     all.head().total.peak;                             // 24
//     books.close_process(0);                            // all.row_rests[0].exit_bytes == 24
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <recorder/collector/live_table.hpp>
#include <recorder/collector/ring_reader.hpp>
#include <recorder/collector/tables.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace allot::recorder {

struct event_origin {
    std::uint32_t process = 0; // indexes into the tables
    std::uint32_t thread = 0;
    std::uint32_t ring = 0;
    bool shared_ring = false; // of several threads
};

class accounts {
public:
    explicit accounts(tables& all) noexcept : all_(all) {}
    accounts(const accounts&) = delete;
    accounts& operator=(const accounts&) = delete;

    // Expects: process, thread and row (of allocations) are in the tables, the process is open.
    void apply(const event_origin& from, const ring_event& event, std::uint32_t row);

    void open_process(std::uint32_t process);
    // Its blocks move from live to live at exit in every row; the total's live bytes fall. Harmless when not
    // open.
    void close_process(std::uint32_t process);
    bool is_open(std::uint32_t process) const noexcept {
        return process < books_.size() && books_[process] != nullptr;
    }

    // Events stamped before this will not come any more: pairs that waited for one are settled.
    void settle_before(std::uint64_t stamp);

    // Loads ahead what apply() of an event at this address will touch.
    void prefetch(std::uint32_t process, std::uint64_t address) const noexcept {
        books_[process]->blocks.prefetch(address);
    }

    // Whether all sums agree: over contexts, sites, modules, threads and processes, live and at the peak, and
    // the live blocks themselves. Slow. `why` gets the first disagreement.
    bool check(std::string* why = nullptr) const;

private:
    struct waiting { // one half of a pair whose other half is late
        std::uint64_t stamp;
        std::uint32_t ring;
    };
    struct process_books {
        live_table blocks;
        std::unordered_map<std::uint64_t, waiting> owed;  // addresses whose next free is of an older block
        std::unordered_map<std::uint64_t, waiting> early; // frees whose allocation may still come
    };
    struct reallocation { // between REALLOCATE_FREE and what follows it
        std::uint64_t address;
        live_block block;
        std::uint64_t sequence; // of the allocating thread
        bool temporary;
    };

    void allocate(const event_origin& from, const ring_event& event, std::uint32_t row);
    void free_block(const event_origin& from, const ring_event& event);
    bool pair_owed(process_books& books, const event_origin& from, const ring_event& event);
    bool pair_early(process_books& books, const event_origin& from, const ring_event& event);
    void reallocate_failed(const event_origin& from, const ring_event& event);
    void add_live(const live_block& block, std::uint32_t process);
    void subtract_live(const live_block& block, std::uint32_t process);
    bool end_block(const live_block& block, std::uint32_t process, std::uint64_t address);
    std::vector<reallocation>& pending(std::uint32_t ring);

    tables& all_;
    std::vector<std::unique_ptr<process_books>> books_; // by process; null when closed
    std::vector<std::vector<reallocation>> pending_;    // by ring; one at most but in shared rings
    bool anything_waits_ = false;                       // in owed or early
};

} // namespace allot::recorder
