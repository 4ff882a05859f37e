// simd_kernels: the loops behind simd_text, once for each kind of processor. Inner part.
//
// A set of functions for one target; the best that the processor can run is chosen at the first call. Built
// with Highway where its headers are found (no library to link), else the one set is plain C++. Exact
// functions read no byte outside the text. Batch functions read up to 63 bytes behind the last text, which
// the batch owns.
// Threads: any.
//
//     const detail::simd_kernels& loops = detail::chosen_simd_kernels();
//     assert(loops.find("abcabd", 6, "abd", 3) == 3 && loops.count("aba", 3, 'a') == 2);
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace allot::detail {

// Texts that lie one behind the other: text i is bytes[begins[i]] to bytes[begins[i + 1]].
struct packed_texts {
    const char* bytes = nullptr;
    const std::uint32_t* begins = nullptr;
    std::size_t count = 0;
};

struct simd_kernels {
    const char* target;
    std::size_t (*count)(const char* text, std::size_t length, char wanted) noexcept;
    // The first place of the pattern, or `length`. Expects: pattern_length >= 1.
    std::size_t (*find)(const char* text, std::size_t length, const char* pattern,
                        std::size_t pattern_length) noexcept;
    // These fill in one answer for each text, and return the sum.
    std::uint64_t (*count_views)(std::span<const std::string_view> texts, char wanted,
                                 std::uint32_t* counts) noexcept;
    std::uint64_t (*count_batch)(packed_texts texts, char wanted, std::uint32_t* counts) noexcept;
    std::uint64_t (*contains_views)(std::span<const std::string_view> texts, std::string_view pattern,
                                    bool* hits) noexcept;
    std::uint64_t (*contains_batch)(packed_texts texts, std::string_view pattern, bool* hits) noexcept;
    std::uint64_t (*match_views)(std::span<const std::string_view> texts, std::string_view wanted,
                                 bool* hits) noexcept;
    std::uint64_t (*match_batch)(packed_texts texts, std::string_view wanted, bool* hits) noexcept;
};

const simd_kernels& chosen_simd_kernels() noexcept;
// All that this processor can run, the best one first.
std::span<const simd_kernels* const> usable_simd_kernels() noexcept;

} // namespace allot::detail
