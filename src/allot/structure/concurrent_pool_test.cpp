#include <allot/source/buffer_source.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_pool.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <allot/testing/source_conformance.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <list>
#include <random>
#include <set>
#include <sys/resource.h>
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

std::vector<void*> take(concurrent_pool& from, std::size_t count) {
    std::vector<void*> slots(count);
    for (void*& slot : slots) slot = from.allocate();
    return slots;
}

// Usage.

TEST(concurrent_pool, serves_any_thread_up_to_its_bound) {
    concurrent_pool jobs({.name = "jobs", .slot = {.size = 64}, .slot_count_max = 2});
    void* first = jobs.allocate();
    void* second = jobs.try_allocate();
    EXPECT_TRUE(jobs.try_allocate() == nullptr); // exhausted; allocate() would throw out_of_memory
    std::thread([&] { jobs.deallocate(first); }).join();
    EXPECT_TRUE(jobs.allocate() == first); // what the ended thread kept
    EXPECT_TRUE(jobs.usage().live_count == 2 && jobs.owns(second));

    EXPECT_EQ(last_refusal().who, name("jobs"));
    EXPECT_EQ(jobs.usage().refused_count, 1);
    EXPECT_THROW(static_cast<void>(jobs.allocate()), out_of_memory);
    jobs.deallocate(first);
    jobs.deallocate(second);
    jobs.check();
}

// Edges.

TEST(concurrent_pool, hands_out_distinct_aligned_slots_and_the_newest_first) {
    for (const layout slot :
         {layout{1, 1}, layout{8, 8}, layout{24, 8}, layout{64, 64}, layout{5000, 4096}}) {
        concurrent_pool slots({.slot = slot, .slabs = {.bytes_min = 1000, .bytes_max = 5000}});
        const std::vector<void*> all = take(slots, 100);
        EXPECT_EQ(std::set<void*>(all.begin(), all.end()).size(), 100);
        for (void* const each : all) {
            EXPECT_TRUE(is_aligned(each, slot.align));
            std::memset(each, 0x5A, slot.size);
        }
        slots.deallocate(all[3]);
        EXPECT_EQ(slots.allocate(), all[3]);
        for (void* const each : all) slots.deallocate(each);
        slots.check();
        EXPECT_EQ(slots.usage().live_count, 0);
    }
}

TEST(concurrent_pool, keeps_slots_on_cache_lines_of_their_own_when_asked) {
    concurrent_pool slots({.slot = {.size = 24, .align = 8}, .line_aligned = true});
    for (void* const each : take(slots, 10)) {
        EXPECT_TRUE(is_aligned(each, 64));
        slots.deallocate(each);
    }
}

// B19: bound and free slots are one state; B27: exact where no other thread keeps free slots.
TEST(concurrent_pool, is_exhausted_at_its_bound_and_serves_again_after_one_slot_came_back) {
    for (const std::uint64_t bound : {1, 2, 31, 32, 100, 1000}) {
        concurrent_pool slots({.slot = small, .slot_count_max = bound});
        std::vector<void*> all = take(slots, bound);
        EXPECT_EQ(slots.try_allocate(), nullptr);
        EXPECT_EQ(slots.usage().live_count, bound);
        EXPECT_EQ(slots.usage().limit_bytes, bound * small.size);
        slots.deallocate(all.back());
        EXPECT_EQ(slots.try_allocate(), all.back());
        EXPECT_EQ(slots.try_allocate(), nullptr);
        for (void* const each : all) slots.deallocate(each);
        slots.check();
    }
}

TEST(concurrent_pool, never_holds_more_than_its_limit) {
    concurrent_pool slots({.slot = small, .limit_bytes = kibibytes(32)});
    std::vector<void*> all;
    while (void* const slot = slots.try_allocate()) all.push_back(slot);
    EXPECT_GT(all.size(), 300);
    EXPECT_LE(slots.usage().peak_held_bytes, kibibytes(32));
    EXPECT_EQ(slots.usage().limit_bytes, kibibytes(32));
    for (void* const each : all) slots.deallocate(each);
    slots.check();
}

TEST(concurrent_pool, serves_layouts_that_fit_a_slot_and_refuses_the_others) {
    concurrent_pool slots({.slot = small});
    memory_source& source = slots;
    void* const block = source.allocate(layout{.size = 40, .align = 4});
    EXPECT_TRUE(source.try_resize(block, {40, 4}, 64));
    EXPECT_FALSE(source.try_resize(block, {64, 4}, 65));
    source.deallocate(block, {64, 4});
    EXPECT_EQ(source.try_allocate({.size = 65}), nullptr);
    EXPECT_EQ(source.try_allocate({.size = 64, .align = 16}), nullptr);
    EXPECT_EQ(slots.usage().refused_count, 2);
    EXPECT_TRUE(source.traits().thread_safe);
    std::pmr::list<int> numbers(&slots);
    for (int i = 0; i != 100; ++i) numbers.push_back(i);
    EXPECT_EQ(source.describe().usage.live_count, 100);
}

TEST(concurrent_pool, counts_without_a_counter) {
    concurrent_pool slots({.slot = small});
    std::vector<void*> all = take(slots, 700);
    for (int i = 0; i != 300; ++i) slots.deallocate(all[static_cast<std::size_t>(i)]);
    allot::usage now = slots.usage();
    EXPECT_EQ(now.live_count, 400);
    EXPECT_EQ(now.total_count, 700);
    EXPECT_GE(now.peak_live_bytes, 700 * small.size);
    EXPECT_EQ(now.held_bytes, now.live_bytes + now.slack_bytes + now.free_bytes);
    for (int i = 0; i != 1000; ++i) slots.deallocate(slots.allocate());
    now = slots.usage();
    EXPECT_EQ(now.total_count, 1700);
    EXPECT_EQ(now.live_count, 400);
    for (std::size_t i = 300; i != 700; ++i) slots.deallocate(all[i]);
}

TEST(concurrent_pool, reserves_so_that_nothing_can_fail_later) {
    failing_source upstream(default_source());
    concurrent_pool slots({.slot = small, .upstream = &upstream});
    slots.deallocate(slots.allocate()); // this thread's magazines
    ASSERT_TRUE(slots.try_reserve(5000));
    upstream.plan({.at = 1, .lasting = true});
    for (void* const each : take(slots, 5000)) slots.deallocate(each);
    EXPECT_EQ(upstream.refused_count(), 0);
    EXPECT_FALSE(slots.try_reserve(6000));
    EXPECT_EQ(slots.usage().refused_count, 1);
}

TEST(concurrent_pool, trims_slabs_without_a_live_slot_and_no_others) {
    auditing_source upstream(default_source());
    concurrent_pool slots(
        {.slot = small, .upstream = &upstream, .slabs = {.bytes_min = 1024, .bytes_max = 1024}});
    const std::vector<void*> all = take(slots, 400);
    const std::uint64_t before = slots.usage().held_bytes;
    for (std::size_t i = 1; i != all.size(); ++i) slots.deallocate(all[i]);
    const std::uint64_t given = slots.trim();
    EXPECT_EQ(given, before - slots.usage().held_bytes);
    EXPECT_EQ(slots.usage().held_count, 1);
    EXPECT_EQ(slots.usage().live_count, 1);
    EXPECT_EQ(upstream.live_bytes(), slots.usage().held_bytes);
    slots.check();
    EXPECT_TRUE(slots.owns(all[0]));
    slots.deallocate(all[0]);
    slots.trim();
    EXPECT_EQ(slots.capacity(), 0);
    EXPECT_FALSE(slots.owns(all[0]));
    for (void* const each : take(slots, 100)) slots.deallocate(each); // and again
    slots.check();
}

// A slab may come to lie where another one was, but with its slots elsewhere.
TEST(concurrent_pool, forgets_a_slab_that_went) {
    struct shifting final : memory_source {
        void* do_try_allocate(layout wanted) noexcept override {
            if (wanted.size != 1024) return default_source().try_allocate(wanted); // no slab
            return bytes.data() + (shift += 8);
        }
        void do_give_back(void* address, layout given) noexcept override {
            if (given.size != 1024) default_source().deallocate(address, given);
        }
        source_traits do_traits() const noexcept override { return {.thread_safe = true}; }
        alignas(64) std::array<std::byte, 2048> bytes = {};
        std::size_t shift = 0;
    } upstream;
    concurrent_pool slots(
        {.slot = small, .upstream = &upstream, .slabs = {.bytes_min = 1024, .bytes_max = 1024}});
    for (int i = 0; i != 20; ++i) {
        slots.deallocate(slots.allocate());
        slots.trim();
        EXPECT_EQ(slots.capacity(), 0);
    }
    EXPECT_EQ(upstream.shift, 160);
}

TEST(concurrent_pool, tells_its_observer_of_slots_that_outlive_it) {
    struct : observer {
        void observe(const event& what) noexcept override { last = what, ++count; }
        event last;
        int count = 0;
    } watcher;
    {
        concurrent_pool quiet({.slot = small, .observer = &watcher});
        quiet.deallocate(quiet.allocate());
    }
    EXPECT_EQ(watcher.count, 0);
    {
        concurrent_pool leaking({.name = "leaking", .slot = small, .observer = &watcher});
        static_cast<void>(leaking.allocate());
    }
    EXPECT_EQ(watcher.count, 1);
    EXPECT_EQ(watcher.last.what, event::type::unbalanced);
    EXPECT_EQ(watcher.last.who, name("leaking"));
    EXPECT_EQ(watcher.last.count, 1);
}

#if ALLOT_HAS_ASAN
extern "C" int __asan_address_is_poisoned(const void volatile*);

TEST(concurrent_pool, shows_the_sanitizer_every_dead_byte) {
    concurrent_pool slots({.slot = {.size = 60, .align = 8}});
    auto* const slot = static_cast<std::byte*>(slots.allocate());
    EXPECT_FALSE(__asan_address_is_poisoned(slot));
    EXPECT_TRUE(__asan_address_is_poisoned(slot + 60)); // what the slot's size leaves
    EXPECT_TRUE(__asan_address_is_poisoned(slot + 64)); // a slot that was never handed out
    slots.deallocate(slot);
    for (int i = 0; i != 60; ++i) EXPECT_TRUE(__asan_address_is_poisoned(slot + i));
}
#endif

// Shortage.

TEST(concurrent_pool, survives_every_refusal_of_its_upstream) {
    for (const bool lasting : {false, true}) {
        const std::uint64_t points = for_each_failure(
            [](failing_source& source) {
                concurrent_pool slots({.slot = small,
                                       .upstream = &source,
                                       .slabs = {.bytes_min = 300, .bytes_max = 300},
                                       .magazine_slots = 3});
                std::vector<void*> all;
                for (int i = 0; i != 60; ++i) // beyond eight slabs
                    if (void* const slot = slots.try_allocate()) all.push_back(slot);
                slots.check();
                EXPECT_EQ(slots.usage().live_count, all.size());
                EXPECT_EQ(slots.usage().refused_count, 60 - all.size());
                for (void* slot : all) slots.deallocate(slot); // cannot fail
                slots.check();
                slots.trim();
                EXPECT_EQ(slots.usage().live_count, 0);
            },
            {.lasting = lasting});
        EXPECT_GT(points, 8);
    }
}

// Books.

TEST(concurrent_pool, gives_every_slab_back_with_its_layout_and_takes_nothing_from_elsewhere) {
    auditing_source upstream(default_source());
    std::vector<void*> all(2000);
    {
        concurrent_pool slots(
            {.slot = small, .upstream = &upstream, .slabs = {.bytes_min = 1024, .bytes_max = 8192}});
        slots.deallocate(slots.allocate()); // the C++ run time allocates where a thread takes its slot
        no_allocation scope;
        for (void*& slot : all) slot = slots.allocate();
        EXPECT_EQ(upstream.live_bytes(), slots.usage().held_bytes);
        for (std::size_t i = 0; i < 1500; ++i) slots.deallocate(all[i]);
        slots.trim();
        EXPECT_EQ(upstream.live_bytes(), slots.usage().held_bytes);
        EXPECT_EQ(slots.usage().live_count, 500);
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

// B28: nothing from upstream, no page fault.
TEST(concurrent_pool, asks_for_nothing_in_steady_state) {
    auditing_source upstream(default_source());
    concurrent_pool slots({.slot = small, .upstream = &upstream});
    std::vector<void*> all(10'000);
    long fewest = 1'000'000;
    std::uint64_t held = 0;
    for (int window = 0; window != 6; ++window) { // the first one warms up
        rusage before{}, after{};
        getrusage(RUSAGE_THREAD, &before);
        for (void*& slot : all) *static_cast<int*>(slot = slots.allocate()) = 1;
        for (void* const slot : all) slots.deallocate(slot);
        getrusage(RUSAGE_THREAD, &after);
        if (window != 0) {
            fewest = std::min(fewest, after.ru_minflt - before.ru_minflt);
            EXPECT_EQ(slots.usage().held_bytes, held);
        }
        held = slots.usage().held_bytes;
    }
    EXPECT_EQ(fewest, 0);
}

TEST(concurrent_pool, keeps_the_laws_of_a_source) {
    for (const conformance_law& law : conformance_laws()) {
        auditing_source upstream(default_source());
        concurrent_pool subject({.slot = {.size = 512, .align = 64}, .upstream = &upstream});
        for (const std::string& finding : check_law(law, subject, {.size_max = 512, .align_max = 64}))
            ADD_FAILURE() << law.name << ": " << finding;
        subject.check();
    }
}

// Model.

TEST(concurrent_pool, does_what_a_set_of_live_slots_says) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    concurrent_pool slots({.slot = {.size = 48, .align = 16},
                           .slot_count_max = 300,
                           .slabs = {.bytes_min = 500, .bytes_max = 4000},
                           .magazine_slots = 5});
    std::vector<unsigned char*> live;
    std::uint64_t total = 0;
    const auto tag = [](const unsigned char* slot) {
        return static_cast<unsigned char>(reinterpret_cast<std::uintptr_t>(slot) / 16 % 251);
    };
    for (int i = 0; i != 30'000; ++i) {
        const unsigned grows = i / 500 % 2 == 0 ? 65 : 30;
        const auto dice = random() % 1000;
        if (dice < grows * 10) {
            auto* const slot = static_cast<unsigned char*>(slots.try_allocate());
            ASSERT_EQ(slot != nullptr, live.size() < 300);
            if (!slot) continue;
            ++total;
            std::memset(slot, tag(slot), 48);
            live.push_back(slot);
        } else if (dice < 998 && !live.empty()) {
            std::swap(live[random() % live.size()], live.back());
            ASSERT_TRUE(
                std::all_of(live.back(), live.back() + 48, [&](auto b) { return b == tag(live.back()); }));
            slots.deallocate(live.back());
            live.pop_back();
        } else {
            slots.trim();
        }
        if (i % 64 == 0) {
            slots.check();
            ASSERT_EQ(slots.usage().live_count, live.size());
            ASSERT_EQ(slots.usage().total_count, total);
        }
    }
    for (unsigned char* const each : live) slots.deallocate(each);
    slots.check();
}

// LA11.
TEST(concurrent_pool, bears_a_million_slots) {
    concurrent_pool slots({.slot = {.size = 16, .align = 8}});
    std::vector<void*> all = take(slots, 1'000'000);
    EXPECT_EQ(slots.usage().live_count, 1'000'000);
    for (void* const each : all) slots.deallocate(each);
    EXPECT_EQ(slots.usage().live_count, 0);
    slots.trim();
    EXPECT_EQ(slots.capacity(), 0);
    EXPECT_LT(slots.usage().held_bytes, kibibytes(32));
}

} // namespace
} // namespace allot
