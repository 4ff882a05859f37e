#include <allot/analysis/tables.hpp>

#include <gtest/gtest.h>

#include <vector>

using namespace allot;

namespace {

row_numbers numbers(std::uint64_t at_peak, std::uint64_t live, std::uint64_t bytes, std::uint64_t count,
                    std::uint64_t temporary) {
    return {.allocations = count,
            .allocated_bytes = bytes,
            .live_blocks_at_exit = 0,
            .live_bytes_at_exit = live,
            .peak_live_bytes = at_peak + 1,
            .live_bytes_at_peak = at_peak,
            .temporary_allocations = temporary};
}

snapshot three_sites() {
    snapshot shot;
    shot.sites = {{{0, 1}, numbers(10, 5, 900, 3, 0)},
                  {{0, 2}, numbers(30, 0, 100, 9, 2)},
                  {{0, 3}, numbers(20, 7, 500, 6, 9)}};
    shot.totals.allocations = 18;
    shot.totals.allocated_bytes = 1500;
    shot.totals.peak_live_bytes = 60;
    shot.totals.live_bytes_at_exit = 12;
    shot.totals.temporary_allocations = 11;
    return shot;
}

std::vector<std::uint32_t> indices(const std::vector<table_row>& rows) {
    std::vector<std::uint32_t> made;
    for (const table_row& row : rows) made.push_back(row.index);
    return made;
}

using order = std::vector<std::uint32_t>;

} // namespace

TEST(make_table, ranks_by_each_number_largest_first) {
    const snapshot shot = three_sites();
    EXPECT_EQ(indices(make_table(shot, group_by::site, sort_by::peak)), (order{1, 2, 0}));
    EXPECT_EQ(indices(make_table(shot, group_by::site, sort_by::live)), (order{2, 0, 1}));
    EXPECT_EQ(indices(make_table(shot, group_by::site, sort_by::bytes)), (order{0, 2, 1}));
    EXPECT_EQ(indices(make_table(shot, group_by::site, sort_by::count)), (order{1, 2, 0}));
    EXPECT_EQ(indices(make_table(shot, group_by::site, sort_by::temporary)), (order{2, 1, 0}));
    EXPECT_EQ(make_table(shot, group_by::site, sort_by::peak)[0].numbers, shot.sites[1].numbers);
}

TEST(make_table, keeps_the_first_rows_when_asked_for_fewer_and_all_when_asked_for_more) {
    const snapshot shot = three_sites();
    EXPECT_EQ(indices(make_table(shot, group_by::site, sort_by::peak, 2)), (order{1, 2}));
    EXPECT_TRUE(make_table(shot, group_by::site, sort_by::peak, 0).empty());
    EXPECT_EQ(make_table(shot, group_by::site, sort_by::peak, 99).size(), 3u);
    EXPECT_TRUE(make_table(snapshot(), group_by::context, sort_by::peak).empty());
}

TEST(make_table, breaks_ties_by_the_other_numbers_and_then_by_place) {
    snapshot shot;
    shot.sites = {{{0, 1}, numbers(5, 1, 1, 1, 0)},
                  {{0, 2}, numbers(5, 1, 1, 1, 0)},
                  {{0, 3}, numbers(5, 9, 2, 1, 0)},
                  {{0, 4}, numbers(6, 1, 1, 1, 0)}};
    EXPECT_EQ(indices(make_table(shot, group_by::site, sort_by::count)), (order{3, 2, 0, 1}));
    EXPECT_EQ(indices(make_table(shot, group_by::site, sort_by::peak)), (order{3, 2, 0, 1}));
    EXPECT_EQ(indices(make_table(shot, group_by::site, sort_by::peak, 3)), (order{3, 2, 0}));
}

TEST(make_table, takes_as_contexts_only_nodes_that_allocated) {
    snapshot shot;
    shot.contexts.resize(3);
    shot.contexts[1].parent = 0;
    shot.contexts[2].parent = 1;
    shot.contexts[0].numbers = numbers(1, 0, 10, 1, 0);
    shot.contexts[2].numbers = numbers(4, 0, 40, 2, 0);
    EXPECT_EQ(indices(make_table(shot, group_by::context, sort_by::peak)), (order{2, 0}));
}

TEST(make_table, shows_threads_and_processes_with_their_totals) {
    snapshot shot;
    shot.threads.resize(2);
    shot.threads[1].totals = {.allocations = 7,
                              .frees = 3,
                              .reallocations = 1,
                              .allocated_bytes = 70,
                              .live_blocks_at_exit = 4,
                              .live_bytes_at_exit = 40,
                              .peak_live_bytes = 50,
                              .temporary_allocations = 2};
    shot.threads[1].live_bytes_at_peak = 45;
    shot.processes.resize(1);
    shot.processes[0].totals = shot.threads[1].totals;
    shot.modules = {{"/a", {}, numbers(1, 1, 1, 1, 1)}};
    const row_numbers expected{.allocations = 7,
                               .allocated_bytes = 70,
                               .live_blocks_at_exit = 4,
                               .live_bytes_at_exit = 40,
                               .peak_live_bytes = 50,
                               .live_bytes_at_peak = 45,
                               .temporary_allocations = 2};
    const auto threads = make_table(shot, group_by::thread, sort_by::bytes);
    EXPECT_EQ(indices(threads), (order{1, 0}));
    EXPECT_EQ(threads[0].numbers, expected);
    EXPECT_EQ(make_table(shot, group_by::process, sort_by::bytes)[0].numbers.allocated_bytes, 70u);
    EXPECT_EQ(make_table(shot, group_by::module, sort_by::bytes)[0].numbers, shot.modules[0].numbers);
}

TEST(sort_total, is_what_the_rows_of_a_complete_table_add_up_to) {
    const snapshot shot = three_sites();
    for (const sort_by by :
         {sort_by::peak, sort_by::live, sort_by::bytes, sort_by::count, sort_by::temporary}) {
        std::uint64_t sum = 0;
        for (const table_row& row : make_table(shot, group_by::site, by)) sum += sort_value(row.numbers, by);
        EXPECT_EQ(sum, sort_total(shot, by));
    }
}
