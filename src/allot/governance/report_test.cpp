#include <allot/governance/report.hpp>

#include <allot/testing/no_allocation.hpp>
#include <gtest/gtest.h>

namespace allot {
namespace {

TEST(report, usage) {
    ledger books({.name = "app"});
    account page(books, tags::parse);
    page.enter(100);
    std::string text = report(books);
    EXPECT_NE(text.find("parse"), std::string::npos);
    page.leave(100);
}

TEST(report, is_a_table_of_the_tree_with_what_bears_no_tag) {
    ledger books({.name = "app"});
    const tag strings = tag::make("report strings", tags::parse);
    const tag deep = tag::make("deep", tag::make("unused itself", tags::cache));
    account untagged(books, tag());
    account parse(books, tags::parse);
    account text(books, strings);
    account below(books, deep);
    untagged.enter(250);
    for (int i = 0; i < 3; ++i) parse.enter(100);
    parse.leave(100);
    text.enter(500);
    below.enter(50);
    // clang-format off
    EXPECT_EQ(report(books),
        "app                                  live bytes     peak bytes     blocks  allocations        frees   share\n"
        "parse                                       200            300          2            3            1   20.0%\n"
        "  report strings                            500            500          1            1            0   50.0%\n"
        "cache                                         0              0          0            0            0    0.0%\n"
        "  unused itself                               0              0          0            0            0    0.0%\n"
        "    deep                                     50             50          1            1            0    5.0%\n"
        "untagged                                    250            250          1            1            0   25.0%\n"
        "all                                        1000           1000          5            6            1  100.0%\n"
        "without a tag: 25.0% of live bytes, 16.7% of allocations; healed 0 times, 0 bytes\n");
    // clang-format on
    untagged.leave(250);
    parse.leave_many({.live_bytes = 200, .live_count = 2});
    text.leave(500);
    below.leave(50);
}

// B59: no share of nothing is a number that is none.
TEST(report, of_empty_books_has_shares_of_zero) {
    const ledger books;
    const std::string text = report(books);
    EXPECT_EQ(text.find("nan"), std::string::npos);
    EXPECT_NE(text.find("without a tag: 0.0% of live bytes, 0.0% of allocations"), std::string::npos);
}

TEST(report, is_cut_where_a_tree_is_deeper_than_the_line_is_long_and_allocates_nothing) {
    ledger books;
    tag each = tags::temp;
    for (int i = 0; i < 40; ++i) each = tag::make("level " + std::string(25, 'x'), each);
    account page(books, each);
    page.enter(1);
    std::size_t longest = 0;
    std::size_t lines = 0;
    {
        const no_allocation nothing;
        write_report(books, [&](std::string_view line) {
            longest = std::max(longest, line.size());
            ++lines;
            EXPECT_EQ(line.back(), '\n');
        });
    }
    EXPECT_EQ(lines, 1 + 41 + 2 + 1u);
    EXPECT_LT(longest, 160u);
    page.leave(1);
}

} // namespace
} // namespace allot
