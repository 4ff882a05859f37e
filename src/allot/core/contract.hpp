// contract: what happens when a caller breaks an agreement: one line `allot: fatal: …` on stderr, then abort.
//
// Use it for bugs only: a handle from another table, a size of zero, an index past the end. A shortage is
// answered with an empty value, and what comes from outside (files, input) with a `result`.
// The checks are always on.
// Threads: any, also in a signal handler or a malloc hook: it allocates nothing, takes no lock and needs
// libc's write and abort alone.
// Cost: a check is a compare and a branch never taken; a line is built in 512 bytes of stack and cut with
// "..." beyond that.
//
//     ALLOT_EXPECT(index < count_, "buffer: index ", index, " of ", count_);
//     // allot: fatal: buffer: index 7 of 5
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace allot {

// One piece of a fatal line: text, an integer in decimal, or an address in hexadecimal. Borrows its text.
class fatal_part {
public:
    constexpr fatal_part(const char* text) noexcept : text_(text) {}
    constexpr fatal_part(std::string_view text) noexcept : text_(text) {}
    template <std::integral T>
    constexpr fatal_part(T number) noexcept
        : kind_(number < T{} ? kind::negative : kind::number), number_(static_cast<std::uint64_t>(number)) {
        if (kind_ == kind::negative) number_ = 0 - number_;
    }
    fatal_part(const void* address) noexcept
        : kind_(kind::address), number_(reinterpret_cast<std::uintptr_t>(address)) {}

    // Writes the piece into [out, end) and returns where it stops: what does not fit is left out.
    char* write(char* out, const char* end) const noexcept;

private:
    enum class kind : std::uint8_t { text, number, negative, address };
    kind kind_ = kind::text;
    std::uint64_t number_ = 0; // the magnitude of a number
    std::string_view text_;
};

[[noreturn]] void fatal(std::initializer_list<fatal_part> parts) noexcept;

} // namespace allot

// Aborts with the parts after the condition as the message, unless the condition holds.
#define ALLOT_EXPECT(condition, ...)                                                                         \
    do {                                                                                                     \
        if (!(condition)) [[unlikely]]                                                                       \
            ::allot::fatal({__VA_ARGS__});                                                                   \
    } while (false)
