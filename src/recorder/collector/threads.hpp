// threads: the thread entries of the segment: their records and names, and which of them are in a hook right
// now.
//
// look() enters new threads and answers, per thread, up to which stamp everything it wrote is published: a
// thread seen outside of its hooks has published all that is stamped before that look.
// Borrows segment, tables and processes. Threads: one. Cost: look() reads one cache line for each thread;
// finding new ones reads one for each entry that was ever used, since claims begin at the lowest. (A new
// thread that has a ring is found through it.)
//
//     threads all(file, tables, processes);
//     all.find_new();
//     all.look(now_stamp);
//     all.horizon(entry);             // events to come of this thread are not stamped before it
//     all.free_ended(ring_is_drained); // entries of ended threads go back
#pragma once

#include <cstdint>
#include <recorder/collector/processes.hpp>
#include <recorder/collector/segment.hpp>
#include <recorder/collector/tables.hpp>
#include <vector>

namespace allot::recorder {

class threads {
public:
    threads(segment& file, tables& all, processes& owners);

    // Events stamped before `now` by a thread that is not in a hook are published. True: something has
    // changed.
    bool look(std::uint64_t now);
    bool find_new();
    // The same for one entry. True: it is entered.
    bool enter(std::uint32_t entry);
    // As if no hook were running: for the end.
    void assume_idle() noexcept;

    std::uint64_t horizon(std::uint32_t entry) const noexcept { return known_[entry].horizon; }
    // The same for all threads of a process that share its ring.
    std::uint64_t shared_horizon(std::uint64_t process_serial, std::uint64_t now) const noexcept;
    // Its record; none when the entry is not entered for this process.
    std::uint32_t record_of(std::uint32_t entry, std::uint64_t process_serial) const noexcept;

    // Entries of ended threads, and all of this process when it has ended, are counted and freed. A thread
    // with a ring waits until free_ring says that the ring is drained.
    void free_entry(std::uint32_t entry);
    template <class RingIsFree>
    bool free_ended(RingIsFree&& ring_is_free);
    void free_all_of(const processes::process& which);

    // Reads some names again: threads get theirs after they start.
    void refresh_names(std::size_t at_most);

    std::size_t count() const noexcept { return used_.size(); } // entered and not freed

private:
    struct known {
        std::uint32_t record = none;
        std::uint64_t process_serial = 0; // 0: not entered
        std::uint64_t horizon = 0;
        bool ended = false;
        bool shares = false; // the process's ring, or has none
    };
    void read_name(std::uint32_t entry);

    segment& file_;
    tables& all_;
    processes& owners_;
    std::vector<known> known_;        // by entry
    std::vector<std::uint32_t> used_; // entries that are entered
    std::size_t name_next_ = 0;
};

// The wire's counters as they are now; live bytes with what was not flushed.
counters_record read_counters(const allot_wire_counters& wire) noexcept;
counters_record read_counters(const allot_wire_thread& wire) noexcept;
void add_counters(counters_record& sum, const counters_record& more) noexcept;

template <class RingIsFree>
bool threads::free_ended(RingIsFree&& ring_is_free) {
    bool any = false;
    for (std::size_t index = used_.size(); index-- != 0;)
        if (const std::uint32_t entry = used_[index]; known_[entry].ended && ring_is_free(entry)) {
            free_entry(entry);
            any = true;
        }
    return any;
}

} // namespace allot::recorder
