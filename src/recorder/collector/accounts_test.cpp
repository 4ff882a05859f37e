#include <recorder/collector/accounts.hpp>

#include <gtest/gtest.h>
#include <recorder/collector/testing/small_tables.hpp>

namespace allot::recorder {
namespace {

struct fixture : testing::small_tables {
    fixture() {
        all->modules.add({});
        all->sites.add({.module = 0});
        all->processes.add({});
        for (std::uint32_t i = 0; i < 3; ++i) {
            all->rows.add({.site = 0});
            all->row_rests.add({.node = i});
            all->threads.add({});
        }
        books.open_process(0);
    }
    ~fixture() {
        std::string why;
        EXPECT_TRUE(books.check(&why)) << why;
    }
    void allocate(std::uint32_t thread, std::uint64_t stamp, std::uint64_t address, std::uint64_t size,
                  std::uint32_t row = 0) {
        books.apply({.thread = thread, .ring = thread}, {stamp, address, size, 0, ALLOT_EVENT_ALLOCATE}, row);
    }
    void free(std::uint32_t thread, std::uint64_t stamp, std::uint64_t address) {
        books.apply({.thread = thread, .ring = thread}, {stamp, address, 0, 0, ALLOT_EVENT_FREE}, 0);
    }
    std::int64_t live() const { return all->head().total.live; }
    std::int64_t peak() const { return all->head().total.peak; }
    std::uint64_t unknown() const { return all->head().unknown_frees; }
    accounts books{*all};
};

TEST(accounts, keep_live_bytes_and_the_peak_until_the_process_ends) { // the header's example
    fixture f;
    f.allocate(0, 1, 64, 24);
    EXPECT_EQ(f.peak(), 24);
    f.books.close_process(0);
    EXPECT_EQ(f.all->row_rests[0].exit_bytes, 24u);
    EXPECT_EQ(f.live(), 0);
}

TEST(accounts, swallow_the_free_that_another_thread_owes) {
    fixture f;
    f.allocate(0, 1, 64, 24);
    f.allocate(1, 100, 64, 10, 1); // thread 0 has freed it: its event was stamped a little late
    f.free(0, 101, 64);
    EXPECT_EQ(f.live(), 10);
    EXPECT_EQ(f.all->rows[0].live_bytes.live, 0);
    EXPECT_EQ(f.all->rows[1].live_bytes.live, 10);
    f.free(1, 102, 64);
    EXPECT_EQ(f.live(), 0);
    EXPECT_EQ(f.unknown(), 0u);
}

TEST(accounts, take_a_later_free_for_what_it_is_when_the_owed_one_was_dropped) {
    fixture f;
    f.allocate(0, 1, 64, 24);
    f.allocate(1, 100, 64, 10);
    f.free(0, 100'000, 64);
    EXPECT_EQ(f.live(), 0);
    f.allocate(0, 200'000, 64, 5); // in one thread nothing is out of order: the free was dropped
    f.allocate(0, 200'001, 64, 7);
    f.free(0, 200'002, 64);
    EXPECT_EQ(f.live(), 0);
}

TEST(accounts, pair_a_free_with_the_allocation_that_comes_after_it) {
    fixture f;
    f.free(1, 100, 64);
    EXPECT_EQ(f.unknown(), 1u);
    f.allocate(0, 101, 64, 24);
    EXPECT_EQ(f.unknown(), 0u);
    EXPECT_EQ(f.live(), 0);
    EXPECT_EQ(f.all->rows[0].allocations, 1u);
    f.allocate(0, 102, 64, 24); // paired once
    EXPECT_EQ(f.live(), 24);
}

TEST(accounts, leave_frees_of_earlier_memory_alone) {
    fixture f;
    f.free(0, 100, 64);
    f.allocate(0, 101, 64, 24); // the same thread took the memory again
    EXPECT_EQ(f.live(), 24);
    f.free(1, 200, 128);
    f.allocate(0, 200'000, 128, 6); // much later
    EXPECT_EQ(f.live(), 30);
    f.free(1, 300'000, 256);
    f.books.settle_before(400'000);
    f.allocate(0, 300'001, 256, 1); // was settled
    EXPECT_EQ(f.live(), 31);
    EXPECT_EQ(f.unknown(), 3u);
}

TEST(accounts, count_a_foreign_free_as_temporary_only_before_the_owner_allocates) {
    fixture f;
    f.allocate(0, 1, 64, 8);
    f.free(1, 2, 64);
    EXPECT_EQ(f.all->threads[0].temporaries, 1u);
    f.allocate(0, 3, 64, 8);
    f.allocate(0, 4, 128, 8);
    f.free(1, 5, 64);
    EXPECT_EQ(f.all->threads[0].temporaries, 1u);
}

TEST(accounts, take_sizes_that_make_no_sense) {
    fixture f;
    for (std::uint64_t i = 0; i < 8; ++i) f.allocate(0, i, 64 * i, ~0ull);
    for (std::uint64_t i = 0; i < 8; ++i) f.free(0, 100 + i, 64 * i);
    f.allocate(0, 200, ~0ull << 3, 1); // beyond the address space
    EXPECT_EQ(f.all->head().untracked, 1u);
    f.all->head().total = {}; // the sums wrapped: nothing to check
    for (std::uint32_t i = 0; i < 3; ++i) f.all->rows[i] = {}, f.all->threads[i] = {};
    f.all->sites[0].live_bytes = f.all->modules[0].live_bytes = f.all->processes[0].live_bytes = {};
}

} // namespace
} // namespace allot::recorder
