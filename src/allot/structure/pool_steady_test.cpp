// A pool in its steady state and under stress: no faults, no upstream, a million allocations; what pools take before
// anybody uses them much; and the look-up of slabs where slots go back in no order.
#include <allot/source/default_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/structure/concurrent_bounded_pool.hpp>
#include <allot/structure/typed_pool.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <sys/resource.h>
#include <vector>

namespace allot {
namespace {

constexpr layout small{.size = 64, .align = 8};

long faults() {
    rusage now{};
    getrusage(RUSAGE_THREAD, &now);
    return now.ru_minflt;
}

// LA11: in steady state nothing is taken from upstream or elsewhere, and no page faults.
TEST(pool_steady, takes_nothing_and_meets_no_page_fault_in_its_steady_state) {
    failing_source upstream(default_source());
    pool slots({.slot = small, .upstream = &upstream});
    std::vector<void*> all(5000);
    std::uint64_t requests = 0;
    long fewest = 1000;
    for (int window = 0; window != 6; ++window) { // the first one warms up
        no_allocation scope({.on_finding = window == 0 ? on_finding::collect : on_finding::fatal});
        const long before = faults();
        for (int round = 0; round != 10; ++round) {
            for (void*& slot : all) std::memset(slot = slots.allocate(), 1, 64);
            for (std::size_t i = 0; i != all.size(); ++i) slots.deallocate(all[i * 1117 % all.size()]);
        }
        if (window == 0)
            requests = upstream.request_count();
        else
            fewest = std::min(fewest, faults() - before);
    }
    EXPECT_EQ(fewest, 0);
    EXPECT_EQ(upstream.request_count(), requests);
}

TEST(pool_steady, lives_through_a_million_allocations_in_no_order) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::minstd_rand random(seed);
    pool slots({.slot = small, .slabs = {.bytes_min = 1024}});
    std::vector<std::uint64_t*> live;
    std::uint64_t total = 0, wrong = 0;
    while (total != 1'000'000) {
        // Up to about 40,000 live, down to some hundreds, four times.
        const bool grows = total / 125'000 % 2 == 0;
        if (live.empty() || random() % 100 < (grows ? 70u : 35u)) {
            live.push_back(static_cast<std::uint64_t*>(slots.allocate()));
            live.back()[0] = live.back()[7] = ++total;
        } else {
            std::swap(live[random() % live.size()], live.back());
            wrong += live.back()[0] != live.back()[7] || live.back()[0] > total;
            slots.deallocate(live.back());
            live.pop_back();
        }
        if (total % 100'000 == 0) slots.check();
        if (total % 250'000 == 249'999) slots.trim();
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(slots.usage().total_count, total);
    EXPECT_EQ(slots.usage().live_count, live.size());
    std::sort(live.begin(), live.end());
    EXPECT_EQ(std::adjacent_find(live.begin(), live.end()), live.end());
    for (void* slot : live) slots.deallocate(slot);
    slots.check();
    slots.trim();
    EXPECT_EQ(slots.usage().held_bytes, 0);
}

// LA10: a program's pools, each with its first slot out, hold less than 2 MB.
TEST(pool_steady, a_default_set_of_pools_holds_less_than_two_megabytes) {
    struct item {
        char bytes[64];
    };
    pool nodes({.name = "nodes", .slot = small, .slabs = node_slabs});
    pool edges({.name = "edges", .slot = small, .slabs = edge_slabs});
    pool buffers({.name = "buffers", .slot = {.size = 4096}, .slabs = buffer_slabs});
    pool growing({.name = "growing", .slot = small});
    typed_pool<item> items;
    concurrent_bounded_pool shared({.name = "shared", .slot = small, .slot_count = 1024});
    std::uint64_t held =
        sizeof nodes + sizeof edges + sizeof buffers + sizeof growing + sizeof items + sizeof shared;
    for (pool* each : {&nodes, &edges, &buffers, &growing, &items.raw()}) {
        (void)each->allocate();
        held += each->usage().held_bytes;
    }
    held += shared.usage().held_bytes;
    EXPECT_LT(held, 2'000'000);
    EXPECT_LT(held, 400'000) << "which is less by far";
}

// A pool that has grown takes slabs that are whole huge pages.
TEST(pool_steady, takes_large_slabs_as_whole_huge_pages) {
    struct : memory_source {
        void* do_try_allocate(layout wanted) noexcept override {
            largest = std::max(largest, wanted, [](layout a, layout b) { return a.size < b.size; });
            return below.try_allocate(wanted);
        }
        void do_give_back(void* address, layout given) noexcept override { below.deallocate(address, given); }
        malloc_source below;
        layout largest = {0, 1};
    } upstream;
    pool slots({.slot = small, .upstream = &upstream});
    EXPECT_TRUE(slots.try_reserve(1));
    EXPECT_EQ(upstream.largest, (layout{kibibytes(4), alignof(std::max_align_t)}));
    std::vector<void*> all(150'000); // 9.6 MB
    for (void*& slot : all) slot = slots.allocate();
    EXPECT_EQ(upstream.largest, (layout{mebibytes(2), mebibytes(2)}));
    for (void* slot : all) slots.deallocate(slot);
    slots.check();
}

#if ALLOT_HAS_ASAN
extern "C" int __asan_address_is_poisoned(const volatile void*);

// The newest free slot, listed ones, and those that were never handed out.
TEST(pool_steady, shows_every_dead_byte_to_asan) {
    pool slots({.slot = small});
    auto* const first = static_cast<unsigned char*>(slots.allocate());
    auto* const second = static_cast<unsigned char*>(slots.allocate());
    for (int i = 0; i != 128; ++i) EXPECT_FALSE(__asan_address_is_poisoned(first + i));
    EXPECT_TRUE(__asan_address_is_poisoned(second + 64));
    slots.deallocate(first);
    slots.deallocate(second);
    for (int i = 0; i != 192; ++i) EXPECT_TRUE(__asan_address_is_poisoned(first + i)) << i;
}
#endif

} // namespace
} // namespace allot
