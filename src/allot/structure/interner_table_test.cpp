#include <allot/source/default_source.hpp>
#include <allot/structure/interner_table.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace allot {
namespace {

std::string numbered(std::uint32_t number) { return "name" + std::to_string(number); }

std::uint32_t find(const detail::interner_table& table, std::string_view text) {
    const std::uint32_t found = table.find_fast(text, table.hash(text));
    return found != 0 ? found : table.find_chained(text, table.hash(text));
}

TEST(text_hash, tells_anagrams_apart_but_for_a_key_of_0) {
    constexpr std::uint64_t key = detail::text_hash_key;
    EXPECT_TRUE(detail::text_hash("name", key) != detail::text_hash("mane", key));
    EXPECT_TRUE(detail::text_hash("name", 0) == 0);
}

TEST(text_hash, spreads_names_as_chance_would) {
    constexpr std::uint32_t count = 1 << 16;
    for (const unsigned shift : {0u, 24u}) { // the last bits choose the place in a segment, the first ones it
        std::vector<std::uint32_t> met(256);
        for (std::uint32_t i = 0; i != count; ++i)
            ++met[detail::text_hash(numbered(i), detail::text_hash_key) >> shift & 0xFF];
        double chi = 0; // of 255 degrees of freedom: 255 on the average, above 350 once in 30,000 times
        for (const std::uint32_t each : met) chi += (each - 256.0) * (each - 256.0) / 256.0;
        EXPECT_LT(chi, 350) << shift;
        EXPECT_GT(chi, 170) << shift;
    }
}

TEST(text_hash, changes_with_each_bit) {
    for (std::size_t size = 1; size <= 70; ++size) {
        std::string text(size, 'x');
        const std::uint32_t before = detail::text_hash(text, detail::text_hash_key);
        for (std::size_t bit = 0; bit != size * 8; ++bit) {
            text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
            ASSERT_NE(detail::text_hash(text, detail::text_hash_key), before) << size << ' ' << bit;
            text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
        }
    }
}

TEST(interner_table, keeps_texts_of_one_hash_apart) { // B33
    detail::interner_table table({.name = "same", .hash_key = 0});
    constexpr std::uint32_t count = 2000; // several segments
    for (std::uint32_t i = 0; i != count; ++i) {
        const std::string text = numbered(i);
        ASSERT_EQ(find(table, text), 0);
        ASSERT_EQ(table.insert(text, table.hash(text)), i + 1);
    }
    for (std::uint32_t i = 0; i != count; ++i) {
        ASSERT_EQ(find(table, numbered(i)), i + 1);
        ASSERT_EQ(table.text(i + 1), numbered(i));
    }
    EXPECT_LT(table.held_bytes(), 200'000); // no splitting without end
    table.check();
}

TEST(interner_table, splits_only_what_can_be_told_apart) {
    // A thousand texts of one hash among a hundred thousand of others.
    detail::interner_table table({.name = "mixed"});
    for (std::uint32_t i = 0; i != 100'000; ++i) {
        const std::string text = numbered(i);
        ASSERT_NE(table.insert(text, i % 100 == 0 ? 12345 : table.hash(text)), 0);
    }
    for (std::uint32_t i = 0; i != 100'000; ++i) {
        const std::string text = numbered(i);
        const std::uint32_t hash = i % 100 == 0 ? 12345 : table.hash(text);
        std::uint32_t found = table.find_fast(text, hash);
        if (found == 0) found = table.find_chained(text, hash);
        ASSERT_EQ(found, i + 1);
    }
    EXPECT_LT(table.held_bytes(), 5'500'000);
}

TEST(interner_table, survives_each_shortage_with_equal_hashes) {
    for_each_failure([](failing_source& source) {
        detail::interner_table table({.name = "same", .upstream = &source, .hash_key = 0});
        for (std::uint32_t i = 0; i != 1200; ++i) {
            const std::string text = numbered(i);
            ASSERT_EQ(find(table, text), 0);
            if (table.insert(text, 0) != 0) continue;
            ASSERT_EQ(find(table, text), 0);
            ASSERT_NE(table.insert(text, 0), 0);
        }
        EXPECT_EQ(table.count(), 1200);
        table.check();
    });
}

// A split moves slots under the reader: it may be unsure then, but not wrong.
TEST(interner_table, is_never_sure_that_a_text_is_missing_which_is_there) {
    constexpr std::uint32_t before = 380, count = 400; // the split comes after 384
    std::vector<std::string> texts;
    for (std::uint32_t i = 0; i != count; ++i) texts.push_back(numbered(i));
    for (int round = 0; round != 1000; ++round) {
        detail::interner_table table({.name = "split"});
        for (std::uint32_t i = 0; i != before; ++i) (void)table.insert(texts[i], table.hash(texts[i]));
        std::atomic<bool> reads = false, is_full = false;
        std::thread writer([&] {
            while (!reads.load()) std::this_thread::yield();
            for (std::uint32_t i = before; i != count; ++i)
                (void)table.insert(texts[i], table.hash(texts[i]));
            is_full.store(true);
        });
        std::uint32_t wrong = 0;
        for (int pass = 0; pass < 20 || !is_full.load(); ++pass) {
            if (pass > 20) std::this_thread::yield(); // the writer has no processor
            for (std::uint32_t i = 0; i != before; ++i) {
                auto how = detail::interner_table::certainty::unsure;
                const std::uint32_t found = table.find_slowly(texts[i], table.hash(texts[i]), how);
                wrong += found != i + 1 && (found != 0 || how == detail::interner_table::certainty::sure);
            }
            reads.store(true);
        }
        writer.join();
        ASSERT_EQ(wrong, 0) << "in round " << round;
        table.check();
    }
}

} // namespace
} // namespace allot
