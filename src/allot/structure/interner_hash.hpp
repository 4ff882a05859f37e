// text_hash: the hash of an interner: 32 bits of a text, the same in every process and build.
//
// Inner part. Products of 64 × 64 bits folded to 64, 16 bytes at a time; a text of up to 16 bytes takes two
// of them. Not for what must withstand an attacker: who chooses the texts can choose ones with equal hashes,
// and look-ups among these are linear. Bound such input by the interner's limit.
// `key` multiplies the result: 0 makes all hashes equal, which is what a test of collisions wants.
// Threads: a pure function.
// Cost: two products for a text of up to 16 bytes, one more for each further 16.
//
//     constexpr std::uint64_t key = detail::text_hash_key;
//     assert(detail::text_hash("name", key) != detail::text_hash("mane", key));
//     assert(detail::text_hash("name", 0) == 0);
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace allot::detail {

inline constexpr std::uint64_t text_hash_key = 0x9E3779B97F4A7C15; // 2^64 / the golden ratio

template <class Word>
inline std::uint64_t read_word(const char* from) noexcept {
    Word word = 0;
    std::memcpy(&word, from, sizeof word);
    return word;
}

inline std::uint64_t folded_product(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using wide = unsigned __int128;
    const wide product = wide{a} * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint32_t text_hash(std::string_view text, std::uint64_t key) noexcept {
    // Digits of pi: any odd-looking words do.
    constexpr std::uint64_t first_salt = 0x243F6A8885A308D3;
    constexpr std::uint64_t second_salt = 0x13198A2E03707344;
    const char* at = text.data();
    std::size_t size = text.size();
    std::uint64_t seed = size * first_salt;
    for (; size > 16; size -= 16, at += 16)
        seed = folded_product(read_word<std::uint64_t>(at) ^ first_salt ^ seed,
                              read_word<std::uint64_t>(at + 8) ^ second_salt) +
               seed; // so that a factor of 0 does not forget what came before
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    if (size >=
        4) { // four words, which overlap below 16 bytes: one way for 4 … 16, as lengths are hard to foresee
        const std::size_t inner = size / 8 * 4;
        head = read_word<std::uint32_t>(at) << 32 | read_word<std::uint32_t>(at + inner);
        tail =
            read_word<std::uint32_t>(at + size - 4) << 32 | read_word<std::uint32_t>(at + size - 4 - inner);
    } else if (size != 0) {
        head = static_cast<std::uint64_t>(static_cast<unsigned char>(at[0])) << 16 |
               static_cast<std::uint64_t>(static_cast<unsigned char>(at[size / 2])) << 8 |
               static_cast<unsigned char>(at[size - 1]);
    }
    const std::uint64_t mixed =
        folded_product(head ^ first_salt ^ seed, tail ^ second_salt ^ (seed >> 32)) + seed;
    return static_cast<std::uint32_t>(folded_product(mixed, key) >> 16);
}

} // namespace allot::detail
