#include <allot/core/checksum.hpp>

#include <bit>
#include <cstring>

namespace allot {
namespace {

// The constants and the steps are those of the specification of XXH64.
constexpr std::uint64_t prime_1 = 0x9E37'79B1'85EB'CA87;
constexpr std::uint64_t prime_2 = 0xC2B2'AE3D'27D4'EB4F;
constexpr std::uint64_t prime_3 = 0x1656'67B1'9E37'79F9;
constexpr std::uint64_t prime_4 = 0x85EB'CA77'C2B2'AE63;
constexpr std::uint64_t prime_5 = 0x27D4'EB2F'1656'67C5;
static_assert(std::endian::native == std::endian::little, "the words are little-endian ones");

template <class Word>
Word word_at(const std::byte* at) noexcept {
    Word word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

std::uint64_t round(std::uint64_t lane, std::uint64_t input) noexcept {
    return std::rotl(lane + input * prime_2, 31) * prime_1;
}

std::uint64_t merge(std::uint64_t sum, std::uint64_t lane) noexcept {
    return (sum ^ round(0, lane)) * prime_1 + prime_4;
}

// Four lanes, so that four multiplications are under way at a time.
std::uint64_t sum_of_stripes(const std::byte*& at, const std::byte* end, std::uint64_t seed) noexcept {
    std::uint64_t a = seed + prime_1 + prime_2, b = seed + prime_2, c = seed, d = seed - prime_1;
    for (; end - at >= 32; at += 32) {
        a = round(a, word_at<std::uint64_t>(at));
        b = round(b, word_at<std::uint64_t>(at + 8));
        c = round(c, word_at<std::uint64_t>(at + 16));
        d = round(d, word_at<std::uint64_t>(at + 24));
    }
    const std::uint64_t sum = std::rotl(a, 1) + std::rotl(b, 7) + std::rotl(c, 12) + std::rotl(d, 18);
    return merge(merge(merge(merge(sum, a), b), c), d);
}

} // namespace

std::uint64_t checksum(std::span<const std::byte> bytes, std::uint64_t seed) noexcept {
    const std::byte* at = bytes.data();
    const std::byte* const end = at + bytes.size();
    std::uint64_t sum = bytes.size() >= 32 ? sum_of_stripes(at, end, seed) : seed + prime_5;
    sum += bytes.size();
    for (; end - at >= 8; at += 8)
        sum = std::rotl(sum ^ round(0, word_at<std::uint64_t>(at)), 27) * prime_1 + prime_4;
    for (; end - at >= 4; at += 4)
        sum = std::rotl(sum ^ word_at<std::uint32_t>(at) * prime_1, 23) * prime_2 + prime_3;
    for (; at != end; ++at)
        sum = std::rotl(sum ^ std::to_integer<std::uint64_t>(*at) * prime_5, 11) * prime_1;
    sum = (sum ^ sum >> 33) * prime_2;
    sum = (sum ^ sum >> 29) * prime_3;
    return sum ^ sum >> 32;
}

} // namespace allot
