#include <allot/structure/scratch.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <cstring>
#include <functional>
#include <memory>
#include <memory_resource>
#include <random>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

namespace allot {
namespace {

std::string_view shout(std::string_view text, scratch& out) {
    auto work = scratch::beside(out);
    std::span<char> big = work->make_span<char>(text.size()); // gone at the end of shout
    std::ranges::transform(text, big.begin(), [](char c) { return c == 'a' ? 'A' : c; });
    return out->copy(std::string_view(big.data(), big.size()));
}

// Bytes that are known by their seed, to see later whether somebody else had them.
std::span<std::byte> written(scratch& in, std::size_t size, unsigned seed) {
    const std::span<std::byte> bytes = in->make_span<std::byte>(size);
    std::memset(bytes.data(), static_cast<int>(seed), size);
    return bytes;
}
bool unharmed(std::span<const std::byte> bytes, unsigned seed) {
    return std::ranges::all_of(bytes, [seed](std::byte each) { return each == std::byte(seed); });
}

// ---- usage

TEST(scratch, serves_an_operation_and_the_operation_that_calls_it) {
    scratch page;
    std::string_view title = shout("an arena", page);
    std::pmr::vector<int> numbers({1, 2, 3}, &page);
    EXPECT_EQ(title, "An ArenA"); // until the end of page
    EXPECT_EQ(numbers.back(), 3);
}

// ---- edges

// B1, B16: the classic bug is an inner scope that resets the thread's whole arena.
TEST(scratch, keeps_what_an_outer_scope_holds_when_an_inner_one_ends) {
    scratch_arenas arenas;
    scratch outer(arenas);
    arena* const on_first = outer.operator->();
    const auto first = written(outer, 3000, 1);
    for (unsigned round = 0; round < 3; ++round) {
        scratch other(arenas);
        const auto second = written(other, 3000, 2);
        {
            scratch inner(arenas); // on the arena of `outer` again
            EXPECT_EQ(inner.operator->(), on_first);
            (void)written(inner, 3000, 3);
            EXPECT_TRUE(unharmed(first, 1));
            EXPECT_TRUE(unharmed(second, 2));
        }
        EXPECT_TRUE(unharmed(first, 1));
        EXPECT_TRUE(unharmed(second, 2));
    }
    EXPECT_TRUE(unharmed(first, 1));
    const auto more = written(outer, 3000, 4); // the outer scope goes on where it was
    EXPECT_TRUE(unharmed(first, 1));
    EXPECT_TRUE(unharmed(more, 4));
}

TEST(scratch, takes_turns_and_avoids_conflicts) {
    scratch_arenas arenas;
    scratch one(arenas);
    scratch two(arenas);
    arena* const first = one.operator->();
    arena* const second = two.operator->();
    EXPECT_NE(first, second);
    {
        scratch three = arenas.open(one);
        EXPECT_NE(three.operator->(), first);
        scratch four = arenas.open(one, three); // two arenas do not do
        EXPECT_NE(four.operator->(), first);
        EXPECT_NE(four.operator->(), second);
        scratch five = arenas.open(*first, *second, four); // arenas are conflicts, too
        EXPECT_NE(five.operator->(), first);
        EXPECT_NE(five.operator->(), second);
        EXPECT_NE(five.operator->(), four.operator->());
    }
    arena foreign;
    scratch six = arenas.open(foreign); // stands on none of them
    EXPECT_EQ(six.operator->(), first);
}

TEST(scratch, is_a_source_for_containers) {
    scratch_arenas arenas({.name = "words"});
    scratch work(arenas);
    memory_source& source = work;
    EXPECT_TRUE(source.traits().bulk_free);
    std::pmr::vector<std::pmr::string> words(&work);
    for (int i = 0; i < 100; ++i) words.emplace_back("a word that is too long to stand in the string");
    void* const block = source.allocate(layout{.size = 100, .align = 4096});
    EXPECT_TRUE(is_aligned(block, 4096));
    EXPECT_TRUE(source.try_resize(block, {100, 4096}, 50));
    source.deallocate(block, {50, 4096});
    EXPECT_EQ(source.describe().name.view(), "words");
    EXPECT_STREQ(source.describe().kind, "scratch");
    EXPECT_EQ(source.try_allocate({.size = static_cast<std::size_t>(-1), .align = 1}), nullptr);
}

// B12
TEST(scratch, does_not_keep_a_giant_arena) {
    scratch_arenas arenas({.ready_bytes = kibibytes(64), .retain_bytes_max = kibibytes(128)});
    {
        scratch giant(arenas);
        (void)written(giant, mebibytes(20), 1);
        scratch other(arenas);
        scratch inner(arenas);
        (void)written(inner, mebibytes(20), 1);
        EXPECT_GE(arenas.numbers().usage.held_bytes, mebibytes(40));
    }
    EXPECT_LE(arenas.numbers().usage.held_bytes, kibibytes(128));
    {
        scratch usual(arenas);
        (void)written(usual, 1000, 1);
    }
    const std::uint64_t kept = arenas.numbers().usage.held_bytes;
    EXPECT_GE(kept, kibibytes(64));
    EXPECT_LE(kept, kibibytes(128));
}

TEST(scratch, takes_one_mebibyte_at_the_first_allocation_and_not_before) {
    auditing_source below(default_source(), {.guard_bytes = 0});
    scratch_arenas arenas({.upstream = &below});
    {
        scratch nothing_yet(arenas);
        EXPECT_LE(below.live_bytes(), 4096u);
        (void)nothing_yet.allocate(1);
        EXPECT_GE(below.live_bytes(), mebibytes(1));
    }
    EXPECT_EQ(arenas.numbers().opened_count, 1u);
    EXPECT_EQ(arenas.numbers().open_count, 0u);
}

// ---- shortage

TEST(scratch, survives_the_refusal_of_any_block) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        scratch_arenas arenas({.upstream = &source, .ready_bytes = 1024, .retain_bytes_max = 0});
        for (int round = 0; round < 2; ++round) {
            scratch outer(arenas);
            const auto kept = outer->try_make_span<std::byte>(500);
            std::memset(kept.data(), 1, kept.size());
            for (int i = 0; i < 3; ++i) {
                auto inner = arenas.open(outer);
                (void)inner.try_allocate({.size = 3000});
                scratch innermost(arenas);
                (void)innermost.try_allocate({.size = 900});
            }
            EXPECT_TRUE(unharmed(kept, 1));
        }
        scratch last(arenas);
        (void)last.allocate(100);
    });
    EXPECT_GE(points, 5u);
}

TEST(scratch, refuses_beyond_its_limit_and_prepares_ahead_of_need) {
    scratch_arenas arenas({.name = "tight", .ready_bytes = 4096, .limit_bytes = 8192});
    EXPECT_TRUE(arenas.try_prepare());
    scratch work(arenas);
    EXPECT_EQ(work.try_allocate({.size = 9000}), nullptr);
    EXPECT_EQ(last_refusal().who.view(), "tight");
    EXPECT_THROW((void)work.allocate(9000), out_of_memory);
    EXPECT_NE(work.try_allocate({.size = 3000}), nullptr);
}

// ---- books

TEST(scratch, takes_all_from_upstream_and_nothing_in_steady_state) {
    auditing_source below(default_source());
    {
        scratch_arenas arenas({.upstream = &below, .ready_bytes = kibibytes(64)});
        const auto operation = [&arenas](auto& self, int depth) -> void {
            scratch work(arenas);
            std::pmr::vector<int> numbers(&work);
            for (int i = 0; i < 500; ++i) numbers.push_back(i);
            if (depth != 0) self(self, depth - 1);
            EXPECT_EQ(numbers[499], 499);
        };
        operation(operation, 6);
        operation(operation, 6);
        const std::uint64_t blocks = below.usage().total_count;
        {
            const no_allocation nothing_else;
            for (int i = 0; i < 1000; ++i) operation(operation, 6);
        }
        EXPECT_EQ(below.usage().total_count, blocks);
        const scratch_numbers now = arenas.numbers();
        EXPECT_EQ(now.opened_count, 1002u * 7);
        EXPECT_EQ(now.usage.live_bytes, 0u);
        EXPECT_EQ(now.usage.held_bytes + sizeof(detail::scratch_thread), below.live_bytes());
    }
    EXPECT_EQ(below.live_count(), 0u);
}

TEST(scratch, meets_no_page_fault_in_steady_state) {
    long fewest = -1;
    for (int window = 0; window < 5 && fewest != 0; ++window) {
        rusage before = {};
        rusage after = {};
        getrusage(RUSAGE_THREAD, &before);
        for (int i = 0; i < 200'000; ++i) { // five allocations each: a million in all
            scratch work;
            for (int k = 0; k < 5; ++k) std::memset(work.allocate(100 + k), 1, 100);
        }
        getrusage(RUSAGE_THREAD, &after);
        const long faults = after.ru_minflt - before.ru_minflt;
        fewest = fewest < 0 ? faults : std::min(fewest, faults);
    }
    EXPECT_EQ(fewest, 0);
}

// ---- model

// A random tree of operations, each of which returns something in its caller's scratch, against strings.
TEST(scratch, agrees_with_strings_over_a_random_tree_of_operations) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    scratch_arenas arenas({.ready_bytes = 2048, .retain_bytes_max = kibibytes(8)});
    std::function<std::string_view(scratch&, int)> operate = [&](scratch& out, int depth) {
        auto work = arenas.open(out);
        std::vector<std::pair<std::string_view, std::string>> held;
        const unsigned steps = random() % 8;
        for (unsigned i = 0; i < steps; ++i) {
            if (depth != 0 && random() % 3 == 0) {
                const std::string_view answer = operate(work, depth - 1);
                held.emplace_back(answer, std::string(answer));
            } else {
                const std::string text(random() % 700, static_cast<char>('a' + random() % 26));
                held.emplace_back(work->copy(text), text);
            }
            for (const auto& [view, truth] : held) EXPECT_EQ(view, truth);
            work->check();
        }
        return out->copy(std::string_view(held.empty() ? std::string("leaf") : held.back().second));
    };
    for (int i = 0; i < 300; ++i) {
        scratch top(arenas);
        (void)operate(top, 7);
    }
    EXPECT_EQ(arenas.numbers().usage.live_bytes, 0u);
    EXPECT_EQ(arenas.numbers().open_count, 0u);
}

} // namespace
} // namespace allot
