// unwind_rules: a process-wide table from return address to the packed rule that leads to the caller's frame.
//
// Use one per process beneath `stack_cache`. Not for unwinding with landing pads or for registers other than rsp,
// rbp and rip: that is libgcc's and libunwind's work.
// Borrows its memory (zeroed, 16 bytes an entry) for its whole life; without memory every look-up is a cold one.
// Threads: all members from any thread, from signal handlers and after fork: no lock, nothing waits, and an entry that
// a forked-away thread left half done is finished by whoever looks next. Keys never change once set, so that the word
// with the rule always belongs to the key beside it.
// Cost: a look-up that hits is a multiplication and two loads; a cold one reads .eh_frame, 0.3–2 µs once an address.
//
//     alignas(16) static std::uint64_t memory[2 << 12];      // zeroed: room for 4,096 addresses
//     static allot::unwind_rules rules;
//     rules.use(memory, 1 << 12);
//     allot::unwind_rule rule = rules.find(reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)));
//     // rule.how() is by_stack_pointer, by_frame_pointer, … : how to reach the caller's frame
#pragma once

#include <allot/platform/eh_frame.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace allot {

class unwind_rules {
    struct entry {
        std::uint64_t address; // 0: free. Set once, never changed
        std::uint64_t rule;    // 0, or tagged with the generation that it was read in
    };
    static constexpr entry no_entries[2] = {};

public:
    constexpr unwind_rules() noexcept = default;
    unwind_rules(const unwind_rules&) = delete;
    unwind_rules& operator=(const unwind_rules&) = delete;

    // Gives the table its memory: `entries` × 16 bytes of zeroes, 16-byte aligned.
    // Expects: entries is a power of two ≥ 64; called once, before other threads use the table.
    void use(void* zeroed, std::size_t entries) noexcept;

    // The table as it was at one moment: for several look-ups in a row.
    class reader {
    public:
        explicit reader(const unwind_rules& rules) noexcept
            : rules_(rules),
              generation_(rules.generation()),
              tag_(tag_of(generation_)),
              shift_(rules.shift_),
              entries_(rules.entries_) {
            if (entries_ != nullptr && usable(generation_)) return;
            entries_ = no_entries;
            shift_ = 63;
        }

        // The rule for a return address, or for `eh_frame::interrupted(pc)` of a frame that a signal interrupted.
        unwind_rule find(std::uint64_t address) const noexcept {
            const entry& home = entries_[home_of(address, shift_)];
            if (load(home.address) == address) [[likely]] {
                const std::uint64_t packed = load(home.rule);
                if (unwind_rule::tag_of(packed) == tag_) [[likely]]
                    return unwind_rule(packed);
            }
            return rules_.find_cold(address);
        }
        std::uint32_t generation() const noexcept { return generation_; }

    private:
        const unwind_rules& rules_;
        std::uint32_t generation_;
        std::uint32_t tag_;
        std::uint32_t shift_;
        const entry* entries_;
    };
    unwind_rule find(std::uint64_t address) const noexcept { return reader(*this).find(address); }

    // For code whose tables the dynamic loader does not know, by whoever made the code and its frames.
    void remember(std::uint64_t address, unwind_rule rule) noexcept { keep(address, rule, generation()); }

    // Around a real dlclose: what was known is forgotten, and nothing is remembered until the end, so that a library
    // that comes to lie at the same addresses never meets the old one's rules. May nest and overlap across threads
    // (up to 4,095).
    void begin_unload() noexcept;
    void end_unload() noexcept { epoch_.fetch_sub(1, std::memory_order_acq_rel); }
    // Forgets everything once.
    void flush() noexcept { begin_unload(), end_unload(); }
    // In the child of a fork: another thread's begun unload will never end here.
    void reset_after_fork() noexcept;

    // Changes whenever something is forgotten. While a library is being unloaded it is not usable:
    // then nothing derived from the rules may be kept either.
    std::uint32_t generation() const noexcept { return epoch_.load(std::memory_order_acquire); }
    static constexpr bool usable(std::uint32_t generation) noexcept {
        return (generation & unloading_mask) == 0;
    }

    struct counts {
        std::uint64_t cold;    // look-ups that read .eh_frame
        std::uint64_t no_rule; // of these: without a rule that we can follow
        std::uint64_t full;    // of these: not remembered for want of room
        std::uint64_t used;    // entries in use
    };
    counts count() const noexcept;

private:
    // epoch = generation << 12 | number of unloads in progress
    static constexpr std::uint32_t generation_step = 1u << 12;
    static constexpr std::uint32_t unloading_mask = generation_step - 1;
    // Never 0, which is the tag of an empty word: begin_generation leaves such generations out.
    static constexpr std::uint32_t tag_of(std::uint32_t epoch) noexcept { return epoch >> 12 & 0xffff; }
    std::uint32_t begin_generation() noexcept;
    static std::uint64_t load(const std::uint64_t& word) noexcept {
        return __atomic_load_n(&word, __ATOMIC_RELAXED);
    }
    static std::size_t home_of(std::uint64_t address, std::uint32_t shift) noexcept {
        return static_cast<std::size_t>((address * 0x9E37'79B9'7F4A'7C15u) >> shift);
    }
    unwind_rule find_cold(std::uint64_t address) const noexcept;
    entry* place_of(std::uint64_t address, bool take) const noexcept;
    void keep(std::uint64_t address, unwind_rule rule, std::uint32_t epoch) const noexcept;

    entry* entries_ = nullptr; // borrowed
    std::uint32_t shift_ = 0;  // 64 - log2(number of entries)
    std::atomic<std::uint32_t> epoch_ = generation_step;
    mutable std::atomic<std::uint64_t> used_ = 0;
    mutable std::atomic<std::uint64_t> cold_ = 0;
    mutable std::atomic<std::uint64_t> no_rule_ = 0;
    mutable std::atomic<std::uint64_t> full_ = 0;
};

} // namespace allot
