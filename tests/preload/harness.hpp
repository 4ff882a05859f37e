// harness: a segment made by recorder/wire.h alone, a program run under the preload library, and what it left
// there.
//
// It stands in for the collector so that the library is tested against the wire and nothing else. A thread
// drains the rings and beats the heart while the program runs, unless the test wants a dead one.
//
//     test_segment segment({.mode = ALLOT_MODE_FULL});
//     outcome ended = run(segment, {"malloc"});
//     EXPECT_EQ(segment.only_process().counters.allocations, 3u);
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <recorder/wire.h>
#include <string>
#include <thread>
#include <vector>

namespace allot::test {

struct segment_shape {
    std::uint32_t mode = ALLOT_MODE_COUNT;
    std::uint32_t processes = 64;
    std::uint32_t threads = 16384;
    std::uint32_t sources = 8;
    std::uint32_t rings = 16;
    std::uint32_t ring_words = 1 << 14;
    std::uint32_t pages = 4096;
    std::uint32_t page_limit = 4096; // backed and handed out from the start
    std::uint64_t batch_bytes = 256 * 1024;
};

struct seen_event {
    std::uint32_t kind;
    std::uint64_t stamp;
    std::uint64_t address;
    std::uint64_t size;
    std::uint32_t node;
    std::uint32_t ring;
    std::uint64_t serial; // of the process
};

struct seen_process {
    allot_wire_process entry;
    allot_wire_counters counters;             // with those of its threads
    std::int64_t live_bytes, peak_live_bytes; // count mode, with what threads have not flushed
    std::uint32_t threads;
    std::string command; // arguments, each ended by a zero byte
    std::string executable;
};

struct seen_module {
    std::uint32_t id;
    std::uint64_t start, end, bias;
    std::string path, build_id;
};

class test_segment {
public:
    explicit test_segment(const segment_shape& shape);
    ~test_segment();
    test_segment(const test_segment&) = delete;
    test_segment& operator=(const test_segment&) = delete;

    const std::string& path() const { return path_; }
    allot_wire_header& header() { return *reinterpret_cast<allot_wire_header*>(base_); }
    allot_wire_process& process(std::uint32_t i) {
        return part<allot_wire_process>(header().process_offset, i);
    }
    allot_wire_thread& thread(std::uint32_t i) { return part<allot_wire_thread>(header().thread_offset, i); }
    allot_wire_source& source(std::uint32_t i) { return part<allot_wire_source>(header().source_offset, i); }
    allot_wire_ring& ring(std::uint32_t i) { return part<allot_wire_ring>(header().ring_offset, i); }
    const std::uint64_t* ring_words(std::uint32_t i) {
        return reinterpret_cast<const std::uint64_t*>(base_ + header().ring_data_offset) +
               i * header().ring_words;
    }
    const allot_wire_page& page(std::uint32_t i);

    void start_consumer();
    void stop_consumer(); // after a last look

    std::vector<seen_process> processes(); // in the order of their serials
    seen_process only_process();
    std::vector<seen_module> modules(const seen_process& of);
    const std::vector<seen_event>& events() const { return events_; }
    // Return addresses from the allocation's caller outwards; `complete` tells whether the root was reached.
    std::vector<std::uint64_t> stack(std::uint32_t node, bool& complete);
    std::uint32_t node_count(const seen_process& of);

private:
    template <class T>
    T& part(std::uint64_t offset, std::uint32_t i) {
        return reinterpret_cast<T*>(base_ + offset)[i];
    }
    std::string records(const seen_process& of, std::uint16_t kind);
    void drain();
    void drain(std::uint32_t ring);

    std::string path_;
    char* base_ = nullptr;
    std::size_t bytes_ = 0;
    std::vector<seen_event> events_;
    std::map<std::uint32_t, std::uint64_t> stamps_; // ring → stamp of its last event
    std::map<std::uint32_t, std::uint64_t> claims_; // ring → base stamp of the claim
    std::atomic<bool> stop_consumer_ = false;
    std::thread consumer_;
};

struct run_options {
    bool preload = true;
    bool segment = true;
    std::vector<std::string> preload_after = {}; // further libraries, behind ours
    std::string program = {};                    // default: the subject
    std::vector<std::string> environment = {};
    std::uint64_t timeout_ms = 120'000; // then it is killed: only a hang meets it
};

struct outcome {
    int status = 0; // as of waitpid
    std::uint32_t pid = 0;
    bool timed_out = false;
    std::string out; // stdout and stderr
    bool exited_with(int code) const;
    bool killed_by(int signal) const;
};

outcome run(const std::string& segment_path, const std::vector<std::string>& arguments,
            const run_options& options = {});
// With a consumer at work.
outcome run(test_segment& segment, const std::vector<std::string>& arguments,
            const run_options& options = {});

// Runs it with truth.cpp behind the library and compares all counters; answers the segment's.
allot_wire_counters expect_truth(const std::vector<std::string>& scenario, const segment_shape& shape);

// What `scenario` adds to the counters of a subject that does nothing.
allot_wire_counters added_by(const std::vector<std::string>& scenario, const segment_shape& shape,
                             const run_options& options = {});

} // namespace allot::test
