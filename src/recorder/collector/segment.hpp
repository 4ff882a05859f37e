// segment, segment_map: the file that collector and observed processes share (recorder/wire.h), made or read.
//
// Use segment in the collector, which makes the file; segment_map::open for a file that somebody left,
// read-only and fully checked. The places of the parts are read once and kept here, so that no later write to
// the header can lead an access outside.
// Owns the mapping; the file stays. Threads: none at a time but one; the wire's shared fields through
// __atomic.
// Cost: accessors are an addition and a multiplication. A full-mode segment backs about 40 MiB of disk.
//
//     auto made = segment::make({.path = "/tmp/x.partial"});
//     if (!made) return made.error(); // nothing is left behind
//     made->thread(0)->state;         // ALLOT_FREE
//     auto seen = segment_map::open("/tmp/x.partial");
//     seen->header().mode;            // ALLOT_MODE_FULL
#pragma once

#include <algorithm>
#include <allot/core/result.hpp>
#include <allot/observability/snapshot.hpp>
#include <allot/platform/mapped_file.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <recorder/wire.h>
#include <span>
#include <string>
#include <utility>

namespace allot::recorder {

// The read-only face. Invariant: every part lies within the mapping; page indexes are checked on each access,
// since they come out of shared memory.
class segment_map {
public:
    // Errors: not a segment, of another version, cut, or with parts that overlap or lie outside.
    static result<segment_map> open(const std::string& path);

    const allot_wire_header& header() const noexcept {
        return *reinterpret_cast<const allot_wire_header*>(base_);
    }
    recording_mode mode() const noexcept { return mode_; }
    std::uint32_t process_count() const noexcept { return process_count_; }
    std::uint32_t thread_count() const noexcept { return thread_count_; }
    // No thread entry from here on was ever claimed.
    std::uint32_t thread_end() const noexcept {
        return std::min(__atomic_load_n(&header().thread_end, __ATOMIC_ACQUIRE), thread_count_);
    }
    std::uint32_t source_count() const noexcept { return source_count_; }
    std::uint32_t ring_count() const noexcept { return ring_count_; }
    std::uint64_t ring_word_count() const noexcept { return ring_words_; }
    std::uint32_t page_count_max() const noexcept { return page_count_max_; }

    // Expects: index below the count.
    const allot_wire_process* process(std::uint32_t index) const noexcept {
        return at<allot_wire_process>(process_offset_, index);
    }
    const allot_wire_thread* thread(std::uint32_t index) const noexcept {
        return at<allot_wire_thread>(thread_offset_, index);
    }
    const allot_wire_source* source(std::uint32_t index) const noexcept {
        return at<allot_wire_source>(source_offset_, index);
    }
    const allot_wire_ring* ring(std::uint32_t index) const noexcept {
        return at<allot_wire_ring>(ring_offset_, index);
    }
    const std::uint64_t* ring_words(std::uint32_t index) const noexcept {
        return reinterpret_cast<const std::uint64_t*>(base_ + ring_data_offset_ + index * ring_words_ * 8);
    }

    // Null for a page that was never handed out or is not backed.
    const allot_wire_page* page(std::uint32_t index) const noexcept {
        return page_ok(index) ? reinterpret_cast<const allot_wire_page*>(page_address(index)) : nullptr;
    }
    // Null for an id that cannot be a node.
    const allot_wire_node* node(std::uint32_t id) const noexcept {
        const std::uint32_t slot = id % ALLOT_WIRE_NODES_PER_PAGE;
        if (slot == 0 || !page_ok(id / ALLOT_WIRE_NODES_PER_PAGE)) return nullptr;
        return reinterpret_cast<const allot_wire_node*>(page_address(id / ALLOT_WIRE_NODES_PER_PAGE)) + slot;
    }

    // What the collector keeps behind the wire's parts; empty when there is none.
    std::span<const std::byte> collected() const noexcept {
        return {base_ + segment_bytes_, collected_bytes_};
    }

protected:
    segment_map() = default;
    result<void> read_layout(std::size_t file_bytes);

    template <class T>
    const T* at(std::uint64_t offset, std::uint32_t index) const noexcept {
        return reinterpret_cast<const T*>(base_ + offset) + index;
    }
    bool page_ok(std::uint32_t index) const noexcept {
        return index != 0 && index < page_count_max_ &&
               index < __atomic_load_n(&header().page_limit, __ATOMIC_ACQUIRE);
    }
    const std::byte* page_address(std::uint32_t index) const noexcept {
        return base_ + page_offset_ + std::uint64_t{index} * ALLOT_WIRE_PAGE_BYTES;
    }

    const std::byte* base_ = nullptr;
    recording_mode mode_ = recording_mode::full;
    std::uint32_t process_count_ = 0, thread_count_ = 0, source_count_ = 0, ring_count_ = 0,
                  page_count_max_ = 0;
    std::uint64_t process_offset_ = 0, thread_offset_ = 0, source_offset_ = 0, ring_offset_ = 0,
                  ring_data_offset_ = 0, page_offset_ = 0;
    std::uint64_t ring_words_ = 0, segment_bytes_ = 0, collected_bytes_ = 0;

private:
    std::optional<mapped_file> file_; // of open()
};

struct segment_options {
    std::string path;
    recording_mode mode = recording_mode::full;
    bool replace = false; // true: an existing file is overwritten; false: it is an error
    std::uint32_t process_count = ALLOT_WIRE_PROCESSES;
    std::uint32_t thread_count = ALLOT_WIRE_THREADS;
    std::uint32_t source_count = ALLOT_WIRE_SOURCES;
    std::uint32_t ring_count = ALLOT_WIRE_RINGS;      // count mode has none
    std::uint32_t ring_words = ALLOT_WIRE_RING_WORDS; // a power of two
    std::uint32_t pages_start = ALLOT_WIRE_PAGES_START;
    std::uint32_t pages_max = ALLOT_WIRE_PAGES_MAX;
    std::uint64_t batch_bytes = 256 * 1024;
    std::size_t collected_bytes = 0; // set aside behind the wire's parts, not backed
};

class segment : public segment_map {
public:
    // Makes the file (mode 0600) and backs everything below the limits, so that neither side can meet SIGBUS.
    static result<segment> make(const segment_options& options);

    const std::string& path() const noexcept { return file_->path(); }
    using segment_map::header;
    allot_wire_header& header() noexcept { return *mine(&std::as_const(*this).header()); }
    allot_wire_process* process(std::uint32_t index) noexcept { return mine(segment_map::process(index)); }
    allot_wire_thread* thread(std::uint32_t index) noexcept { return mine(segment_map::thread(index)); }
    allot_wire_source* source(std::uint32_t index) noexcept { return mine(segment_map::source(index)); }
    allot_wire_ring* ring(std::uint32_t index) noexcept { return mine(segment_map::ring(index)); }
    allot_wire_page* page(std::uint32_t index) noexcept { return mine(segment_map::page(index)); }
    std::byte* collected_data() noexcept { return file_->data() + segment_bytes_; }

    // Backs pages ahead of page_next. Answers false once when the file system has no room for more.
    bool grow_pages();

    // Gives a page back to the processes. Expects: nobody reads or writes it any more.
    void return_page(std::uint32_t index);

    // Backs a range of the collected part. Expects: within collected_bytes.
    result<void> back_collected(std::size_t offset, std::size_t size) {
        return file_->back(segment_bytes_ + offset, size);
    }

private:
    template <class T>
    static T* mine(const T* shared) noexcept {
        return const_cast<T*>(shared);
    }
    std::optional<shared_file> file_;
    bool full_ = false; // the file system refused once
};

} // namespace allot::recorder
