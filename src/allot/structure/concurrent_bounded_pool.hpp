// concurrent_bounded_pool: a fixed number of slots of one size, shared by many threads exactly.
//
// Use it where threads share a hard bound: connections, descriptors, buffers of a device. A slot is refused
// only when all are out at one moment, and one that came back is there for every thread at once. Where
// threads may keep slots back for themselves take concurrent_pool, which grows; for one thread take pool.
// Owns one block with all slots, taken at creation; borrows upstream and observer. Never allocates after
// that. No slot is touched before it is handed out; what is beside the slots (2 bytes for each, at least 64
// bytes for each 16th of them) is written at creation.
// As a memory_source it serves every layout that fits a slot, and refuses the others.
// Threads: any. Lock-free: a thread that stops in the middle of a call stops nobody else. After a fork the
// child has the slots as they were; those of its parent's other threads stay out.
// Cost: two atomic operations a pair, on a cache line that other threads seldom use. Where few slots are left
// a call may look through all lines (one for 32 slots), and a refusal does so twice.
//
// A slot counts as live with its whole size.
//
// Fatal, at level on and full (PLACE is an address):
//     concurrent_bounded_pool 'NAME': slot PLACE given back twice
//     concurrent_bounded_pool 'NAME': slot PLACE was written to after it was given back
//     concurrent_bounded_pool 'NAME': PLACE is no slot of this pool
//     concurrent_bounded_pool 'NAME': PLACE lies N bytes into slot PLACE
//     concurrent_bounded_pool 'NAME': a block of N bytes (aligned to N) is larger than its slots of N bytes
//     concurrent_bounded_pool 'NAME': N slots of N bytes (aligned to N) cannot be [at level off, too]
// At level on the first 8 bytes of a free slot are watched, at level full all of them.
//
//     concurrent_bounded_pool frames(
//         {.name = "frames", .slot = {.size = 4096, .align = 64}, .slot_count = 2});
//     void* first = frames.allocate();
//     void* second = frames.try_allocate();
//     assert(frames.try_allocate() == nullptr); // exhausted; allocate() would throw out_of_memory
//     std::thread([&] { frames.deallocate(first); }).join();
//     assert(frames.allocate() == first);
//     assert(frames.usage().live_count == 2 && frames.owns(second));
#pragma once

#include <allot/core/checks.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/observer.hpp>
#include <allot/core/poison.hpp>
#include <allot/platform/thread_slots.hpp>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>

namespace allot {

struct concurrent_bounded_pool_options {
    allot::name name = "concurrent_bounded_pool";
    layout slot;                         // what a slot must hold
    std::uint64_t slot_count = 0;        // fixed; up to 2^31
    memory_source* upstream = nullptr;   // default_source()
    bool line_aligned = false;           // no two slots share a cache line (64 bytes)
    allot::observer* observer = nullptr; // is told when the pool dies with live slots
};

namespace detail {

// Up to 32 slots. The lower half of `state` has a bit for each that is free, the upper half counts how often
// one came back, modulo 2^32.
struct alignas(64) slot_word {
    std::atomic<std::uint64_t> state = 0;
    std::atomic<std::uint64_t> wrap_count = 0; // of the upper half
    std::atomic<std::uint32_t> used = 0;       // slots that were handed out at least once
    // For the threads that begin at this word: the word where they found, or gave back, a slot last.
    std::atomic<std::uint32_t> last = 0;
};

} // namespace detail

class concurrent_bounded_pool final : public memory_source {
public:
    // Takes its block. Where upstream refuses it, capacity() is 0 and every slot is refused.
    explicit concurrent_bounded_pool(const concurrent_bounded_pool_options& options) noexcept;
    // Expects: no other thread is inside a call. Slots that still live are a leak: the observer is told, and
    // their memory goes upstream all the same.
    ~concurrent_bounded_pool() override;

    // A slot, uninitialised; nullptr when all are out, with last_refusal().
    [[nodiscard]] void* try_allocate() noexcept;
    // Throws: out_of_memory.
    [[nodiscard]] void* allocate() {
        void* const slot = try_allocate();
        if (!slot) [[unlikely]]
            throw_out_of_memory();
        return slot;
    }
    // Expects: a live slot of this pool; not nullptr. Whichever thread took it.
    void deallocate(void* slot) noexcept;

    [[nodiscard]] void* try_allocate(layout wanted) noexcept {
        return fits(wanted) ? try_allocate() : refuse(wanted);
    }
    [[nodiscard]] void* allocate(layout wanted) {
        void* const slot = try_allocate(wanted);
        if (!slot) [[unlikely]]
            throw_out_of_memory();
        return slot;
    }
    void deallocate(void* slot, layout given) noexcept {
        ALLOT_CHECK(fits(given), "concurrent_bounded_pool '", name_.view(), "': a block of ", given.size,
                    " bytes (aligned to ", given.align, ") is larger than its slots of ", slot_.size,
                    " bytes");
        if (slot) deallocate(slot);
    }
    using memory_source::allocate;
    using memory_source::deallocate;

    // Whether the address lies in a slot that was handed out at least once, be it live or free now.
    bool owns(const void* address) const noexcept;
    // Aborts as deallocate() would, unless the slot is out. Does nothing at level off.
    void expect_live(const void* slot) const noexcept {
        if constexpr (checks == check_level::off) return;
        const std::uint64_t index = index_of(slot);
        if (index == no_slot || !is_out(words_[index >> word_shift_], bit_of(index))) [[unlikely]]
            fatal_not_live(slot);
    }
    layout slot() const noexcept { return slot_; }
    std::size_t stride() const noexcept { return stride_; }         // from one slot to the next
    std::uint64_t capacity() const noexcept { return slot_count_; } // slots, live or not
    const allot::name& name() const noexcept { return name_; }

    // Fills all but early_bytes_max. Exact when no other thread is inside a call, else behind by what they
    // did meanwhile. peak_live_bytes is the highest that a call of usage() or
    // describe(), or a refusal, has met: no allocation writes a word that all threads share.
    // Cost: a look at every line.
    allot::usage usage() const noexcept;
    // Aborts where an invariant of the pool does not hold. Expects: no other thread is inside a call.
    void check() const noexcept;

private:
    using word = detail::slot_word;
    static constexpr std::uint64_t came_back = std::uint64_t{1} << 32; // the upper half's one
    static constexpr std::uint64_t guard = 0xFFFF'FFFF'DDDD'DDDD; // what lies in a free slot's first bytes
    static constexpr std::uint64_t no_slot = static_cast<std::uint64_t>(-1);

    bool fits(layout wanted) const noexcept {
        return wanted.size <= slot_.size && wanted.align <= slot_.align;
    }
    word&
    home() const noexcept { // spreads threads over the words; what is read after an atomic write waits for it
        return words_[(detail::thread_slot() << home_shift_) & home_mask_];
    }
    static std::uint32_t free_bits(std::uint64_t state) noexcept { return static_cast<std::uint32_t>(state); }
    std::uint64_t bit_of(std::uint64_t index) const noexcept {
        return std::uint64_t{1} << (index & ((1u << word_shift_) - 1));
    }
    static bool is_out(const word& of, std::uint64_t bit) noexcept {
        return (of.state.load(std::memory_order_relaxed) & bit) == 0 &&
               (of.used.load(std::memory_order_relaxed) & bit) != 0;
    }
    std::byte* slot_at(std::uint64_t index) const noexcept { return base_ + index * stride_; }
    std::uint64_t index_of(const void* slot) const noexcept; // no_slot: it is none
    std::uint32_t all_bits(std::uint64_t word_index) const noexcept;

    void* do_try_allocate(layout wanted) noexcept override {
        return concurrent_bounded_pool::try_allocate(wanted);
    }
    void do_give_back(void* slot, layout given) noexcept override;
    bool do_try_resize(void* slot, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_traits do_traits() const noexcept override { return {.thread_safe = true}; }
    source_description do_describe() const noexcept override;

    void take_block() noexcept;
    std::size_t words_bytes() const noexcept;
    layout block_layout() const noexcept;
    void* hand_out(std::uint64_t word_index, unsigned bit) noexcept;
    bool is_untouched(void* slot) const noexcept;
    [[gnu::noinline]] void* search(word& own, bool lost_a_race) noexcept;
    bool are_all_out() const noexcept;
    void* refuse_exhausted() noexcept;
    [[gnu::cold]] void* refuse(layout wanted) noexcept;
    void tell_client(std::uint64_t held_bytes) noexcept;
    [[noreturn, gnu::cold]] void fatal_written(const void* slot) const noexcept;
    [[noreturn, gnu::cold]] void fatal_not_live(const void* address) const noexcept;

    // Never written after creation, so that all threads share the lines:
    word* words_ = nullptr;
    std::byte* base_ = nullptr; // the first slot
    std::uint64_t word_count_ = 0;
    std::uint32_t home_mask_ = 0; // a power of two, not above word_count_, less 1
    unsigned home_shift_ = 0;
    std::uint64_t slot_count_ = 0;
    std::size_t stride_;
    std::uint64_t reciprocal_; // 2^64 / stride_, rounded up; 0: the block is too large for it
    unsigned word_shift_ = 0;  // 2^word_shift_ slots in each word, but the last
    layout slot_;
    const allot::name name_;
    memory_source& upstream_;   // borrowed
    allot::observer* observer_; // borrowed
    std::uint64_t held_bytes_ = 0;
    std::uint64_t client_id_ = 0; // under `allot run`; 0: never told

    struct alignas(64) {
        std::atomic<std::uint64_t> refused_count = 0;
        mutable std::atomic<std::uint64_t> peak_live_count = 0; // as met
    } seldom_;
};

// The ordering argument. A slot is free while its bit is set; whoever clears the bit by compare-exchange has
// the slot alone until it sets the bit again. What one owner wrote is visible to the next: setting and
// clearing the same word are sequentially consistent read-modify-writes, the later reads what the earlier
// wrote (or what followed it in the word's own order). A word is a set, not a list: an old state that comes
// back is a right one, so that a compare-exchange cannot be fooled (no ABA).
inline void* concurrent_bounded_pool::try_allocate() noexcept {
    if (word_count_ == 0) [[unlikely]]
        return refuse_exhausted();
    word& own = home();
    const std::uint32_t at = own.last.load(std::memory_order_relaxed);
    word& place = words_[at];
    std::uint64_t state = place.state.load(std::memory_order_relaxed);
    if (free_bits(state) == 0) [[unlikely]]
        return search(own, false);
    const auto bit = static_cast<unsigned>(std::countr_zero(state));
    if (!place.state.compare_exchange_strong(state, state & (state - 1))) [[unlikely]]
        return search(own, true);
    return hand_out(at, bit);
}

inline void* concurrent_bounded_pool::hand_out(std::uint64_t word_index, unsigned bit) noexcept {
    std::byte* const slot = slot_at((word_index << word_shift_) + bit);
    word& place = words_[word_index];
    if ((place.used.load(std::memory_order_relaxed) >> bit & 1) == 0) [[unlikely]]
        place.used.fetch_or(1u << bit, std::memory_order_relaxed);
    else if constexpr (checks != check_level::off) {
        if (!is_untouched(slot)) [[unlikely]]
            fatal_written(slot);
    }
    mark_fresh(slot, slot_.size);
    return slot;
}

inline bool concurrent_bounded_pool::is_untouched(void* slot) const noexcept {
    if constexpr (checks == check_level::full) {
        mark_live(slot, stride_);
        const auto* const bytes = static_cast<const std::byte*>(slot);
        for (std::size_t i = 0; i != stride_; ++i)
            if (bytes[i] != std::byte{0xDD}) return false;
        return true;
    }
    std::uint64_t first = 0;
    mark_live(slot, sizeof first);
    std::memcpy(&first, slot, sizeof first);
    return first == guard;
}

// Lemire, Kaser, Kurz: Faster remainder by direct computation (2019): the product's high half is the
// quotient, and its low half is below the reciprocal where the division leaves no rest.
inline std::uint64_t concurrent_bounded_pool::index_of(const void* slot) const noexcept {
    const std::uint64_t offset =
        reinterpret_cast<std::uintptr_t>(slot) - reinterpret_cast<std::uintptr_t>(base_);
    if (reciprocal_ == 0) [[unlikely]]
        return offset % stride_ == 0 && offset / stride_ < slot_count_ ? offset / stride_ : no_slot;
    __extension__ using wide = unsigned __int128;
    const wide product = wide{offset} * reciprocal_;
    const auto at = static_cast<std::uint64_t>(product >> 64);
    if constexpr (checks == check_level::off) return at;
    return static_cast<std::uint64_t>(product) < reciprocal_ && at < slot_count_ ? at : no_slot;
}

inline void concurrent_bounded_pool::deallocate(void* slot) noexcept {
    const std::uint64_t index = index_of(slot);
    if constexpr (checks != check_level::off) {
        if (index == no_slot) [[unlikely]]
            fatal_not_live(slot);
    }
    const std::uint64_t at = index >> word_shift_;
    word& place = words_[at];
    const std::uint64_t bit = bit_of(index);
    if constexpr (checks != check_level::off) {
        if (!is_out(place, bit)) [[unlikely]]
            fatal_not_live(slot);      // before a next owner's bytes are written to
        mark_live(slot, sizeof guard); // the object may be smaller
        std::memcpy(slot, &guard, sizeof guard);
    }
    mark_dead(slot, stride_);
    word& own = home();
    if (own.last.load(std::memory_order_relaxed) != at)
        own.last.store(static_cast<std::uint32_t>(at), std::memory_order_relaxed);
    const std::uint64_t before = place.state.fetch_add(came_back + bit);
    if constexpr (checks != check_level::off) {
        if ((before & bit) != 0) [[unlikely]] // two threads at once
            fatal_not_live(slot);
    }
    if (before >= std::uint64_t{0xFFFF'FFFF} << 32) [[unlikely]]
        place.wrap_count.fetch_add(1, std::memory_order_relaxed);
}

} // namespace allot
