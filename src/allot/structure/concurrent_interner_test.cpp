#include <allot/core/out_of_memory.hpp>
#include <allot/source/default_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/structure/concurrent_interner.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <map>
#include <random>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace allot {
namespace {

constexpr int thread_count = 8;

std::string numbered(std::uint32_t number) { return "name" + std::to_string(number); }

template <class Body>
void in_threads(Body body) {
    std::vector<std::thread> threads;
    std::barrier start(thread_count);
    for (int i = 0; i != thread_count; ++i)
        threads.emplace_back([&, i] {
            start.arrive_and_wait();
            body(i);
        });
    for (std::thread& each : threads) each.join();
}

// Usage.

TEST(concurrent_interner, gives_two_threads_one_symbol) {
    concurrent_interner names({.name = "names"});
    symbol first, second;
    std::thread other([&] { first = names.intern("request"); });
    second = names.intern("request");
    other.join();
    EXPECT_TRUE(first == second && names.resolve(first) == "request");
    EXPECT_TRUE(names.numbers().hits == 1 && names.numbers().misses == 1);
    names.check();
}

// Edges.

TEST(concurrent_interner, does_on_one_thread_what_interner_does) {
    concurrent_interner names;
    names.preload(keywords::json);
    EXPECT_EQ(names.count(), keywords::json.size());
    EXPECT_EQ(names.numbers().misses, 0);
    const symbol before = names.intern("text");
    EXPECT_EQ(names.intern("text"), before);
    EXPECT_TRUE(names.find("text") == before && !names.find("other") && !names.find(""));
    names.clear(); // B35
    EXPECT_TRUE(names.is_empty() && !names.find("text") && !names.contains(before));
    const symbol after = names.intern("text");
    EXPECT_TRUE(before != after && names.index_of(after) == 0 && names.symbol_at(0) == after);
    std::vector<std::string> texts;
    for (std::uint32_t i = 0; i != 2000; ++i) texts.push_back(numbered(i % 700));
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    std::vector<symbol> symbols(views.size());
    EXPECT_EQ(names.intern_many(views, symbols), views.size());
    for (std::size_t i = 0; i != views.size(); ++i) ASSERT_EQ(names.resolve(symbols[i]), views[i]);
    EXPECT_EQ(names.numbers().misses, 701);
    EXPECT_EQ(names.numbers().hits, 1300);
    EXPECT_EQ(names.numbers().asked_bytes, names.numbers().text_bytes + 2 * (names.numbers().text_bytes - 4) -
                                               100 * 7); // names 600–699 came twice, the others three times
    names.check();
}

TEST(concurrent_interner, counts_threads_without_a_slot_too) {
    concurrent_interner names;
    names.intern("shared");
    for (int i = 0; i != 300; ++i) std::thread([&] { names.intern("shared"); }).join();
    EXPECT_EQ(names.numbers().hits, 300);
    EXPECT_EQ(names.numbers().asked_bytes, 301 * 6);
}

// Shortage.

TEST(concurrent_interner, survives_each_shortage) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        concurrent_interner names({.upstream = &source});
        for (std::uint32_t i = 0; i != 1500; ++i)
            if (!names.try_intern(numbered(i))) {
                ASSERT_FALSE(names.find(numbered(i)));
                ASSERT_TRUE(names.try_intern(numbered(i)));
            }
        names.check();
        EXPECT_EQ(names.count(), 1500);
        EXPECT_EQ(names.numbers().misses, 1500);
    });
    EXPECT_GT(points, 15);
}

TEST(concurrent_interner, refuses_eight_threads_at_its_limit) {
    concurrent_interner names({.name = "small", .limit_bytes = kibibytes(64)});
    std::atomic<std::uint64_t> made = 0;
    in_threads([&](int thread) {
        for (std::uint32_t i = 0; i != 2000; ++i)
            if (names.try_intern(numbered(i * 8 + static_cast<std::uint32_t>(thread))))
                ++made;
            else
                EXPECT_EQ(last_refusal().who.view(), "small");
    });
    EXPECT_EQ(names.count(), made);
    EXPECT_LE(names.usage().peak_held_bytes, kibibytes(64));
    EXPECT_EQ(names.usage().refused_count, 16'000 - made);
    names.check();
}

// Books.

TEST(concurrent_interner, takes_all_its_memory_from_upstream_and_gives_it_back) {
    auditing_source source(default_source());
    {
        concurrent_interner names({.upstream = &source});
        EXPECT_EQ(source.live_count(), 0);
        in_threads([&](int) {
            (void)names.intern("first"); // a thread's slot may take from malloc
            for (std::uint32_t i = 0; i != 3000; ++i) {
                const std::string text = numbered(i);
                const no_allocation scope;
                (void)names.intern(text);
            }
        });
        EXPECT_EQ(names.count(), 3001);
        const usage now = names.usage();
        EXPECT_EQ(now.live_bytes + now.slack_bytes + now.free_bytes, now.held_bytes);
        EXPECT_EQ(now.held_bytes, source.live_bytes());
    }
    EXPECT_EQ(source.live_count(), 0);
    EXPECT_EQ(source.finding_count(), 0);
}

// Threads.

TEST(concurrent_interner, gives_eight_threads_the_same_symbols) { // B34
    constexpr std::uint32_t count = 2'000;
    concurrent_interner names;
    std::vector<std::vector<symbol>> of(thread_count, std::vector<symbol>(count));
    std::atomic<std::uint32_t> arrived = 0; // at each text anew, so that those that run race for it
    in_threads([&](int thread) {
        for (std::uint32_t i = 0; i != count; ++i) {
            const std::string text = numbered(i);
            ++arrived;
            while (arrived < (i + 1) * thread_count) std::this_thread::yield();
            const symbol made = names.intern(text);
            of[static_cast<std::size_t>(thread)][i] = made;
            EXPECT_EQ(names.resolve(made), text);
        }
    });
    for (const std::vector<symbol>& each : of) ASSERT_EQ(each, of[0]);
    EXPECT_EQ(names.count(), count);
    EXPECT_EQ(names.numbers().misses, count);
    EXPECT_EQ(names.numbers().hits, 7 * count);
    names.check();
}

TEST(concurrent_interner, never_misses_what_is_there_while_segments_split) {
    constexpr std::uint32_t count = 30'000;
    concurrent_interner names;
    std::atomic<std::uint32_t> published = 0;
    in_threads([&](int thread) {
        if (thread == 0) {
            for (std::uint32_t i = 0; i != count; ++i) {
                ASSERT_EQ(names.intern(numbered(i)).value(), i + 1);
                published.store(i + 1, std::memory_order_release);
            }
            return;
        }
        std::mt19937 random(static_cast<unsigned>(thread));
        for (std::uint32_t known = 0; known != count;) {
            known = published.load(std::memory_order_acquire);
            if (known == 0) continue;
            const auto any = static_cast<std::uint32_t>(random() % known);
            const std::string text = numbered(any);
            ASSERT_EQ(names.find(text).value(), any + 1);
            ASSERT_EQ(names.resolve(symbol::from_value(any + 1)), text);
            ASSERT_FALSE(names.find("other" + text));
        }
    });
    names.check();
}

TEST(concurrent_interner, answers_as_a_map_does_to_each_thread) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    concurrent_interner names;
    std::map<std::string, symbol> models[thread_count];
    in_threads([&](int thread) {
        std::mt19937 random(seed + static_cast<unsigned>(thread));
        std::map<std::string, symbol>& model = models[thread];
        for (int step = 0; step != 4000; ++step) {
            std::string texts[20];
            std::string_view views[20];
            symbol symbols[20];
            const std::size_t count = 1 + random() % 20;
            for (std::size_t i = 0; i != count; ++i) {
                texts[i].resize(random() % 7);
                for (char& each : texts[i]) each = static_cast<char>('a' + random() % 5);
                views[i] = texts[i];
            }
            if (random() % 2 == 0)
                for (std::size_t i = 0; i != count; ++i) symbols[i] = names.intern(views[i]);
            else
                ASSERT_EQ(names.intern_many(std::span(views).first(count), symbols), count);
            for (std::size_t i = 0; i != count; ++i) {
                const auto [known, is_new] = model.emplace(texts[i], symbols[i]);
                ASSERT_EQ(known->second, symbols[i]);
                ASSERT_EQ(names.resolve(symbols[i]), texts[i]);
            }
        }
    });
    std::map<std::string, symbol> all;
    for (const auto& model : models)
        for (const auto& [text, made] : model) ASSERT_EQ(all.emplace(text, made).first->second, made);
    EXPECT_EQ(all.size(), names.count());
    std::uint32_t last = 0;
    names.for_each([&](symbol each, std::string_view text) {
        ASSERT_EQ(each.value(), ++last);
        ASSERT_EQ(all.at(std::string(text)), each);
    });
    names.check();
}

TEST(concurrent_interner, is_whole_in_a_child) {
    page_source pages; // the child takes nothing from malloc: a sanitizer's may be locked there
    concurrent_interner names({.upstream = &pages});
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    for (int thread = 0; thread != 3; ++thread)
        threads.emplace_back([&, thread] {
            for (std::uint32_t i = 0; !stop && i != 200'000; ++i)
                (void)names.try_intern(numbered(i * 3 + static_cast<std::uint32_t>(thread)));
        });
    for (int round = 0; round != 10; ++round) {
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            names.check();
            char text[] = "child0";
            bool right = true;
            for (; text[5] <= '9'; ++text[5]) {
                const symbol made = names.try_intern(text);
                right = right && made && names.resolve(made) == text && names.find(text) == made;
            }
            _exit(right ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    stop = true;
    for (std::thread& each : threads) each.join();
    names.check();
}

} // namespace
} // namespace allot
