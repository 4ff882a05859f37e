// processes: who is observed: finds new entries in the segment, notices ends and execs, keeps each one's
// record.
//
// A process ends when its pidfd says so, or when a newer entry bears its pid (it has become another program),
// or when /proc/<pid>/exe is another file and the segment is not mapped there (a program that cannot be
// observed). It does not follow threads or events: collector does, and calls release() when nothing of a
// process is left to read.
// Borrows segment, tables, tree and inspector; owns the pidfds. Threads: one.
// Cost: look() with nothing new is one load, and one poll() every 5 ms; the look at /proc comes every 20 ms,
// about 2 µs a process.
//
//     processes all(file, tables, tree, nullptr);
//     all.look(now_stamp, now_ns);
//     for (processes::process* each : all.take_ended()) …  // read what is left, close its books, then
//     all.release(*each);                                  // its entry and pages are free again
#pragma once

#include <cstdint>
#include <memory>
#include <recorder/collector/blobs.hpp>
#include <recorder/collector/call_tree.hpp>
#include <recorder/collector/segment.hpp>
#include <recorder/collector/site_finder.hpp>
#include <recorder/collector/tables.hpp>
#include <string>
#include <vector>

namespace allot::recorder {

class processes final : public call_tree::module_reader {
public:
    struct process {
        std::uint32_t record = none; // in tables.processes
        std::uint32_t entry = none;  // in the segment; none: a program that did not attach
        std::uint64_t serial = 0;
        std::uint32_t pid = 0;
        bool ended = false;            // seen to have ended: nothing more will be written
        bool handed_out = false;       // by take_ended()
        std::uint64_t alive_stamp = 0; // it was seen alive then; where it became another program: not after
        std::uint32_t others = none;   // the thread record for threads without a place of their own
        int pidfd = -1;
        std::unique_ptr<process_blobs> blobs;
        std::string executable;              // as the process itself wrote it
        std::uint64_t device = 0, inode = 0; // of its executable at the first look
        std::string comm;
        std::uint64_t changed_ns = 0; // since when the executable is another
        std::uint64_t changed_stamp = 0;
    };

    processes(segment& file, tables& all, call_tree& tree, process_inspector* inspector);
    processes(const processes&) = delete;
    processes& operator=(const processes&) = delete;
    ~processes() override;

    // True: something has changed. Unless ends_now, ends are looked for every 5 ms only.
    bool look(std::uint64_t now_stamp, std::uint64_t now_ns, bool ends_now = true);

    // Those that have ended since the last call.
    std::vector<process*> take_ended();

    // The process of a segment entry as it is now; null when unknown (not seen yet, or released).
    process* at_entry(std::uint32_t entry, std::uint64_t serial) noexcept;
    process* of_record(std::uint32_t record) noexcept;

    // Its record for threads that have none of their own.
    std::uint32_t others_of(process& which);

    // Takes the last figures out of the entry and frees it and its pages. Expects: ended, all threads and
    // rings of it are free. `which` is gone afterwards.
    void release(process& which);

    // At the recording's end. The root's last record gets this wait status; what still runs is `running`.
    void finish(std::uint32_t root_pid, int wait_status, const std::vector<std::string>& root_command);

    void read_modules(std::uint32_t record) override;

    const std::vector<std::unique_ptr<process>>& all() const noexcept { return running_; }

private:
    bool find_new();
    void enter(std::uint32_t entry);
    bool find_ends(std::uint64_t now_stamp);
    void look_at_programs(std::uint64_t now_stamp, std::uint64_t now_ns);
    void look_at_program(process& which, std::uint64_t now_stamp, std::uint64_t now_ns);
    void became_unobserved(process& which);
    bool maps_segment(std::uint32_t pid) const;
    void end_by_exec(process& old, std::uint64_t stamp);
    void read_blobs(process& which);
    void take_exit(process& which);
    void free_pages(std::uint32_t first, std::uint64_t serial);
    std::string why_not(const std::string& executable) const;

    segment& file_;
    tables& all_;
    call_tree& tree_;
    process_inspector* inspector_;
    std::vector<std::unique_ptr<process>> running_; // entered and not released; in order of their serials
    std::vector<process*> by_entry_;
    process lost_;                   // stands for entries without a record
    std::uint64_t serials_seen_ = 0; // entries that were entered
    std::uint64_t programs_ns_ = 0;  // of the last look at /proc
    std::uint64_t ends_ns_ = 0;      // of the last look for ends
};

// The text of a file under /proc, at most `limit` bytes; empty when it can't be read.
std::string read_proc(std::uint32_t pid, const std::string& name, std::size_t limit);

} // namespace allot::recorder
