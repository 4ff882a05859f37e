#include <allot/source/default_source.hpp>
#include <allot/structure/aligned_buffer.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <random>
#include <vector>

#if ALLOT_HAS_ASAN
#    include <sanitizer/asan_interface.h>
#endif

namespace allot {
namespace {

// Usage.

TEST(aligned_buffer, keeps_its_alignment_while_it_grows) {
    const float other[] = {1, 2, 3};
    aligned_buffer<float> samples; // 64 bytes, default_source()
    samples.push_back(0.5F);
    samples.append(std::span<const float>(other));
    samples.resize(1000);          // new items are zero
    float* first = samples.data(); // the compiler knows: a multiple of 64
    aligned_span<float, 64> all = samples;
    EXPECT_TRUE(is_aligned(first, 64) && all.size() == 1000);
    EXPECT_EQ(all[0], 0.5F);
    EXPECT_EQ(all[3], 3);
    EXPECT_EQ(all[999], 0);
}

// Edges.

template <std::size_t Align>
void grow_and_look() {
    aligned_buffer<std::uint8_t, Align> bytes;
    EXPECT_TRUE(is_aligned(bytes.data(), Align)); // B60: at capacity 0, too
    EXPECT_EQ(bytes.span().size(), 0);
    std::size_t growth_count = 0;
    for (int i = 0; i != 20000; ++i) {
        const std::size_t before = bytes.capacity();
        bytes.push_back(static_cast<std::uint8_t>(i));
        growth_count += bytes.capacity() != before;
        ASSERT_TRUE(is_aligned(bytes.data(), Align)) << i;
        ASSERT_EQ(bytes.capacity() % Align, 0) << i;
    }
    EXPECT_GE(growth_count, 1);
    for (int i = 0; i != 20000; ++i)
        ASSERT_EQ(bytes[static_cast<std::size_t>(i)], static_cast<std::uint8_t>(i));
}

TEST(aligned_buffer, is_aligned_at_every_growth_and_at_capacity_zero) { // B60
    grow_and_look<1>();
    grow_and_look<16>();
    grow_and_look<64>();
    grow_and_look<128>();
    grow_and_look<4096>();
    grow_and_look<65536>();
}

TEST(aligned_buffer, appends_its_own_items_while_it_grows) { // B73
    aligned_buffer<int> numbers;
    for (int i = 0; i != 5; ++i) numbers.push_back(i);
    for (int round = 0; round != 8; ++round) numbers.append(numbers.span().span());
    ASSERT_EQ(numbers.size(), 5 << 8);
    for (std::size_t i = 0; i != numbers.size(); ++i) ASSERT_EQ(numbers[i], static_cast<int>(i % 5));
    numbers.push_back(numbers[3]);
    EXPECT_EQ(numbers[numbers.size() - 1], 3);
}

TEST(aligned_buffer, refuses_sizes_that_overflow) { // B73
    aligned_buffer<double> numbers;
    numbers.push_back(1);
    const std::size_t huge = static_cast<std::size_t>(-1);
    for (const std::size_t count : {huge, huge / 2, huge / 8, huge / 8 - 1, huge / 16 + 1}) {
        EXPECT_FALSE(numbers.try_reserve(count)) << count;
        EXPECT_FALSE(numbers.try_extend(count)) << count;
        EXPECT_FALSE(numbers.try_resize(count)) << count;
        EXPECT_THROW(numbers.resize(count), out_of_memory) << count;
    }
    EXPECT_EQ(numbers.size(), 1);
    EXPECT_EQ(numbers[0], 1);
}

TEST(aligned_buffer, moves_and_is_used_again) {
    aligned_buffer<int> first;
    first.resize(100);
    int* const place = first.data();
    aligned_buffer<int> second = std::move(first);
    EXPECT_EQ(second.data(), place);
    EXPECT_EQ(first.size(), 0);
    first.push_back(7);
    second = std::move(first);
    EXPECT_EQ(second.size(), 1);
    EXPECT_EQ(second[0], 7);
    second.clear();
    EXPECT_TRUE(second.empty());
    EXPECT_NE(second.capacity(), 0);
    second.release();
    EXPECT_EQ(second.capacity(), 0);
    second.append({});
    EXPECT_EQ(second.capacity(), 0);
}

TEST(aligned_buffer, shows_its_dead_bytes) {
    aligned_buffer<std::uint8_t> bytes;
    bytes.resize(100);
    ASSERT_EQ(bytes.capacity(), 128);
#if ALLOT_HAS_ASAN
    EXPECT_TRUE(__asan_address_is_poisoned(bytes.data() + 100));
    EXPECT_TRUE(__asan_address_is_poisoned(bytes.data() + 127));
    EXPECT_FALSE(__asan_address_is_poisoned(bytes.data() + 99));
    ASSERT_TRUE(bytes.try_resize(8));
    EXPECT_TRUE(__asan_address_is_poisoned(bytes.data() + 8));
    ASSERT_TRUE(bytes.try_extend(20));
    EXPECT_FALSE(__asan_address_is_poisoned(bytes.data() + 27));
#endif
}

// Shortage.

TEST(aligned_buffer, stays_whole_when_growth_is_refused) {
    for (const bool lasting : {false, true}) {
        const std::uint64_t points = for_each_failure(
            [](failing_source& source) {
                aligned_buffer<int> numbers(source);
                std::vector<int> naive;
                for (int i = 0; i != 2000; ++i)
                    if (numbers.try_push_back(i)) naive.push_back(i);
                ASSERT_TRUE(std::equal(naive.begin(), naive.end(), numbers.begin(), numbers.end()));
                ASSERT_TRUE(is_aligned(numbers.data(), 64));
            },
            {.lasting = lasting});
        EXPECT_GT(points, 5);
    }
}

// Books.

TEST(aligned_buffer, gives_every_block_back_with_its_layout) {
    auditing_source upstream(default_source());
    {
        aligned_buffer<int, 128> numbers(upstream);
        for (int i = 0; i != 5000; ++i) numbers.push_back(i);
        EXPECT_EQ(upstream.live_count(), 1);
        EXPECT_EQ(upstream.live_bytes(), numbers.capacity() * sizeof(int));
        const no_allocation scope; // steady state: the block is large enough
        for (int round = 0; round != 100; ++round) {
            numbers.clear();
            for (int i = 0; i != 5000; ++i) numbers.push_back(i);
        }
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

// Model.

TEST(aligned_buffer, does_what_a_vector_does) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    auditing_source upstream(default_source());
    aligned_buffer<std::uint16_t, 64> ours(upstream);
    std::vector<std::uint16_t> naive;
    for (int step = 0; step != 5000; ++step) {
        const auto dice = random() % 100;
        const auto value = static_cast<std::uint16_t>(random());
        if (dice < 50) {
            ours.push_back(value);
            naive.push_back(value);
        } else if (dice < 80) {
            const std::vector<std::uint16_t> more(random() % 50, value);
            ours.append(more);
            naive.insert(naive.end(), more.begin(), more.end());
        } else if (dice < 95) {
            const std::size_t count = random() % 500;
            ours.resize(count);
            naive.resize(count);
        } else if (dice < 97) {
            ours.reserve(random() % 1000);
        } else if (dice < 99) {
            ours.clear();
            naive.clear();
        } else {
            ours.release();
            naive.clear();
        }
        ASSERT_EQ(ours.size(), naive.size());
        ASSERT_TRUE(std::equal(naive.begin(), naive.end(), ours.begin()));
        ASSERT_TRUE(is_aligned(ours.data(), 64));
    }
}

} // namespace
} // namespace allot
