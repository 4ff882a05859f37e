#include <allot/observability/packed.hpp>

#include <gtest/gtest.h>

#include <random>

namespace {

using allot::packed_reader;
using allot::packed_writer;

std::vector<std::byte> raw(std::initializer_list<int> octets) {
    std::vector<std::byte> bytes;
    for (int octet : octets) bytes.push_back(static_cast<std::byte>(octet));
    return bytes;
}

TEST(packed, gives_back_what_was_put_in) {
    packed_writer out;
    out(std::uint64_t{300});
    out(std::string("name"));
    packed_reader in(out.bytes());
    std::uint64_t number = 0;
    std::string name;
    in(number);
    in(name);
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(number, 300u);
    EXPECT_EQ(name, "name");
    EXPECT_EQ(in.left(), 0u);
}

TEST(packed, takes_one_byte_for_each_seven_bits) {
    for (unsigned bits = 0; bits < 64; ++bits) {
        packed_writer out;
        out(std::uint64_t{1} << bits);
        EXPECT_EQ(out.bytes().size(), bits / 7 + 1);
    }
}

TEST(packed, gives_back_random_numbers_of_every_width) {
    const auto seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::vector<std::uint64_t> numbers = {0, 1, 127, 128, ~std::uint64_t{0}, std::uint64_t{1} << 63};
    for (int i = 0; i < 1000; ++i) numbers.push_back(random() >> (random() % 64));
    packed_writer out;
    for (auto number : numbers) out(number);
    packed_reader in(out.bytes());
    for (auto number : numbers) {
        std::uint64_t again = 0;
        in(again);
        ASSERT_EQ(again, number);
    }
    EXPECT_TRUE(in.ok() && in.left() == 0);
}

TEST(packed, keeps_signs_flags_octets_and_lists) {
    packed_writer out;
    out(std::int32_t{-5});
    out(true);
    out(std::vector<std::uint8_t>{1, 0, 255});
    out(std::vector<std::string>{"", "two"});
    packed_reader in(out.bytes());
    std::int32_t number = 0;
    bool flag = false;
    std::vector<std::uint8_t> octets;
    std::vector<std::string> texts;
    in(number);
    in(flag);
    in(octets);
    in(texts);
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(number, -5);
    EXPECT_TRUE(flag);
    EXPECT_EQ(octets, (std::vector<std::uint8_t>{1, 0, 255}));
    EXPECT_EQ(texts, (std::vector<std::string>{"", "two"}));
}

TEST(packed, fails_for_good_at_the_first_thing_wrong) {
    const auto cut = raw({0x80});
    packed_reader in(cut);
    std::uint64_t number = 7;
    in(number);
    EXPECT_STREQ(in.why(), "it ends within a row");
    EXPECT_EQ(number, 0u);
    std::string text = "old";
    in(text);
    EXPECT_EQ(text, "");
    EXPECT_STREQ(in.why(), "it ends within a row");
}

TEST(packed, refuses_numbers_that_do_not_fit) {
    const auto wide = raw({0xff, 0xff, 0xff, 0xff, 0x1f});
    packed_reader narrow(wide);
    std::uint32_t number = 0;
    narrow(number);
    EXPECT_STREQ(narrow.why(), "a number is too large for its field");
    const auto wider = raw({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02});
    packed_reader widest(wider);
    std::uint64_t huge = 0;
    widest(huge);
    EXPECT_STREQ(widest.why(), "a number has more than 64 bits");
    const auto two = raw({2});
    packed_reader flag(two);
    bool value = false;
    flag(value);
    EXPECT_STREQ(flag.why(), "a flag is neither 0 nor 1");
}

TEST(packed, believes_a_count_only_as_far_as_there_are_bytes) {
    const auto lie = raw({0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3});
    packed_reader in(lie);
    EXPECT_EQ(in.rows(1), 0u);
    EXPECT_STREQ(in.why(), "there are more rows than bytes for them");
    const auto enough = raw({3, 1, 2, 3});
    packed_reader exact(enough);
    EXPECT_EQ(exact.rows(1), 3u);
    packed_reader each(enough);
    EXPECT_EQ(each.rows(2), 0u);
}

} // namespace
