// How a pool grows, stays within its limits and gives slabs back; and what it does about misuse of its slots.
#include <allot/source/buffer_source.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/pool.hpp>
#include <allot/structure/pool_slab.hpp>
#include <allot/testing/failing_source.hpp>

#include <cstdlib>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace allot {
namespace {

constexpr layout small{.size = 64, .align = 8};

std::vector<void*> take(pool& from, std::size_t count) {
    std::vector<void*> slots(count);
    for (void*& slot : slots) slot = from.allocate();
    return slots;
}

TEST(pool_slab, owns_the_slots_that_it_handed_out) {
    pool slots({.slot = small});
    EXPECT_FALSE(slots.owns(nullptr));
    auto* const slot = static_cast<std::byte*>(slots.allocate());
    int elsewhere = 0;
    EXPECT_TRUE(slots.owns(slot) && slots.owns(slot + 63));
    EXPECT_FALSE(slots.owns(slot + 64) || slots.owns(slot - 1) || slots.owns(&elsewhere));
    slots.deallocate(slot);
    EXPECT_TRUE(slots.owns(slot));
    slots.release();
    EXPECT_FALSE(slots.owns(slot));
}

TEST(pool_slab, reserves_so_that_nothing_can_fail_later) {
    failing_source upstream(default_source());
    pool slots({.slot = small, .upstream = &upstream, .slot_count_max = 500});
    EXPECT_FALSE(slots.try_reserve(501));
    EXPECT_EQ(slots.capacity(), 0);
    ASSERT_TRUE(slots.try_reserve(400));
    upstream.plan({.at = 1, .lasting = true});
    EXPECT_EQ(take(slots, 400).size(), 400);
    EXPECT_EQ(slots.capacity(), 400);
    EXPECT_FALSE(slots.try_reserve(1));
    slots.check();
}

TEST(pool_slab, never_holds_more_than_its_limit) {
    for (std::uint64_t limit = 0; limit < 20000; limit += 777) {
        pool slots({.name = "slots", .slot = small, .limit_bytes = limit});
        std::uint64_t count = 0;
        while (slots.try_allocate()) ++count;
        const allot::usage now = slots.usage();
        EXPECT_EQ(now.live_count, count);
        EXPECT_LE(now.peak_held_bytes, limit);
        EXPECT_EQ(now.limit_bytes, limit);
        EXPECT_EQ(last_refusal().who, name("slots"));
        // What is left is too little for one more slab of one slot.
        EXPECT_LT(limit - now.held_bytes, 64 + 64 + 64);
        slots.check();
    }
}

TEST(pool_slab, trims_slabs_without_a_live_slot_and_no_others) {
    pool slots({.slot = small, .slabs = {.bytes_min = 1024, .bytes_max = 1024}});
    std::vector<void*> all = take(slots, 500);
    std::memset(all[250], 0x77, 64);
    for (std::size_t i = 0; i != all.size(); ++i)
        if (i != 250) slots.deallocate(all[i]);
    const allot::usage before = slots.usage();
    const std::uint64_t freed = slots.trim();
    const allot::usage after = slots.usage();
    EXPECT_EQ(after.held_bytes, before.held_bytes - freed);
    EXPECT_EQ(after.held_count, 1);
    EXPECT_EQ(after.live_count, 1);
    EXPECT_EQ(after.peak_live_bytes, 500 * 64); // is kept
    const auto* const kept = static_cast<const unsigned char*>(all[250]);
    EXPECT_TRUE(std::all_of(kept, kept + 64, [](unsigned char byte) { return byte == 0x77; }));
    slots.check();
    EXPECT_EQ(take(slots, 100).size(), 100);
    slots.check();
    EXPECT_EQ(slots.trim(), 0);
    slots.release();
    EXPECT_EQ(slots.usage().held_bytes, 0);
    EXPECT_EQ(slots.usage().live_count, 0);
    EXPECT_EQ(take(slots, 10).size(), 10);
    slots.check();
}

TEST(pool_slab, takes_smaller_slabs_where_upstream_has_no_room_for_its_size) {
    alignas(64) std::byte room[2048];
    buffer_source upstream(room);
    pool slots({.slot = small, .upstream = &upstream, .slabs = {.bytes_min = 1400, .bytes_max = 1400}});
    std::uint64_t count = 0;
    while (slots.try_allocate()) ++count;
    EXPECT_GE(count, 22); // of 32, with three slabs' own words
    slots.check();
}

// B19: one state says whether a pool is exhausted: no slot is free, and no further one may be cut.
TEST(pool_slab, is_exhausted_at_its_bound_and_serves_again_after_one_slot_came_back) {
    for (const std::uint64_t bound : {1u, 2u, 63u, 64u, 65u, 1000u}) {
        pool slots({.slot = small, .slot_count_max = bound, .slabs = {.bytes_min = 4096, .bytes_max = 4096}});
        std::vector<void*> all = take(slots, bound);
        EXPECT_EQ(slots.capacity(), bound);
        for (std::uint64_t i = 0; i != 10; ++i) {
            EXPECT_FALSE(slots.try_allocate());
            EXPECT_EQ(slots.usage().free_bytes, 0);
            slots.deallocate(all[i % bound]);
            EXPECT_EQ(slots.usage().free_bytes, 64);
            EXPECT_EQ(slots.try_allocate(), all[i % bound]);
        }
        EXPECT_EQ(slots.usage().refused_count, 10);
        slots.check();
    }
}

// B20: nothing is taken at the start, and no slot is written before it is handed out.
TEST(pool_slab, takes_a_slab_at_the_first_slot_and_touches_only_what_it_hands_out) {
    alignas(64) static unsigned char room[100'000];
    std::memset(room, 0x11, sizeof room);
    buffer_source bottom(std::as_writable_bytes(std::span(room)));
    failing_source upstream(bottom);
    pool slots({.slot = small, .upstream = &upstream, .slab_slot_count = 1000});
    EXPECT_EQ(upstream.request_count(), 0);
    EXPECT_EQ(slots.usage().held_bytes, 0);
    auto* const first = static_cast<unsigned char*>(slots.allocate());
    std::memset(first, 0x22, 64);
    auto* const second = static_cast<unsigned char*>(slots.allocate());
    EXPECT_EQ(second, first + 64);
    EXPECT_EQ(upstream.request_count(), 1);
    mark_live(first, 1000 * 64);
    const unsigned char as_it_was = checks == check_level::full ? 0xCD : 0x11; // buffer_source fills at full
    EXPECT_TRUE(
        std::all_of(first + 128, first + 64000, [&](unsigned char byte) { return byte == as_it_was; }));
}

TEST(pool_slab, finds_the_slab_of_a_slot_among_many) {
    pool slots({.slot = small, .slabs = {.bytes_min = 512, .bytes_max = 512}});
    std::vector<void*> all = take(slots, 3000);
    EXPECT_GT(slots.usage().held_count, 300);
    for (std::size_t i = 0; i != all.size(); ++i) slots.deallocate(all[i * 1117 % all.size()]); // each once
    slots.check();
    EXPECT_EQ(slots.usage().live_count, 0);
    std::sort(all.begin(), all.end());
    std::vector<void*> again = take(slots, 3000);
    std::sort(again.begin(), again.end());
    EXPECT_EQ(all, again);
}

#if ALLOT_CHECK_LEVEL > 0

// B17: a slot cannot come back twice, to another pool, or from its middle: no block ever has two owners.
TEST(pool_slab_death, a_slot_comes_back_once_whole_and_to_its_own_pool) {
    pool slots({.name = "16", .slot = {.size = 16, .align = 8}});
    pool others({.name = "256", .slot = {.size = 256, .align = 8}});
    auto* const slot = static_cast<std::byte*>(slots.allocate());
    void* const second = slots.allocate();
    (void)others.allocate();
    EXPECT_DEATH(others.deallocate(slot), "fatal: pool '256': 0x[0-9a-f]+ is no slot of this pool");
    EXPECT_DEATH(slots.deallocate(slot + 8), "fatal: pool '16': 0x.* lies 8 bytes into slot 0x");
    EXPECT_DEATH(slots.deallocate(slot + 1), "fatal: pool '16': 0x.* lies 1 bytes into slot 0x");
    EXPECT_DEATH(slots.deallocate(slot + 32), "is no slot of this pool"); // never handed out
    EXPECT_DEATH(slots.deallocate(nullptr), "is no slot of this pool");
    slots.deallocate(slot);
    EXPECT_DEATH(slots.deallocate(slot), "fatal: pool '16': slot 0x.* given back twice");
    slots.deallocate(second);
    EXPECT_DEATH(slots.deallocate(slot), "given back twice"); // not only the newest
}

// B18: each slot has a state of its own, so that a leak and a double free do not cancel out.
TEST(pool_slab_death, a_leak_and_a_double_free_do_not_cancel_out) {
    for (const std::size_t slab_bytes : {512, 65536}) { // the slot's slab is not, and is, the current one
        pool slots(
            {.name = "slots", .slot = small, .slabs = {.bytes_min = slab_bytes, .bytes_max = slab_bytes}});
        const std::vector<void*> all = take(slots, 100);
        for (std::size_t i = 1; i != all.size(); ++i) slots.deallocate(all[i]); // all[0] leaks
        EXPECT_EQ(slots.usage().live_count, 1);
        EXPECT_DEATH(slots.deallocate(all[50]), "fatal: pool 'slots': slot 0x.* given back twice");
        slots.check();
    }
}

TEST(pool_slab_death, a_write_to_a_free_slot_is_seen_when_it_is_handed_out_again) {
    pool slots({.name = "slots", .slot = small});
    auto* const slot = static_cast<unsigned char*>(slots.allocate());
    slots.deallocate(slot);
    mark_live(slot, 64); // so that AddressSanitizer leaves it to the pool
    const std::size_t watched = checks == check_level::full ? 64 : 8;
    for (std::size_t i = 0; i != watched; ++i) {
        const auto before = std::exchange(slot[i], static_cast<unsigned char>(slot[i] ^ 1));
        EXPECT_DEATH((void)slots.allocate(),
                     "fatal: pool 'slots': slot 0x.* was written to after it was given back");
        slot[i] = before;
    }
    EXPECT_EQ(slots.allocate(), slot);
}

TEST(pool_slab_death, a_block_larger_than_a_slot_cannot_come_back) {
    pool slots({.name = "slots", .slot = small});
    void* const slot = slots.allocate();
    memory_source& source = slots;
    EXPECT_DEATH(
        source.deallocate(slot, layout{65, 8}),
        "a block of 65 bytes \\(aligned to 8\\) is larger than its slots of 64 bytes \\(aligned to 8\\)");
}

#endif

// The look-up of the recorder is cached for good, so this runs in a fresh process.
void live_under_a_recorder() {
    if (!dlopen(CLIENT_TEST_RECORDER, RTLD_NOW | RTLD_GLOBAL)) std::_Exit(3);
    {
        pool sessions({.name = "sessions", .slot = {4096, 4096}, .slab_slot_count = 2});
        void* const first = sessions.try_allocate();
        void* const second = sessions.try_allocate(); // in the same slab: not told
        void* const third = sessions.try_allocate();
        for (void* slot : {first, second}) sessions.deallocate(slot);
        sessions.trim();
        sessions.deallocate(third);
        pool unused({.name = "unused", .slot = {64, 8}});
    }
    std::_Exit(0);
}

TEST(pool_slab_death, slabs_are_told_to_the_recorder_when_they_change) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(live_under_a_recorder(), testing::ExitedWithCode(0),
                "^report 1 pool 'sessions' [0-9]+ bytes in 1\n"
                "report 1 pool 'sessions' [0-9]+ bytes in 2\n"
                "report 1 pool 'sessions' [0-9]+ bytes in 1\n"
                "report 1 pool 'sessions' 0 bytes in 0\n$");
}

} // namespace
} // namespace allot
