// fake_process, fake_thread: write the wire form as an observed process would, from inside a test.
//
// Use them to drive a collector with events of the test's choice, stamps included; the true producer is the
// preload library, which these share no code with. Several may live in one test, on several threads (one
// fake_thread each).
// Own a mapping of the segment file. When the ring is full they wait for the collector.
//
//     fake_process process(collect->segment_path(), {.pid = getpid()});
//     std::uint32_t main = process.node(0x1100, ALLOT_NODE_ROOT);
//     fake_thread thread(process, 1);
//     thread.allocate(0x5000, 24, main);
//     thread.free(0x5000);
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <recorder/collector/wire_stamp.hpp>
#include <recorder/wire.h>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace allot::recorder::testing {

struct fake_options {
    std::uint32_t pid = 0;
    std::uint32_t parent_pid = 1;
    std::string command = std::string("fake\0argument\0", 14);
    std::string executable = "/usr/bin/fake";
    std::uint32_t reason = ALLOT_REASON_NONE;
    std::uint32_t live_basis = ALLOT_BASIS_REQUESTED;
    std::uint64_t start_stamp = 0; // 0: now
    std::uint32_t own_operator_new = 0;
};

class fake_process {
public:
    fake_process(const std::string& path, const fake_options& options) {
        const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        struct stat status{};
        if (file < 0 || ::fstat(file, &status) != 0) std::abort();
        bytes_ = static_cast<std::size_t>(status.st_size);
        void* memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        ::close(file);
        if (memory == MAP_FAILED) std::abort();
        base_ = static_cast<char*>(memory);
        attach(options);
    }
    ~fake_process() { ::munmap(base_, bytes_); }
    fake_process(const fake_process&) = delete;
    fake_process& operator=(const fake_process&) = delete;

    allot_wire_header& header() { return *reinterpret_cast<allot_wire_header*>(base_); }
    allot_wire_process& entry() { return *at<allot_wire_process>(header().process_offset, index_); }
    allot_wire_thread& thread(std::uint32_t i) { return *at<allot_wire_thread>(header().thread_offset, i); }
    allot_wire_ring& ring(std::uint32_t i) { return *at<allot_wire_ring>(header().ring_offset, i); }
    std::uint64_t* words(std::uint32_t i) {
        return reinterpret_cast<std::uint64_t*>(base_ + header().ring_data_offset +
                                                i * header().ring_words * 8);
    }
    allot_wire_page& page(std::uint32_t i) {
        return *reinterpret_cast<allot_wire_page*>(base_ + header().page_offset + i * 8192ull);
    }
    std::uint32_t index() const { return index_; }
    std::uint64_t serial() const { return serial_; }

    // A frame of the call tree: its id.
    std::uint32_t node(std::uint64_t return_address, std::uint32_t parent, std::uint32_t module = 0) {
        if (node_page_ == 0 || page(node_page_).used == ALLOT_WIRE_NODES_PER_PAGE) {
            node_page_ = take_page(node_page_, &entry().node_page_first);
            page(node_page_).used = 1;
        }
        const std::uint32_t slot = page(node_page_).used;
        reinterpret_cast<allot_wire_node*>(&page(node_page_))[slot] = {return_address, parent, module};
        __atomic_store_n(&page(node_page_).used, slot + 1, __ATOMIC_RELEASE);
        return node_page_ * ALLOT_WIRE_NODES_PER_PAGE + slot;
    }

    void module(std::uint32_t id, std::uint64_t bias, const std::string& path,
                const std::string& build_id = "") {
        allot_wire_module record{};
        record.record.kind = ALLOT_BLOB_MODULE;
        record.id = id;
        record.build_id_bytes = static_cast<std::uint32_t>(build_id.size());
        record.start = record.bias = bias;
        record.end = bias + 0x100000;
        blob(&record, sizeof record, build_id + path);
    }

    // A named source's entry. Tests may go on to change it.
    allot_wire_source& source(const std::string& kind, const std::string& name, std::uint64_t held_bytes) {
        ++entry().source_entries;
        for (std::uint32_t i = 0; i < header().source_count; ++i) {
            allot_wire_source& one = *at<allot_wire_source>(header().source_offset, i);
            if (one.state != ALLOT_FREE) continue;
            one.process = index_, one.process_serial = serial_;
            std::memcpy(one.kind, kind.c_str(), kind.size() + 1);
            std::memcpy(one.name, name.c_str(), name.size() + 1);
            one.held_bytes = one.peak_held_bytes = held_bytes;
            one.held_count = one.source_count = 1;
            __atomic_store_n(&one.state, unsigned{ALLOT_LIVE}, __ATOMIC_RELEASE);
            return one;
        }
        std::abort();
    }

    void exit(std::int32_t code) {
        entry().exit_code = code;
        __atomic_store_n(&entry().exit_known, 1u, __ATOMIC_RELEASE);
    }

    std::uint32_t claim_thread(std::uint32_t tid, std::uint32_t hint = 0) {
        for (std::uint32_t i = 0; i < header().thread_count; ++i) {
            const std::uint32_t index = (hint + i) % header().thread_count;
            allot_wire_thread& entry = thread(index);
            std::uint32_t expected = ALLOT_FREE;
            if (!__atomic_compare_exchange_n(&entry.state, &expected, unsigned{ALLOT_CLAIMED}, false,
                                             __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
                continue;
            std::memset(reinterpret_cast<char*>(&entry) + 4, 0, sizeof entry - 4);
            entry.tid = tid;
            entry.process = index_;
            entry.process_serial = serial_;
            std::uint32_t end = __atomic_load_n(&header().thread_end, __ATOMIC_RELAXED);
            while (end <= index && !__atomic_compare_exchange_n(&header().thread_end, &end, index + 1, true,
                                                                __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            }
            return index;
        }
        std::abort();
    }

    std::uint32_t claim_ring(std::uint32_t thread_index_plus_1, std::uint64_t base_stamp) {
        for (std::uint32_t i = 0;; i = (i + 1) % header().ring_count) { // waits for a free one
            std::uint32_t expected = ALLOT_FREE;
            if (!__atomic_compare_exchange_n(&ring(i).state, &expected, unsigned{ALLOT_CLAIMED}, false,
                                             __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
                continue;
            ring(i).process = index_;
            ring(i).process_serial = serial_;
            ring(i).thread = thread_index_plus_1;
            ring(i).base_stamp = base_stamp;
            __atomic_store_n(&ring(i).state, unsigned{ALLOT_LIVE}, __ATOMIC_RELEASE);
            return i;
        }
    }

private:
    template <class T>
    T* at(std::uint64_t offset, std::uint32_t index) {
        return reinterpret_cast<T*>(base_ + offset) + index;
    }

    void attach(const fake_options& options) {
        for (index_ = 0; index_ < header().process_count; ++index_) {
            std::uint32_t expected = ALLOT_FREE;
            if (__atomic_compare_exchange_n(&entry().state, &expected, unsigned{ALLOT_CLAIMED}, false,
                                            __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
                break;
        }
        if (index_ == header().process_count) std::abort();
        std::memset(reinterpret_cast<char*>(&entry()) + 4, 0, sizeof(allot_wire_process) - 4);
        serial_ = __atomic_add_fetch(&header().process_serial, 1u, __ATOMIC_ACQ_REL);
        entry().serial = serial_;
        entry().pid = options.pid;
        entry().parent_pid = options.parent_pid;
        entry().reason = options.reason;
        entry().live_basis = options.live_basis;
        entry().own_operator_new = options.own_operator_new;
        entry().start_stamp = options.start_stamp != 0 ? options.start_stamp : wire_stamp();
        allot_wire_record record{ALLOT_BLOB_COMMAND, 0, 0};
        blob(&record, sizeof record, options.command);
        record.kind = ALLOT_BLOB_EXECUTABLE;
        blob(&record, sizeof record, options.executable);
        __atomic_store_n(&entry().state, unsigned{ALLOT_LIVE}, __ATOMIC_RELEASE);
    }

    void blob(void* record, std::size_t bytes, const std::string& rest) {
        static_cast<allot_wire_record*>(record)->bytes = static_cast<std::uint16_t>(bytes + rest.size());
        const std::size_t padded = (bytes + rest.size() + 7) & ~std::size_t{7};
        if (blob_page_ == 0 || page(blob_page_).used + padded > 8192 - sizeof(allot_wire_page))
            blob_page_ = take_page(blob_page_, &entry().blob_page_first);
        char* place = reinterpret_cast<char*>(&page(blob_page_) + 1) + page(blob_page_).used;
        std::memcpy(place, record, bytes);
        std::memcpy(place + bytes, rest.data(), rest.size());
        __atomic_store_n(&page(blob_page_).used, static_cast<std::uint32_t>(page(blob_page_).used + padded),
                         __ATOMIC_RELEASE);
    }

    std::uint32_t take_page(std::uint32_t before, std::uint32_t* first) {
        const std::uint32_t fresh = pop_page();
        while (fresh >= __atomic_load_n(&header().page_limit, __ATOMIC_ACQUIRE)) std::this_thread::yield();
        page(fresh).next = page(fresh).used = 0;
        page(fresh).process_serial = serial_;
        __atomic_store_n(before == 0 ? first : &page(before).next, fresh, __ATOMIC_RELEASE);
        return fresh;
    }

    std::uint32_t pop_page() {
        std::uint64_t top = __atomic_load_n(&header().page_free, __ATOMIC_ACQUIRE);
        while (static_cast<std::uint32_t>(top) != 0) {
            const std::uint64_t below = ((top >> 32) + 1) << 32 | page(static_cast<std::uint32_t>(top)).next;
            if (__atomic_compare_exchange_n(&header().page_free, &top, below, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_ACQUIRE))
                return static_cast<std::uint32_t>(top);
        }
        return __atomic_fetch_add(&header().page_next, 1u, __ATOMIC_ACQ_REL);
    }

    char* base_ = nullptr;
    std::size_t bytes_ = 0;
    std::uint32_t index_ = 0;
    std::uint64_t serial_ = 0;
    std::uint32_t node_page_ = 0, blob_page_ = 0;
};

class fake_thread {
public:
    // Stamps are now, unless set_stamp() was called: then they are what it says.
    fake_thread(fake_process& process, std::uint32_t tid, bool with_ring = true, std::uint64_t base_stamp = 0)
        : process_(process), index_(process.claim_thread(tid, tid * 7)) {
        stamp_ = base_stamp != 0 ? base_stamp : wire_stamp();
        if (with_ring) {
            ring_ = process.claim_ring(index_ + 1, stamp_);
            entry().ring = ring_ + 1;
            head_ = __atomic_load_n(&process_.ring(ring_).head, __ATOMIC_RELAXED);
        }
        __atomic_store_n(&entry().state, unsigned{ALLOT_LIVE}, __ATOMIC_RELEASE);
    }

    allot_wire_thread& entry() { return process_.thread(index_); }
    std::uint32_t ring() const { return ring_; }
    std::uint32_t index() const { return index_; }
    void set_stamp(std::uint64_t stamp) { next_ = stamp; }
    std::uint64_t waits() const { return waits_; }

    void allocate(std::uint64_t address, std::uint64_t size, std::uint32_t node, bool reallocation = false) {
        count(&allot_wire_counters::allocations, 1);
        count(&allot_wire_counters::allocated_bytes, size);
        if (reallocation) {
            count(&allot_wire_counters::reallocations, 1);
            count(&allot_wire_counters::frees, 1);
        }
        const bool wide = size >= ALLOT_WIRE_SIZE_FIELD;
        const std::uint64_t second =
            std::uint64_t{node} << ALLOT_WIRE_SIZE_BITS | (wide ? ALLOT_WIRE_SIZE_FIELD : size);
        write(reallocation ? ALLOT_EVENT_REALLOCATE_ALLOCATE : ALLOT_EVENT_ALLOCATE, address, wide ? 3 : 2,
              second, size);
    }
    void free(std::uint64_t address) {
        count(&allot_wire_counters::frees, 1);
        write(ALLOT_EVENT_FREE, address, 1);
    }
    // Followed by allocate(…, true) or reallocate_failed().
    void reallocate_free(std::uint64_t address) { write(ALLOT_EVENT_REALLOCATE_FREE, address, 1); }
    void reallocate_failed(std::uint64_t address) { write(ALLOT_EVENT_REALLOCATE_FAILED, address, 1); }

    void raw(std::uint64_t word) {
        process_.words(ring_)[head_++ & (process_.header().ring_words - 1)] = word;
        publish();
    }
    // As a hook does around its stamp; allocate and free do so by themselves.
    void set_busy(bool busy) { __atomic_store_n(&entry().busy, busy ? 1u : 0u, __ATOMIC_SEQ_CST); }
    std::uint64_t take_stamp() { return next_ != 0 ? next_ : wire_stamp(); }

    void end() {
        if (entry().ring != 0)
            __atomic_store_n(&process_.ring(ring_).state, unsigned{ALLOT_ENDED}, __ATOMIC_RELEASE);
        __atomic_store_n(&entry().state, unsigned{ALLOT_ENDED}, __ATOMIC_RELEASE);
    }

private:
    void count(std::uint64_t allot_wire_counters::* which, std::uint64_t by) {
        std::uint64_t& counter = entry().counters.*which;
        __atomic_store_n(&counter, counter + by, __ATOMIC_RELAXED);
    }

    void write(std::uint64_t kind, std::uint64_t address, std::uint64_t needed, std::uint64_t second = 0,
               std::uint64_t third = 0) {
        const bool was_busy = entry().busy != 0;
        if (!was_busy) set_busy(true);
        const std::uint64_t now = take_stamp();
        const std::uint64_t words = process_.header().ring_words;
        while (head_ + needed + 4 > __atomic_load_n(&process_.ring(ring_).tail, __ATOMIC_ACQUIRE) + words) {
            ++waits_;
            std::this_thread::yield();
        }
        std::uint64_t* ring = process_.words(ring_);
        auto put = [&](std::uint64_t word) { ring[head_++ & (words - 1)] = word; };
        if (now - stamp_ > 0xffff) {
            put(std::uint64_t{ALLOT_EVENT_STAMP} << 60 | now);
            stamp_ = now;
        }
        while (words - (head_ & (words - 1)) < needed) put(ALLOT_EVENT_PAD);
        put(kind << 60 | (now - stamp_) << 44 | address >> 3);
        stamp_ = now;
        if (needed > 1) put(second);
        if (needed > 2) put(third);
        publish();
        if (!was_busy) set_busy(false);
    }
    void publish() { __atomic_store_n(&process_.ring(ring_).head, head_, __ATOMIC_RELEASE); }

    fake_process& process_;
    std::uint32_t index_;
    std::uint32_t ring_ = 0;
    std::uint64_t head_ = 0;
    std::uint64_t stamp_ = 0;
    std::uint64_t next_ = 0;
    std::uint64_t waits_ = 0;
};

} // namespace allot::recorder::testing
