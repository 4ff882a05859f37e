#include <allot/structure/arena.hpp>

#include <gtest/gtest.h>

#include <allot/source/buffer_source.hpp>
#include <allot/source/default_source.hpp>
#include <allot/source/null_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <cstring>
#include <memory_resource>
#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

struct node {
    int value = 0;
    node* next = nullptr;
};

constexpr std::size_t huge = static_cast<std::size_t>(-1);

// ---- usage

TEST(arena, serves_a_request_and_keeps_its_chunks_for_the_next) {
    arena request({.name = "request", .chunk_bytes_min = kibibytes(16)});
    node* head = request.make<node>(node{.value = 1});
    std::string_view line = request.copy("GET /index.html");
    std::span<int> row = request.make_span<int>(100);
    {
        arena::scope step(request);
        std::pmr::vector<int> numbers(1000, 7, &request);
    } // the bytes of numbers are free again
    EXPECT_EQ(request.usage().live_count, 3u);
    EXPECT_EQ(head->value, 1);
    EXPECT_EQ(line, "GET /index.html");
    EXPECT_EQ(row[99], 0);
    const std::uint64_t held = request.usage().held_bytes;
    request.reset(); // all is dead, every chunk is kept for the next request
    EXPECT_EQ(request.usage().live_count, 0u);
    EXPECT_EQ(request.usage().held_bytes, held);
    EXPECT_EQ(request.reset_count(), 1u);
    request.check();
}

// ---- edges

TEST(arena, takes_no_memory_before_the_first_block) {
    null_source nothing;
    arena lazy({.upstream = &nothing});
    lazy.reset();
    lazy.release();
    {
        arena::scope empty(lazy);
    }
    lazy.rewind(lazy.mark());
    EXPECT_EQ(lazy.usage().held_bytes, 0u);
    EXPECT_EQ(lazy.usage().refused_count, 0u);
}

TEST(arena, gives_one_byte_for_a_size_of_zero) {
    arena one;
    void* const first = one.allocate(0);
    void* const second = one.try_allocate({.size = 0, .align = 1});
    EXPECT_NE(first, second);
    EXPECT_EQ(one.usage().live_bytes, 2u);
    one.deallocate(second, {.size = 0, .align = 1});
    one.deallocate(first, 0);
    one.deallocate(nullptr, 8);
    EXPECT_EQ(one.usage().live_bytes, 0u);
}

// B8: the default alignment is that of max_align_t, and what stood before does not matter.
TEST(arena, aligns_a_struct_that_comes_after_a_text) {
    arena mixed;
    for (const std::string_view text : {"", "a", "a text of 24 bytes, or so"}) {
        EXPECT_STREQ(mixed.copy(text).data(), text.data());
        EXPECT_TRUE(is_aligned(mixed.make<node>(), alignof(node)));
        (void)mixed.copy("odd");
        EXPECT_TRUE(is_aligned(mixed.allocate(100), alignof(std::max_align_t)));
    }
}

// B9: also where the block needs a chunk of its own.
TEST(arena, aligns_to_every_power_of_two) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{100}, kibibytes(9)}) {
        arena aligned({.chunk_bytes_min = 512});
        for (std::size_t align = 1; align <= kibibytes(64); align *= 2) {
            auto* const block = static_cast<std::byte*>(aligned.try_allocate({size, align}));
            ASSERT_TRUE(block) << align;
            EXPECT_TRUE(is_aligned(block, align)) << align;
            std::memset(block, 1, size);
            aligned.check();
        }
    }
}

// B9
TEST(arena, refuses_sizes_that_no_address_space_holds_and_lives_on) {
    std::vector<std::byte> bytes(4096);
    buffer_source below(bytes); // malloc under a sanitizer would end the program
    arena small({.upstream = &below, .chunk_bytes_min = 512});
    (void)small.allocate(24);
    for (std::size_t less = 0; less < 200; ++less) {
        for (const std::size_t align : {std::size_t{1}, std::size_t{16}, std::size_t{4096}})
            EXPECT_EQ(small.try_allocate({huge - less, align}), nullptr);
        EXPECT_EQ(small.try_allocate({(huge >> 1) - less, 8}), nullptr);
    }
    EXPECT_EQ(small.try_allocate({1, std::size_t{1} << 63}), nullptr);
    const volatile std::size_t too_many = huge / 4; // or the compiler warns
    EXPECT_EQ(small.try_make_span<std::uint64_t>(too_many).data(), nullptr);
    EXPECT_EQ(last_refusal().who.view(), "arena");
    EXPECT_FALSE(small.try_resize(small.allocate(8), {8, 16}, huge));
    EXPECT_EQ(small.usage().live_bytes, 32u);
    EXPECT_EQ(small.usage().refused_count, 200u * 4 + 2);
    small.check();
}

TEST(arena, grows_shrinks_and_takes_back_the_newest_block_in_place) {
    arena row({.chunk_bytes_min = 512});
    auto* const text = static_cast<char*>(row.allocate(layout{10, 1}));
    std::memcpy(text, "0123456789", 10);
    EXPECT_TRUE(row.try_resize(text, {10, 1}, 300));
    EXPECT_FALSE(row.try_resize(text, {300, 1}, 5000)); // beyond the chunk
    EXPECT_EQ(row.usage().live_bytes, 300u);
    EXPECT_TRUE(row.try_resize(text, {300, 1}, 4));
    EXPECT_EQ(row.usage().live_bytes, 4u);
    EXPECT_EQ(row.usage().peak_live_bytes, 300u);
    void* const next = row.allocate(layout{1, 1});
    EXPECT_EQ(next, text + 4);
    EXPECT_FALSE(row.try_resize(text, {4, 1}, 5)); // not the newest any more
    EXPECT_TRUE(row.try_resize(text, {4, 1}, 3));
    row.deallocate(next, {1, 1});
    EXPECT_EQ(row.allocate(layout{1, 1}), next);
    EXPECT_EQ(std::string_view(text, 3), "012");
    auto* const moved = static_cast<char*>(row.try_reallocate(text, {3, 1}, 5000));
    EXPECT_EQ(std::string_view(moved, 3), "012");
    EXPECT_EQ(row.usage().live_bytes, 5001u);
    row.check();
}

// B11: what points to a node of an arena points to it after the arena moved.
TEST(arena, moves_without_moving_its_nodes) {
    auditing_source below(default_source());
    arena from({.name = "moving", .upstream = &below, .chunk_bytes_min = 512});
    node* const first = from.make<node>(node{.value = 7});
    const arena_mark mark = from.mark();
    for (int i = 0; i < 100; ++i) (void)from.allocate(50);
    arena to(std::move(from));
    from.check();
    EXPECT_EQ(from.usage().held_bytes, 0u);
    EXPECT_EQ(to.usage().live_count, 101u);
    to.rewind(mark);
    EXPECT_EQ(to.usage().live_bytes, sizeof(node));
    EXPECT_EQ(first->value, 7);
    EXPECT_TRUE(to.owns(first));
    EXPECT_FALSE(from.owns(first));
    EXPECT_NE(from.allocate(100), nullptr); // an empty arena, fit for use
    to.check();
    from.check();
}

TEST(arena, says_a_shortage_by_throwing_by_nothing_or_in_words) {
    arena full({.name = "full", .limit_bytes = 4096});
    (void)full.allocate(3000);
    EXPECT_EQ(full.try_allocate({.size = 2000}), nullptr);
    EXPECT_EQ(full.try_make_span<int>(1000).data(), nullptr);
    EXPECT_EQ(full.try_copy(std::string(3000, 'x')).data(), nullptr);
    const std::string words =
        "out of memory: arena 'full' refused 2000 bytes (aligned to 16): 4096 of 4096 are live";
    result<void*> answer = full.allocate_or_error({.size = 2000});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().text(), words);
    try {
        (void)full.allocate(2000);
        FAIL();
    } catch (const out_of_memory& shortage) {
        EXPECT_EQ(shortage.what(), "allot: " + words);
    }
    EXPECT_THROW((void)full.make_span<int>(1000), out_of_memory);
    EXPECT_THROW((void)full.copy(std::string(3000, 'x')), out_of_memory);
    EXPECT_TRUE(full.make_or_error<node>());
    EXPECT_EQ(full.usage().refused_count, 7u);
}

// ---- shortage

// Without a chance to fail but at its upstream: whatever is refused, what was there stays, and every way to ask
// says so (B7).
TEST(arena, survives_the_refusal_of_any_chunk) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        arena short_of({.upstream = &source, .chunk_bytes_min = 512, .chunk_bytes_max = 2048});
        std::vector<node*> nodes;
        const arena_mark mark = short_of.mark();
        for (int i = 0; i < 300; ++i) {
            node* const made = short_of.try_make<node>(node{.value = i});
            short_of.check();
            if (!made) {
                EXPECT_EQ(short_of.usage().refused_count, 1u);
                continue;
            }
            nodes.push_back(made);
            if (i % 50 == 0) nodes.push_back(short_of.try_make_owned<node>(node{.value = i}));
        }
        for (const node* made : nodes) EXPECT_TRUE(!made || made->value < 300);
        short_of.rewind(mark);
        (void)short_of.allocate(10'000); // throws in the run that refuses this one
        EXPECT_EQ(short_of.usage().live_bytes, 10'000u);
    });
    EXPECT_GE(points, 5u);
}

TEST(arena, asks_for_what_it_needs_where_upstream_has_no_chunk_of_the_growing_size) {
    failing_source below(default_source(), {.plan = {.at = 1}});
    arena modest({.upstream = &below, .chunk_bytes_min = kibibytes(64)});
    EXPECT_NE(modest.try_allocate({.size = 100}), nullptr);
    EXPECT_LT(modest.usage().held_bytes, 512u);
    EXPECT_EQ(below.refused_count(), 1u);
    EXPECT_EQ(modest.usage().refused_count, 0u);
}

// ---- books

TEST(arena, takes_all_from_upstream_and_gives_all_back) {
    auditing_source below(default_source());
    {
        arena books({.upstream = &below, .chunk_bytes_min = 512});
        (void)books.try_allocate({.size = 8}); // asks the dynamic linker for a recorder, once
        const no_allocation nothing_else;
        for (int round = 0; round < 3; ++round) {
            std::pmr::vector<std::pmr::string> texts(&books);
            for (int i = 0; i < 200; ++i)
                texts.emplace_back("a text that is too long to stand in the string");
            const arena_mark mark = books.mark();
            (void)books.make_span<int>(10'000);
            books.rewind(mark);
        }
        EXPECT_EQ(books.usage().live_count, 1u);
        EXPECT_EQ(books.usage().held_bytes, below.live_bytes());
        EXPECT_EQ(books.usage().held_count, below.live_count());
        books.reset();
        (void)books.allocate(3);
        books.release();
        EXPECT_EQ(below.live_count(), 0u);
        (void)books.allocate(3);
    }
    EXPECT_EQ(below.live_count(), 0u);
}

// B10: the peak is right before any reset; slack and capacity are those of now, not of the beginning.
TEST(arena, knows_live_peak_slack_and_free_at_every_moment) {
    arena exact({.chunk_bytes_min = 1024});
    (void)exact.allocate(layout{100, 1});
    usage now = exact.usage();
    EXPECT_EQ(now.peak_live_bytes, 100u);
    EXPECT_EQ(now.slack_bytes, detail::arena_chunk_overhead);
    void* const block = exact.allocate(layout{64, 64});
    now = exact.usage();
    EXPECT_EQ(now.live_bytes, 164u);
    EXPECT_GE(now.slack_bytes, detail::arena_chunk_overhead + 4);
    (void)exact.make_span<std::byte>(kibibytes(40));
    now = exact.usage();
    EXPECT_EQ(now.peak_live_bytes, 164u + kibibytes(40));
    EXPECT_GT(now.held_bytes, kibibytes(41));
    exact.deallocate(block, {64, 64});
    now = exact.usage();
    EXPECT_EQ(now.live_bytes, 100u + kibibytes(40));
    EXPECT_EQ(now.peak_live_bytes, 164u + kibibytes(40));
    EXPECT_EQ(now.live_bytes + now.slack_bytes + now.free_bytes, now.held_bytes);
    exact.reset();
    now = exact.usage();
    EXPECT_EQ(now.live_bytes, 0u);
    EXPECT_EQ(now.peak_live_bytes, 164u + kibibytes(40));
    EXPECT_EQ(now.total_count, 3u);
    EXPECT_EQ(now.slack_bytes, now.held_count * detail::arena_chunk_overhead);
}

TEST(arena, is_described_within_what_the_current_chunk_holds) {
    arena seen({.name = "seen", .chunk_bytes_min = 1024});
    for (int i = 0; i < 500; ++i) {
        void* const block = seen.allocate(40);
        if (i % 3 == 0) seen.deallocate(block, 40);
        const source_description from_outside = static_cast<const memory_source&>(seen).describe();
        const std::uint64_t truth = seen.usage().live_bytes;
        EXPECT_LE(from_outside.usage.live_bytes, truth);
        EXPECT_LE(truth - from_outside.usage.live_bytes, from_outside.usage.behind_bytes_max);
        EXPECT_EQ(from_outside.usage.held_bytes, seen.usage().held_bytes);
        EXPECT_EQ(from_outside.usage.live_bytes + from_outside.usage.slack_bytes +
                      from_outside.usage.free_bytes,
                  from_outside.usage.held_bytes);
    }
    EXPECT_EQ(seen.describe().name.view(), "seen");
    EXPECT_EQ(std::string_view(seen.describe().kind), "arena");
    EXPECT_EQ(seen.describe().upstream, &seen.upstream());
    EXPECT_EQ(seen.traits(), (source_traits{.bulk_free = true}));
}

} // namespace
} // namespace allot
