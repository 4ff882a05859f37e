// An arena in steady state, a default set of arenas, and the tally that stands for the counts.
#include <allot/source/default_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/structure/arena.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <random>
#include <sys/mman.h>
#include <sys/resource.h>
#include <thread>
#include <vector>

namespace {

using namespace allot;

long faults() {
    rusage used{};
    ::getrusage(RUSAGE_THREAD, &used);
    return used.ru_minflt;
}

void live_a_request(arena& request) {
    for (int i = 0; i != 1000; ++i)
        *static_cast<volatile char*>(request.allocate(layout{static_cast<std::size_t>(16 + i % 400), 8})) = 1;
}

// The least of five windows of a hundred requests: what the rest of the process does is not looked for.
template <class Request>
long least_faults(Request request) {
    long least = 1'000'000;
    for (int window = 0; window != 5; ++window) {
        const no_allocation scope;
        const long before = faults();
        for (int i = 0; i != 100; ++i) request();
        least = std::min(least, faults() - before);
    }
#if defined(__SANITIZE_THREAD__) || ALLOT_HAS_ASAN
    least = 0; // its own memory faults, too
#endif
    return least;
}

// B13, LA11: after warm-up a request costs no upstream call and no page fault.
TEST(arena_steady, takes_nothing_from_upstream_and_faults_on_nothing) {
    malloc_source heap;
    auditing_source below(heap);
    arena request({.upstream = &below});
    live_a_request(request);
    request.reset();
    const std::uint64_t asked = below.usage().total_count;
    EXPECT_EQ(least_faults([&] {
                  live_a_request(request);
                  request.reset();
              }),
              0);
    EXPECT_EQ(below.usage().total_count, asked);
}

// A new arena for each request, over the default source: its chunks are there already.
TEST(arena_steady, a_new_arena_costs_neither_malloc_nor_a_fault) {
    const auto request = [] {
        arena fresh;
        for (int i = 0; i != 500; ++i) *static_cast<volatile char*>(fresh.allocate(layout{100, 8})) = 1;
    };
    request();
    EXPECT_EQ(least_faults(request), 0);
}

// LA10: a default set of arenas, 1 MB at most: 64 arenas, each used and reset, and others made and gone.
TEST(arena_steady, a_default_set_of_arenas_holds_less_than_a_megabyte) {
    std::vector<std::unique_ptr<arena>> set;
    for (int i = 0; i != 64; ++i) set.push_back(std::make_unique<arena>());
    std::uint64_t held = 0;
    for (const auto& each : set) {
        for (int n = 0; n != 30; ++n) static_cast<void>(each->allocate(100));
        each->reset();
        held += each->usage().held_bytes + sizeof(arena);
    }
    std::vector<std::thread> threads;
    for (int i = 0; i != 4; ++i)
        threads.emplace_back([] {
            for (int n = 0; n != 100; ++n) {
                arena request;
                live_a_request(request);
            }
        });
    for (std::thread& each : threads) each.join();
    const std::uint64_t kept = default_source().describe().usage.free_bytes;
    EXPECT_GT(kept, 0u);
    EXPECT_LT(held + kept, 1'000'000u);
}

TEST(arena_steady, serves_a_million_blocks_and_counts_each) {
    arena request;
    std::mt19937 random(1);
    std::uint64_t bytes = 0;
    for (int i = 0; i != 1'000'000; ++i) {
        const std::size_t size = 1 + random() % 64;
        bytes += size;
        static_cast<void>(request.allocate(layout{size, 1}));
    }
    EXPECT_EQ(request.usage().total_count, 1'000'000u);
    EXPECT_EQ(request.usage().live_bytes, bytes);
    request.check();
}

// The tally has 24 bits for the count and 40 for the bytes between two times that it is brought up to date.
TEST(arena_steady, counts_right_beyond_what_the_tally_has_bits_for) {
    std::vector<std::byte> buffer(40'000'000);
    arena large({.first_chunk = buffer});
    std::uint64_t served = 0;
    while (large.usage().held_count == 1 && served != 39'000'000) {
        static_cast<void>(large.allocate(layout{1, 1}));
        ++served;
    }
    EXPECT_EQ(large.usage().total_count, 39'000'000u);
    EXPECT_EQ(large.usage().live_bytes, 39'000'000u);
    EXPECT_EQ(large.usage().held_count, 1u);
    large.check();
    large.reset();
    for (int i = 0; i != 20'000'000; ++i) // given back each: no window is ever used up
        large.deallocate(large.allocate(layout{1, 1}), 1);
    EXPECT_EQ(large.usage().total_count, 59'000'000u);
    EXPECT_EQ(large.usage().live_count, 0u);
}

// Hands out addresses; memory comes where they are touched, and that is a chunk's head alone.
struct addresses final : memory_source {
    void* do_try_allocate(layout wanted) noexcept override {
        void* const range = ::mmap(nullptr, wanted.size, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        return range == MAP_FAILED ? nullptr : range;
    }
    void do_give_back(void* address, layout given) noexcept override { ::munmap(address, given.size); }
};

TEST(arena_steady, counts_a_block_that_has_more_bytes_than_the_tally) {
    if constexpr (poisons) GTEST_SKIP() << "marking would touch the bytes";
    addresses below;
    arena vast({.upstream = &below});
    constexpr std::size_t size = (std::size_t{1} << 40) + 100;
    void* const block = vast.try_allocate({size, 16});
    if (!block) GTEST_SKIP() << "no such address space here";
    EXPECT_EQ(vast.usage().live_bytes, size);
    EXPECT_EQ(vast.usage().live_count, 1u);
    vast.deallocate(block, size);
    EXPECT_EQ(vast.usage().live_bytes, 0u);
}

// A large block's chunk is current until more is wanted; what is left beside it is still free, and used.
TEST(arena_steady, uses_what_a_chunk_had_left_when_a_large_block_came) {
    arena request({.chunk_bytes_min = kibibytes(4)});
    auto* const first = static_cast<std::byte*>(request.allocate(100, 16));
    const std::uint64_t free_before = request.usage().free_bytes;
    static_cast<void>(request.allocate(100'000, 16));
    EXPECT_GE(request.usage().free_bytes, free_before);
    EXPECT_EQ(request.allocate(100, 16), first + 112);
    request.check();
    static_cast<void>(request.allocate(100'000, 16));
    const arena_mark mark = request.mark(); // stands in the chunk that goes on
    static_cast<void>(request.allocate(100, 16));
    request.rewind(mark);
    EXPECT_EQ(request.usage().live_count, 4u);
    request.check();
}

} // namespace
