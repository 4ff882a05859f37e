#include <allot/source/default_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/structure/arena.hpp>
#include <allot/structure/buffer.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <thread>

#if ALLOT_HAS_ASAN
#    include <sanitizer/asan_interface.h>
#endif

namespace allot {
namespace {

constexpr std::size_t huge = static_cast<std::size_t>(-1);

// Usage.

TEST(buffer, grows_by_appending) {
    auditing_source source(default_source());
    buffer message(source);
    message.append("content-length: ");
    message.append("42");
    EXPECT_TRUE(message.text() == "content-length: 42");
    message.append(message.text()); // its own bytes, while it grows
    EXPECT_TRUE(message.size() == 36);
    EXPECT_TRUE(message.slice<char>({.start = 16, .count = 2})[1] == '2');
    EXPECT_TRUE(!message.try_slice<char>({.start = 35, .count = 2}));
    message.clear(); // forgets the bytes, keeps the block
    EXPECT_TRUE(message.empty() && message.capacity() >= 36);
}

// Edges.

TEST(buffer, appends_its_own_bytes_wherever_they_lie) { // B73
    for (std::size_t start = 0; start <= 40; ++start) {
        for (std::size_t count = 0; count <= 40 - start; ++count) {
            buffer bytes;
            std::string naive;
            for (int i = 0; i != 40; ++i) naive += static_cast<char>('a' + i % 26);
            bytes.append(naive);
            ASSERT_TRUE(bytes.try_shrink()); // so that each append grows
            ASSERT_EQ(bytes.capacity(), 40);
            bytes.append(bytes.text().substr(start, count));
            naive.append(std::string(naive, start, count));
            ASSERT_EQ(bytes.text(), naive) << start << ' ' << count;
        }
    }
}

TEST(buffer, refuses_lengths_that_overflow) { // B73
    buffer bytes;
    bytes.append("0123456789");
    for (const std::size_t count : {huge, huge - 9, huge - 10, huge / 2, huge / 2 + 1}) {
        EXPECT_FALSE(bytes.try_extend(count).has_value()) << count;
        EXPECT_FALSE(bytes.try_reserve(count)) << count;
        EXPECT_THROW((void)bytes.extend(count), out_of_memory) << count;
    }
    EXPECT_EQ(bytes.text(), "0123456789");
}

TEST(buffer, gives_slices_only_within_its_bytes) { // B72
    buffer bytes;
    for (std::uint32_t i = 0; i != 8; ++i) bytes.append(std::as_bytes(std::span(&i, 1)));
    bytes.append("xyz"); // no whole item
    const auto is_slice = [&](std::size_t start, std::size_t count) {
        return bytes.try_slice<std::uint32_t>({.start = start, .count = count}).has_value();
    };
    for (std::size_t start = 0; start != 12; ++start)
        for (std::size_t count = 0; count != 12; ++count)
            ASSERT_EQ(is_slice(start, count), start + count <= 8) << start << ' ' << count;
    EXPECT_EQ(bytes.slice<std::uint32_t>({.start = 7, .count = 1})[0], 7);
    // start × 4 or start + count would wrap to something small.
    for (const std::size_t wraps : {huge, huge / 4 + 1, huge / 2 + 1, huge / 4 + 3}) {
        EXPECT_FALSE(is_slice(wraps, 1));
        EXPECT_FALSE(is_slice(1, wraps));
        EXPECT_FALSE(is_slice(wraps, huge - wraps + 2));
    }
    EXPECT_FALSE(bytes.try_slice<char>({.start = 1, .count = huge}));
    struct alignas(64) line {
        char bytes[64];
    };
    EXPECT_FALSE(bytes.try_slice<line>({})); // the block is aligned to 16
    EXPECT_TRUE(buffer(default_source(), 64).try_slice<line>({}));
}

TEST(buffer, grows_in_place_where_its_source_can) {
    arena around({.name = "around"});
    buffer bytes(around);
    bytes.append(std::string(100, 'x'));
    const std::byte* const place = bytes.data();
    for (int i = 0; i != 10; ++i) bytes.append(std::string(100, 'y'));
    EXPECT_EQ(bytes.data(), place); // the arena's newest block
    page_source pages;
    buffer large(pages);
    large.append(std::string(mebibytes(1), 'x'));
    large.append(std::string(mebibytes(4), 'y')); // moves pages or grows: every byte is kept
    EXPECT_EQ(large.text().find('y'), mebibytes(1));
    EXPECT_EQ(large.text().size(), mebibytes(5));
}

TEST(buffer, moves_and_is_used_again) {
    buffer first;
    first.append("first");
    buffer second = std::move(first);
    EXPECT_EQ(second.text(), "first");
    EXPECT_EQ(first.capacity(), 0);
    first.append("again");
    second = std::move(first);
    EXPECT_EQ(second.text(), "again");
    second = std::move(*&second);
    EXPECT_EQ(second.text(), "again");
    second.truncate(2);
    EXPECT_EQ(second.text(), "ag");
    const std::span<std::byte> room = second.extend(3);
    std::memcpy(room.data(), "ain", 3);
    EXPECT_EQ(second.text(), "again");
    EXPECT_EQ(second.try_extend(0)->size(), 0);
    second.release();
    EXPECT_EQ(second.capacity(), 0);
    EXPECT_TRUE(second.try_shrink());
}

TEST(buffer, keeps_any_alignment_at_every_growth) {
    for (const std::size_t align : {std::size_t{1}, std::size_t{64}, std::size_t{4096}, std::size_t{65536}}) {
        buffer bytes(default_source(), align);
        for (int i = 0; i != 200; ++i) {
            bytes.append(std::string(37, 'x'));
            ASSERT_TRUE(is_aligned(bytes.data(), align));
        }
    }
}

TEST(buffer, shows_its_dead_bytes) {
    buffer bytes(default_source(), 64);
    bytes.reserve(128);
    bytes.append(std::string(64, 'x'));
#if ALLOT_HAS_ASAN
    EXPECT_TRUE(__asan_address_is_poisoned(bytes.data() + 64));
    EXPECT_FALSE(__asan_address_is_poisoned(bytes.data() + 63));
    bytes.truncate(8);
    EXPECT_TRUE(__asan_address_is_poisoned(bytes.data() + 8));
    bytes.append(std::string(8, 'x'));
    EXPECT_FALSE(__asan_address_is_poisoned(bytes.data() + 15));
    EXPECT_TRUE(__asan_address_is_poisoned(bytes.data() + 16));
#endif
}

// Ownership.

TEST(buffer, leaves_its_block_to_another_owner) { // the books of its source go with the block
    auditing_source source(default_source());
    buffer from(source, 64);
    from.append("content");
    const stolen_block all = from.steal();
    EXPECT_EQ(from.capacity(), 0);
    EXPECT_EQ(source.live_bytes(), all.block.size);
    buffer to = buffer::adopt(all);
    EXPECT_EQ(to.text(), "content");
    to.append(" and more than fits into it: a growth by its own source");
    const stolen_block bare = to.steal();
    bare.source->deallocate(bare.address, bare.block);
    EXPECT_EQ(source.live_count(), 0);
    EXPECT_EQ(from.steal().address, nullptr);
}

TEST(buffer, moves_its_bytes_to_another_source_with_the_books_of_both) {
    auditing_source one(default_source());
    auditing_source other(default_source());
    buffer bytes(one);
    bytes.append("content");
    ASSERT_TRUE(bytes.try_move_to(other));
    EXPECT_EQ(one.live_count(), 0);
    EXPECT_EQ(other.live_bytes(), bytes.capacity());
    EXPECT_EQ(bytes.text(), "content");
    failing_source none(default_source(), {.plan = {.at = 1}});
    EXPECT_FALSE(bytes.try_move_to(none)); // and nothing changed
    EXPECT_EQ(&bytes.source(), &other);
    EXPECT_EQ(bytes.text(), "content");
}

TEST(buffer, dies_on_another_thread) {
    auditing_source source(default_source());
    buffer bytes(source);
    bytes.append("content");
    std::thread([moved = std::move(bytes)] { EXPECT_EQ(moved.text(), "content"); }).join();
    EXPECT_EQ(source.live_count(), 0);
}

// Shortage.

TEST(buffer, stays_whole_when_growth_is_refused) {
    for (const bool lasting : {false, true}) {
        const std::uint64_t points = for_each_failure(
            [](failing_source& source) {
                buffer bytes(source);
                std::string naive;
                for (int i = 0; i != 100; ++i) {
                    const std::string more(static_cast<std::size_t>(i), static_cast<char>('a' + i % 26));
                    if (bytes.try_append(more)) naive += more;
                    ASSERT_EQ(bytes.text(), naive);
                }
            },
            {.lasting = lasting});
        EXPECT_GT(points, 5);
    }
}

// Books.

TEST(buffer, gives_every_block_back_with_its_layout) {
    auditing_source source(default_source());
    {
        buffer bytes(source, 32);
        bytes.append(std::string(5000, 'x'));
        EXPECT_EQ(source.live_bytes(), bytes.capacity());
        EXPECT_EQ(source.live_count(), 1);
        const no_allocation scope; // steady state
        for (int round = 0; round != 1000; ++round) {
            bytes.clear();
            for (int i = 0; i != 50; ++i) bytes.append(std::string_view("a line of some characters\n"));
        }
    }
    EXPECT_EQ(source.live_count(), 0);
}

// Model.

TEST(buffer, does_what_a_string_does) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    auditing_source source(default_source());
    buffer ours(source);
    std::string naive;
    for (int step = 0; step != 10000; ++step) {
        const auto dice = random() % 100;
        if (dice < 60) {
            const std::string more(random() % 40, static_cast<char>('a' + random() % 26));
            ours.append(more);
            naive += more;
        } else if (dice < 70 && naive.size() < 10000) {
            const std::size_t start = random() % (naive.size() + 1);
            const std::size_t count = random() % (naive.size() - start + 1);
            ours.append(ours.text().substr(start, count));
            naive.append(std::string(naive, start, count));
        } else if (dice < 85) {
            const std::size_t size = naive.empty() ? 0 : random() % naive.size();
            ours.truncate(size);
            naive.resize(size);
        } else if (dice < 90) {
            ASSERT_TRUE(ours.try_shrink());
        } else if (dice < 95) {
            ours.reserve(random() % 1000);
        } else if (dice < 97) {
            ours.release();
            naive.clear();
        } else {
            ours = buffer::adopt(ours.steal());
        }
        ASSERT_EQ(ours.text(), naive);
        ASSERT_EQ(source.live_bytes(), ours.capacity());
    }
}

} // namespace
} // namespace allot
