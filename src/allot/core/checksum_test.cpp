#include <allot/core/checksum.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#if __has_include(<xxhash.h>) // the reference, where it is installed
#    define XXH_INLINE_ALL
#    include <xxhash.h>
#endif

namespace allot {
namespace {

std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> bytes(size);
    std::uint32_t state = 2'654'435'761u;
    for (std::byte& each : bytes) {
        state = state * 1'664'525u + 1'013'904'223u;
        each = static_cast<std::byte>(state >> 24);
    }
    return bytes;
}

TEST(checksum, tells_bytes_apart) {
    const std::string_view text = "abc";
    EXPECT_TRUE(checksum(std::as_bytes(std::span(text))) == 0x44BC'2CF5'AD77'0999);
    EXPECT_TRUE(checksum(std::as_bytes(std::span(text)), 1) != checksum(std::as_bytes(std::span(text))));
}

TEST(checksum, has_the_published_values) {
    EXPECT_EQ(checksum({}), 0xEF46'DB37'51D8'E999);
    const std::string_view sentence = "Nobody inspects the spammish repetition";
    EXPECT_EQ(checksum(std::as_bytes(std::span(sentence))), 0xFBCE'A83C'8A37'8BF1);
}

TEST(checksum, sees_every_bit) {
    std::vector<std::byte> bytes = pattern(100);
    const std::uint64_t before = checksum(bytes);
    for (std::size_t bit = 0; bit != bytes.size() * 8; ++bit) {
        bytes[bit / 8] ^= std::byte{1} << (bit % 8);
        ASSERT_NE(checksum(bytes), before) << bit;
        bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    }
}

#ifdef XXH_INLINE_ALL
TEST(checksum, is_what_the_reference_says_for_every_length_and_place) {
    const std::vector<std::byte> bytes = pattern(600);
    for (std::size_t start = 0; start != 9; ++start)
        for (std::size_t size = 0; size != 300; ++size)
            for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{0x9E37'79B9'7F4A'7C15}})
                ASSERT_EQ(checksum(std::span(bytes).subspan(start, size), seed),
                          XXH64(bytes.data() + start, size, seed))
                    << start << ' ' << size;
}
#endif

} // namespace
} // namespace allot
