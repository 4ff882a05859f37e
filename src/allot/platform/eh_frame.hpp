// eh_frame: reads the unwind tables that compilers put beside code, for rsp, rbp and the return address only.
//
// Use it through `unwind_rules`, which remembers what it says. Not for exception handling: no personality, no landing
// pads, no other register.
// Owns nothing; reads the mapped .eh_frame_hdr and .eh_frame of the object that `_dl_find_object` names (glibc ≥ 2.35;
// no lock, no dl_iterate_phdr). Never reads outside that object, whatever the tables say.
// Threads: pure functions, safe in a signal handler. Cost: 0.3–2 µs.
//
//     allot::unwind_rule rule = allot::eh_frame::rule_for(return_address);
//     if (rule.how() == allot::unwind_rule::kind::by_stack_pointer)
//         caller_frame = stack_pointer + rule.frame_offset();
#pragma once

#include <cstdint>

#if !defined(__x86_64__) || !defined(__linux__)
#    error "allot reads call stacks on x86-64 Linux only"
#endif

namespace allot {

// How to get from one frame to its caller's, in 8 bytes. CFA is the stack pointer just before the call.
//
//     63..48 tag   47..32 where rbp is saved   31..0 CFA offset, its low three bits being the kind
class unwind_rule {
public:
    enum class kind : std::uint8_t {
        none = 0,             // not known yet
        by_stack_pointer = 1, // CFA = rsp + frame_offset, rbp saved at CFA + saved_offset
        by_frame_pointer = 2, // CFA = rbp + frame_offset, rbp saved at CFA + saved_offset
        by_frame_word = 3, // CFA = *(rbp + frame_offset), rbp saved at rbp + saved_offset (realigned stacks)
        signal = 4,    // rsp' = *(rsp + frame_offset), rip' = the word after it, rbp' = *(rsp + saved_offset)
        outermost = 5, // nobody called this frame
        unknown = 6,   // code without tables, or with rules that this reader does not follow
        unmapped = 7   // no object of the dynamic loader's lies there; may change with the next dlopen
    };
    static constexpr std::int64_t frame_offset_max = 0x7fff'fff8;
    static constexpr std::int64_t saved_offset_max = 0x7ff8;
    static constexpr std::int64_t not_saved = -0x8000; // rbp is as the callee left it

    constexpr unwind_rule() noexcept = default;
    explicit constexpr unwind_rule(std::uint64_t packed) noexcept : packed_(packed) {}
    explicit constexpr unwind_rule(kind how) noexcept : packed_(static_cast<std::uint64_t>(how)) {}
    // Expects: offsets are multiples of 8 within the limits above; saved_offset may be not_saved.
    static constexpr unwind_rule make(kind how, std::int64_t frame_offset,
                                      std::int64_t saved_offset) noexcept {
        return unwind_rule((static_cast<std::uint64_t>(saved_offset) & 0xffff) << 32 |
                           (static_cast<std::uint64_t>(frame_offset) & 0xffff'fff8) |
                           static_cast<std::uint64_t>(how));
    }

    constexpr kind how() const noexcept { return static_cast<kind>(packed_ & 7); }
    constexpr std::int64_t frame_offset() const noexcept {
        return static_cast<std::int32_t>(packed_ & ~7ull);
    }
    constexpr std::int64_t saved_offset() const noexcept { return static_cast<std::int16_t>(packed_ >> 32); }
    constexpr bool saves_frame_pointer() const noexcept { return saved_offset() != not_saved; }

    // The word as a table keeps it, with 16 bits of the table's own.
    constexpr std::uint64_t packed(std::uint32_t tag) const noexcept {
        return (packed_ & 0xffff'ffff'ffff) | static_cast<std::uint64_t>(tag) << 48;
    }
    static constexpr std::uint32_t tag_of(std::uint64_t packed) noexcept {
        return static_cast<std::uint32_t>(packed >> 48);
    }

private:
    std::uint64_t packed_ = 0;
};

namespace eh_frame {

// A frame that a signal interrupted stands *at* its address, a caller stands *after* its call: the two look their
// rules up differently, so an interrupted address carries this bit.
inline constexpr std::uint64_t interrupted_bit = std::uint64_t{1} << 63;
constexpr std::uint64_t interrupted(std::uint64_t pc) noexcept { return pc | interrupted_bit; }

// The rule at a return address or interrupted(pc), read from the tables of the object it lies in.
unwind_rule rule_for(std::uint64_t address) noexcept;

// The same from tables given: `header` is an .eh_frame_hdr; nothing outside [begin, end) is read.
unwind_rule rule_from(std::uint64_t address, const std::uint8_t* header, const std::uint8_t* begin,
                      const std::uint8_t* end) noexcept;

} // namespace eh_frame
} // namespace allot
