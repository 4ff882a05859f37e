#include <allot/structure/arena.hpp>

#include <gtest/gtest.h>

#include <allot/core/client.h>
#include <allot/source/buffer_source.hpp>
#include <allot/source/default_source.hpp>
#include <allot/source/null_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <array>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>
#if ALLOT_HAS_ASAN
#    include <sanitizer/asan_interface.h>
#endif

namespace allot {
namespace {

// B9, B13: requests larger than the first chunk, twice, then reset, then the same again: no upstream call.
TEST(arena_chunks, serve_the_same_requests_after_a_reset_without_upstream) {
    for (unsigned seed = 1; seed <= 50; ++seed) {
        SCOPED_TRACE(seed);
        failing_source below(default_source());
        arena warm({.upstream = &below, .chunk_bytes_min = 1024, .chunk_bytes_max = 8192});
        std::uint64_t requests = 0;
        for (int round = 0; round < 4; ++round) {
            std::mt19937 random(seed);
            (void)warm.allocate(2000);
            (void)warm.allocate(2000);
            for (int i = 0; i < 300; ++i) {
                const std::size_t size = random() % 40 == 0 ? random() % 20'000 : random() % 200;
                (void)warm.allocate(layout{size, std::size_t{1} << random() % 8});
                if (i == 100) warm.rewind((warm.check(), warm.mark()));
            }
            if (round == 0) requests = below.request_count();
            warm.reset();
            warm.check();
        }
        EXPECT_GT(requests, 2u);
        EXPECT_EQ(below.request_count(), requests);
    }
}

TEST(arena_chunks, grow_geometrically_to_a_ceiling) {
    failing_source below(default_source());
    arena growing({.upstream = &below, .chunk_bytes_min = kibibytes(4), .chunk_bytes_max = kibibytes(64)});
    std::uint64_t held = 0;
    std::vector<std::uint64_t> sizes;
    for (int i = 0; i < 4000; ++i) {
        (void)growing.allocate(128);
        if (const std::uint64_t now = growing.usage().held_bytes; now != held)
            sizes.push_back(now - std::exchange(held, now));
    }
    const std::vector<std::uint64_t> first(sizes.begin(), sizes.begin() + 6);
    const std::uint64_t k = 1024;
    EXPECT_EQ(first, (std::vector<std::uint64_t>{4 * k, 8 * k, 16 * k, 32 * k, 64 * k, 64 * k}));
}

// B12: a giant request does not make a giant of the arena for ever.
TEST(arena_chunks, are_kept_by_a_reset_up_to_the_retention_limit) {
    auditing_source below(default_source());
    arena retaining({.upstream = &below, .chunk_bytes_min = 4096, .retain_bytes_max = kibibytes(16)});
    for (int i = 0; i < 20; ++i) (void)retaining.allocate(kibibytes(10));
    (void)retaining.allocate(mebibytes(5));
    retaining.reset();
    EXPECT_GT(retaining.usage().held_bytes, 0u);
    EXPECT_LE(retaining.usage().held_bytes, kibibytes(16));
    EXPECT_EQ(retaining.usage().held_bytes, below.live_bytes());
    EXPECT_GT(retaining.usage().peak_held_bytes, mebibytes(5));
    retaining.check();
    retaining.release();
    EXPECT_EQ(below.live_count(), 0u);
    arena nothing_kept({.upstream = &below, .retain_bytes_max = 0});
    (void)nothing_kept.allocate(10);
    nothing_kept.reset();
    EXPECT_EQ(below.live_count(), 0u);
}

TEST(arena_chunks, begin_with_the_callers_and_never_give_it_upstream) {
    alignas(16) std::array<std::byte, 1024> bytes{};
    auditing_source below(default_source());
    for (const std::size_t shift : {0u, 1u, 9u}) {
        arena on_stack({.upstream = &below,
                        .first_chunk = std::span(bytes).subspan(shift),
                        .chunk_bytes_min = 512,
                        .retain_bytes_max = 0});
        for (int round = 0; round < 3; ++round) {
            auto* const first = static_cast<std::byte*>(on_stack.allocate(500));
            EXPECT_TRUE(first >= bytes.data() && first + 500 <= bytes.data() + bytes.size());
            EXPECT_EQ(below.live_count(), 0u);
            (void)on_stack.allocate(600);
            EXPECT_EQ(below.live_count(), 1u);
            on_stack.check();
            if (round == 1) {
                on_stack.release();
            } else {
                on_stack.reset();
            }
            EXPECT_EQ(below.live_count(), 0u);
            EXPECT_EQ(on_stack.usage().held_count, 1u);
        }
        arena moved(std::move(on_stack));
        EXPECT_NE(moved.allocate(500), nullptr);
        EXPECT_EQ(below.live_count(), 0u);
        EXPECT_EQ(on_stack.usage().held_count, 0u);
    }
    std::fill(bytes.begin(), bytes.end(), std::byte{1}); // the caller's again
    null_source nothing;
    arena too_small({.upstream = &nothing, .first_chunk = std::span(bytes).first(255)});
    EXPECT_EQ(too_small.try_allocate({.size = 1}), nullptr);
    EXPECT_EQ(too_small.usage().held_bytes, 0u);
}

TEST(arena_chunks, stop_at_the_limit_to_the_byte) {
    auditing_source below(default_source());
    for (std::size_t limit : {0u, 100u, 112u, 113u, 4096u, 5000u, 12'345u}) {
        arena limited({.name = "limited", .upstream = &below, .limit_bytes = limit});
        std::size_t served = 0;
        for (const std::size_t size : {1000u, 100u, 10u, 1u})
            while (limited.try_allocate({size, 1})) served += size;
        EXPECT_EQ(last_refusal().who.view(), "limited");
        EXPECT_STREQ(last_refusal().kind, "arena");
        EXPECT_EQ(last_refusal().limit_bytes, limit);
        EXPECT_LE(below.live_bytes(), limit);
        EXPECT_EQ(limited.usage().held_bytes, below.live_bytes());
        EXPECT_EQ(limited.usage().live_bytes, served);
        EXPECT_EQ(served != 0, limit >= 128); // a chunk's own bytes, and a block's multiple of 16
    }
}

TEST(arena_chunks, serve_the_last_byte_within_the_limit) {
    arena limited({.limit_bytes = 8000});
    EXPECT_EQ(limited.try_allocate({8000 - detail::arena_chunk_overhead + 1, 1}), nullptr);
    EXPECT_NE(limited.try_allocate({8000 - detail::arena_chunk_overhead, 1}), nullptr);
    EXPECT_EQ(limited.usage().held_bytes, 8000u);
    EXPECT_EQ(limited.usage().free_bytes, 0u);
}

TEST(arena_chunks, are_aligned_to_huge_pages_where_that_is_wished) {
    arena large({.chunk_bytes_min = mebibytes(2), .chunk_bytes_max = mebibytes(4), .huge_pages = true});
    auto* const first = static_cast<std::byte*>(large.allocate(1));
    EXPECT_TRUE(is_aligned(first - sizeof(detail::arena_chunk), mebibytes(2)));
    // Over a source of the caller's only where it is asked for: so the second chunk lies where the first one ends.
    std::vector<std::byte> memory(mebibytes(9));
    buffer_source buffer{std::span(memory)};
    arena plain({.upstream = &buffer, .chunk_bytes_min = mebibytes(2), .chunk_bytes_max = mebibytes(2)});
    auto* const one = static_cast<std::byte*>(plain.allocate(mebibytes(1)));
    auto* const two = static_cast<std::byte*>(plain.allocate(mebibytes(1) + kibibytes(512)));
    EXPECT_FALSE(is_aligned(one, mebibytes(2)) && is_aligned(two, mebibytes(2)));
    EXPECT_LT(two - one, static_cast<std::ptrdiff_t>(mebibytes(2) + kibibytes(64)));
}

TEST(arena_chunks, go_upstream_at_the_next_reset_rewind_or_slow_path_after_a_wish) {
    auditing_source below(default_source());
    arena giving({.upstream = &below, .chunk_bytes_min = 4096, .chunk_bytes_max = 4096});
    EXPECT_EQ(giving.manner(), reclaim_manner::deferred);
    const arena_mark beginning = giving.mark();
    const auto fill = [&giving] {
        for (int i = 0; i < 10; ++i) (void)giving.allocate(3000);
    };
    fill();
    EXPECT_EQ(giving.reclaim({.wanted_bytes = 10'000}), 0u); // only noted: all is in use
    EXPECT_EQ(below.live_count(), 10u);
    giving.rewind(beginning);
    EXPECT_EQ(below.live_count(), 7u);
    giving.reset();
    EXPECT_EQ(below.live_count(), 7u); // a wish is honoured once
    (void)giving.reclaim({.wanted_bytes = mebibytes(100)});
    (void)giving.allocate(100);
    EXPECT_EQ(below.live_count(), 7u);
    (void)giving.allocate(4000); // the slow path takes a spare chunk first, and gives the others away
    EXPECT_EQ(below.live_count(), 2u);
    giving.check();
    fill();
    (void)giving.reclaim({.wanted_bytes = mebibytes(100)});
    giving.reset();
    EXPECT_EQ(below.live_count(), 0u);
    EXPECT_EQ(giving.usage().held_bytes, 0u);
    giving.check();
}

// What is dead cannot be touched unseen: AddressSanitizer knows it, and at level full it reads as 0xDD.
bool is_dead(const std::byte* first, const std::byte* last) {
#if ALLOT_HAS_ASAN
    for (; first != last; ++first)
        if (!__asan_address_is_poisoned(first)) return false;
    return true;
#else
    return std::all_of(first, last, [](std::byte each) { return each == std::byte{0xDD}; });
#endif
}
bool is_usable(void* block, std::size_t size) {
#if ALLOT_HAS_ASAN
    return !__asan_region_is_poisoned(block, size);
#else
    return std::all_of(static_cast<std::byte*>(block), static_cast<std::byte*>(block) + size,
                       [](std::byte each) { return each == std::byte{0xCD}; });
#endif
}

// B11: nodes that are dead after the end are poisoned.
TEST(arena_chunks, are_dead_wherever_no_block_lives) {
    if (!poisons) GTEST_SKIP() << "shown under AddressSanitizer and at check level full";
    alignas(16) std::array<std::byte, 2048> bytes{};
    arena shown({.first_chunk = bytes});
    std::byte* const end = bytes.data() + bytes.size();
    EXPECT_TRUE(is_dead(bytes.data() + sizeof(detail::arena_chunk), end));
    auto* const a = static_cast<std::byte*>(shown.allocate(64));
    EXPECT_TRUE(is_usable(a, 64));
    EXPECT_TRUE(is_dead(a + 64, end));
    auto* const b = static_cast<std::byte*>(shown.allocate(64));
    shown.deallocate(a, 64); // not the newest, and dead all the same
    EXPECT_TRUE(is_dead(a, a + 64));
    EXPECT_TRUE(is_usable(b, 64));
    EXPECT_TRUE(shown.try_resize(b, {64, 16}, 16));
    EXPECT_TRUE(is_dead(b + 16, end));
    const arena_mark mark = shown.mark();
    auto* const c = static_cast<std::byte*>(shown.allocate(64));
    {
        arena::scope scope(shown);
        auto* const d = static_cast<std::byte*>(shown.allocate(640));
        EXPECT_TRUE(is_usable(d, 640));
    }
    EXPECT_TRUE(is_dead(c + 64, end));
    shown.rewind(mark);
    EXPECT_TRUE(is_dead(c, end));
    shown.reset();
    EXPECT_TRUE(is_dead(bytes.data() + sizeof(detail::arena_chunk), end));
}

// The look-up of the recorder is cached for good, so this runs in a fresh process.
void live_under_a_recorder() {
    if (!dlopen(CLIENT_TEST_RECORDER, RTLD_NOW | RTLD_GLOBAL)) std::_Exit(3);
    {
        arena request({.name = "request", .chunk_bytes_min = 4096});
        for (int i = 0; i < 7; ++i) (void)request.allocate(1000);
        request.reset(); // holds the same: not told
        arena moved(std::move(request));
        (void)moved.allocate(1000);
        moved.release();
        (void)moved.allocate(1);
        arena unused({.name = "unused"});
    }
    std::_Exit(0);
}

TEST(arena_chunks, are_told_to_the_recorder_when_they_change) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(live_under_a_recorder(), testing::ExitedWithCode(0),
                "^report 1 arena 'request' 4096 bytes in 1\n"
                "report 1 arena 'request' 12288 bytes in 2\n"
                "report 1 arena 'request' 0 bytes in 0\n"
                "report 1 arena 'request' 4096 bytes in 1\n"
                "report 1 arena 'request' 0 bytes in 0\n$");
}

} // namespace
} // namespace allot
