// Reads the running stack's own words. Two dangers: a word that is not there (every read lies between the stack
// pointer and the stack's end, whatever a rule says), and a stack that looks right and is not (nothing is taken from
// the last capture unless every word that it was derived from has been read again).
#include <allot/platform/call_stack.hpp>

#include <sys/resource.h>

extern "C" void* __libc_stack_end; // glibc: the stack pointer at the process's first instruction

namespace allot {
namespace {

std::uint64_t read_word(std::uint64_t address) noexcept {
    return *reinterpret_cast<const std::uint64_t*>(address);
}

} // namespace

// Where the walk is. Kept apart from `walk`, so that it stays in registers.
struct stack_cache::position {
    std::uint64_t address;
    std::uint64_t stack_pointer;
    std::uint64_t frame_pointer;

    // Whether a word of this frame or one further out lies there.
    bool is_readable(std::uint64_t where, std::uint64_t high) const noexcept {
        return where - stack_pointer < high - stack_pointer && where % 8 == 0;
    }
    // A function interrupted at its last `ret` has popped rbp already: the word that the tables name still stands
    // below the stack pointer, in the 128 bytes that the kernel leaves alone.
    bool is_in_red_zone(std::uint64_t where) const noexcept {
        return (address & eh_frame::interrupted_bit) != 0 && stack_pointer - where <= 128 && where % 8 == 0;
    }
    outcome step(unwind_rule rule, std::uint64_t high, new_frame& from) noexcept;
    outcome step_unusual(unwind_rule rule, std::uint64_t high, new_frame& from) noexcept;
    outcome go(unwind_rule rule, std::uint64_t high, new_frame& from, std::uint64_t caller,
               std::uint64_t slot, std::uint64_t saved_base) noexcept;
};

struct stack_cache::walk {
    unwind_rules::reader rules;
    std::uint64_t high;                // of the stack; a multiple of 8
    const frame_state* candidates_end; // frames_ up to here, of the last capture, lie further out
    new_frame* taken_end;              // new_ up to here are in use
};

// Goes to the caller. `from` becomes the frame that was left.
[[gnu::always_inline]] inline stack_cache::outcome
stack_cache::position::step(unwind_rule rule, std::uint64_t high, new_frame& from) noexcept {
    from = {address, stack_pointer, frame_pointer, 0, 0};
    if (rule.how() != unwind_rule::kind::by_stack_pointer) [[unlikely]] {
        position copy = *this;
        const outcome how = copy.step_unusual(rule, high, from);
        *this = copy;
        return how;
    }
    const std::uint64_t caller = stack_pointer + static_cast<std::uint64_t>(rule.frame_offset());
    return go(rule, high, from, caller, caller - 8, caller);
}

stack_cache::outcome stack_cache::position::step_unusual(unwind_rule rule, std::uint64_t high,
                                                         new_frame& from) noexcept {
    using kind = unwind_rule::kind;
    const auto offset = static_cast<std::uint64_t>(rule.frame_offset());
    if (rule.how() == kind::by_frame_pointer) {
        const std::uint64_t caller = frame_pointer + offset;
        from.unusual = uses_frame_pointer_bit;
        return caller % 8 == 0 ? go(rule, high, from, caller, caller - 8, caller) : outcome::broken;
    }
    const bool is_signal = rule.how() == kind::signal;
    if (!is_signal && rule.how() != kind::by_frame_word)
        // Code without tables at the very end of the stack was called by nobody: the loader's start-up code.
        return rule.how() == kind::outermost || stack_pointer == high ? outcome::outermost : outcome::no_rule;
    const std::uint64_t base = is_signal ? stack_pointer : frame_pointer;
    const std::uint64_t word = base + offset;
    if (!is_readable(word, high)) return outcome::broken;
    const std::uint64_t caller = read_word(word);
    const std::uint64_t slot = is_signal ? word + 8 : caller - 8;
    if (caller % 8 != 0 || base % 8 != 0 || !is_readable(slot, high)) return outcome::broken;
    from.unusual = word | (is_signal ? is_signal_bit : uses_frame_pointer_bit);
    const outcome how = go(rule, high, from, caller, slot, base);
    if (is_signal) address = eh_frame::interrupted(address);
    return how;
}

// Expects: caller and saved_base are multiples of 8, as all rules' offsets are; slot lies below caller or was tested.
[[gnu::always_inline]] inline stack_cache::outcome
stack_cache::position::go(unwind_rule rule, std::uint64_t high, new_frame& from, std::uint64_t caller,
                          std::uint64_t slot, std::uint64_t saved_base) noexcept {
    if (caller - stack_pointer - 1 >= high - stack_pointer) return outcome::broken;
    if (rule.saves_frame_pointer()) {
        const std::uint64_t saved = saved_base + static_cast<std::uint64_t>(rule.saved_offset());
        if (saved - stack_pointer >= high - stack_pointer && !is_in_red_zone(saved)) return outcome::broken;
        from.saved_slot = saved;
        frame_pointer = read_word(saved);
    }
    address = read_word(slot);
    stack_pointer = caller;
    return (address & eh_frame::interrupted_bit) == 0 ? outcome::went : outcome::broken;
}

// Whether the walk has reached a frame of the last capture that still holds, outwards to its end: candidates_end[-1].
[[gnu::always_inline]] inline bool stack_cache::joins(walk& now, const position& at) const noexcept {
    const frame_state* last = now.candidates_end;
    while (last != frames_ && last[-1].stack_pointer < at.stack_pointer) --last;
    now.candidates_end = last;
    if (last == frames_ || !last[-1].is(at.address, at.stack_pointer, at.frame_pointer)) return false;
    const std::uint32_t changed = first_changed(last[-1].checks);
    // What is left of a stack that was cut may have become too little to show, or the whole may fit now.
    if (changed == 0 && end_ == stack_end::too_deep &&
        last - frames_ + (now.taken_end - new_) < frames_min_when_cut)
        last = frames_;
    // All frames that depend on the changed word are out; those further out may still be met.
    if (changed != 0)
        while (last != frames_ && last[-1].checks >= changed) --last;
    const bool is_met = last == now.candidates_end;
    now.candidates_end = last;
    return is_met;
}

// `went`: the walk joined the last capture, or (no candidates are left) there are more frames than there is room for.
[[gnu::always_inline]] inline stack_cache::outcome stack_cache::walk_out(walk& now, position at) noexcept {
    outcome how = outcome::went;
    do {
        if (joins(now, at)) return how;
        if (now.taken_end == new_ + frames_max) break;
        how = at.step(now.rules.find(at.address), now.high, *now.taken_end++);
    } while (how == outcome::went);
    now.candidates_end = frames_;
    return how;
}

captured_stack stack_cache::capture_changed(const unwind_rules& rules, const std::uint64_t* words,
                                            stack_bounds bounds) noexcept {
    const auto frame = reinterpret_cast<std::uint64_t>(words);
    walk now{unwind_rules::reader(rules), bounds.high & ~std::uint64_t{7}, frames_, new_};
    const std::uint32_t generation = now.rules.generation();
    if (generation_ == generation) now.candidates_end += count_;
    generation_ = generation;
    const position start{words[1], frame + 16, words[0]};
    outcome how = outcome::broken;
    if (bounds.contains(frame) && start.stack_pointer <= now.high && frame % 8 == 0) {
        how = walk_out(now, start);
    } else {
        *now.taken_end++ = {start.address, start.stack_pointer, start.frame_pointer, 0, 0};
        now.candidates_end = frames_;
    }
    auto taken = static_cast<std::uint32_t>(now.taken_end - new_);
    std::uint32_t unchanged = count_ = static_cast<std::uint32_t>(now.candidates_end - frames_);
    if (unchanged + taken > frames_max || (how == outcome::went && unchanged == 0)) [[unlikely]] {
        if (taken > frames_after_cut) taken = frames_after_cut;
        cut(frames_after_cut - taken);
        unchanged = 0;
    } else if (unchanged == 0) {
        end_ = how == outcome::outermost ? stack_end::complete
               : how == outcome::no_rule ? stack_end::no_rule
                                         : stack_end::out_of_bounds;
    }
    append(taken);
    const std::uint32_t count = count_;
    // Where a rule led outside, words were read that no check binds.
    if (how == outcome::broken || !unwind_rules::usable(generation)) count_ = 0;
    return {count, unchanged, end_};
}

// Makes room by forgetting all but so many of the frames, the innermost; the new outermost one depends on nothing.
void stack_cache::cut(std::uint32_t kept) noexcept {
    end_ = stack_end::too_deep;
    if (kept > count_) kept = count_;
    const std::uint32_t dropped = count_ - kept;
    const std::uint16_t unbound = kept != 0 ? frames_[dropped].checks : std::uint16_t{0};
    const std::uint16_t bound = kept != 0 ? frames_[count_ - 1].checks : std::uint16_t{0};
    for (std::uint32_t at = unbound; at != bound; ++at) checks_[at - unbound] = checks_[at];
    for (std::uint32_t at = 0; at != kept; ++at) {
        frames_[at] = frames_[at + dropped];
        frames_[at].checks = static_cast<std::uint16_t>(frames_[at].checks - unbound);
    }
    count_ = kept;
}

// Puts new_[0 … count) behind the frames that are kept, from the outermost on, each with the words that the frame
// further out was derived from.
[[gnu::always_inline]] inline void stack_cache::append(std::uint32_t count) noexcept {
    frame_state* out = frames_ + count_;
    check* checks = checks_ + (count_ != 0 ? out[-1].checks : 0);
    bool uses_frame_pointer = count_ != 0 && out[-1].uses_frame_pointer != 0; // of the next frame out
    count_ += count;
    for (const new_frame* frame = new_ + count; frame-- != new_; ++out) {
        const std::uint64_t word = frame->unusual & ~std::uint64_t{7};
        if (out != frames_) {
            const frame_state& outer = out[-1];
            std::uint64_t return_slot = outer.stack_pointer - 8;
            if (word != 0) [[unlikely]] {
                *checks++ = {reinterpret_cast<const std::uint64_t*>(word), outer.stack_pointer};
                if ((frame->unusual & is_signal_bit) != 0) return_slot = word + 8;
            }
            if (frame->saved_slot != 0) {
                if (uses_frame_pointer)
                    *checks++ = {reinterpret_cast<const std::uint64_t*>(frame->saved_slot),
                                 outer.frame_pointer};
                uses_frame_pointer = false;
            }
            *checks++ = {reinterpret_cast<const std::uint64_t*>(return_slot),
                         outer.address & ~eh_frame::interrupted_bit};
        }
        uses_frame_pointer |= (frame->unusual & uses_frame_pointer_bit) != 0;
        *out = {frame->address,
                frame->stack_pointer,
                frame->frame_pointer,
                0,
                static_cast<std::uint16_t>(checks - checks_),
                uses_frame_pointer};
    }
}

// glibc's control block says where its thread's stack begins: the pair of words (start, size) that encloses both this
// frame and the block. pthread_getattr_np would say the same, but allocates and makes a system call that a filter may
// forbid. Nothing begins in the first 64 KiB: a thread id, before glibc's pointer back into the block, looks like a
// stack from there on.
stack_bounds detail::stack_before(const std::uintptr_t* control_block, std::uintptr_t here) noexcept {
    constexpr std::size_t pairs = 0x900 / 8 - 1;
    constexpr std::uintptr_t behind_max = 65536; // of the block itself and what glibc puts behind it
    const auto block = reinterpret_cast<std::uintptr_t>(control_block);
    for (std::size_t i = 0; i != pairs; ++i) {
        const std::uintptr_t start = control_block[i], size = control_block[i + 1];
        if (start >= 65536 && start <= here && here < block && size >= block - start &&
            size - (block - start) < behind_max)
            return {start, block};
    }
    return {};
}

// Not by thread id: in the child of a fork the only thread runs on the stack of whichever thread forked.
stack_bounds current_thread_bounds(stack_bounds initial) noexcept {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    if (initial.contains(here)) return initial;
    return detail::stack_before(static_cast<const std::uintptr_t*>(__builtin_thread_pointer()), here);
}

stack_bounds current_thread_bounds() noexcept {
    // The initial thread's stack grows as it needs, up to a limit that the program may raise while it runs. The
    // kernel keeps at least 128 MiB below it free of mappings, so no other stack can lie there.
    constexpr std::uint64_t gap_bytes = std::uint64_t{128} << 20;
    constexpr std::uint64_t unlimited_bytes = std::uint64_t{64} << 30;
    const auto high = reinterpret_cast<std::uint64_t>(__libc_stack_end);
    rlimit limit{};
    std::uint64_t size = gap_bytes;
    if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur > size)
        size = limit.rlim_cur < unlimited_bytes ? limit.rlim_cur : unlimited_bytes;
    return current_thread_bounds({high > size ? high - size : 0, high});
}

} // namespace allot
