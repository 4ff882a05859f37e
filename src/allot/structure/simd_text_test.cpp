#include <allot/source/default_source.hpp>
#include <allot/structure/simd_kernels.hpp>
#include <allot/structure/simd_text.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace allot {
namespace {

using detail::simd_kernels;

// Readable up to its last byte, with nothing behind: a text that ends there shows who reads beyond it. The same in
// front of its first byte.
class lone_page {
public:
    lone_page() : all_(mmap(nullptr, 3 * size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
        EXPECT_NE(all_, MAP_FAILED);
        EXPECT_EQ(mprotect(first(), size_, PROT_READ | PROT_WRITE), 0);
    }
    ~lone_page() { munmap(all_, 3 * size_); }
    char* first() const { return static_cast<char*>(all_) + size_; }
    char* last(std::size_t length) const { return first() + size_ - length; }

private:
    const std::size_t size_ = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* const all_;
};

class texts_of_seed {
public:
    explicit texts_of_seed(unsigned seed) : random_(seed) {}
    std::string operator()(std::size_t length, int letters = 2) {
        std::string text(length, ' ');
        for (char& each : text) each = static_cast<char>('a' + random_() % static_cast<unsigned>(letters));
        return text;
    }
    std::size_t below(std::size_t bound) { return random_() % bound; }

private:
    std::mt19937 random_;
};

std::size_t naive_find(std::string_view text, std::string_view pattern) {
    return static_cast<std::size_t>(std::search(text.begin(), text.end(), pattern.begin(), pattern.end()) -
                                    text.begin());
}

// Usage.

TEST(simd_text, asks_many_texts_at_once) {
    auditing_source source(default_source());
    text_batch paths(source);
    for (std::string_view path : {"/usr/include", "/usr/lib", "/etc"}) paths.push_back(path);
    bool hits[3];
    EXPECT_TRUE(simd_contains_each(paths, "usr", hits) == 2 && hits[1] && !hits[2]);
    EXPECT_TRUE(simd_match_each(paths, "/etc", hits) == 1 && hits[2]);
    const std::string_view either[] = {"/etc", "/usr/lib", "/opt"};
    EXPECT_TRUE(simd_match_any_each(paths, either, hits) == 2 && !hits[0]);
    std::uint32_t counts[3];
    EXPECT_TRUE(simd_count_each(paths, '/', counts) == 5 && counts[2] == 1);
    EXPECT_TRUE(simd_find("/usr/include", "include") == 5 && simd_contains(paths[1], "lib"));
}

// Edges: every loop that this processor can run, on every length at every place.

TEST(simd_text, has_more_than_one_loop_where_the_processor_has) {
    const auto all = detail::usable_simd_kernels();
    ASSERT_GE(all.size(), 1);
    EXPECT_EQ(all.back()->target, std::string_view("plain"));
    EXPECT_EQ(all.front()->target, std::string_view(simd_target()));
    for (const simd_kernels* each : all) std::printf("%s\n", each->target);
}

TEST(simd_text, finds_what_std_search_finds_at_every_offset_and_page_end) { // B61
    texts_of_seed make(1);
    const lone_page page;
    for (const simd_kernels* loops : detail::usable_simd_kernels()) {
        for (std::size_t length = 0; length <= 200; ++length) {
            const std::string text = make(length);
            std::copy(text.begin(), text.end(), page.last(length));
            std::copy(text.begin(), text.end(), page.first());
            for (std::size_t pattern_length = 1; pattern_length <= 40;
                 pattern_length += 1 + pattern_length / 5) {
                std::string pattern = make(pattern_length);
                if (length >= pattern_length && make.below(2)) // one that is there, at any offset
                    pattern = text.substr(make.below(length - pattern_length + 1), pattern_length);
                const std::size_t truth = naive_find(text, pattern);
                ASSERT_EQ(loops->find(page.last(length), length, pattern.data(), pattern.size()), truth)
                    << loops->target << ": " << pattern << " in " << text;
                ASSERT_EQ(loops->find(page.first(), length, pattern.data(), pattern.size()), truth);
            }
        }
        for (std::size_t offset = 0; offset != 200; ++offset) { // one place, at every distance from the end
            std::string text(200, 'x');
            for (std::size_t pattern_length = 1; pattern_length <= 70 && offset + pattern_length <= 200;
                 pattern_length += 7) {
                const std::string pattern = "n" + std::string(pattern_length - 1, 'y');
                std::string with = text;
                with.replace(offset, pattern_length, pattern);
                std::copy(with.begin(), with.end(), page.last(200));
                ASSERT_EQ(loops->find(page.last(200), 200, pattern.data(), pattern_length), offset);
            }
        }
    }
}

TEST(simd_text, knows_the_texts_that_equal_any_of_several) {
    texts_of_seed make(3);
    for (const std::size_t count : {0u, 1u, 5u, 1023u, 1024u, 1025u, 3000u}) { // around the pieces
        text_batch batch;
        for (std::size_t i = 0; i != count; ++i) batch.push_back(make(make.below(5)));
        std::vector<std::string_view> views;
        for (std::size_t i = 0; i != count; ++i) views.push_back(batch[i]);
        for (const std::size_t wanted_count : {0u, 1u, 2u, 7u}) {
            std::vector<std::string> texts; // some twice, some of no bytes
            for (std::size_t i = 0; i != wanted_count; ++i) texts.push_back(make(make.below(5)));
            const std::vector<std::string_view> wanted(texts.begin(), texts.end());
            const auto hits = std::make_unique<bool[]>(count + 1);
            const auto also = std::make_unique<bool[]>(count + 1);
            hits[count] = also[count] = true; // not ours to write
            const std::uint64_t found = simd_match_any_each(batch, wanted, {hits.get(), count});
            EXPECT_EQ(simd_match_any_each(views, wanted, {also.get(), count}), found);
            std::uint64_t truth = 0;
            for (std::size_t i = 0; i != count; ++i) {
                const bool hit = std::ranges::find(wanted, views[i]) != wanted.end();
                truth += hit;
                ASSERT_EQ(hits[i], hit) << i;
                ASSERT_EQ(also[i], hit) << i;
            }
            EXPECT_EQ(found, truth);
            EXPECT_TRUE(hits[count] && also[count]);
        }
    }
}

TEST(simd_text, takes_no_part_of_a_pattern_for_the_whole) { // B61
    for (const simd_kernels* loops : detail::usable_simd_kernels()) {
        for (std::size_t length = 1; length <= 100; ++length) {
            const std::string pattern(length, 'p');
            const std::string short_of_it = std::string(40, 'x') + std::string(length - 1, 'p');
            EXPECT_EQ(loops->find(short_of_it.data(), short_of_it.size(), pattern.data(), length),
                      short_of_it.size());
            const std::string_view equal = pattern;
            const std::string longer = pattern + "p";
            const std::string other = pattern.substr(0, length - 1) + "q";
            const std::string_view texts[] = {equal, longer, other, equal.substr(1)};
            bool hits[4];
            EXPECT_EQ(loops->match_views(std::span(texts), pattern, hits), 1);
            EXPECT_TRUE(hits[0] && !hits[1] && !hits[2] && !hits[3]);
        }
    }
}

TEST(simd_text, counts_what_std_count_counts_at_every_offset_and_page_end) { // B61
    texts_of_seed make(2);
    const lone_page page;
    for (const simd_kernels* loops : detail::usable_simd_kernels()) {
        for (std::size_t length = 0; length <= 300; ++length) {
            const std::string text = make(length, 3);
            std::copy(text.begin(), text.end(), page.last(length));
            std::copy(text.begin(), text.end(), page.first());
            const auto truth = static_cast<std::size_t>(std::ranges::count(text, 'b'));
            ASSERT_EQ(loops->count(page.last(length), length, 'b'), truth) << loops->target << ' ' << length;
            ASSERT_EQ(loops->count(page.first(), length, 'b'), truth) << loops->target << ' ' << length;
        }
        for (const std::size_t length : {5000, 8160, 16383, 16384, 16385, 40000, 100001}) {
            const std::string all(length, '\xFF'); // more hits in a lane than 8 bits hold; a sign bit
            ASSERT_EQ(loops->count(all.data(), length, '\xFF'), length) << loops->target;
            ASSERT_EQ(loops->count(all.data(), length, '\x7F'), 0) << loops->target;
        }
    }
}

TEST(simd_text, answers_for_batches_and_views_as_std_does) {
    texts_of_seed make(3);
    for (int round = 0; round != 60; ++round) {
        std::vector<std::string> strings(make.below(70));
        text_batch batch;
        for (std::string& each : strings) {
            each = make(make.below(make.below(4) == 0 ? 200 : 12), 2);
            batch.push_back(each);
        }
        const std::vector<std::string_view> views(strings.begin(), strings.end());
        const std::string wanted = make(1 + make.below(make.below(3) == 0 ? 30 : 4), 2);
        std::vector<std::uint32_t> counts(views.size());
        const auto hits = std::make_unique<bool[]>(views.size() + 1);
        for (const simd_kernels* loops : detail::usable_simd_kernels()) {
            const detail::packed_texts packed{batch.bytes(), batch.begins(), batch.size()};
            const auto expect_hits = [&](std::uint64_t sum, auto truth) {
                std::uint64_t expected = 0;
                for (std::size_t i = 0; i != views.size(); ++i) {
                    expected += truth(views[i]);
                    ASSERT_EQ(hits[i], truth(views[i]))
                        << loops->target << ": " << wanted << " of " << views[i];
                }
                ASSERT_EQ(sum, expected);
            };
            const auto contains = [&](std::string_view text) {
                return naive_find(text, wanted) < text.size();
            };
            const auto matches = [&](std::string_view text) { return text == wanted; };
            expect_hits(loops->contains_views(views, wanted, hits.get()), contains);
            expect_hits(loops->contains_batch(packed, wanted, hits.get()), contains);
            expect_hits(loops->match_views(views, wanted, hits.get()), matches);
            expect_hits(loops->match_batch(packed, wanted, hits.get()), matches);
            for (const bool as_batch : {false, true}) {
                const std::uint64_t sum = as_batch ? loops->count_batch(packed, 'a', counts.data())
                                                   : loops->count_views(views, 'a', counts.data());
                std::uint64_t expected = 0;
                for (std::size_t i = 0; i != views.size(); ++i) {
                    ASSERT_EQ(counts[i], std::ranges::count(views[i], 'a')) << loops->target;
                    expected += counts[i];
                }
                ASSERT_EQ(sum, expected);
            }
        }
    }
}

TEST(simd_text, holds_empty_texts_and_its_own) {
    text_batch batch;
    EXPECT_EQ(batch.size(), 0);
    EXPECT_EQ(batch.byte_count(), 0);
    EXPECT_EQ(simd_contains_each(batch, "x", {}), 0);
    batch.push_back("");
    batch.push_back("text");
    batch.push_back("");
    for (int i = 0; i != 200; ++i) batch.push_back(batch[1]); // while it grows
    EXPECT_EQ(batch.size(), 203);
    const auto hits = std::make_unique<bool[]>(203);
    const std::span<bool> all(hits.get(), 203);
    EXPECT_EQ(simd_match_each(batch, "text", all), 201);
    EXPECT_EQ(simd_match_each(batch, "", all), 2);
    EXPECT_EQ(simd_contains_each(batch, "", all), 203);
    EXPECT_EQ(simd_contains_each(batch, "tt", all), 0); // not across two texts
    const std::string_view views[] = {"", "a"};
    EXPECT_EQ(simd_contains_each(views, "", all), 2);
    EXPECT_EQ(simd_match_each(views, "a", all), 1);
    EXPECT_EQ(simd_find("abc", ""), 0);
    EXPECT_EQ(simd_find("", "a"), std::string_view::npos);
    EXPECT_EQ(simd_count("", 'a'), 0);
    EXPECT_TRUE(is_aligned(batch.bytes(), 64));
    batch.clear();
    EXPECT_EQ(batch.size(), 0);
    batch.push_back("again");
    EXPECT_EQ(batch[0], "again");
}

// Shortage and books.

TEST(simd_text, leaves_a_batch_whole_when_it_cannot_grow) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        text_batch batch(source);
        std::vector<std::string> naive;
        for (int i = 0; i != 100; ++i) {
            const std::string text(static_cast<std::size_t>(i), static_cast<char>('a' + i % 26));
            if (batch.try_push_back(text)) naive.push_back(text);
            ASSERT_EQ(batch.size(), naive.size());
        }
        for (std::size_t i = 0; i != naive.size(); ++i) ASSERT_EQ(batch[i], naive[i]);
    });
    EXPECT_GT(points, 5);
}

TEST(simd_text, gives_all_blocks_back_and_asks_without_allocating) {
    auditing_source source(default_source());
    {
        text_batch batch(source);
        for (int i = 0; i != 1000; ++i) batch.push_back("some text");
        const auto hits = std::make_unique<bool[]>(1000);
        const no_allocation scope;
        EXPECT_EQ(simd_contains_each(batch, "me te", {hits.get(), 1000}), 1000);
    }
    EXPECT_EQ(source.live_count(), 0);
}

} // namespace
} // namespace allot
