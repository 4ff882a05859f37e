#include <allot/source/default_source.hpp>
#include <allot/structure/cow.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace allot {
namespace {

// Usage.

TEST(cow, shares_a_value_until_one_is_written_to) {
    memory_source& source = default_source();
    cow<std::vector<int>> first = cow<std::vector<int>>::make(source, 1000, 7);
    cow<std::vector<int>> second = first;
    EXPECT_TRUE(&*first == &*second && !first.unique());
    second.write()[0] = 8; // copies, since it is shared
    EXPECT_TRUE((*first)[0] == 7 && (*second)[0] == 8 && first.unique());
    concurrent_cow<std::vector<int>> elsewhere = first.share();
    EXPECT_TRUE(&*elsewhere == &*first);
}

// Edges.

TEST(cow, is_empty_by_default_and_when_it_was_moved_from) {
    cow<std::string> none;
    EXPECT_FALSE(none);
    const cow<std::string> copy_of_none = none;
    EXPECT_FALSE(copy_of_none);
    cow<std::string> text = cow<std::string>::make(default_source(), "a");
    none = std::move(text);
    EXPECT_FALSE(text); // NOLINT: that is the question
    EXPECT_EQ(*none, "a");
    cow<std::string>& self = none;
    none = self;
    EXPECT_TRUE(none.unique());
    EXPECT_EQ(none->size(), 1);
}

TEST(cow, writes_in_place_when_unique) {
    cow<std::string> text = cow<std::string>::make(default_source(), "abc");
    const std::string* const place = &*text;
    text.write() += "d";
    EXPECT_EQ(&*text, place);
    {
        const concurrent_cow<std::string> other = text.share();
        EXPECT_FALSE(text.unique());
        EXPECT_FALSE(other.unique());
        text.write() += "e"; // the other kind counts, too
        EXPECT_NE(&*text, place);
        EXPECT_EQ(*other, "abcd");
        EXPECT_TRUE(other.unique());
    }
    EXPECT_TRUE(text.unique());
}

TEST(cow, becomes_a_threads_own_again_when_the_others_are_gone) {
    concurrent_cow<std::string> shared = concurrent_cow<std::string>::make(default_source(), "abc");
    concurrent_cow<std::string> other = shared;
    EXPECT_FALSE(shared.try_keep());
    EXPECT_TRUE(shared);
    other = {};
    const cow<std::string> own = shared.try_keep();
    EXPECT_FALSE(shared);
    EXPECT_TRUE(own.unique());
    const cow<std::string> copy = own;
    EXPECT_FALSE(own.unique());
}

struct alignas(128) wide {
    std::array<char, 200> bytes{};
};

TEST(cow, aligns_its_value) {
    const cow<wide> value = cow<wide>::make(default_source());
    EXPECT_TRUE(is_aligned(&*value, 128));
}

struct fragile {
    bool breaks;
    explicit fragile(bool at_once) : breaks(at_once) {
        if (breaks) throw std::runtime_error("made");
    }
    fragile(const fragile&) : breaks(false) { throw std::runtime_error("copied"); }
};

TEST(cow, leaves_all_as_it_was_when_a_constructor_throws) {
    auditing_source source(default_source());
    {
        EXPECT_THROW((void)cow<fragile>::make(source, true), std::runtime_error);
        cow<fragile> first = cow<fragile>::make(source, false);
        cow<fragile> second = first;
        EXPECT_THROW(second.write(), std::runtime_error);
        EXPECT_EQ(&*first, &*second);
    }
    EXPECT_EQ(source.live_count(), 0);
}

// Shortage.

TEST(cow, keeps_the_shared_value_when_there_is_no_memory_for_a_copy) {
    const std::uint64_t points = for_each_failure(
        [](failing_source& source) {
            cow<std::array<int, 100>> first = cow<std::array<int, 100>>::make(source);
            cow<std::array<int, 100>> second = first;
            if (!second.try_write()) {
                EXPECT_EQ(&*first, &*second);
                EXPECT_THROW(second.write()[0] = 1, out_of_memory) << "lasting";
            }
        },
        {.lasting = true});
    EXPECT_EQ(points, 2);
}

// Books.

TEST(cow, takes_a_block_for_each_value_and_nothing_for_a_copy) {
    auditing_source source(default_source());
    {
        no_allocation scope;
        const cow<std::array<int, 100>> value = cow<std::array<int, 100>>::make(source);
        EXPECT_LE(source.live_bytes(), sizeof(std::array<int, 100>) + 24);
        for (int i = 0; i != 1'000'000; ++i) { // copies and drops
            const cow<std::array<int, 100>> copy = value;
            EXPECT_EQ(&*copy, &*value);
        }
        EXPECT_TRUE(value.unique());
        EXPECT_EQ(source.usage().total_count, 1);
    }
    EXPECT_EQ(source.live_count(), 0);
}

// Model.

TEST(cow, does_what_values_do) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    auditing_source source(default_source());
    {
        std::vector<cow<std::string>> local(20);
        std::vector<concurrent_cow<std::string>> shared(20);
        std::vector<std::string> local_plain(20), shared_plain(20);
        for (int step = 0; step != 20'000; ++step) {
            const auto from = random() % 20, to = random() % 20;
            switch (random() % 8) {
            case 0:
                local[to] = cow<std::string>::make(source, std::to_string(step));
                local_plain[to] = std::to_string(step);
                break;
            case 1: local[to] = local[from], local_plain[to] = local_plain[from]; break;
            case 2: shared[to] = shared[from], shared_plain[to] = shared_plain[from]; break;
            case 3:
                shared[to] = local[from] ? local[from].share() : concurrent_cow<std::string>();
                shared_plain[to] = local_plain[from];
                break;
            case 4:
                if (local[to]) local[to].write() += 'a', local_plain[to] += 'a';
                break;
            case 5:
                if (shared[to]) shared[to].write() += 'b', shared_plain[to] += 'b';
                break;
            case 6: local[to] = {}, local_plain[to] = {}; break;
            default:
                if (shared[from] && shared[from].unique()) {
                    local[to] = shared[from].try_keep();
                    local_plain[to] = std::exchange(shared_plain[from], {});
                }
            }
            for (std::size_t i = 0; i != 20; ++i) {
                ASSERT_EQ(local[i] ? *local[i] : "", local_plain[i]);
                ASSERT_EQ(shared[i] ? *shared[i] : "", shared_plain[i]);
            }
        }
    }
    EXPECT_EQ(source.live_count(), 0);
}

// Threads: to be run under ThreadSanitizer, too.

TEST(cow, dies_with_its_last_handle_on_whichever_thread) {
    auditing_source source(default_source());
    for (int round = 0; round != 200; ++round) {
        std::vector<std::thread> threads;
        {
            cow<std::vector<int>> local = cow<std::vector<int>>::make(source, 10, round);
            for (int i = 0; i != 8; ++i) {
                threads.emplace_back([mine = local.share(), round]() mutable {
                    for (int each = 0; each != 100; ++each) {
                        const concurrent_cow<std::vector<int>> copy = mine;
                        EXPECT_EQ(copy->front(), round);
                    }
                    mine.write().front() = -1; // its own, whether by a copy or as the last one
                });
            }
            local.write().front() = -2;
            const cow<std::vector<int>> again = local;
            EXPECT_EQ(again->front(), -2);
        }
        for (std::thread& each : threads) each.join();
    }
    EXPECT_EQ(source.live_count(), 0);
}

TEST(cow, may_move_to_another_thread_as_its_values_only_local_handle) {
    cow<std::string> text = cow<std::string>::make(default_source(), "abc");
    std::thread([own = std::move(text)]() mutable {
        const cow<std::string> copy = own;
        EXPECT_FALSE(own.unique());
        own.write() += "d";
    }).join();
}

} // namespace
} // namespace allot
