#include <algorithm>
#include <allot/structure/simd_kernels.hpp>
#include <bit>
#include <cstring>

// With Highway this file is compiled once for each target: foreach_target.h includes it anew, with HWY_NAMESPACE and
// the compiler's target set to another one. What stands between HWY_ONCE is compiled once.
//
// The choice is our own rather than HWY_DYNAMIC_DISPATCH, which needs libhwy: so no user of allot must link it. What
// has no vectors for Highway (plain x86-64) takes the plain set.
#ifdef ALLOT_HAS_HIGHWAY
#    undef HWY_TARGET_INCLUDE
#    define HWY_TARGET_INCLUDE "allot/structure/simd_kernels.cpp"
#    define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL) // too little over their neighbours for their code
#    include <hwy/foreach_target.h>
#    include <hwy/highway.h>
#    if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
HWY_BEFORE_NAMESPACE();
namespace allot::detail::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// One bit for each lane, the first in the lowest.
template <class D, class M>
HWY_INLINE std::uint64_t bits_of(D d, M mask) {
    std::uint8_t bytes[8] = {};
    hn::StoreMaskBits(d, mask, bytes);
    std::uint64_t bits = 0;
    std::memcpy(&bits, bytes, sizeof bits);
    return bits;
}

HWY_INLINE std::uint64_t low_bits(std::size_t count) {
    return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

HWY_INLINE const std::uint8_t* bytes_of(const char* text) {
    return reinterpret_cast<const std::uint8_t*>(text);
}

using wide = hn::ScalableTag<std::uint8_t>;
using half = hn::CappedTag<std::uint8_t, 16>;
using small = hn::CappedTag<std::uint8_t, 8>;

// Where `wanted` stands in a vector's worth of text.
template <class D>
HWY_INLINE std::uint64_t equal_bits(D d, const char* text, char wanted) {
    return bits_of(d, hn::Eq(hn::LoadU(d, bytes_of(text)), hn::Set(d, static_cast<std::uint8_t>(wanted))));
}

// Texts of a vector's length up to twice that: its first and its last vector, without what they share.
template <class D>
HWY_INLINE std::size_t count_in_two(D d, const char* text, std::size_t length, char wanted) {
    const std::size_t lanes = hn::Lanes(d);
    const std::uint64_t first = equal_bits(d, text, wanted);
    const std::uint64_t last = equal_bits(d, text + length - lanes, wanted);
    const std::size_t shared = 2 * lanes - length; // 1 to lanes, which may be 64: two shifts
    return static_cast<std::size_t>(std::popcount(first) + std::popcount(last >> (shared - 1) >> 1));
}

HWY_INLINE std::size_t count_exact(const char* text, std::size_t length, char wanted) {
    const wide d;
    const std::size_t lanes = hn::Lanes(d);
    std::size_t sum = 0;
    if (length >= lanes) {
        std::size_t at = 0;
        while (length - at >= 2 * lanes) { // lanes of 8 bits hold 255 hits
            const std::size_t rounds = std::min<std::size_t>((length - at) / lanes - 1, 255);
            auto hits = hn::Zero(d);
            for (std::size_t i = 0; i != rounds; ++i, at += lanes) {
                const auto equal =
                    hn::Eq(hn::LoadU(d, bytes_of(text + at)), hn::Set(d, static_cast<std::uint8_t>(wanted)));
                hits = hn::Sub(hits, hn::VecFromMask(d, equal)); // a hit is all ones: minus one
            }
            const hn::Repartition<std::uint64_t, wide> d64;
            sum += hn::GetLane(hn::SumOfLanes(d64, hn::SumsOf8(hits)));
        }
        return sum + count_in_two(d, text + at, length - at, wanted);
    }
    if (hn::Lanes(half()) < lanes && length >= 32 && lanes == 64) {
        return count_in_two(hn::CappedTag<std::uint8_t, 32>(), text, length, wanted);
    }
    if (length >= hn::Lanes(half())) return count_in_two(half(), text, length, wanted);
    if (length >= hn::Lanes(small())) return count_in_two(small(), text, length, wanted);
    for (std::size_t i = 0; i != length; ++i) sum += text[i] == wanted;
    return sum;
}

// Pattern's first and last byte are looked for at once, after Mula, SIMD-friendly algorithms for substring searching
// (2016); only where both stand is the rest compared.
struct needle {
    const char* bytes;
    std::size_t length;
    bool is_at(const char* place) const {
        return length <= 2 || std::memcmp(place + 1, bytes + 1, length - 2) == 0;
    }
};

template <class D>
HWY_INLINE std::uint64_t candidates(D d, const char* place, needle wanted) {
    const auto first = hn::Set(d, static_cast<std::uint8_t>(wanted.bytes[0]));
    const auto last = hn::Set(d, static_cast<std::uint8_t>(wanted.bytes[wanted.length - 1]));
    const auto here = hn::LoadU(d, bytes_of(place));
    const auto there = hn::LoadU(d, bytes_of(place + wanted.length - 1));
    return bits_of(d, hn::And(hn::Eq(here, first), hn::Eq(there, last)));
}

constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

HWY_INLINE std::size_t first_of(std::uint64_t bits, const char* place, needle wanted) {
    for (; bits != 0; bits &= bits - 1) {
        const auto at = static_cast<std::size_t>(std::countr_zero(bits));
        if (wanted.is_at(place + at)) return at;
    }
    return nowhere;
}

// Where the pattern can begin: `places` of them, a vector's worth or more. The last vector overlaps the one before.
template <class D>
HWY_INLINE std::size_t find_in_places(D d, const char* text, std::size_t places, needle wanted) {
    const std::size_t lanes = hn::Lanes(d);
    for (std::size_t at = 0; at < places; at += lanes) {
        if (at > places - lanes) at = places - lanes;
        const std::size_t found = first_of(candidates(d, text + at, wanted), text + at, wanted);
        if (found != nowhere) return at + found;
    }
    return nowhere;
}

HWY_INLINE std::size_t find_exact(const char* text, std::size_t length, needle wanted) {
    if (length < wanted.length) return nowhere;
    const std::size_t places = length - wanted.length + 1;
    if (places >= hn::Lanes(wide())) return find_in_places(wide(), text, places, wanted);
    if (places >= hn::Lanes(half())) return find_in_places(half(), text, places, wanted);
    if (places >= hn::Lanes(small())) return find_in_places(small(), text, places, wanted);
    for (std::size_t at = 0; at != places; ++at)
        if (text[at] == wanted.bytes[0] && std::memcmp(text + at, wanted.bytes, wanted.length) == 0)
            return at;
    return nowhere;
}

HWY_INLINE bool equal_exact(const char* a, const char* b, std::size_t length) {
    if (length < 8 || length > 64) return std::memcmp(a, b, length) == 0;
    const auto same = [&](auto d, std::size_t at) {
        return hn::AllTrue(d, hn::Eq(hn::LoadU(d, bytes_of(a + at)), hn::LoadU(d, bytes_of(b + at))));
    };
    if (length < 16) return same(small(), 0) && same(small(), length - 8);
    for (std::size_t at = 0; at < length - 16; at += 16)
        if (!same(half(), at)) return false;
    return same(half(), length - 16);
}

std::size_t count(const char* text, std::size_t length, char wanted) noexcept {
    return count_exact(text, length, wanted);
}

std::size_t find(const char* text, std::size_t length, const char* pattern,
                 std::size_t pattern_length) noexcept {
    const std::size_t found = find_exact(text, length, {pattern, pattern_length});
    return found == nowhere ? length : found;
}

std::uint64_t count_views(std::span<const std::string_view> texts, char wanted,
                          std::uint32_t* counts) noexcept {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i != texts.size(); ++i) {
        const std::size_t each = count_exact(texts[i].data(), texts[i].size(), wanted);
        counts[i] = static_cast<std::uint32_t>(each);
        sum += each;
    }
    return sum;
}

std::uint64_t count_batch(packed_texts texts, char wanted, std::uint32_t* counts) noexcept {
    const wide d;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i != texts.count; ++i) {
        std::uint32_t each = 0;
        for (std::size_t at = texts.begins[i], end = texts.begins[i + 1]; at < end; at += hn::Lanes(d))
            each += static_cast<std::uint32_t>(
                std::popcount(equal_bits(d, texts.bytes + at, wanted) & low_bits(end - at)));
        counts[i] = each;
        sum += each;
    }
    return sum;
}

std::uint64_t contains_views(std::span<const std::string_view> texts, std::string_view pattern,
                             bool* hits) noexcept {
    const needle wanted{pattern.data(), pattern.size()};
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i != texts.size(); ++i) {
        hits[i] = find_exact(texts[i].data(), texts[i].size(), wanted) != nowhere;
        sum += hits[i];
    }
    return sum;
}

std::uint64_t contains_batch(packed_texts texts, std::string_view pattern, bool* hits) noexcept {
    const wide d;
    const needle wanted{pattern.data(), pattern.size()};
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i != texts.count; ++i) {
        const std::size_t begin = texts.begins[i];
        const std::size_t end = texts.begins[i + 1] + 1; // the pattern begins before end - its length
        bool hit = false;
        for (std::size_t at = begin; at + wanted.length < end && !hit; at += hn::Lanes(d)) {
            const std::uint64_t here =
                candidates(d, texts.bytes + at, wanted) & low_bits(end - wanted.length - at);
            hit = here != 0 && first_of(here, texts.bytes + at, wanted) != nowhere;
        }
        hits[i] = hit;
        sum += hit;
    }
    return sum;
}

std::uint64_t match_views(std::span<const std::string_view> texts, std::string_view wanted,
                          bool* hits) noexcept {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i != texts.size(); ++i) {
        hits[i] =
            texts[i].size() == wanted.size() && equal_exact(texts[i].data(), wanted.data(), wanted.size());
        sum += hits[i];
    }
    return sum;
}

// Lengths are compared many at a time; only texts of the right one are looked at.
std::uint64_t match_batch(packed_texts texts, std::string_view wanted, bool* hits) noexcept {
    const hn::ScalableTag<std::uint32_t> d;
    const auto length = hn::Set(d, static_cast<std::uint32_t>(wanted.size()));
    std::memset(hits, 0, texts.count);
    std::uint64_t sum = 0;
    const auto look_at = [&](std::size_t i) {
        hits[i] = equal_exact(texts.bytes + texts.begins[i], wanted.data(), wanted.size());
        sum += hits[i];
    };
    std::size_t i = 0;
    for (; i + hn::Lanes(d) <= texts.count; i += hn::Lanes(d)) {
        const auto lengths = hn::Sub(hn::LoadU(d, texts.begins + i + 1), hn::LoadU(d, texts.begins + i));
        for (std::uint64_t left = bits_of(d, hn::Eq(lengths, length)); left != 0; left &= left - 1)
            look_at(i + static_cast<std::size_t>(std::countr_zero(left)));
    }
    for (; i != texts.count; ++i)
        if (texts.begins[i + 1] - texts.begins[i] == wanted.size()) look_at(i);
    return sum;
}

constexpr simd_kernels all{
    .target = HWY_STR(HWY_NAMESPACE),
    .count = count,
    .find = find,
    .count_views = count_views,
    .count_batch = count_batch,
    .contains_views = contains_views,
    .contains_batch = contains_batch,
    .match_views = match_views,
    .match_batch = match_batch,
};

} // namespace

const simd_kernels* kernels() noexcept { return &all; }

} // namespace allot::detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#    endif
#endif

#if !defined(ALLOT_HAS_HIGHWAY) || HWY_ONCE
namespace allot::detail {
namespace plain {
namespace {

std::size_t count(const char* text, std::size_t length, char wanted) noexcept {
    return static_cast<std::size_t>(std::count(text, text + length, wanted));
}

std::size_t find(const char* text, std::size_t length, const char* pattern,
                 std::size_t pattern_length) noexcept {
    return std::min(std::string_view(text, length).find({pattern, pattern_length}), length);
}

struct view_list {
    std::span<const std::string_view> texts;
    std::size_t size() const { return texts.size(); }
    std::string_view operator[](std::size_t i) const { return texts[i]; }
};
struct packed_list {
    packed_texts texts;
    std::size_t size() const { return texts.count; }
    std::string_view operator[](std::size_t i) const {
        return {texts.bytes + texts.begins[i], texts.begins[i + 1] - texts.begins[i]};
    }
};

template <class List, class Answer, class Ask>
std::uint64_t each(List texts, Answer* answers, Ask ask) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i != texts.size(); ++i) sum += answers[i] = static_cast<Answer>(ask(texts[i]));
    return sum;
}

template <class List, class Texts>
std::uint64_t count_each(Texts texts, char wanted, std::uint32_t* counts) noexcept {
    return each(List{texts}, counts, [&](std::string_view text) { return std::ranges::count(text, wanted); });
}
template <class List, class Texts>
std::uint64_t contains_each(Texts texts, std::string_view pattern, bool* hits) noexcept {
    return each(List{texts}, hits, [&](std::string_view text) { return text.find(pattern) != text.npos; });
}
template <class List, class Texts>
std::uint64_t match_each(Texts texts, std::string_view wanted, bool* hits) noexcept {
    return each(List{texts}, hits, [&](std::string_view text) { return text == wanted; });
}

constexpr simd_kernels all{
    .target = "plain",
    .count = count,
    .find = find,
    .count_views = count_each<view_list>,
    .count_batch = count_each<packed_list>,
    .contains_views = contains_each<view_list>,
    .contains_batch = contains_each<packed_list>,
    .match_views = match_each<view_list>,
    .match_batch = match_each<packed_list>,
};

} // namespace
} // namespace plain

namespace {

struct usable_list {
    const simd_kernels* sets[4] = {};
    std::size_t count = 0;
    void add(const simd_kernels* each) { sets[count++] = each; }

    usable_list() noexcept {
#    ifdef ALLOT_HAS_HIGHWAY
#        if HWY_ARCH_X86 // what Highway lets the compiler use in each target; the system saves such registers, too
        __builtin_cpu_init();
        const bool crypto = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
        if (crypto && __builtin_cpu_supports("x86-64-v4")) add(N_AVX3::kernels());
        if (crypto && __builtin_cpu_supports("x86-64-v3")) add(N_AVX2::kernels());
        if (crypto && __builtin_cpu_supports("x86-64-v2")) add(N_SSE4::kernels());
#        elif HWY_STATIC_TARGET != HWY_SCALAR && HWY_STATIC_TARGET != HWY_EMU128
        add(HWY_STATIC_NAMESPACE::kernels());
#        endif
#    endif
        add(&plain::all);
    }
};

const usable_list& usable() noexcept {
    static const usable_list list;
    return list;
}

} // namespace

const simd_kernels& chosen_simd_kernels() noexcept { return *usable().sets[0]; }

std::span<const simd_kernels* const> usable_simd_kernels() noexcept {
    return {usable().sets, usable().count};
}

} // namespace allot::detail
#endif
