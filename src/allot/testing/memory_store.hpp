// memory_store: a byte_store in memory that fails by plan and can lose power.
//
// Use it below whatever pages or saves, to see what it does when the disk is full, an operation fails or a write is
// torn. For a real file take platform/file_store.
// Owns: its bytes, from malloc; no_allocation overlooks them.
// Loss of power: what was written since the last sync() may be there, or not, or in part: lose_power() decides for
// each write by its seed, in sectors of 512 bytes. replace() is there whole when it returns, or not at all.
// Threads: compatible (one thread at a time).
// Cost: a copy; the writes since the last sync are kept.
//
//     memory_store disk({.capacity_bytes = 8});
//     assert(disk.write_at(0, bytes)); // 4 of them
//     assert(!disk.write_at(6, bytes)); // "memory_store: write 4 bytes at 6: No space left on device"
//     disk.plan({.write = 1, .torn_bytes = 1});
//     assert(!disk.write_at(0, other)); // its first byte is there: a torn write
//     disk.lose_power(7); // nothing was synced: any of it may be gone
#pragma once

#include <allot/core/byte_store.hpp>
#include <vector>

namespace allot {

// Operations are counted from 1, anew with each plan; 0: none fails.
struct store_failure_plan {
    std::uint64_t read = 0;
    std::uint64_t write = 0; // write_at() and replace() alike
    std::uint64_t sync = 0;
    bool lasting = false;         // … and all of its kind that follow
    std::uint64_t torn_bytes = 0; // so many bytes of the write_at() that fails are written all the same
};

struct memory_store_options {
    std::uint64_t capacity_bytes = static_cast<std::uint64_t>(-1);
    store_failure_plan plan = {};
};

class memory_store final : public byte_store {
public:
    explicit memory_store(const memory_store_options& how = {}) noexcept
        : capacity_bytes_(how.capacity_bytes), plan_(how.plan) {}

    result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) noexcept override;
    result<void> write_at(std::uint64_t offset, std::span<const std::byte> from) noexcept override;
    result<void> sync() noexcept override;
    result<void> replace(std::span<const std::byte> whole) noexcept override;
    result<void> discard_from(std::uint64_t offset) noexcept override;

    void plan(const store_failure_plan& next) noexcept;
    void set_capacity(std::uint64_t bytes) noexcept { capacity_bytes_ = bytes; }
    void lose_power(std::uint64_t seed);

    // What the store holds, to look at and to damage.
    std::vector<std::byte>& bytes() noexcept { return bytes_; }
    std::uint64_t read_count() const noexcept { return read_count_; }
    std::uint64_t write_count() const noexcept { return write_count_; }
    std::uint64_t sync_count() const noexcept { return sync_count_; }

private:
    struct change {
        std::uint64_t offset;
        std::vector<std::byte> bytes;
    };
    bool fails(std::uint64_t planned, std::uint64_t& count) const noexcept;
    void put(std::vector<std::byte>& to, std::uint64_t offset, std::span<const std::byte> from);
    void keep(std::uint64_t offset, std::span<const std::byte> from);

    std::vector<std::byte> bytes_;
    std::vector<std::byte> durable_; // as the last sync() left it
    std::vector<change> changes_;    // since then
    std::uint64_t capacity_bytes_;
    store_failure_plan plan_;
    std::uint64_t read_count_ = 0;
    std::uint64_t write_count_ = 0;
    std::uint64_t sync_count_ = 0;
};

} // namespace allot
