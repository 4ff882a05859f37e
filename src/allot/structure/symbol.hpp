// symbol: a text's number in an interner: equal texts have equal symbols, so that comparing texts is
// comparing integers.
//
// Use it in place of a string wherever the same texts come again and again: keys, identifiers, tags. The text
// is had from the interner that made it. A symbol says nothing about order of texts: < is the order of their
// first interning.
// Numbers are dense, from 1 on, and never given twice in an interner's life: interner::clear() goes on behind
// the last one. So a symbol from before a clear() is told apart for ever (B35). A symbol of another interner
// is only told apart where its number is beyond this one's: keep symbols of several interners in variables of
// several types, or share one interner.
// Threads: a value.
// Cost: 4 bytes.
//
//     symbol none;
//     assert(!none && none.value() == 0);
//     symbol third = symbol::from_value(3); // from a file, say
//     assert(third && third != none && none < third && std::hash<symbol>()(third) == 3);
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace allot {

class symbol {
public:
    constexpr symbol() noexcept = default; // none
    static constexpr symbol from_value(std::uint32_t value) noexcept {
        symbol made;
        made.value_ = value;
        return made;
    }

    constexpr std::uint32_t value() const noexcept { return value_; } // 0: none
    explicit constexpr operator bool() const noexcept { return value_ != 0; }
    friend constexpr auto operator<=>(const symbol&, const symbol&) = default;

private:
    std::uint32_t value_ = 0;
};

} // namespace allot

template <>
struct std::hash<allot::symbol> {
    constexpr std::size_t operator()(allot::symbol of) const noexcept { return of.value(); }
};
