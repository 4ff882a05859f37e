#include <allot/source/default_source.hpp>
#include <allot/structure/maybe_owned.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

// Usage.

TEST(maybe_owned, is_borrowed_until_it_is_written_to) {
    memory_source& source = default_source();
    borrow_tally tally;
    maybe_owned_text key("name", &tally);
    maybe_owned_text value("a\\nb", &tally);
    EXPECT_TRUE(key.is_borrowed() && key.view() == "name");
    value.write(source)[1] = '\n'; // copies
    EXPECT_TRUE(!value.is_borrowed() && value.view().size() == 4);
    EXPECT_TRUE(tally.borrowed_share() == 0.5);
    EXPECT_EQ(tally.borrowed_bytes, 8);
    EXPECT_EQ(tally.copied_bytes, 4);
}

// Edges.

TEST(maybe_owned, never_owns_what_has_no_elements) {
    maybe_owned_text none;
    EXPECT_TRUE(none.empty() && none.is_borrowed());
    EXPECT_TRUE(none.write(default_source()).empty());
    EXPECT_TRUE(none.is_borrowed());
    EXPECT_TRUE(none == "");
    EXPECT_EQ(borrow_tally().borrowed_share(), 1.0);
}

TEST(maybe_owned, copies_once_and_leaves_its_origin_alone) {
    std::string origin = "text";
    borrow_tally tally;
    maybe_owned_text text(origin, &tally);
    EXPECT_EQ(text.view().data(), origin.data());
    EXPECT_TRUE(text.try_own(default_source()));
    const char* const place = text.view().data();
    text.write(default_source())[0] = 'T';
    EXPECT_EQ(text.view().data(), place);
    EXPECT_EQ(tally.copied_count, 1);
    EXPECT_EQ(origin, "text");
    origin = "gone";
    EXPECT_TRUE(text == "Text");
}

TEST(maybe_owned, moves_what_it_has_and_is_empty_then) {
    auditing_source source(default_source());
    {
        maybe_owned_text first = maybe_owned_text::copy_of("owned", source);
        const char* const place = first.view().data();
        maybe_owned_text second(std::move(first));
        EXPECT_TRUE(first.empty() && first.is_borrowed()); // NOLINT: that is the question
        EXPECT_EQ(second.view().data(), place);
        first = maybe_owned_text("borrowed");
        second = std::move(first);
        EXPECT_TRUE(second == "borrowed");
        EXPECT_EQ(source.live_count(), 0);
        maybe_owned_text& self = second;
        second = std::move(self);
        EXPECT_TRUE(second == "borrowed");
    }
}

struct alignas(64) row {
    int numbers[16];
};

TEST(maybe_owned, keeps_the_alignment_of_its_elements) {
    std::array<row, 3> rows{};
    maybe_owned_span<row> mine{std::span<const row>(rows)};
    mine.write(default_source())[2].numbers[0] = 5;
    EXPECT_TRUE(is_aligned(mine.begin(), 64));
    EXPECT_EQ(mine.view()[2].numbers[0], 5);
    EXPECT_EQ(rows[2].numbers[0], 0);
}

// Shortage.

TEST(maybe_owned, stays_borrowed_when_there_is_no_memory_for_a_copy) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        borrow_tally tally;
        maybe_owned_text text("text", &tally);
        const bool owns = text.try_own(source);
        EXPECT_EQ(text.is_borrowed(), !owns);
        EXPECT_EQ(tally.copied_count, owns);
        EXPECT_TRUE(text == "text");
        EXPECT_EQ(text.write(source).size(), 4);
    });
    EXPECT_EQ(points, 1);
}

// Books.

TEST(maybe_owned, takes_a_block_of_just_its_size_and_gives_it_back) {
    auditing_source source(default_source());
    const std::vector<int> numbers(100, 7);
    {
        no_allocation scope;
        maybe_owned_span<int> mine{std::span<const int>(numbers)};
        EXPECT_EQ(source.live_bytes(), 0);
        mine.write(source)[99] = 1;
        EXPECT_EQ(source.live_bytes(), 400);
    }
    EXPECT_EQ(source.live_count(), 0);
}

// Model.

TEST(maybe_owned, does_what_strings_do) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    auditing_source source(default_source());
    const std::string input(1000, 'x');
    borrow_tally tally;
    std::uint64_t copied = 0;
    {
        std::vector<maybe_owned_text> texts(10);
        std::vector<std::string> strings(10);
        for (int step = 0; step != 5000; ++step) {
            const auto at = random() % 10, other = random() % 10;
            switch (random() % 3) {
            case 0: {
                const auto from = random() % 900, size = random() % 100;
                texts[at] = maybe_owned_text(std::string_view(input).substr(from, size), &tally);
                strings[at] = input.substr(from, size);
                break;
            }
            case 1:
                if (strings[at].empty()) break;
                copied += texts[at].is_borrowed();
                texts[at].write(source)[0] = strings[at][0] = static_cast<char>('a' + random() % 26);
                break;
            default: std::swap(texts[at], texts[other]); std::swap(strings[at], strings[other]);
            }
            for (std::size_t i = 0; i != 10; ++i) ASSERT_TRUE(texts[i] == strings[i]);
        }
    }
    EXPECT_EQ(tally.copied_count, copied);
    EXPECT_EQ(source.live_count(), 0);
    EXPECT_EQ(input, std::string(1000, 'x'));
}

} // namespace
} // namespace allot
