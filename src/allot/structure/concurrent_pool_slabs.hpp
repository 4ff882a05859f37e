// concurrent_pool_slabs: a concurrent_pool's upstream with its limit, and the table of its slabs. Inner part.
//
// The table is searched by any thread while one changes it.
// Owns its tables, not the slabs.
// Threads: find(), version(), slot_count() from any; the others from one at a time.
// Cost: find() is a binary search without a lock; a thread that meets a change searches again.
//
//     if (const slab_range home = slabs.find(address)) …
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <atomic>
#include <cstdint>

namespace allot::detail {

// Counts what the pool holds, refuses what is beyond its limit, in its name.
class concurrent_pool_upstream final : public memory_source {
public:
    concurrent_pool_upstream(memory_source& upstream, const allot::name& who,
                             std::uint64_t limit_bytes) noexcept
        : upstream_(upstream), who_(who), limit_bytes_(limit_bytes) {}

    std::uint64_t held_bytes() const noexcept { return held_bytes_.load(std::memory_order_relaxed); }
    std::uint64_t peak_held_bytes() const noexcept {
        return peak_held_bytes_.load(std::memory_order_relaxed);
    }
    std::uint64_t limit_bytes() const noexcept { return limit_bytes_; }
    std::uint64_t room_bytes() const noexcept { return limit_bytes_ - held_bytes(); }
    memory_source& raw() const noexcept { return upstream_; }

private:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override { return upstream_.good_size(wanted); }
    source_traits do_traits() const noexcept override { return upstream_.traits(); }

    memory_source& upstream_;
    const allot::name& who_;
    const std::uint64_t limit_bytes_;
    std::atomic<std::uint64_t> held_bytes_ = 0;
    std::atomic<std::uint64_t> peak_held_bytes_ = 0;
};

struct slab_range {
    std::uintptr_t first = 0; // first slot
    std::uint64_t bytes = 0;  // of slots that were cut
    explicit operator bool() const noexcept { return bytes != 0; }
};

class concurrent_pool_slabs {
public:
    // What only the one that changes the table sees.
    struct record {
        std::uint64_t count = 0;      // slots
        std::uint64_t cut = 0;        // of these the first ones were cut
        std::uint64_t free_count = 0; // as counted last
    };

    explicit concurrent_pool_slabs(memory_source& upstream) noexcept : upstream_(upstream) {}
    ~concurrent_pool_slabs();
    concurrent_pool_slabs(const concurrent_pool_slabs&) = delete;
    concurrent_pool_slabs& operator=(const concurrent_pool_slabs&) = delete;

    slab_range find(const void* address) const noexcept; // empty: in no slot that was cut
    // Changes when a slab goes.
    std::uint64_t version() const noexcept { return version_.load(std::memory_order_relaxed); }
    std::uint64_t slot_count() const noexcept { return slot_count_.load(std::memory_order_relaxed); }

    std::size_t size() const noexcept;
    slab_range range(std::size_t index) const noexcept;
    record& at(std::size_t index) noexcept;
    const record& at(std::size_t index) const noexcept;
    std::size_t index_of(const void* address) const noexcept; // of one that lies in a slab
    std::size_t with_uncut() const noexcept;                  // one with slots that were never cut, or size()
    // Room for one more, so that insert() cannot fail. False on upstream's shortage.
    bool try_make_room() noexcept;
    void insert(std::uintptr_t first, std::uint64_t slot_count) noexcept;
    void set_bytes(std::size_t index, std::uint64_t bytes) noexcept;
    void erase(std::size_t index) noexcept;

private:
    struct key {
        std::atomic<std::uintptr_t> first = 0;
        std::atomic<std::uint64_t> bytes = 0;
    };
    // Lies before its keys and records.
    struct table {
        table* older = nullptr; // given up with the pool: a thread may be searching it
        std::size_t capacity = 0;
        std::atomic<std::size_t> size = 0;
        key* keys = nullptr;
        record* records = nullptr;
    };
    static layout table_layout(std::size_t capacity) noexcept;
    static std::size_t position(const table& in, std::uintptr_t place) noexcept;
    void begin_change() noexcept;
    void end_change() noexcept;

    memory_source& upstream_;
    std::atomic<table*> table_ = nullptr;
    std::atomic<std::uint64_t> sequence_ = 0; // odd while a table changes
    std::atomic<std::uint64_t> version_ = 0;
    std::atomic<std::uint64_t> slot_count_ = 0;
};

} // namespace allot::detail
