#include "harness.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace allot::test {
namespace {

std::uint64_t aligned(std::uint64_t bytes) { return (bytes + 4095) & ~std::uint64_t{4095}; }

std::string new_path() {
    static std::atomic<int> number = 0;
    return (std::filesystem::temp_directory_path() /
            ("allot-preload-test." + std::to_string(getpid()) + "." + std::to_string(++number)))
        .string();
}

} // namespace

test_segment::test_segment(const segment_shape& shape) : path_(new_path()) {
    allot_wire_header h{};
    std::memcpy(h.magic, ALLOT_WIRE_MAGIC, 8);
    h.version = ALLOT_WIRE_VERSION;
    h.mode = shape.mode;
    std::uint64_t at = 4096;
    const auto place = [&](std::uint64_t bytes) { return std::exchange(at, at + aligned(bytes)); };
    h.process_count = shape.processes, h.process_entry_bytes = sizeof(allot_wire_process);
    h.process_offset = place(std::uint64_t{h.process_count} * h.process_entry_bytes);
    h.thread_count = shape.threads, h.thread_entry_bytes = sizeof(allot_wire_thread);
    h.thread_offset = place(std::uint64_t{h.thread_count} * h.thread_entry_bytes);
    h.source_count = shape.sources, h.source_entry_bytes = sizeof(allot_wire_source);
    h.source_offset = place(std::uint64_t{h.source_count} * h.source_entry_bytes);
    h.ring_count = shape.mode == ALLOT_MODE_FULL ? shape.rings : 0,
    h.ring_header_bytes = sizeof(allot_wire_ring);
    h.ring_offset = place(std::uint64_t{h.ring_count} * h.ring_header_bytes);
    h.ring_words = shape.ring_words;
    h.ring_data_offset = place(h.ring_count * h.ring_words * 8);
    h.page_bytes = ALLOT_WIRE_PAGE_BYTES, h.page_count_max = shape.pages;
    h.page_offset = place(std::uint64_t{h.page_count_max} * h.page_bytes);
    h.segment_bytes = bytes_ = at;
    h.page_limit = shape.page_limit, h.page_next = 1;
    h.batch_bytes = shape.batch_bytes;
    h.collector_pid = static_cast<std::uint32_t>(getpid());
    const int file = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, static_cast<off_t>(bytes_)) != 0) std::abort();
    base_ = static_cast<char*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    close(file);
    std::memcpy(base_, &h, sizeof h);
}

test_segment::~test_segment() {
    if (consumer_.joinable()) stop_consumer();
    munmap(base_, bytes_);
    unlink(path_.c_str());
}

// A page beyond the limit is a failure of the library: a real segment is not backed there.
const allot_wire_page& test_segment::page(std::uint32_t i) {
    EXPECT_LT(i, header().page_limit);
    return *reinterpret_cast<allot_wire_page*>(base_ + header().page_offset +
                                               std::uint64_t{i} * ALLOT_WIRE_PAGE_BYTES);
}

void test_segment::start_consumer() {
    stop_consumer_ = false;
    consumer_ = std::thread([this] {
        while (!stop_consumer_) {
            drain();
            __atomic_add_fetch(&header().heartbeat, 1, __ATOMIC_RELAXED);
            usleep(500);
        }
        drain();
    });
}

void test_segment::stop_consumer() {
    stop_consumer_ = true;
    consumer_.join();
}

void test_segment::drain() {
    for (std::uint32_t i = 0; i != header().ring_count; ++i) {
        const std::uint32_t state = __atomic_load_n(&ring(i).state, __ATOMIC_ACQUIRE);
        if (state != ALLOT_LIVE && state != ALLOT_ENDED) continue;
        // Whoever was gone before this look has written all that it ever will.
        const bool gone = kill(static_cast<pid_t>(process(ring(i).process).pid), 0) != 0;
        drain(i);
        if (state == ALLOT_ENDED || gone) __atomic_store_n(&ring(i).state, ALLOT_FREE, __ATOMIC_RELEASE);
    }
    for (std::uint32_t i = 0; i != header().thread_count; ++i) {
        if (__atomic_load_n(&thread(i).state, __ATOMIC_ACQUIRE) != ALLOT_ENDED) continue;
        // Its counters go on in the process's sums, as in the collector.
        const auto* from = reinterpret_cast<const std::uint64_t*>(&thread(i).counters);
        auto* to = reinterpret_cast<std::uint64_t*>(&process(thread(i).process).ended);
        for (std::size_t word = 0; word != sizeof(allot_wire_counters) / 8; ++word)
            __atomic_add_fetch(&to[word], from[word], __ATOMIC_RELAXED);
        __atomic_store_n(&thread(i).state, ALLOT_FREE, __ATOMIC_RELEASE);
    }
}

void test_segment::drain(std::uint32_t index) {
    allot_wire_ring& from = ring(index);
    const std::uint64_t head = __atomic_load_n(&from.head, __ATOMIC_ACQUIRE);
    const std::uint64_t* words = ring_words(index);
    const auto word = [&](std::uint64_t i) { return words[i & (header().ring_words - 1)]; };
    if (claims_[index] != from.base_stamp) stamps_[index] = claims_[index] = from.base_stamp;
    std::uint64_t& stamp = stamps_[index];
    std::uint64_t at = from.tail;
    while (at != head) {
        const std::uint64_t first = word(at);
        const auto kind = static_cast<std::uint32_t>(first >> 60);
        if (kind == ALLOT_EVENT_STAMP) stamp = first & ((std::uint64_t{1} << 60) - 1);
        if (kind == ALLOT_EVENT_STAMP || kind == ALLOT_EVENT_PAD) {
            ++at;
            continue;
        }
        stamp += (first >> 44) & 0xffff;
        seen_event e{kind, stamp, (first & ALLOT_WIRE_ADDRESS_FIELD) << 3, 0, 0, index, from.process_serial};
        const std::uint64_t begin = at++;
        if (kind == ALLOT_EVENT_ALLOCATE || kind == ALLOT_EVENT_REALLOCATE_ALLOCATE) {
            const std::uint64_t second = word(at++);
            e.node = static_cast<std::uint32_t>(second >> ALLOT_WIRE_SIZE_BITS);
            e.size = second & ALLOT_WIRE_SIZE_FIELD;
            if (e.size == ALLOT_WIRE_SIZE_FIELD) e.size = word(at++);
        }
        EXPECT_LE((begin & (header().ring_words - 1)) + (at - begin), header().ring_words)
            << "an event wraps";
        EXPECT_LE(at, head);
        events_.push_back(e);
    }
    __atomic_store_n(&from.tail, at, __ATOMIC_RELEASE);
    syscall(SYS_futex, &from.tail, FUTEX_WAKE, 0x7fffffff, nullptr, nullptr, 0);
}

std::string test_segment::records(const seen_process& of, std::uint16_t kind) {
    std::string all;
    for (std::uint32_t i = of.entry.blob_page_first; i != 0; i = page(i).next) {
        EXPECT_EQ(page(i).process_serial, of.entry.serial);
        const char* bytes = reinterpret_cast<const char*>(&page(i) + 1);
        for (std::uint32_t at = 0; at < page(i).used;) {
            allot_wire_record record;
            std::memcpy(&record, bytes + at, sizeof record);
            if (record.kind == kind) all.append(bytes + at, (record.bytes + 7u) & ~7u);
            at += (record.bytes + 7u) & ~7u;
        }
    }
    return all;
}

std::vector<seen_process> test_segment::processes() {
    std::vector<seen_process> found;
    for (std::uint32_t i = 0; i != header().process_count; ++i) {
        if (process(i).state != ALLOT_LIVE) continue;
        seen_process p{
            process(i), process(i).ended, process(i).live_flushed_bytes, process(i).peak_live_bytes, 0, {},
            {}};
        for (std::uint32_t t = 0; t != header().thread_count; ++t) {
            const allot_wire_thread& from = thread(t);
            if (from.state == ALLOT_FREE || from.process_serial != p.entry.serial) continue;
            ++p.threads;
            for (std::size_t word = 0; word != sizeof p.counters / 8; ++word)
                reinterpret_cast<std::uint64_t*>(&p.counters)[word] +=
                    reinterpret_cast<const std::uint64_t*>(&from.counters)[word];
            p.peak_live_bytes = std::max(p.peak_live_bytes, p.live_bytes + from.live_unflushed_max_bytes);
            p.live_bytes += from.live_unflushed_max_bytes - from.live_headroom_bytes;
        }
        const auto text = [&](std::uint16_t kind) {
            const std::string record = records(p, kind);
            allot_wire_record head{};
            if (record.size() < sizeof head) return std::string();
            std::memcpy(&head, record.data(), sizeof head);
            return record.substr(sizeof head, head.bytes - sizeof head);
        };
        p.command = text(ALLOT_BLOB_COMMAND);
        p.executable = text(ALLOT_BLOB_EXECUTABLE);
        found.push_back(p);
    }
    std::sort(found.begin(), found.end(), [](auto& a, auto& b) { return a.entry.serial < b.entry.serial; });
    return found;
}

seen_process test_segment::only_process() {
    const auto all = processes();
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? seen_process{} : all.front();
}

std::vector<seen_module> test_segment::modules(const seen_process& of) {
    std::vector<seen_module> found;
    const std::string all = records(of, ALLOT_BLOB_MODULE);
    for (std::size_t at = 0; at < all.size();) {
        allot_wire_module m;
        std::memcpy(&m, all.data() + at, sizeof m);
        const std::string text = all.substr(at + sizeof m, m.record.bytes - sizeof m);
        found.push_back(
            {m.id, m.start, m.end, m.bias, text.substr(m.build_id_bytes), text.substr(0, m.build_id_bytes)});
        at += (m.record.bytes + 7u) & ~7u;
    }
    return found;
}

std::vector<std::uint64_t> test_segment::stack(std::uint32_t id, bool& complete) {
    std::vector<std::uint64_t> frames;
    while (id >= ALLOT_NODE_FIRST) {
        const allot_wire_page& in = page(id / ALLOT_WIRE_NODES_PER_PAGE);
        EXPECT_LT(id % ALLOT_WIRE_NODES_PER_PAGE, in.used) << "a node that was not written yet";
        const auto& node = reinterpret_cast<const allot_wire_node*>(&in)[id % ALLOT_WIRE_NODES_PER_PAGE];
        frames.push_back(node.return_address);
        id = node.parent;
    }
    complete = id == ALLOT_NODE_ROOT;
    return frames;
}

std::uint32_t test_segment::node_count(const seen_process& of) {
    std::uint32_t count = 0;
    for (std::uint32_t i = of.entry.node_page_first; i != 0; i = page(i).next) count += page(i).used - 1;
    return count;
}

bool outcome::exited_with(int code) const { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
bool outcome::killed_by(int signal) const { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }

outcome run(const std::string& segment_path, const std::vector<std::string>& arguments,
            const run_options& options) {
    std::vector<std::string> text{options.program.empty() ? ALLOT_TEST_SUBJECT : options.program};
    text.insert(text.end(), arguments.begin(), arguments.end());
    std::vector<std::string> environment = options.environment;
    std::string libraries = options.preload ? ALLOT_TEST_PRELOAD : "";
    for (const std::string& further : options.preload_after) libraries += ":" + further;
    environment.push_back("LD_PRELOAD=" + libraries);
    if (options.segment) environment.push_back("ALLOT_SEGMENT=" + segment_path);
    std::vector<char*> argv, envp;
    for (auto& s : text) argv.push_back(s.data());
    for (auto& s : environment) envp.push_back(s.data());
    argv.push_back(nullptr), envp.push_back(nullptr);

    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0) std::abort();
    outcome ended;
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], 1), dup2(out[1], 2);
        execve(argv[0], argv.data(), envp.data());
        _exit(127);
    }
    close(out[1]);
    ended.pid = static_cast<std::uint32_t>(pid);
    char buffer[4096];
    pollfd readable{out[0], POLLIN, 0};
    for (;;) {
        if (poll(&readable, 1, static_cast<int>(options.timeout_ms)) == 0) {
            ended.timed_out = true;
            kill(pid, SIGKILL);
        }
        const ssize_t got = read(out[0], buffer, sizeof buffer);
        if (got <= 0) break;
        ended.out.append(buffer, static_cast<std::size_t>(got));
    }
    close(out[0]);
    waitpid(pid, &ended.status, 0);
    EXPECT_FALSE(ended.timed_out) << "the program hung";
    return ended;
}

outcome run(test_segment& segment, const std::vector<std::string>& arguments, const run_options& options) {
    segment.start_consumer();
    outcome ended = run(segment.path(), arguments, options);
    segment.stop_consumer();
    return ended;
}

allot_wire_counters expect_truth(const std::vector<std::string>& scenario, const segment_shape& shape) {
    test_segment segment(shape);
    const std::string truth_path = segment.path() + ".truth";
    const int file = open(truth_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    EXPECT_EQ(ftruncate(file, 4096), 0);
    const outcome ended =
        run(segment, scenario, {.preload_after = {ALLOT_TEST_TRUTH}, .environment = {"TRUTH=" + truth_path}});
    EXPECT_TRUE(ended.exited_with(0)) << ended.status << ' ' << ended.out;
    std::uint64_t truth[4] = {};
    EXPECT_EQ(pread(file, truth, sizeof truth, 0), static_cast<ssize_t>(sizeof truth));
    close(file);
    unlink(truth_path.c_str());
    const allot_wire_counters counted = segment.only_process().counters;
    EXPECT_EQ(counted.allocations, truth[0]);
    EXPECT_EQ(counted.frees, truth[1]);
    EXPECT_EQ(counted.reallocations, truth[2]);
    EXPECT_EQ(counted.allocated_bytes, truth[3]);
    EXPECT_EQ(counted.dropped_events, 0u);
    const bool full = shape.mode == ALLOT_MODE_FULL;
    EXPECT_EQ(segment.events().size(), full ? counted.allocations + counted.frees : 0);
    return counted;
}

allot_wire_counters added_by(const std::vector<std::string>& scenario, const segment_shape& shape,
                             const run_options& options) {
    const auto totals = [&](std::vector<std::string> arguments) {
        test_segment segment(shape);
        const outcome ended = run(segment, arguments, options);
        EXPECT_TRUE(ended.exited_with(0)) << ended.status << ' ' << ended.out;
        return segment.only_process().counters;
    };
    // Arguments of equal length, so that nothing that depends on them differs.
    std::vector<std::string> nothing = scenario;
    nothing[0] = "nothing";
    allot_wire_counters with = totals(scenario);
    const allot_wire_counters without = totals(nothing);
    for (std::size_t word = 0; word != sizeof with / 8; ++word)
        reinterpret_cast<std::uint64_t*>(&with)[word] -=
            reinterpret_cast<const std::uint64_t*>(&without)[word];
    return with;
}

} // namespace allot::test
