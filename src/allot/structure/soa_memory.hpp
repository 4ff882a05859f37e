// soa_memory: the part of a soa that knows no field: its block of rows, its blob of text, its books.
//
// For soa alone. Owns the two blocks, until they are given back; the soa gives them back before it dies.
// Borrows upstream. Threads: compatible. Cost: see soa.
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <cstdint>

namespace allot {

struct soa_options {
    allot::name name = "soa";
    memory_source* upstream = nullptr;            // default_source()
    std::uint64_t limit_bytes = usage::unlimited; // of what is taken from upstream
};

namespace detail {

class soa_memory {
public:
    struct blob { // texts, side by side; also what no row shows any more
        char* data = nullptr;
        std::size_t used = 0;
        std::size_t capacity = 0;
    };

    explicit soa_memory(const soa_options& options) noexcept;
    soa_memory(const soa_memory&) = delete;
    soa_memory& operator=(const soa_memory&) = delete;
    ~soa_memory();

    // nullptr on shortage.
    void* take(layout wanted) noexcept;
    void give_back(void* block, layout given) noexcept; // nullptr is allowed

    // What the books cannot know by themselves.
    struct state {
        std::size_t row_bytes, row_count, row_capacity;
    };
    allot::usage usage(const state& now) const noexcept;
    // Rows are going: before the count changes.
    void rows_leave(std::size_t row_count, std::size_t leaving) noexcept {
        if (row_count > peak_row_count_) peak_row_count_ = row_count;
        gone_row_count_ += leaving;
    }
    const allot::name& name() const noexcept { return name_; }
    void expect(bool holds, const char* what) const noexcept;
    [[noreturn, gnu::cold]] void fatal_row(std::size_t row, std::size_t row_count) const noexcept;

    blob texts;

private:
    void tell_client() noexcept;

    allot::name name_;
    memory_source& upstream_; // borrowed
    std::uint64_t limit_bytes_;
    std::uint64_t held_bytes_ = 0;
    std::uint64_t peak_held_bytes_ = 0;
    std::uint64_t held_count_ = 0;
    std::uint64_t refused_count_ = 0;
    std::uint64_t peak_row_count_ = 0;
    std::uint64_t gone_row_count_ = 0;
    std::uint64_t client_id_ = 0; // under `allot run`; 0: never told
};

} // namespace detail
} // namespace allot
