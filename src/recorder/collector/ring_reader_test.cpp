#include <recorder/collector/ring_reader.hpp>

#include <array>
#include <gtest/gtest.h>
#include <random>

namespace allot::recorder {
namespace {

constexpr std::uint64_t word(std::uint64_t kind, std::uint64_t difference, std::uint64_t address) {
    return kind << 60 | difference << 44 | address >> 3;
}
constexpr std::uint64_t second(std::uint64_t node, std::uint64_t size) {
    return node << ALLOT_WIRE_SIZE_BITS | size;
}

struct fixture {
    std::array<std::uint64_t, 64> words{};
    std::uint64_t head = 0;
    ring_reader reader{words.data(), words.size()};

    void put(std::initializer_list<std::uint64_t> more) {
        for (std::uint64_t each : more) words[head++ & 63] = each;
        reader.extend(head);
    }
    ring_event next() {
        const ring_event* event = reader.peek();
        if (event == nullptr) return {};
        const ring_event copy = *event;
        reader.pop();
        return copy;
    }
};

TEST(ring_reader, decodes_one_event_after_another) { // the header's example
    fixture ring;
    ring.reader.begin(1000, 0);
    ring.put(
        {word(ALLOT_EVENT_ALLOCATE, 5, 0x7fff'ffff'fff8), second(77, 24), word(ALLOT_EVENT_FREE, 7, 0x1000)});
    const ring_event first = ring.next();
    EXPECT_EQ(first.stamp, 1005u);
    EXPECT_EQ(first.address, 0x7fff'ffff'fff8u);
    EXPECT_EQ(first.size, 24u);
    EXPECT_EQ(first.node, 77u);
    const ring_event then = ring.next();
    EXPECT_EQ(then.kind, unsigned{ALLOT_EVENT_FREE});
    EXPECT_EQ(then.stamp, 1012u);
    EXPECT_EQ(ring.reader.peek(), nullptr);
    EXPECT_EQ(ring.reader.read(), 3u);
}

TEST(ring_reader, knows_padding_stamps_and_the_largest_sizes) {
    fixture ring;
    ring.reader.begin(1000, 0);
    ring.put({0, 0, std::uint64_t{ALLOT_EVENT_STAMP} << 60 | 123'456'789,
              word(ALLOT_EVENT_REALLOCATE_ALLOCATE, 1, 64), second(5, ALLOT_WIRE_SIZE_FIELD), ~0ull,
              word(ALLOT_EVENT_ALLOCATE, 0xffff, 64), second((1u << 26) - 1, ALLOT_WIRE_SIZE_FIELD - 1)});
    const ring_event wide = ring.next();
    EXPECT_EQ(wide.stamp, 123'456'790u);
    EXPECT_EQ(wide.size, ~0ull);
    const ring_event large = ring.next();
    EXPECT_EQ(large.size, ALLOT_WIRE_SIZE_FIELD - 1);
    EXPECT_EQ(large.node, (1u << 26) - 1);
    EXPECT_EQ(large.stamp, 123'456'790u + 0xffff);
}

TEST(ring_reader, never_lets_time_go_back) {
    fixture ring;
    ring.reader.begin(1000, 0);
    ring.put({std::uint64_t{ALLOT_EVENT_STAMP} << 60 | 10, word(ALLOT_EVENT_FREE, 0, 64)});
    EXPECT_EQ(ring.next().stamp, 1000u);
}

TEST(ring_reader, counts_nonsense_and_goes_on_at_the_head) {
    fixture ring;
    ring.reader.begin(0, 0);
    ring.put({word(9, 0, 64), word(ALLOT_EVENT_FREE, 0, 64)});
    EXPECT_EQ(ring.reader.peek(), nullptr);
    EXPECT_EQ(ring.reader.corrupt(), 1u);
    EXPECT_EQ(ring.reader.read(), 2u);
    ring.put({word(ALLOT_EVENT_ALLOCATE, 0, 64)}); // the second word is missing
    EXPECT_EQ(ring.reader.peek(), nullptr);
    ring.put({word(ALLOT_EVENT_ALLOCATE, 0, 64), second(1, ALLOT_WIRE_SIZE_FIELD)}); // the third is
    EXPECT_EQ(ring.reader.peek(), nullptr);
    EXPECT_EQ(ring.reader.corrupt(), 3u);
    ring.reader.extend(ring.head + 65); // a head that no producer can have written
    EXPECT_EQ(ring.reader.peek(), nullptr);
    EXPECT_EQ(ring.reader.read(), ring.head + 65);
    ring.head += 65;
    ring.put({word(ALLOT_EVENT_FREE, 0, 8)});
    EXPECT_EQ(ring.next().address, 8u);
    EXPECT_EQ(ring.reader.corrupt(), 4u);
}

TEST(ring_reader, holds_what_waits_and_reads_it_before_the_ring) {
    fixture ring;
    ring.reader.begin(0, 0);
    std::uint64_t written = 0, seen = 0;
    std::mt19937 random(7);
    for (int round = 0; round < 1000; ++round) {
        while (ring.head - ring.reader.read() < 60) ring.put({word(ALLOT_EVENT_FREE, 1, ++written * 8)});
        if (random() % 3 != 0) ring.reader.hold();
        for (auto reads = random() % 100; reads != 0; --reads)
            if (const ring_event event = ring.next(); event.kind != ALLOT_EVENT_PAD) {
                ASSERT_EQ(event.address, ++seen * 8);
                ASSERT_EQ(event.stamp, seen);
            }
    }
    while (ring.next().kind != ALLOT_EVENT_PAD) ++seen;
    EXPECT_EQ(seen, written);
    EXPECT_EQ(ring.reader.held_bytes(), 0u);
}

TEST(ring_reader, takes_any_words) {
    const unsigned seed = std::random_device{}();
    std::mt19937_64 random(seed);
    fixture ring;
    ring.reader.begin(0, 0);
    for (int round = 0; round < 100'000; ++round) {
        ring.words[random() % 64] = random() % 2 ? random() : random() & ~(8ull << 60);
        if (random() % 8 == 0) ring.reader.extend(ring.head += random() % 70);
        if (random() % 16 == 0) ring.reader.hold();
        const std::uint64_t before = ring.reader.stamp();
        const ring_event event = ring.next();
        ASSERT_GE(ring.reader.stamp(), before) << "seed " << seed;
        ASSERT_LT(event.kind, unsigned{ALLOT_EVENT_STAMP}) << "seed " << seed;
    }
}

} // namespace
} // namespace allot::recorder
