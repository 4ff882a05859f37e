#include <allot/core/out_of_memory.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/interner.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace allot {
namespace {

void log(std::uint64_t) {}

std::string numbered(int number) { return "name" + std::to_string(number); }

// Usage.

TEST(interner, gives_equal_texts_one_symbol) {
    interner names({.name = "names", .limit_bytes = mebibytes(1)});
    names.preload(keywords::python);
    symbol first = names.intern("request");
    symbol again = names.intern(std::string("req") + "uest");
    EXPECT_TRUE(first == again && names.resolve(first) == "request");
    EXPECT_TRUE(names.find("request") == first && !names.find("response"));
    if (symbol more = names.try_intern("response"); !more) log(last_refusal().limit_bytes);
    EXPECT_TRUE(names.numbers().hits == 1 && names.numbers().misses == 2);
    names.check();
}

TEST(symbol, is_a_number_of_four_bytes) {
    symbol none;
    EXPECT_TRUE(!none && none.value() == 0);
    symbol third = symbol::from_value(3); // from a file, say
    EXPECT_TRUE(third && third != none && none < third && std::hash<symbol>()(third) == 3);
    static_assert(sizeof(symbol) == 4 && std::is_trivially_copyable_v<symbol>);
}

TEST(interner, tells_keywords_by_their_index) {
    interner names;
    names.preload(keywords::cpp);
    EXPECT_TRUE(names.index_of(names.intern("while")) < keywords::cpp.size());
    EXPECT_TRUE(names.index_of(names.intern("whilst")) >= keywords::cpp.size());
}

TEST(interner, knows_each_keyword_once) {
    for (const auto list : {std::span<const std::string_view>(keywords::python),
                            std::span<const std::string_view>(keywords::cpp),
                            std::span<const std::string_view>(keywords::json)}) {
        EXPECT_EQ(std::set<std::string_view>(list.begin(), list.end()).size(), list.size());
        EXPECT_EQ(std::ranges::count(list, std::string_view()), 0);
    }
    EXPECT_EQ(keywords::python.size(), 39);
    EXPECT_EQ(keywords::cpp.size(), 96);
}

// Edges.

TEST(interner, takes_any_bytes_and_ends_them_in_a_zero) {
    interner names;
    const std::string zeros("a\0b\0", 4);
    const std::string_view texts[] = {"", std::string_view("\0", 1), zeros,
                                      std::string_view(zeros).substr(0, 3), "a"};
    std::set<symbol> distinct;
    for (const std::string_view text : texts) {
        const symbol made = names.intern(text);
        distinct.insert(made);
        EXPECT_EQ(names.resolve(made), text);
        EXPECT_EQ(names.resolve(made).data()[text.size()], 0);
        EXPECT_EQ(names.intern(text), made);
        EXPECT_EQ(names.find(text), made);
    }
    EXPECT_EQ(distinct.size(), std::size(texts));
    EXPECT_EQ(names.intern(std::string_view()), names.find("")); // of nullptr
    names.check();
}

TEST(interner, tells_texts_of_every_length_apart) {
    interner names;
    std::vector<std::string> texts;
    for (std::size_t size = 1; size <= 40; ++size)
        for (std::size_t place = 0; place != size; ++place) { // differ in one byte
            texts.emplace_back(size, 'x');
            texts.back()[place] = 'y';
        }
    for (const std::size_t size : {0x3FFFu, 0xFFFEu, 0xFFFFu, 0x10000u, 0x50000u})
        texts.emplace_back(size, 'z');
    std::set<symbol> distinct;
    for (const std::string& text : texts) distinct.insert(names.intern(text));
    EXPECT_EQ(distinct.size(), texts.size());
    for (std::uint32_t i = 0; i != texts.size(); ++i) EXPECT_EQ(names.resolve(names.symbol_at(i)), texts[i]);
    names.check();
}

TEST(interner, keeps_views_where_they_are) {
    interner names;
    std::vector<std::pair<symbol, std::string_view>> seen;
    for (int i = 0; i != 5000; ++i) {
        const symbol made = names.intern(numbered(i));
        seen.emplace_back(made, names.resolve(made));
    }
    std::uint32_t index = 0;
    for (const auto& [made, view] : seen) {
        ASSERT_EQ(made.value(), ++index); // dense, from 1 on
        ASSERT_EQ(names.resolve(made).data(), view.data());
        ASSERT_EQ(view, numbered(static_cast<int>(index) - 1));
    }
    names.check();
}

TEST(interner, refuses_symbols_from_before_a_clear) { // B35
    interner names;
    const symbol before = names.intern("text");
    names.intern("more");
    names.clear();
    EXPECT_TRUE(names.is_empty() && !names.find("text") && !names.contains(before));
    EXPECT_EQ(names.usage().held_bytes, 0);
    const symbol after = names.intern("text");
    EXPECT_NE(before, after); // the same text, but equality does not lie
    EXPECT_TRUE(!names.contains(before) && names.contains(after) && !names.contains({}));
    EXPECT_EQ(after.value(), 3);
    EXPECT_EQ(names.index_of(after), 0);
    EXPECT_EQ(names.symbol_at(0), after);
    EXPECT_EQ(names.numbers().misses, 1);
    EXPECT_FALSE(names.contains(symbol::from_value(4)));
    EXPECT_FALSE(names.contains(symbol::from_value(0xFFFFFFFF)));
    names.check();
}

TEST(interner, interns_many_as_one_by_one) {
    interner many;
    interner single;
    std::mt19937 random(7);
    std::vector<std::string> texts;
    for (int i = 0; i != 3000; ++i) texts.push_back(numbered(static_cast<int>(random() % 500)));
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    for (const std::size_t count :
         {std::size_t{0}, std::size_t{1}, std::size_t{15}, std::size_t{16}, views.size()}) {
        std::vector<symbol> symbols(count);
        EXPECT_EQ(many.intern_many(std::span(views).first(count), symbols), count);
        for (std::size_t i = 0; i != count; ++i) ASSERT_EQ(symbols[i], single.intern(views[i]));
    }
    EXPECT_EQ(many.numbers().hits, single.numbers().hits);
    EXPECT_EQ(many.numbers().misses, single.numbers().misses);
    EXPECT_EQ(many.numbers().asked_bytes, single.numbers().asked_bytes);
    many.check();
}

TEST(interner, counts_each_text_once_and_all_memory) { // B36
    auditing_source source(default_source(), {.guard_bytes = 0});
    interner names({.upstream = &source});
    for (int round = 0; round != 100; ++round)
        for (int i = 0; i != 1000; ++i) names.intern(numbered(i));
    const interner_numbers now = names.numbers();
    EXPECT_EQ(now.distinct, 1000);
    EXPECT_EQ(now.misses, 1000);
    EXPECT_EQ(now.hits, 99'000);
    EXPECT_EQ(now.text_bytes, 10 * 5 + 90 * 6 + 900 * 7);
    EXPECT_EQ(now.asked_bytes, 100 * now.text_bytes);
    EXPECT_EQ(now.held_bytes, source.live_bytes()); // texts and all tables
    EXPECT_EQ(now.saved_bytes(), static_cast<std::int64_t>(100 * now.text_bytes - source.live_bytes()));
    EXPECT_LT(interner_numbers({.held_bytes = 1}).saved_bytes(), 0);
    const usage use = names.usage();
    EXPECT_EQ(use.live_bytes, now.text_bytes + 1000);
    EXPECT_EQ(use.live_bytes + use.slack_bytes + use.free_bytes, use.held_bytes);
    EXPECT_EQ(use.held_count, source.live_count());
}

// Shortage.

TEST(interner, refuses_at_its_limit_and_keeps_what_it_has) {
    interner names({.name = "names", .limit_bytes = kibibytes(64)});
    int count = 0;
    while (names.try_intern(numbered(count))) ++count;
    EXPECT_GT(count, 1000);
    EXPECT_EQ(last_refusal().who.view(), "names");
    EXPECT_STREQ(last_refusal().kind, "interner");
    EXPECT_EQ(last_refusal().limit_bytes, kibibytes(64));
    EXPECT_LE(names.usage().peak_held_bytes, kibibytes(64));
    EXPECT_EQ(names.usage().refused_count, 1);
    EXPECT_EQ(names.count(), count);
    EXPECT_THROW(names.intern(numbered(count)), out_of_memory);
    EXPECT_FALSE(names.try_preload(std::vector<std::string_view>{"a text that is not there"}));
    EXPECT_THROW(names.preload(std::vector<std::string_view>{"a text that is not there"}), out_of_memory);
    std::string last = numbered(count);
    const std::string_view some[] = {"name1", last, "name2"};
    symbol symbols[3];
    EXPECT_EQ(names.intern_many(some, symbols), 1);
    const std::uint64_t held = names.usage().held_bytes;
    for (int i = 0; i != 100; ++i) EXPECT_FALSE(names.try_intern(std::string(20'000, 'x')));
    EXPECT_EQ(names.usage().held_bytes, held); // a refusal takes nothing
    for (int i = 0; i != count; ++i) ASSERT_EQ(names.intern(numbered(i)).value(), i + 1);
    names.check();
}

TEST(interner, survives_each_shortage) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        interner names({.upstream = &source});
        std::vector<bool> refused(2000);
        for (int i = 0; i != 2000; ++i) refused[static_cast<std::size_t>(i)] = !names.try_intern(numbered(i));
        names.check();
        for (int i = 0; i != 2000; ++i) {
            const bool is_there = static_cast<bool>(names.find(numbered(i)));
            ASSERT_NE(is_there, refused[static_cast<std::size_t>(i)]);
            ASSERT_TRUE(names.try_intern(numbered(i)));
        }
        names.check();
        EXPECT_EQ(names.count(), 2000);
    });
    EXPECT_GT(points, 20);
}

// An entry has 48 bits for an address.
class distant_source final : public memory_source {
public:
    int live_count = 0;

protected:
    void* do_try_allocate(layout) noexcept override {
        ++live_count;
        return reinterpret_cast<void*>(std::uintptr_t{1} << 52);
    }
    void do_give_back(void*, layout) noexcept override { --live_count; }
};

TEST(interner, refuses_memory_beyond_48_bits) {
    distant_source source;
    interner names({.upstream = &source});
    EXPECT_FALSE(names.try_intern("text"));
    EXPECT_EQ(source.live_count, 0);
}

// Books.

TEST(interner, takes_all_its_memory_from_upstream_and_gives_it_back) {
    auditing_source source(default_source());
    const std::string long_text(100'000, 'x');
    {
        interner names({.upstream = &source});
        EXPECT_EQ(source.live_count(), 0);
        const no_allocation scope;
        for (int round = 0; round != 2; ++round) {
            char text[] = "name0000";
            for (int i = 0; i != 3000; ++i) {
                text[4] = static_cast<char>('0' + i / 1000);
                text[5] = static_cast<char>('0' + i / 100 % 10);
                text[6] = static_cast<char>('0' + i / 10 % 10);
                text[7] = static_cast<char>('0' + i % 10);
                (void)names.intern(text);
            }
            (void)names.intern(long_text);
            if (round == 1) break;
            names.clear();
            EXPECT_EQ(source.live_count(), 0);
        }
        names.check();
    }
    EXPECT_EQ(source.live_count(), 0);
    EXPECT_EQ(source.finding_count(), 0);
}

// Model.

TEST(interner, answers_as_a_map_does) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    interner names;
    std::map<std::string, symbol> model;
    std::uint32_t given = 0;
    for (int step = 0; step != 30'000; ++step) {
        std::string text(random() % (random() % 50 == 0 ? 300 : 6), ' ');
        for (char& each : text) each = static_cast<char>('a' + random() % 5);
        const auto known = model.find(text);
        const auto what = random() % 1000;
        if (what < 300) {
            ASSERT_EQ(names.find(text), known == model.end() ? symbol() : known->second);
        } else if (what < 998) {
            const symbol made = names.intern(text);
            if (known != model.end()) {
                ASSERT_EQ(made, known->second);
            } else {
                ASSERT_EQ(made.value(), ++given);
                model.emplace(text, made);
            }
        } else if (what == 999 && step % 4 == 0) {
            names.clear();
            model.clear();
        }
        if (step % 1000 == 0) names.check();
    }
    names.check();
    ASSERT_EQ(names.count(), model.size());
    std::size_t met = 0;
    names.for_each([&](symbol each, std::string_view text) {
        ASSERT_EQ(model.at(std::string(text)), each);
        ++met;
    });
    ASSERT_EQ(met, model.size());
}

} // namespace
} // namespace allot
