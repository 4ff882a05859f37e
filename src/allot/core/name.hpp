// name: what a source, a structure or a tag is called in every report, refusal and fatal line.
//
// A copy of at most 31 bytes, so that no name can dangle and none allocates. A longer text is cut to 28 bytes
// and ends in "...", so that the cut shows. Not a key: two things may bear one name.
// Threads: a value.
// Cost: 32 bytes.
//
//     name who = "request";
//     assert(who.view() == "request");
//     assert(name("a name of far more than thirty-one bytes").view() == "a name of far more than thir...");
#pragma once

#include <cstddef>
#include <string_view>

namespace allot {

class name {
public:
    static constexpr std::size_t length_max = 31;

    constexpr name() noexcept = default;
    constexpr name(std::string_view text) noexcept {
        const bool cut = text.size() > length_max;
        const std::size_t kept = cut ? length_max - 3 : text.size();
        for (std::size_t i = 0; i < kept; ++i) text_[i] = text[i];
        for (std::size_t i = kept; cut && i < length_max; ++i) text_[i] = '.';
    }
    constexpr name(const char* text) noexcept : name(std::string_view(text)) {}

    constexpr std::string_view view() const noexcept { return text_; }
    constexpr const char* c_str() const noexcept { return text_; }
    friend constexpr bool operator==(const name&, const name&) = default;

private:
    char text_[length_max + 1] = {}; // ends in a zero
};

} // namespace allot
