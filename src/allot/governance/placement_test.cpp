#include <allot/governance/placement.hpp>

#include <allot/governance/tagged_heap.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/source/region.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <allot/testing/source_conformance.hpp>
#include <array>
#include <cstring>
#include <gtest/gtest.h>
#include <memory_resource>
#include <random>
#include <vector>

// A sanitizer's malloc ends the program at sizes that it finds absurd, unless told to refuse them.
extern "C" {
const char* __asan_default_options() { return "allocator_may_return_null=1"; }
const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
}

namespace allot {
namespace {

// Audited stand-ins for an arena, a pool and a heap: each block must come back to where it came from.
struct homes {
    malloc_source malloc;
    auditing_source arena{malloc, {.name = "arena"}};
    auditing_source pool{malloc, {.name = "pool"}};
    auditing_source heap{malloc, {.name = "heap"}};
    alignas(64) std::array<std::byte, 4096> bytes;

    placement_options options() {
        return {.name = "request", .inline_buffer = bytes, .arena = &arena, .heap = &heap};
    }
    placement_class churning() {
        return {.lives = lifetime::session, .pool = &pool, .pool_slot = {.size = 64}};
    }
};

TEST(placement, usage) {
    malloc_source arena;
    tagged_heap tagged;
    memory_source& heap = tagged.source(tags::general);

    std::array<std::byte, 2048> bytes;
    placement request({.inline_buffer = bytes, .arena = &arena, .heap = &heap});
    placed_source locals(request, {.lives = lifetime::call});
    placed_source cached(request, {.lives = lifetime::session});
    std::pmr::vector<int> here(25, 7, &locals);  // 100 bytes in the buffer
    std::pmr::vector<int> there(25, 7, &cached); // 100 bytes in the heap
    EXPECT_TRUE(request.counts().of(home::inline_buffer) == 1 && request.counts().of(home::heap) == 1);
    EXPECT_EQ(tagged.usage(tags::general).live_bytes, 100u);
}

TEST(placement, takes_lifetime_first_and_size_among_what_lives_long_enough) {
    homes all;
    const placement place(all.options());
    const auto of = [&](std::size_t size, lifetime lives) {
        return place.decide({.size = size}, {.lives = lives});
    };
    using enum placement_reason;
    EXPECT_EQ(of(1023, lifetime::call), (placement_decision{home::inline_buffer, size}));
    EXPECT_EQ(of(1024, lifetime::call), (placement_decision{home::arena, size}));
    EXPECT_EQ(of(65535, lifetime::call), (placement_decision{home::arena, size}));
    EXPECT_EQ(of(65536, lifetime::call), (placement_decision{home::heap, size}));
    EXPECT_EQ(of(1, lifetime::operation), (placement_decision{home::arena, placement_reason::lifetime}));
    EXPECT_EQ(of(1u << 20, lifetime::operation),
              (placement_decision{home::arena, placement_reason::lifetime}));
    for (const allot::lifetime lives : {lifetime::session, lifetime::process, lifetime::unknown})
        EXPECT_EQ(of(1, lives), (placement_decision{home::heap, placement_reason::lifetime}));
    EXPECT_EQ(place.decide({.size = 64}, all.churning()), (placement_decision{home::pool, churn}));
    EXPECT_EQ(place.decide({.size = 65}, all.churning()).home, home::heap);
    EXPECT_EQ(place.decide({.size = 64, .align = 64}, all.churning()).home, home::heap);

    placement_options wanted = all.options();
    wanted.arena = nullptr;
    const placement without(wanted);
    EXPECT_EQ(without.decide({.size = 1}, {.lives = lifetime::operation}),
              (placement_decision{home::heap, no_home}));
    wanted.inline_bytes_max = 10; // thresholds are the caller's
    const placement smaller(wanted);
    EXPECT_EQ(smaller.decide({.size = 10}, {.lives = lifetime::call}),
              (placement_decision{home::heap, no_home}));
}

// The blocks of one git merge: the same bytes, of lines of one call and of names that stay.
TEST(placement, sends_one_size_to_homes_by_how_long_it_lives) {
    homes all;
    placement place(all.options());
    for (std::size_t size = 122; size <= 134; ++size) {
        const placed_block line = place.try_allocate({.size = size}, {.lives = lifetime::call});
        const placed_block node = place.try_allocate({.size = size}, {.lives = lifetime::operation});
        const placed_block name = place.try_allocate({.size = size}, {.lives = lifetime::session});
        EXPECT_TRUE(line.owner != node.owner && node.owner != name.owner && line.owner != name.owner);
        for (const placed_block& each : {line, node, name}) place.deallocate(each);
    }
    EXPECT_EQ(all.arena.usage().total_count, 13u);
    EXPECT_EQ(all.heap.usage().total_count, 13u);
    EXPECT_EQ(place.counts().of(placement_reason::size), 13u);
    EXPECT_EQ(place.counts().of(placement_reason::lifetime), 26u);
}

// B15: a small block of a long or unknown life is never put on the stack, however small.
TEST(placement, keeps_the_inline_buffer_to_what_ends_with_the_call) {
    homes all;
    placement place(all.options());
    const std::byte* const begin = all.bytes.data();
    for (const allot::lifetime lives :
         {lifetime::unknown, lifetime::operation, lifetime::session, lifetime::process}) {
        const placed_block one = place.try_allocate({.size = 1}, {.lives = lives});
        const auto* const address = static_cast<const std::byte*>(one.address);
        EXPECT_FALSE(address >= begin && address < begin + all.bytes.size());
        place.deallocate(one);
    }
    EXPECT_EQ(place.counts().of(home::inline_buffer), 0u);
}

TEST(placement, passes_a_full_buffer_over_but_no_limit) {
    homes all;
    failing_source none(all.malloc, {.plan = {.at = 1, .lasting = true}});
    placement_options wanted = all.options();
    std::array<std::byte, 64> small;
    wanted.inline_buffer = small;
    placement place(wanted);
    placed_source locals(place, {.lives = lifetime::call});
    void* const first = locals.try_allocate({.size = 60, .align = 1});
    void* const second = locals.try_allocate({.size = 60, .align = 1});
    EXPECT_EQ(place.counts().of(placement_reason::no_room), 1u);
    EXPECT_EQ(all.arena.live_count(), 1u);
    locals.deallocate(second, {.size = 60, .align = 1});
    EXPECT_EQ(all.arena.live_count(), 0u); // by address, not by size
    locals.deallocate(first, {.size = 60, .align = 1});

    wanted.arena = &none;
    placement limited(wanted);
    placed_source parsed(limited, {.lives = lifetime::operation});
    EXPECT_EQ(parsed.try_allocate({.size = 60}), nullptr);
    EXPECT_EQ(all.heap.usage().total_count, 0u);
    EXPECT_EQ(parsed.usage().refused_count, 1u);
    EXPECT_EQ(limited.counts().of(home::arena), 0u); // what was refused was placed nowhere
    EXPECT_STREQ(last_refusal().who.c_str(), "failing");
}

TEST(placement, a_block_that_grows_across_a_threshold_moves_to_its_new_home) {
    homes all;
    placement place(all.options());
    placed_source locals(place, {.lives = lifetime::call});
    auto* bytes = static_cast<unsigned char*>(locals.try_allocate({.size = 100}));
    std::size_t now = 100;
    std::memset(bytes, 42, now);
    EXPECT_TRUE(locals.try_resize(bytes, {.size = now}, 200)); // in the buffer
    EXPECT_FALSE(locals.try_resize(bytes, {.size = 200}, 1024));
    now = 200;
    for (const std::size_t next : {2000u, 100'000u, 60'000u, 10u}) {
        bytes = static_cast<unsigned char*>(locals.try_reallocate(bytes, {.size = now}, next));
        ASSERT_TRUE(bytes);
        EXPECT_EQ(bytes[9], 42);
        now = next;
    }
    locals.deallocate(bytes, {.size = now});
    const placement_counts counts = place.counts();
    EXPECT_EQ(counts.of(home::inline_buffer), 2u);
    EXPECT_EQ(counts.of(home::arena), 2u);
    EXPECT_EQ(counts.of(home::heap), 1u);
}

TEST(placement, leaves_nothing_behind_on_a_shortage) {
    for_each_failure([](failing_source& failing) {
        std::array<std::byte, 256> bytes;
        placement place({.inline_buffer = bytes, .arena = &failing, .heap = &failing});
        placed_source locals(place, {.lives = lifetime::call});
        std::pmr::vector<int> numbers(&locals);
        for (int i = 0; i < 30'000; ++i) numbers.push_back(i);
    });
}

TEST(placement, a_source_of_each_class_keeps_the_laws) {
    for (const conformance_law& law : conformance_laws()) {
        homes all;
        placement place(all.options());
        placement_class churning = all.churning();
        for (const placement_class& kind : {placement_class{.lives = lifetime::call}, churning}) {
            placed_source subject(place, kind);
            EXPECT_EQ(check_law(law, subject), std::vector<std::string>{}) << law.name;
        }
    }
}

TEST(placement, takes_from_its_homes_alone) {
    homes all;
    const no_allocation nothing;
    placement place(all.options());
    placed_source locals(place, {.lives = lifetime::call});
    std::pmr::vector<int> numbers(100, 7, &locals);
    EXPECT_EQ(all.arena.live_count() + all.heap.live_count() + all.pool.live_count(), 0u);
}

#if ALLOT_CHECK_LEVEL > 0
TEST(placement, finds_a_block_that_comes_back_as_another_class) {
    homes all;
    placement place(all.options());
    placed_source locals(place, {.lives = lifetime::call});
    placed_source cached(place, {.lives = lifetime::session});
    void* const line = locals.try_allocate({.size = 100});
    EXPECT_DEATH(cached.deallocate(line, {.size = 100}),
                 "placement 'request': 0x[0-9a-f]+ \\(100 bytes\\) was not");
    void* const name = cached.try_allocate({.size = 100});
    EXPECT_DEATH(locals.deallocate(name, {.size = 100}), "foreign block"); // the arena's own check
    locals.deallocate(line, {.size = 100});
    cached.deallocate(name, {.size = 100});
}
#endif

TEST(placement, model_gives_every_block_back_to_where_it_came_from) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    homes all;
    placement place(all.options());
    struct placed_thing {
        placed_source* by;
        unsigned char* bytes;
        layout shape;
    };
    std::array<placed_source, 4> kinds{placed_source(place, {.lives = lifetime::call}),
                                       placed_source(place, {.lives = lifetime::operation}),
                                       placed_source(place, all.churning()), placed_source(place, {})};
    std::vector<placed_thing> live;
    std::uint64_t served = 0;
    for (int step = 0; step < 20'000; ++step) {
        if (live.empty() || random() % 2 == 0) {
            placed_source& by = kinds[random() % kinds.size()];
            const layout shape{.size = 1 + random() % (1u << (random() % 18)), .align = 1u << (random() % 7)};
            auto* const bytes = static_cast<unsigned char*>(by.try_allocate(shape));
            ASSERT_TRUE(bytes && is_aligned(bytes, shape.align));
            std::memset(bytes, static_cast<int>(shape.size & 0xff), shape.size);
            live.push_back({&by, bytes, shape});
            ++served;
            continue;
        }
        std::swap(live[random() % live.size()], live.back());
        const placed_thing gone = live.back();
        ASSERT_EQ(gone.bytes[0], gone.shape.size & 0xff);
        ASSERT_EQ(gone.bytes[gone.shape.size - 1], gone.shape.size & 0xff);
        gone.by->deallocate(gone.bytes, gone.shape); // a wrong home's auditing_source would be fatal
        live.pop_back();
    }
    for (const placed_thing& each : live) each.by->deallocate(each.bytes, each.shape);
    std::uint64_t by_home = 0, by_reason = 0;
    for (const std::uint64_t count : place.counts().homes) by_home += count;
    for (const std::uint64_t count : place.counts().reasons) by_reason += count;
    EXPECT_EQ(by_home, served);
    EXPECT_EQ(by_reason, served);
    EXPECT_EQ(all.arena.live_count() + all.pool.live_count() + all.heap.live_count(), 0u);
}

} // namespace
} // namespace allot
