#include <allot/source/default_source.hpp>
#include <allot/structure/pool.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <allot/testing/source_conformance.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <memory_resource>
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

std::vector<void*> take(pool& from, std::size_t count) {
    std::vector<void*> slots(count);
    for (void*& slot : slots) slot = from.allocate();
    return slots;
}

// Usage.

TEST(pool, hands_out_slots_up_to_its_bound) {
    pool sessions({.name = "sessions", .slot = {.size = 64, .align = 64}, .slot_count_max = 2});
    void* first = sessions.allocate();
    void* second = sessions.try_allocate();
    EXPECT_TRUE(sessions.try_allocate() == nullptr); // exhausted; allocate() would throw out_of_memory
    sessions.deallocate(first);
    EXPECT_TRUE(sessions.allocate() == first);
    EXPECT_TRUE(sessions.usage().live_count == 2 && sessions.owns(second));
    EXPECT_THROW((void)sessions.allocate(), out_of_memory);
    EXPECT_EQ(last_refusal().who, name("sessions"));
    EXPECT_EQ(last_refusal().limit_bytes, 128);
    EXPECT_EQ(last_refusal().live_bytes, 128);
    EXPECT_EQ(sessions.usage().refused_count, 2);
}

// Edges.

TEST(pool, aligns_every_slot_and_wastes_nothing_between_them) {
    for (const std::size_t align : {1, 2, 8, 16, 64, 4096}) {
        for (const std::size_t size : {1, 7, 8, 24, 64, 65, 4096}) {
            pool slots({.slot = {size, align}});
            const std::size_t stride = slots.stride();
            EXPECT_LT(stride, std::max<std::size_t>(size, 8) + std::max<std::size_t>(align, 8));
            std::set<std::uintptr_t> seen;
            for (void* slot : take(slots, 100)) {
                EXPECT_TRUE(is_aligned(slot, std::max<std::size_t>(align, 8)));
                std::memset(slot, 0x5A, size);
                seen.insert(reinterpret_cast<std::uintptr_t>(slot));
            }
            EXPECT_EQ(seen.size(), 100);
            for (auto at = seen.begin(); std::next(at) != seen.end(); ++at)
                EXPECT_GE(*std::next(at) - *at, stride);
            slots.check();
        }
    }
}

TEST(pool, keeps_slots_on_cache_lines_of_their_own_when_asked) {
    pool slots({.slot = {.size = 72, .align = 8}, .line_aligned = true});
    EXPECT_EQ(slots.stride(), 128);
    for (void* slot : take(slots, 50)) EXPECT_TRUE(is_aligned(slot, 64));
}

TEST(pool, serves_layouts_that_fit_a_slot_and_refuses_the_others) {
    pool slots({.name = "slots", .slot = {.size = 64, .align = 16}});
    memory_source& source = slots;
    for (const layout wanted : {layout{0, 1}, layout{1, 1}, layout{64, 16}}) {
        void* const block = source.try_allocate(wanted);
        ASSERT_TRUE(block);
        source.deallocate(block, wanted);
    }
    const std::size_t huge = static_cast<std::size_t>(-1);
    for (const layout wanted : {layout{65, 16}, layout{64, 32}, layout{huge, 8}, layout{huge / 2, 8}})
        EXPECT_FALSE(source.try_allocate(wanted)) << wanted.size;
    EXPECT_FALSE(slots.try_allocate(layout{65, 1}));
    EXPECT_EQ(last_refusal().asked, (layout{65, 1}));
    EXPECT_EQ(slots.usage().total_count, 3);
    EXPECT_EQ(slots.usage().live_count, 0);
    void* const block = source.allocate(layout{10, 1});
    EXPECT_TRUE(source.try_resize(block, {10, 1}, 64));
    EXPECT_FALSE(source.try_resize(block, {64, 1}, 65));
    source.deallocate(block, layout{64, 1});
    source.deallocate(nullptr, layout{64, 1});
    EXPECT_EQ(source.good_size({10, 1}), 64);
    slots.check();
}

TEST(pool, serves_the_nodes_of_a_container) {
    pool nodes({.name = "nodes", .slot = {.size = 32, .align = 8}, .slabs = node_slabs});
    {
        std::pmr::list<int> numbers(&nodes);
        for (int i = 0; i != 1000; ++i) numbers.push_back(i);
        EXPECT_EQ(nodes.usage().live_count, 1000);
        EXPECT_LE(nodes.usage().held_bytes / nodes.usage().held_count,
                  kibibytes(4) + 2 * 200); // records double
    }
    EXPECT_EQ(nodes.usage().live_count, 0);
}

TEST(pool, hands_out_the_slot_that_was_given_back_last) {
    pool slots({.slot = small, .slabs = {.bytes_min = 1, .bytes_max = 1}}); // a slab for each slot
    const std::vector<void*> all = take(slots, 100);
    EXPECT_EQ(slots.usage().held_count, 100);
    for (const std::size_t i : {7u, 99u, 0u, 50u}) {
        slots.deallocate(all[i]);
        EXPECT_EQ(slots.allocate(), all[i]);
    }
    slots.check();
}

TEST(pool, tells_its_observer_of_slots_that_outlive_it) {
    struct : observer {
        event seen;
        void observe(const event& what) noexcept override { seen = what; }
    } watcher;
    {
        pool quiet({.slot = small, .observer = &watcher});
    }
    EXPECT_EQ(watcher.seen.count, 0);
    {
        pool leaking({.name = "leaking", .slot = small, .observer = &watcher});
        (void)leaking.allocate();
    }
    EXPECT_EQ(watcher.seen.what, event::type::unbalanced);
    EXPECT_EQ(watcher.seen.who, name("leaking"));
    EXPECT_EQ(watcher.seen.bytes, 64);
    EXPECT_EQ(watcher.seen.count, 1);
}

TEST(pool, tells_any_thread_its_numbers) {
    pool slots({.name = "slots", .slot = small});
    std::atomic<bool> done = false;
    std::thread reader([&] {
        do {
            const source_description now = slots.describe();
            EXPECT_LE(now.usage.live_count, 10000);
            EXPECT_EQ(now.name, name("slots"));
        } while (!done);
    });
    const std::vector<void*> all = take(slots, 10000);
    for (void* slot : all) slots.deallocate(slot);
    done = true;
    reader.join();
    const allot::usage told = slots.describe().usage;
    EXPECT_LE(told.live_bytes - slots.usage().live_bytes, told.behind_bytes_max);
    slots.trim();
    EXPECT_EQ(slots.describe().usage.live_bytes, 0);
}

// Shortage.

TEST(pool, survives_every_refusal_of_its_upstream) {
    for (const bool lasting : {false, true}) {
        const std::uint64_t points = for_each_failure(
            [](failing_source& source) {
                pool slots(
                    {.slot = small, .upstream = &source, .slabs = {.bytes_min = 300, .bytes_max = 300}});
                std::vector<void*> all;
                for (int i = 0; i != 60; ++i) { // beyond eight slabs
                    if (void* const slot = slots.try_allocate()) all.push_back(slot);
                    slots.check();
                }
                EXPECT_EQ(slots.usage().live_count, all.size());
                EXPECT_EQ(slots.usage().refused_count, 60 - all.size());
                for (void* slot : all) slots.deallocate(slot);
                slots.check();
                slots.trim();
                EXPECT_EQ(slots.usage().held_bytes, 0);
            },
            {.lasting = lasting});
        EXPECT_GT(points, 8);
    }
}

// Books.

TEST(pool, gives_every_slab_back_with_its_layout_and_takes_nothing_from_elsewhere) {
    auditing_source upstream(default_source());
    std::vector<void*> all(2000);
    {
        no_allocation scope;
        pool slots({.slot = small, .upstream = &upstream, .slabs = {.bytes_min = 1024, .bytes_max = 8192}});
        for (void*& slot : all) slot = slots.allocate();
        EXPECT_EQ(upstream.live_bytes(), slots.usage().held_bytes);
        for (std::size_t i = 0; i < 1500; ++i) slots.deallocate(all[i]);
        slots.trim();
        EXPECT_EQ(upstream.live_bytes(), slots.usage().held_bytes);
        const allot::usage now = slots.usage();
        EXPECT_EQ(now.held_bytes, now.live_bytes + now.slack_bytes + now.free_bytes);
        EXPECT_EQ(now.total_count, 2000);
        EXPECT_EQ(now.live_count, 500);
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

TEST(pool, keeps_the_laws_of_a_source) {
    for (const conformance_law& law : conformance_laws()) {
        auditing_source upstream(default_source());
        pool subject({.slot = {.size = 512, .align = 64}, .upstream = &upstream});
        for (const std::string& finding : check_law(law, subject, {.size_max = 512, .align_max = 64}))
            ADD_FAILURE() << law.name << ": " << finding;
        subject.check();
    }
}

// Model.

class model {
public:
    model(unsigned seed, pool_options how) : random_(seed), slots_(how) {}
    ~model() {
        for (const entry& each : live_) slots_.deallocate(each.slot);
        slots_.check();
    }

    void step() {
        const auto dice = random_() % 100;
        const unsigned grows = ++step_count_ / 150 % 2 == 0 ? 65 : 30;
        if (dice < grows)
            take_one();
        else if (dice < 96)
            give_one_back();
        else if (dice < 98)
            slots_.trim();
        else if (dice == 98)
            (void)slots_.try_reserve(random_() % 30);
        else if (random_() % 4 == 0) {
            slots_.release();
            live_.clear();
        }
        compare();
    }

private:
    struct entry {
        unsigned char* slot;
        unsigned char mark;
    };

    void take_one() {
        auto* const slot = static_cast<unsigned char*>(slots_.try_allocate());
        if (!slot) return;
        const auto mark = static_cast<unsigned char>(random_());
        std::memset(slot, mark, slots_.slot().size);
        live_.push_back({slot, mark});
        ++total_;
        peak_ = std::max(peak_, live_.size());
    }
    void give_one_back() {
        if (live_.empty()) return;
        std::swap(live_[random_() % live_.size()], live_.back());
        const entry gone = live_.back();
        live_.pop_back();
        const std::size_t size = slots_.slot().size;
        ASSERT_TRUE(std::all_of(gone.slot, gone.slot + size, [&](auto byte) { return byte == gone.mark; }));
        slots_.deallocate(gone.slot);
    }
    void compare() {
        slots_.check();
        const allot::usage now = slots_.usage();
        ASSERT_EQ(now.live_count, live_.size());
        ASSERT_EQ(now.peak_live_bytes, peak_ * slots_.slot().size);
        ASSERT_EQ(now.total_count, total_);
        ASSERT_EQ(now.held_bytes, now.live_bytes + now.free_bytes + now.slack_bytes);
    }

    std::mt19937 random_;
    std::vector<entry> live_;
    std::size_t peak_ = 0, total_ = 0, step_count_ = 0;
    pool slots_;
};

TEST(pool, does_what_a_list_of_live_slots_says) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    for (unsigned run = 0; run != 12 && !HasFatalFailure(); ++run) {
        auditing_source upstream(default_source());
        const std::size_t size = std::size_t{1} << (run % 9);
        model sequence(seed + run, {.slot = {size, run % 2 ? size : 8},
                                    .upstream = &upstream,
                                    .slot_count_max = run % 3 ? usage::unlimited : 100,
                                    .slabs = {.bytes_min = 200, .bytes_max = std::size_t{200} << (run % 4)}});
        for (int step = 0; step != 1000 && !HasFatalFailure(); ++step) sequence.step();
    }
}

} // namespace
} // namespace allot
