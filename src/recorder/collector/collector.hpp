// collector: reads what the observed processes write into the segment, and makes the snapshot of it.
//
// Use it in the parent of what is observed: make it, start the program with ALLOT_SEGMENT = segment_path()
// and the preload library, call poll() until the program has ended, then finish(). It never waits and starts
// no thread. When its process dies meanwhile, recovery.hpp makes a snapshot from the file that it leaves.
// Owns the segment file until remove_segment() (or release, by not calling it). Borrows the finder and
// inspector.
// Threads: one thread at a time. Cost: about 25 ns an event; an idle poll() about 10 µs, and some system
// calls every 20 ms; memory: 16 bytes for each 16 bytes of heap pages with live blocks, about 130 bytes a
// context.
//
//     auto made = collector::make({.path = "out.allot.partial", .root_command = {"sqlite3", "a.db"}});
//     if (!made) return made.error();
//     collector& collect = **made;
//     collect.set_root(child_pid); // between fork and the child's exec
//     while (!child_has_ended(&status, &peak_rss_bytes)) {
//         collect.poll();
//         sleep_ns(collect.rest_ns());
//     }
//     snapshot all = collect.finish(status, peak_rss_bytes);
//     collect.remove_segment(); // once `all` is written
#pragma once

#include <allot/core/result.hpp>
#include <allot/observability/snapshot.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <recorder/collector/site_finder.hpp>
#include <string>
#include <vector>

namespace allot::recorder {

struct collector_options {
    std::string path; // of the segment file, made with mode 0600
    recording_mode mode = recording_mode::full;
    bool replace = false;                                // true: an existing file is overwritten
    std::vector<std::string> root_command = {};          // for a root that does not attach
    site_finder* sites = nullptr;                        // borrowed
    process_inspector* inspector = nullptr;              // borrowed
    std::uint64_t batch_bytes = 256 * 1024;              // count mode: see docs/numbers.md, error bounds
    std::size_t held_bytes_max = std::size_t{256} << 20; // events taken out of full rings to keep their order
    std::uint32_t contexts_max = 1u << 22; // call-tree nodes; stacks beyond keep their totals only
    std::uint32_t ring_count = 0;          // 0: the wire's default; tests make small segments
    std::uint32_t ring_words = 0;          // likewise
};

class collector {
public:
    // Errors: the file exists, no space left, … Nothing is left behind then.
    static result<std::unique_ptr<collector>> make(const collector_options& options);

    collector(const collector&) = delete;
    collector& operator=(const collector&) = delete;
    ~collector(); // closes the segment; the file stays

    const std::string& segment_path() const noexcept; // absolute: the value of ALLOT_SEGMENT

    // The process that the recording is about: its row is processes[0] and its exit comes from finish().
    void set_root(std::uint32_t pid) noexcept;

    // One look at everything. True: there was something to do, come again at once; false: 0.2–1 ms can wait.
    // Call it at least every 50 ms while the program lives: without its heartbeat hooks drop events.
    bool poll();

    // How long may be slept until the next poll(): then no ring is full but after a sudden burst.
    std::uint64_t rest_ns() const noexcept;

    // The root has ended with this status (as waitpid gives it). Takes in what is left, sets `stop` and
    // answers. peak_rss_bytes: the greatest of the tree, from wait4's rusage. Call it once; poll() no more.
    snapshot finish(int wait_status, std::uint64_t peak_rss_bytes);

    // Deletes the segment file.
    result<void> remove_segment();

private:
    struct state;
    explicit collector(std::unique_ptr<state> all) noexcept;
    std::unique_ptr<state> state_;
};

} // namespace allot::recorder
