#include <algorithm>
#include <allot/structure/simd_kernels.hpp>
#include <allot/structure/simd_text.hpp>
#include <limits>

namespace allot {

using detail::chosen_simd_kernels;

bool text_batch::try_push_back(std::string_view text) noexcept {
    const std::size_t begin = byte_count();
    std::size_t end = 0;
    if (!checked_add(begin, text.size(), end) || end > std::numeric_limits<std::uint32_t>::max() - padding) {
        note_refusal({.kind = "text_batch",
                      .asked = {.size = text.size(), .align = 1},
                      .limit_bytes = std::numeric_limits<std::uint32_t>::max() - padding,
                      .live_bytes = begin});
        return false;
    }
    // Everything is reserved before anything changes. A text of our own is found again by its offset.
    const std::size_t offset =
        reinterpret_cast<std::uintptr_t>(text.data()) - reinterpret_cast<std::uintptr_t>(bytes_.data());
    const bool own = offset < begin;
    const std::size_t more = bytes_.empty() ? text.size() + padding : text.size();
    const std::size_t first = begins_.empty() ? 1 : 0;
    if (!begins_.try_extend(first + 1)) return false;
    if (!bytes_.try_extend(more)) {
        (void)begins_.try_resize(begins_.size() - first - 1);
        return false;
    }
    if (first != 0) begins_[0] = 0;
    begins_[begins_.size() - 1] = static_cast<std::uint32_t>(end);
    if (!text.empty())
        std::memmove(bytes_.data() + begin, own ? bytes_.data() + offset : text.data(), text.size());
    std::memset(bytes_.data() + end, 0, padding);
    return true;
}

namespace {

detail::packed_texts packed(const text_batch& texts) noexcept {
    return {.bytes = texts.bytes(), .begins = texts.begins(), .count = texts.size()};
}

void expect_room(std::size_t answers, std::size_t texts) noexcept {
    ALLOT_EXPECT(answers >= texts, "simd_text: ", answers, " answers for ", texts, " texts");
}

// In pieces of texts, whose answers for one wanted text stay in the first-level cache.
// match(first, count, wanted, hits) answers for one of them.
template <class Match>
std::uint64_t match_any(std::size_t count, std::span<const std::string_view> wanted, std::span<bool> hits,
                        Match match) noexcept {
    constexpr std::size_t piece = 1024;
    bool answers[piece];
    std::uint64_t hit_count = 0;
    for (std::size_t first = 0; first < count; first += piece) {
        const std::size_t here = std::min(piece, count - first);
        bool* const into = hits.data() + first;
        std::fill_n(into, here, false);
        for (const std::string_view each : wanted)
            if (match(first, here, each, answers) != 0)
                for (std::size_t i = 0; i != here; ++i) into[i] |= answers[i];
        hit_count += static_cast<std::uint64_t>(std::count(into, into + here, true));
    }
    return hit_count;
}

// A pattern of no bytes is everywhere.
std::uint64_t all_hit(std::span<bool> hits, std::size_t count) noexcept {
    std::fill_n(hits.begin(), count, true);
    return count;
}

} // namespace

std::size_t simd_find(std::string_view text, std::string_view pattern) noexcept {
    if (pattern.empty()) return 0;
    const std::size_t at =
        chosen_simd_kernels().find(text.data(), text.size(), pattern.data(), pattern.size());
    return at == text.size() ? std::string_view::npos : at;
}

bool simd_contains(std::string_view text, std::string_view pattern) noexcept {
    return simd_find(text, pattern) != std::string_view::npos;
}

std::size_t simd_count(std::string_view text, char wanted) noexcept {
    return chosen_simd_kernels().count(text.data(), text.size(), wanted);
}

std::uint64_t simd_match_each(const text_batch& texts, std::string_view wanted,
                              std::span<bool> hits) noexcept {
    expect_room(hits.size(), texts.size());
    return chosen_simd_kernels().match_batch(packed(texts), wanted, hits.data());
}

std::uint64_t simd_match_each(std::span<const std::string_view> texts, std::string_view wanted,
                              std::span<bool> hits) noexcept {
    expect_room(hits.size(), texts.size());
    return chosen_simd_kernels().match_views(texts, wanted, hits.data());
}

std::uint64_t simd_match_any_each(const text_batch& texts, std::span<const std::string_view> wanted,
                                  std::span<bool> hits) noexcept {
    expect_room(hits.size(), texts.size());
    return match_any(texts.size(), wanted, hits,
                     [&](std::size_t first, std::size_t count, std::string_view each, bool* answers) {
                         return chosen_simd_kernels().match_batch(
                             {.bytes = texts.bytes(), .begins = texts.begins() + first, .count = count}, each,
                             answers);
                     });
}

std::uint64_t simd_match_any_each(std::span<const std::string_view> texts,
                                  std::span<const std::string_view> wanted, std::span<bool> hits) noexcept {
    expect_room(hits.size(), texts.size());
    return match_any(texts.size(), wanted, hits,
                     [&](std::size_t first, std::size_t count, std::string_view each, bool* answers) {
                         return chosen_simd_kernels().match_views(texts.subspan(first, count), each, answers);
                     });
}

std::uint64_t simd_contains_each(const text_batch& texts, std::string_view pattern,
                                 std::span<bool> hits) noexcept {
    expect_room(hits.size(), texts.size());
    if (pattern.empty()) return all_hit(hits, texts.size());
    return chosen_simd_kernels().contains_batch(packed(texts), pattern, hits.data());
}

std::uint64_t simd_contains_each(std::span<const std::string_view> texts, std::string_view pattern,
                                 std::span<bool> hits) noexcept {
    expect_room(hits.size(), texts.size());
    if (pattern.empty()) return all_hit(hits, texts.size());
    return chosen_simd_kernels().contains_views(texts, pattern, hits.data());
}

std::uint64_t simd_count_each(const text_batch& texts, char wanted,
                              std::span<std::uint32_t> counts) noexcept {
    expect_room(counts.size(), texts.size());
    return chosen_simd_kernels().count_batch(packed(texts), wanted, counts.data());
}

std::uint64_t simd_count_each(std::span<const std::string_view> texts, char wanted,
                              std::span<std::uint32_t> counts) noexcept {
    expect_room(counts.size(), texts.size());
    return chosen_simd_kernels().count_views(texts, wanted, counts.data());
}

const char* simd_target() noexcept { return chosen_simd_kernels().target; }

} // namespace allot
