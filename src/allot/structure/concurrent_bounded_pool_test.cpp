#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_bounded_pool.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <allot/testing/source_conformance.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <thread>
#include <vector>

// A sanitizer's malloc ends the program at sizes that it finds absurd, unless told to refuse them.
extern "C" {
[[gnu::weak]] const char* __asan_default_options() { return "allocator_may_return_null=1"; }
[[gnu::weak]] const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
}

namespace allot {
namespace {

constexpr layout small{.size = 64, .align = 8};

std::vector<void*> take(concurrent_bounded_pool& from, std::size_t count) {
    std::vector<void*> slots(count);
    for (void*& slot : slots) slot = from.allocate();
    return slots;
}

// Usage.

TEST(concurrent_bounded_pool, hands_out_slots_up_to_its_bound_on_any_thread) {
    concurrent_bounded_pool frames({.name = "frames", .slot = {.size = 4096, .align = 64}, .slot_count = 2});
    void* first = frames.allocate();
    void* second = frames.try_allocate();
    EXPECT_TRUE(frames.try_allocate() == nullptr); // exhausted; allocate() would throw out_of_memory
    std::thread([&] { frames.deallocate(first); }).join();
    EXPECT_TRUE(frames.allocate() == first);
    EXPECT_TRUE(frames.usage().live_count == 2 && frames.owns(second));
    EXPECT_THROW((void)frames.allocate(), out_of_memory);
    EXPECT_EQ(last_refusal().who, name("frames"));
    EXPECT_EQ(last_refusal().limit_bytes, 8192);
    EXPECT_EQ(last_refusal().live_bytes, 8192);
    EXPECT_EQ(frames.usage().refused_count, 2);
    EXPECT_EQ(frames.usage().total_count, 3);
}

// Edges.

TEST(concurrent_bounded_pool, aligns_every_slot_and_wastes_nothing_between_them) {
    for (const std::size_t align : {1, 2, 8, 16, 64, 4096}) {
        for (const std::size_t size : {1, 7, 8, 24, 64, 65, 4096}) {
            concurrent_bounded_pool slots({.slot = {size, align}, .slot_count = 100});
            std::set<std::uintptr_t> seen;
            for (void* slot : take(slots, 100)) {
                EXPECT_TRUE(is_aligned(slot, std::max<std::size_t>(align, 8)));
                std::memset(slot, 0x5A, size);
                seen.insert(reinterpret_cast<std::uintptr_t>(slot));
            }
            EXPECT_EQ(seen.size(), 100);
            EXPECT_EQ(*seen.rbegin() - *seen.begin(), 99 * slots.stride());
            EXPECT_FALSE(slots.try_allocate());
            slots.check();
        }
    }
    concurrent_bounded_pool lines({.slot = {.size = 72, .align = 8}, .slot_count = 5, .line_aligned = true});
    EXPECT_EQ(lines.stride(), 128);
    for (void* slot : take(lines, 5)) EXPECT_TRUE(is_aligned(slot, 64));
}

// B24: what is out is bounded, to the slot, also when that is none. B19: exhausted is one state.
TEST(concurrent_bounded_pool, hands_out_exactly_as_many_slots_as_it_has) {
    for (const std::uint64_t bound : {0u, 1u, 2u, 15u, 16u, 31u, 33u, 511u, 512u, 513u, 1000u}) {
        concurrent_bounded_pool slots({.slot = small, .slot_count = bound});
        EXPECT_EQ(slots.capacity(), bound);
        std::vector<void*> all = take(slots, bound);
        for (std::uint64_t i = 0; i != 10; ++i) {
            EXPECT_FALSE(slots.try_allocate());
            EXPECT_EQ(slots.usage().free_bytes, 0);
            if (bound == 0) continue;
            slots.deallocate(all[i % bound]);
            EXPECT_EQ(slots.usage().free_bytes, 64);
            EXPECT_EQ(slots.try_allocate(), all[i % bound]);
        }
        EXPECT_EQ(slots.usage().refused_count, 10);
        EXPECT_EQ(slots.usage().peak_live_bytes, bound * 64);
        slots.check();
    }
}

TEST(concurrent_bounded_pool, serves_layouts_that_fit_a_slot_and_refuses_the_others) {
    concurrent_bounded_pool slots({.slot = {.size = 64, .align = 16}, .slot_count = 10});
    memory_source& source = slots;
    EXPECT_TRUE(source.traits().thread_safe);
    for (const layout wanted : {layout{0, 1}, layout{1, 1}, layout{64, 16}}) {
        void* const block = source.try_allocate(wanted);
        ASSERT_TRUE(block);
        EXPECT_TRUE(source.try_resize(block, wanted, 64));
        EXPECT_FALSE(source.try_resize(block, {64, 1}, 65));
        source.deallocate(block, {64, 1});
    }
    for (const layout wanted : {layout{65, 16}, layout{64, 32}}) EXPECT_FALSE(source.try_allocate(wanted));
    EXPECT_EQ(last_refusal().asked, (layout{64, 32}));
    source.deallocate(nullptr, layout{64, 1});
    slots.check();
}

TEST(concurrent_bounded_pool, finds_its_slots_by_division_where_the_block_is_too_large_for_a_product) {
    // 2^33 bytes in slots of 2^31 and a bit: never touched.
    concurrent_bounded_pool slots(
        {.slot = {.size = (std::size_t{1} << 31) + 8, .align = 8}, .slot_count = 5});
    if (slots.capacity() == 0) GTEST_SKIP() << "10 GiB of address space cannot be had";
    if constexpr (checks == check_level::full || ALLOT_HAS_ASAN) GTEST_SKIP() << "whole slots are marked";
    const std::vector<void*> all = take(slots, 5);
    for (void* slot : all) slots.deallocate(slot);
    slots.check();
    EXPECT_EQ(slots.usage().live_count, 0);
}

// B20: no slot is written before it is handed out.
TEST(concurrent_bounded_pool, touches_only_what_it_hands_out) {
    concurrent_bounded_pool slots({.slot = small, .slot_count = 1000});
    auto* const first = static_cast<unsigned char*>(slots.allocate());
    EXPECT_TRUE(slots.owns(first) && slots.owns(first + 63));
    EXPECT_FALSE(slots.owns(first + 64) || slots.owns(first - 1) || slots.owns(nullptr));
    slots.deallocate(first);
    EXPECT_TRUE(slots.owns(first));
}

// B32: what is out at the end is reported.
TEST(concurrent_bounded_pool, tells_its_observer_of_slots_that_outlive_it) {
    struct : observer {
        event seen;
        void observe(const event& what) noexcept override { seen = what; }
    } watcher;
    {
        concurrent_bounded_pool quiet({.slot = small, .slot_count = 3, .observer = &watcher});
        quiet.deallocate(quiet.allocate());
    }
    EXPECT_EQ(watcher.seen.count, 0);
    {
        concurrent_bounded_pool leaking(
            {.name = "leaking", .slot = small, .slot_count = 3, .observer = &watcher});
        (void)leaking.allocate();
    }
    EXPECT_EQ(watcher.seen.what, event::type::unbalanced);
    EXPECT_EQ(watcher.seen.who, name("leaking"));
    EXPECT_EQ(watcher.seen.bytes, 64);
}

// Shortage.

TEST(concurrent_bounded_pool, serves_nothing_where_its_block_was_refused) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        concurrent_bounded_pool slots({.slot = small, .slot_count = 40, .upstream = &source});
        std::uint64_t served = 0;
        for (int i = 0; i != 50; ++i)
            if (void* const slot = slots.try_allocate()) {
                ++served;
                slots.deallocate(slot);
            }
        EXPECT_EQ(served, slots.capacity() == 0 ? 0 : 50);
        EXPECT_EQ(slots.usage().refused_count, 50 - served);
        slots.check();
    });
    EXPECT_EQ(points, 1);
}

// Books.

// B28: nothing is allocated after creation.
TEST(concurrent_bounded_pool, takes_one_block_gives_it_back_and_takes_nothing_from_elsewhere) {
    auditing_source upstream(default_source());
    std::vector<void*> all(2000);
    {
        no_allocation scope;
        concurrent_bounded_pool slots({.slot = small, .slot_count = 2000, .upstream = &upstream});
        EXPECT_EQ(upstream.live_count(), 1);
        for (void*& slot : all) slot = slots.allocate();
        for (std::size_t i = 0; i < 1500; ++i) slots.deallocate(all[i]);
        EXPECT_EQ(upstream.live_bytes(), slots.usage().held_bytes);
        const allot::usage now = slots.usage();
        EXPECT_EQ(now.held_bytes, now.live_bytes + now.slack_bytes + now.free_bytes);
        EXPECT_EQ(now.total_count, 2000);
        EXPECT_EQ(now.live_count, 500);
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

TEST(concurrent_bounded_pool, keeps_the_laws_of_a_source) {
    for (const conformance_law& law : conformance_laws()) {
        auditing_source upstream(default_source());
        concurrent_bounded_pool subject(
            {.slot = {.size = 512, .align = 64}, .slot_count = 2000, .upstream = &upstream});
        for (const std::string& finding : check_law(law, subject, {.size_max = 512, .align_max = 64}))
            ADD_FAILURE() << law.name << ": " << finding;
        subject.check();
    }
}

// Model.

TEST(concurrent_bounded_pool, does_what_a_list_of_live_slots_says) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    for (unsigned run = 0; run != 20; ++run) {
        const std::uint64_t bound = random() % 100;
        concurrent_bounded_pool slots({.slot = {8 + run * 4, 4}, .slot_count = bound});
        std::vector<std::pair<unsigned char*, unsigned char>> live;
        std::uint64_t total = 0;
        for (unsigned step = 0; step != 2000; ++step) {
            if (random() % 100 < (step / 200 % 2 == 0 ? 65 : 35)) {
                auto* const slot = static_cast<unsigned char*>(slots.try_allocate());
                ASSERT_EQ(slot != nullptr, live.size() != bound);
                if (!slot) continue;
                live.emplace_back(slot, static_cast<unsigned char>(random()));
                std::memset(slot, live.back().second, 8 + run * 4);
                ++total;
            } else if (!live.empty()) {
                std::swap(live[random() % live.size()], live.back());
                const auto [slot, mark] = live.back();
                live.pop_back();
                ASSERT_TRUE(
                    std::all_of(slot, slot + 8 + run * 4, [mark = mark](auto byte) { return byte == mark; }));
                slots.deallocate(slot);
            }
            slots.check();
            ASSERT_EQ(slots.usage().live_count, live.size());
            ASSERT_EQ(slots.usage().total_count, total);
            ASSERT_EQ(slots.usage().free_bytes, (bound - live.size()) * (8 + run * 4));
        }
        for (const auto& each : live) slots.deallocate(each.first);
    }
}

} // namespace
} // namespace allot
