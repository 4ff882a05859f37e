// stack_cache: takes the whole call stack of the running thread, and knows which part is the same as last time.
//
// Use it where stacks are taken often (each allocation): what has not changed since the thread's last capture costs
// about a nanosecond a frame. For one stack of another thread, or in a crash handler that must survive a broken stack,
// use libunwind.
// Owns nothing: plain data in zeroed memory of the caller's (keep it in pages of its own: only what a stack's depth
// needs is ever touched, about three pages), one per thread. Borrows the rules.
// Threads: one thread, not re-entrant: a signal handler on the same thread must not capture into a cache that it
// interrupted (guard it with a busy flag). After fork the child may go on with its copy.
// Cost (call_stack_bench, 21 frames): same stack again 15 ns, about 45 + 5 instructions a checked word (1 a frame, and
// 1 where rbp matters); two new frames 30 ns. No allocation, no lock, no system call; 250 bytes of stack, 2 KiB where a
// rule is read for the first time.
//
//     void* hook(std::size_t size) {                       // built so that __builtin_frame_address works
//         allot::captured_stack now = cache.capture(rules, __builtin_frame_address(0), bounds);
//         std::uint32_t node = now.unchanged != 0 ? cache.payload(now.unchanged - 1) : root_of(now.end);
//         for (std::uint32_t i = now.unchanged; i != now.count; ++i)
//             cache.set_payload(i, node = child_of(node, cache.return_address(i)));
//         // node now stands for the whole stack; cache.return_address(now.count - 1) called the hook
//     }
//
// How it stays right. Where the next frame out lies follows from the rules (fixed while the generation lasts), from
// (address, rsp, and rbp where an outer rule uses it), and from the words read on the way: return addresses, the saved
// rbp that outer rules use, and the frame word of realigned stacks. A new stack that reaches a known state, and finds
// every such word outwards of it unchanged, must be the old stack from there on. Nothing is patched, nothing guessed.
#pragma once

#include <allot/platform/unwind_rules.hpp>

#include <cstddef>
#include <cstdint>

namespace allot {

// The stack that a thread was given: [low, high). Stacks that a program makes itself (sigaltstack, coroutines) lie
// outside.
struct stack_bounds {
    std::uintptr_t low = 0;
    std::uintptr_t high = 0;
    constexpr bool contains(std::uintptr_t address) const noexcept {
        return address >= low && address < high;
    }
};

// Bounds of the calling thread, for all captures of its life; empty when not known. The initial thread's come from
// __libc_stack_end and the stack limit (one getrlimit), another's from the control block that glibc puts at the end of
// its stack. No allocation, no lock.
stack_bounds current_thread_bounds() noexcept;

// The same for callers that know the initial thread's bounds already: no system call either.
stack_bounds current_thread_bounds(stack_bounds initial) noexcept;

namespace detail {
// The stack that encloses `here` and the control block at its end, as the block says; empty if it names none.
stack_bounds stack_before(const std::uintptr_t* control_block, std::uintptr_t here) noexcept;
} // namespace detail

// Where a captured stack ends outwards.
enum class stack_end : std::uint8_t {
    complete = 0, // at the thread's outermost frame
    no_rule = 1,  // at code whose tables are missing or not understood
    out_of_bounds =
        2,       // at a frame outside the thread's own stack: a coroutine, a signal stack, a broken rule
    too_deep = 3 // cut: at least the innermost 256 frames are there
};

struct captured_stack {
    std::uint32_t count; // frames, at least 1
    std::uint32_t
        unchanged; // the outermost so many are the same as in the last capture and keep their payload
    stack_end end;
};

class stack_cache {
public:
    static constexpr std::uint32_t frames_max = 1024;
    static constexpr std::uint32_t frames_min_when_cut = 256;
    static constexpr std::uint32_t frames_after_cut = 640;

    // Captures the stack outwards of the calling function. `frame` is its __builtin_frame_address(0): two words,
    // the caller's rbp and the return address. The frames stay readable until the next capture.
    // Expects: rules and bounds are the same in all captures of one cache, bounds are the running thread's own.
    captured_stack capture(const unwind_rules& rules, const void* frame, stack_bounds bounds) noexcept {
        const auto* words = static_cast<const std::uint64_t*>(frame);
        if (count_ != 0 && generation_ == rules.generation()) [[likely]] {
            const frame_state& last = frames_[count_ - 1];
            if (last.is(words[1], reinterpret_cast<std::uint64_t>(words + 2), words[0]) &&
                first_changed(last.checks) == 0)
                return {count_, count_, end_};
        }
        return capture_changed(rules, words, bounds);
    }

    // Frames of the last capture; index 0 is the outermost, count - 1 the caller of the capturing function.
    // For every frame, address - 1 lies in the instruction that was running there (so a frame that was interrupted by
    // a signal shows its address + 1). Expects: index < count.
    std::uint64_t return_address(std::uint32_t index) const noexcept {
        const std::uint64_t address = frames_[index].address;
        return (address & ~eh_frame::interrupted_bit) + (address >> 63);
    }
    // The stack pointer of a frame just after its callee returns: tells two activations of one function apart.
    std::uintptr_t stack_pointer(std::uint32_t index) const noexcept { return frames_[index].stack_pointer; }
    std::uint32_t payload(std::uint32_t index) const noexcept { return frames_[index].payload; }
    void set_payload(std::uint32_t index, std::uint32_t value) noexcept { frames_[index].payload = value; }

    // Forgets: the next capture has unchanged == 0. Needed when payloads lose their meaning.
    void forget() noexcept { count_ = 0; }

private:
    // The state of the unwinder at a frame, outermost first.
    struct frame_state {
        std::uint64_t address; // return address, or eh_frame::interrupted(pc)
        std::uint64_t stack_pointer;
        std::uint64_t frame_pointer; // rbp; meaningful only if uses_frame_pointer
        std::uint32_t payload;
        std::uint16_t checks;             // checks_[0 … checks) bind everything outwards of this frame
        std::uint16_t uses_frame_pointer; // 1: rbp here decides where an outer frame lies

        bool is(std::uint64_t other_address, std::uint64_t other_stack_pointer,
                std::uint64_t other_frame_pointer) const noexcept {
            return stack_pointer == other_stack_pointer && address == other_address &&
                   (uses_frame_pointer == 0 || frame_pointer == other_frame_pointer);
        }
    };
    // A word of the stack that an outer frame was derived from.
    struct check {
        const std::uint64_t* where;
        std::uint64_t value;
    };
    // A new frame, innermost first, and what the step out of it read beside the return address.
    struct new_frame {
        std::uint64_t address;
        std::uint64_t stack_pointer;
        std::uint64_t frame_pointer;
        std::uint64_t saved_slot; // address of the caller's rbp; 0: it is unchanged
        std::uint64_t
            unusual; // 0: a rule by the stack pointer. Else the bits below, and the address of the word
                     // that held the caller's rsp, if one did
    };
    static constexpr std::uint64_t uses_frame_pointer_bit = 1;
    static constexpr std::uint64_t is_signal_bit = 2;
    enum class outcome : std::uint8_t { went, outermost, no_rule, broken };
    struct position;
    struct walk;

    // 0 if the words checks_[0 … count) are all as they were, else 1 + index of the innermost that changed.
    std::uint32_t first_changed(std::uint32_t count) const noexcept {
#ifdef ALLOT_STACK_CACHE_NO_VERIFY // the negative control of tests/stacks: must produce wrong stacks
        return count * 0;
#else
        const check* at = checks_ + count;
        for (const check* const four = checks_ + 4; at >= four; at -= 4)
            if (*at[-1].where != at[-1].value || *at[-2].where != at[-2].value ||
                *at[-3].where != at[-3].value || *at[-4].where != at[-4].value)
                break;
        for (; at != checks_; --at)
            if (*at[-1].where != at[-1].value) return static_cast<std::uint32_t>(at - checks_);
        return 0;
#endif
    }
    captured_stack capture_changed(const unwind_rules& rules, const std::uint64_t* words,
                                   stack_bounds bounds) noexcept;
    outcome walk_out(walk& now, position at) noexcept;
    bool joins(walk& now, const position& at) const noexcept;
    void cut(std::uint32_t kept) noexcept;
    void append(std::uint32_t count) noexcept;

    // count_ ≤ frames_max; frames_[i].checks ≤ frames_[i + 1].checks ≤ checks_max
    static constexpr std::uint32_t checks_max = frames_max * 3;
    static_assert(checks_max <= 0xffff);
    std::uint32_t count_;
    std::uint32_t generation_;
    stack_end end_;
    frame_state frames_[frames_max];
    check checks_[checks_max];
    new_frame new_[frames_max];
};

} // namespace allot
