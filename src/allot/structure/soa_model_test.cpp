// A soa against a vector of structs, with random operations.
#include <allot/structure/soa.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace allot {
namespace {

struct naive {
    std::uint64_t id;
    std::string text;
    std::string word;
};

// Of rows that are equal in all fields any may be first.
auto order(std::uint64_t id, std::string_view text, std::string_view word) {
    return std::tuple(id * 7 % 1000, id, text, word);
}

TEST(soa_model, behaves_as_a_vector_of_structs) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    for (int run = 0; run != 5; ++run) {
        soa<field<"id", std::uint64_t>, field<"text", std::string>, field<"word", soa_text>> rows;
        std::vector<naive> model;
        for (std::uint64_t step = 0; step != 5000; ++step) {
            const auto what = static_cast<unsigned>(random() % 100);
            const std::size_t at = model.empty() ? 0 : random() % model.size();
            const std::string text(random() % 40, static_cast<char>('a' + step % 26));
            if (what < 60 || model.empty()) {
                rows.push_back(step, text, text + "!");
                model.push_back({step, text, text + "!"});
            } else if (what < 75) {
                rows.erase_unordered(at);
                model[at] = model.back();
                model.pop_back();
            } else if (what < 80) {
                rows.pop_back();
                model.pop_back();
            } else if (what < 95) {
                rows.set_text<"word">(at, text);
                model[at].word = text;
            } else if (what < 98) {
                rows[at] = rows[0];
                model[at] = naive(model[0]);
            } else if (what == 98) {
                std::ranges::sort(rows, {}, [](const auto& row) {
                    return order(row.template get<"id">(), row.template get<"text">(),
                                 row.template get<"word">());
                });
                std::ranges::sort(model, {},
                                  [](const naive& row) { return order(row.id, row.text, row.word); });
            } else if (random() % 20 == 0) {
                rows.clear();
                model.clear();
            }
            if (step % 20 != 0) continue;
            rows.check();
            ASSERT_EQ(rows.count(), model.size());
            for (std::size_t i = 0; i != model.size(); ++i) {
                ASSERT_EQ(rows[i].get<"id">(), model[i].id);
                ASSERT_EQ(rows[i].get<"text">(), model[i].text);
                ASSERT_EQ(rows[i].get<"word">(), model[i].word);
            }
        }
    }
}

TEST(soa_model, is_stressed_with_a_million_rows) {
    soa<field<"x", std::uint64_t>, field<"y", std::uint32_t>> rows;
    for (std::uint64_t i = 0; i != 1'000'000; ++i) rows.push_back(i, static_cast<std::uint32_t>(i));
    std::uint64_t sum = 0;
    for (const std::uint64_t x : rows.column<"x">()) sum += x;
    for (const std::uint32_t y : rows.column<"y">()) sum -= y;
    EXPECT_EQ(sum, 0);
    rows.check();
}

} // namespace
} // namespace allot
