#include <allot/observability/snapshot.hpp>

#include <gtest/gtest.h>

namespace allot {
namespace {

constexpr row_numbers first{.allocations = 1,
                            .allocated_bytes = 20,
                            .live_blocks_at_exit = 300,
                            .live_bytes_at_exit = 4'000,
                            .peak_live_bytes = 90'000,
                            .live_bytes_at_peak = 50'000,
                            .temporary_allocations = 600'000};

TEST(row_numbers, add_up_but_for_their_own_peak_which_is_what_both_had_at_the_totals) {
    row_numbers sum = first;
    sum += {.allocations = 2,
            .allocated_bytes = 30,
            .live_blocks_at_exit = 400,
            .live_bytes_at_exit = 5'000,
            .peak_live_bytes = 80'000,
            .live_bytes_at_peak = 7'000,
            .temporary_allocations = 100'000};
    EXPECT_EQ(sum, (row_numbers{.allocations = 3,
                                .allocated_bytes = 50,
                                .live_blocks_at_exit = 700,
                                .live_bytes_at_exit = 9'000,
                                .peak_live_bytes = 57'000,
                                .live_bytes_at_peak = 57'000,
                                .temporary_allocations = 700'000}));
}

TEST(row_numbers, of_nothing_take_the_peak_down_to_the_share_too) {
    row_numbers sum = first;
    sum += {};
    row_numbers expected = first;
    expected.peak_live_bytes = first.live_bytes_at_peak;
    EXPECT_EQ(sum, expected);
}

} // namespace
} // namespace allot
