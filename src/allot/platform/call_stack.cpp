// Reads the running stack's own words. Two dangers: a word that is not there (every read lies between the stack
// pointer and the stack's end, whatever a rule says), and a stack that looks right and is not (nothing is taken from
// the last capture unless every word that it was derived from has been read again).
#include <allot/platform/call_stack.hpp>

#include <pthread.h>
#include <sys/resource.h>

extern "C" void* __libc_stack_end; // glibc: the stack pointer at the process's first instruction

namespace allot {
namespace {

const std::uint64_t* word_at(std::uint64_t address) noexcept {
    return reinterpret_cast<const std::uint64_t*>(address);
}

} // namespace

// The unwinder's state on its way out, and how much of the last capture it may still meet.
struct stack_cache::walk {
    enum class outcome : std::uint8_t { went, outermost, no_rule, broken };

    const unwind_rules& rules;
    std::uint64_t high;
    std::uint64_t address;
    std::uint64_t stack_pointer;
    std::uint64_t frame_pointer;
    std::uint32_t candidates; // frames_[0 … candidates) of the last capture lie further out
    std::uint32_t taken;      // new_[0 … taken) are in use

    bool is_readable(std::uint64_t at) const noexcept {
        return at >= stack_pointer && at <= high - 8 && at % 8 == 0;
    }
    // A function interrupted at its last `ret` has popped rbp already: the word that the tables name still stands
    // below the stack pointer, in the 128 bytes that the kernel leaves alone.
    bool is_saved_readable(std::uint64_t at) const noexcept {
        const std::uint64_t red_zone = (address & eh_frame::interrupted_bit) != 0 ? 128 : 0;
        return is_readable(at) || is_readable(at + red_zone);
    }
    // Goes to the caller. `from` becomes the frame that was left.
    outcome step(new_frame& from) noexcept;
};

stack_cache::walk::outcome stack_cache::walk::step(new_frame& from) noexcept {
    using kind = unwind_rule::kind;
    const unwind_rule rule = rules.find(address);
    const kind how = rule.how();
    const auto offset = static_cast<std::uint64_t>(rule.frame_offset());
    from = {address, stack_pointer, frame_pointer, nullptr, nullptr, nullptr, false};
    std::uint64_t caller = stack_pointer + offset; // the caller's stack pointer
    std::uint64_t saved_base = caller;
    if (how == kind::by_frame_pointer) {
        from.rule_uses_frame_pointer = true;
        saved_base = caller = frame_pointer + offset;
    } else if (how == kind::by_frame_word || how == kind::signal) {
        from.rule_uses_frame_pointer = how == kind::by_frame_word;
        saved_base = from.rule_uses_frame_pointer ? frame_pointer : stack_pointer;
        if (!is_readable(saved_base + offset)) return outcome::broken;
        from.frame_word = word_at(saved_base + offset);
        caller = *from.frame_word;
    } else if (how != kind::by_stack_pointer) {
        // Code without tables at the very end of the stack was called by nobody: the loader's start-up code.
        return how == kind::outermost || stack_pointer == high ? outcome::outermost : outcome::no_rule;
    }
    const std::uint64_t slot = how == kind::signal ? reinterpret_cast<std::uint64_t>(from.frame_word + 1) : caller - 8;
    if (caller <= stack_pointer || caller > high || caller % 8 != 0 || !is_readable(slot)) return outcome::broken;
    if (rule.saves_frame_pointer()) {
        const std::uint64_t saved = saved_base + static_cast<std::uint64_t>(rule.saved_offset());
        if (!is_saved_readable(saved)) return outcome::broken;
        from.saved_slot = word_at(saved);
        frame_pointer = *from.saved_slot;
    }
    from.return_slot = word_at(slot);
    address = *from.return_slot;
    if ((address & eh_frame::interrupted_bit) != 0) return outcome::broken;
    if (how == kind::signal) address = eh_frame::interrupted(address);
    stack_pointer = caller;
    return outcome::went;
}

// Whether the walk has reached a frame of the last capture that still holds, outwards to its end:
// frames_[0 … candidates) then.
bool stack_cache::join(walk& now) noexcept {
    while (now.candidates != 0 && frames_[now.candidates - 1].stack_pointer < now.stack_pointer) --now.candidates;
    if (now.candidates == 0) return false;
    const frame_state& last = frames_[now.candidates - 1];
    if (!last.is(now.address, now.stack_pointer, now.frame_pointer)) return false;
    const std::uint32_t changed = first_changed(last.checks);
    // All frames that depend on the changed word are out; those further out may still be met.
    if (changed != 0)
        while (now.candidates != 0 && frames_[now.candidates - 1].checks >= changed) --now.candidates;
    // What is left of a stack that was cut may have become too little to show, or the whole may fit now.
    else if (end_ == stack_end::too_deep && now.candidates + now.taken < frames_min_when_cut)
        now.candidates = 0;
    else
        return true;
    return false;
}

captured_stack stack_cache::capture_changed(const unwind_rules& rules, const std::uint64_t* words,
                                            stack_bounds bounds) noexcept {
    const std::uint32_t generation = rules.generation();
    const std::uint32_t known = generation_ == generation ? count_ : 0;
    generation_ = generation;
    const auto frame = reinterpret_cast<std::uint64_t>(words);
    walk now{rules, bounds.high, words[1], frame + 16, words[0], known, 0};
    bool is_kept = unwind_rules::usable(generation);
    stack_end end = stack_end::out_of_bounds;
    if (!bounds.contains(frame) || bounds.high - frame < 16 || frame % 8 != 0) {
        new_[now.taken++] = {now.address, now.stack_pointer, now.frame_pointer, nullptr, nullptr, nullptr, false};
        now.candidates = 0;
        is_kept = false;
    } else {
        end = walk_out(now, is_kept);
    }
    std::uint32_t unchanged = now.candidates;
    count_ = now.candidates;
    if (count_ + now.taken > frames_max || (end == stack_end::too_deep && now.candidates == 0)) {
        end = stack_end::too_deep;
        if (now.taken > frames_after_cut) now.taken = frames_after_cut;
        drop_outermost(count_ + now.taken - frames_after_cut);
        unchanged = 0;
    }
    while (now.taken != 0) append(new_[--now.taken]);
    end_ = end;
    const std::uint32_t count = count_;
    if (!is_kept) count_ = 0;
    return {count, unchanged, end};
}

stack_end stack_cache::walk_out(walk& now, bool& is_kept) noexcept {
    for (;;) {
        if (join(now)) return end_;
        if (now.taken == frames_max) {
            now.candidates = 0;
            return stack_end::too_deep;
        }
        const walk::outcome outcome = now.step(new_[now.taken++]);
        if (outcome == walk::outcome::went) continue;
        now.candidates = 0;
        // Where a rule led outside, words were read that no check binds.
        if (outcome == walk::outcome::broken) is_kept = false;
        return outcome == walk::outcome::outermost ? stack_end::complete
               : outcome == walk::outcome::no_rule ? stack_end::no_rule
                                                   : stack_end::out_of_bounds;
    }
}

// Forgets the outermost frames; the new outermost one depends on nothing any more.
void stack_cache::drop_outermost(std::uint32_t frames) noexcept {
    if (frames >= count_) {
        count_ = 0;
        return;
    }
    const std::uint32_t unbound = frames_[frames].checks;
    const std::uint32_t bound = frames_[count_ - 1].checks;
    for (std::uint32_t at = unbound; at != bound; ++at) checks_[at - unbound] = checks_[at];
    for (std::uint32_t at = frames; at != count_; ++at) {
        frames_[at - frames] = frames_[at];
        frames_[at - frames].checks = (frames_[at].checks - unbound) & 0x7fff'ffff;
    }
    count_ -= frames;
}

void stack_cache::append(const new_frame& frame) noexcept {
    std::uint32_t checks = 0;
    bool uses_frame_pointer = frame.rule_uses_frame_pointer;
    if (count_ != 0) {
        const frame_state& outer = frames_[count_ - 1];
        checks = outer.checks;
        if (frame.frame_word != nullptr) checks_[checks++] = {frame.frame_word, outer.stack_pointer};
        if (frame.saved_slot == nullptr) uses_frame_pointer |= outer.uses_frame_pointer != 0;
        else if (outer.uses_frame_pointer != 0) checks_[checks++] = {frame.saved_slot, outer.frame_pointer};
        checks_[checks++] = {frame.return_slot, outer.address & ~eh_frame::interrupted_bit};
    }
    frames_[count_++] = {frame.address, frame.stack_pointer, frame.frame_pointer, 0, checks & 0x7fff'ffff,
                         uses_frame_pointer};
}

stack_bounds current_thread_bounds() noexcept {
    // The initial thread's stack grows as it needs, up to a limit that the program may raise while it runs. The
    // kernel keeps at least 128 MiB below it free of mappings, so no other stack can lie there.
    constexpr std::uint64_t gap_bytes = std::uint64_t{128} << 20;
    constexpr std::uint64_t unlimited_bytes = std::uint64_t{64} << 30;
    const auto here = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
    const auto initial_high = reinterpret_cast<std::uint64_t>(__libc_stack_end);
    rlimit limit{};
    std::uint64_t size = gap_bytes;
    if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur > size)
        size = limit.rlim_cur < unlimited_bytes ? limit.rlim_cur : unlimited_bytes;
    const stack_bounds initial{initial_high > size ? initial_high - size : 0, initial_high};
    if (initial.contains(here)) return initial;
    // Not by thread id: in the child of a fork the only thread runs on the stack of whichever thread forked.
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return {};
    void* low = nullptr;
    std::size_t bytes = 0;
    const bool is_known = pthread_attr_getstack(&attributes, &low, &bytes) == 0;
    pthread_attr_destroy(&attributes);
    if (!is_known) return {};
    return {reinterpret_cast<std::uintptr_t>(low), reinterpret_cast<std::uintptr_t>(low) + bytes};
}

} // namespace allot
