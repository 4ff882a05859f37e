// placement: where a block goes, by how long it may live: the call's buffer, the scope's arena, a pool, the heap.
//
// Make one per operation that has homes of several lifetimes, and a placed_source for each kind of block in
// it; containers take that as their resource. Where a part of a program needs one home only, name that home.
// Lifetime decides first, and what ends sooner than the block is never taken for it, whatever the size; among
// what is left, size decides. (Size alone is unsound: the 122 to 134 bytes of two sites of one program may
// need an arena at one and a reused block at the other.)
//
//     lives       home, the first that there is
//     call        inline_buffer below inline_bytes_max, while it has room; arena below arena_bytes_max; heap
//     operation   arena, of any size; the class's pool, where the layout fits its slots; heap
//     session     the class's pool, where the layout fits its slots; heap
//     process     as session
//     unknown     as session: nobody said that it ends with a scope
//
// An arena or pool that refuses is not passed over: its limit would be none. A full inline buffer is.
// Owns nothing; borrows the buffer and all sources. The buffer outlives the placement, and no block in it does:
// that is how one that would outlive its frame is found.
// Threads: compatible, as the scope that it is made for. counts() from any.
// Cost: a pair of placed_source 175 instructions over its home's own; no byte per block: which home a block
// came from follows from its address (the buffer's range) or its layout and class (the other homes), so what
// is given back with its own layout comes to where it came from.
// Fatal, at level on:
//     allot: fatal: placement 'NAME': died with N live blocks in its inline buffer
//     allot: fatal: placement 'NAME': ADDRESS (N bytes) was not placed as a block of this class
//
//     std::array<std::byte, 2048> bytes;
//     placement request({.inline_buffer = bytes, .arena = &arena, .heap = &heap});
//     placed_source locals(request, {.lives = lifetime::call});
//     placed_source cached(request, {.lives = lifetime::session});
//     std::pmr::vector<int> here(25, 7, &locals);  // 100 bytes in the buffer
//     std::pmr::vector<int> there(25, 7, &cached); // 100 bytes in the heap
//     assert(request.counts().of(home::inline_buffer) == 1 && request.counts().of(home::heap) == 1);
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/source/block_counters.hpp>
#include <allot/source/buffer_source.hpp>
#include <cstddef>
#include <cstdint>
#include <span>

namespace allot {

// Until when a block may live, at the latest.
enum class lifetime : std::uint8_t { unknown, call, operation, session, process };
enum class home : std::uint8_t { inline_buffer, arena, pool, heap };
enum class placement_reason : std::uint8_t {
    lifetime, // the home of that lifetime
    churn,    // a fixed type that comes and goes has its pool
    size,     // among the homes that live long enough
    no_room,  // the inline buffer is full
    no_home,  // the home of that lifetime is not there
};

// What is known of a kind of block.
struct placement_class {
    lifetime lives = lifetime::unknown;
    memory_source* pool = nullptr; // borrowed; of a fixed type with churn
    layout pool_slot = {};         // what fits a slot of it
};

struct placement_decision {
    allot::home home = home::heap;
    placement_reason why = placement_reason::no_home;
    friend constexpr bool operator==(placement_decision, placement_decision) = default;
};

struct placement_counts {
    std::uint64_t homes[4] = {};
    std::uint64_t reasons[5] = {};
    std::uint64_t of(home where) const noexcept { return homes[static_cast<std::size_t>(where)]; }
    std::uint64_t of(placement_reason why) const noexcept { return reasons[static_cast<std::size_t>(why)]; }
};

struct placement_options {
    allot::name name = "placement";
    std::span<std::byte> inline_buffer = {}; // borrowed, of the caller's frame; empty: none
    memory_source* arena = nullptr;          // of the scope; nullptr: none
    memory_source* heap = nullptr;           // a tag's source, say; nullptr: default_source()
    std::size_t inline_bytes_max = kibibytes(1);
    std::size_t arena_bytes_max = kibibytes(64);
};

// A block that knows where it belongs; empty on shortage.
struct placed_block {
    void* address = nullptr;
    layout shape = {};
    memory_source* owner = nullptr;
    explicit operator bool() const noexcept { return address != nullptr; }
};

class placement {
public:
    explicit placement(const placement_options& wanted) noexcept;
    ~placement();
    placement(const placement&) = delete;
    placement& operator=(const placement&) = delete;

    // Where such a block goes, while the inline buffer has room. Counts nothing.
    placement_decision decide(layout wanted, const placement_class& kind) const noexcept;

    // One block; the answer is what deallocate() wants back. Counts the decision of a request that was served.
    [[nodiscard]] placed_block try_allocate(layout wanted, const placement_class& kind) noexcept;
    void deallocate(const placed_block& gone) noexcept;

    placement_counts counts() const noexcept;
    const allot::name& name() const noexcept { return name_; }

private:
    friend class placed_source;

    bool goes_inline(layout wanted, const placement_class& kind) const noexcept;
    // Without the inline buffer: a pure function of both, which is what makes giving back safe.
    placement_decision decide_by_class(layout wanted, const placement_class& kind) const noexcept;
    memory_source& source_of(home where, const placement_class& kind) noexcept;
    // nullptr: it lies in the inline buffer, where no block of this class and size can be.
    memory_source* owner_of(const void* address, layout given, const placement_class& kind) noexcept;
    void count(placement_decision made) noexcept;

    const allot::name name_;
    buffer_source inline_buffer_;
    const bool has_buffer_;
    memory_source* const arena_;
    memory_source& heap_;
    const std::size_t inline_bytes_max_;
    const std::size_t arena_bytes_max_;
    detail::owned_counter homes_[4];
    detail::owned_counter reasons_[5];
};

// A memory_source of one class of a placement. A block that grows moves to the home of its new size.
class placed_source final : public memory_source {
public:
    placed_source(placement& where, const placement_class& kind) noexcept : where_(where), kind_(kind) {}

    // Fills refused_count; what lives stands in the homes' own numbers, what was placed in counts().
    allot::usage usage() const noexcept;

private:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override;
    source_description do_describe() const noexcept override;

    placement& where_; // borrowed
    const placement_class kind_;
    detail::owned_counter refused_count_;
};

} // namespace allot
