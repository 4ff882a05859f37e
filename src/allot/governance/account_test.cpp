#include <allot/governance/account.hpp>

#include <allot/governance/ledger.hpp>
#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <gtest/gtest.h>
#include <random>
#include <thread>
#include <vector>

namespace allot {
namespace {

TEST(account, usage) {
    ledger books;

    account page(books, tags::node);
    page.enter(100);       // after the block was got
    page.change(100, 120); // resized: one free, one allocation, no peak of 220
    page.leave(120);       // before the block goes back
    EXPECT_TRUE(page.usage().live_bytes == 0 && page.usage().peak_live_bytes == 120);
}

TEST(account, counts_entries_larger_than_the_batch_and_of_the_smallest_batch) {
    for (const std::uint64_t batch : {std::uint64_t{2}, std::uint64_t{64}, kibibytes(64)}) {
        ledger books({.batch_bytes = batch});
        account page(books, tags::node);
        page.enter(mebibytes(1));
        page.enter(1);
        EXPECT_EQ(page.usage().live_bytes, mebibytes(1) + 1);
        page.leave(mebibytes(1));
        EXPECT_EQ(page.usage().live_bytes, 1u);
        EXPECT_EQ(page.usage().peak_live_bytes, mebibytes(1) + 1);
        page.leave(1);
        EXPECT_EQ(page.usage().live_count, 0u);
        EXPECT_EQ(page.usage().total_count, 2u);
        EXPECT_EQ(page.usage().total_bytes, mebibytes(1) + 1);
    }
}

TEST(account, reads_below_zero_as_zero_and_tells_the_balance) {
    ledger books;
    account page(books, tags::node);
    page.leave(100); // B55: a block from before its start
    EXPECT_EQ(page.usage().live_bytes, 0u);
    EXPECT_EQ(page.usage().live_count, 0u);
    EXPECT_EQ(page.balance().live_bytes, -100);
    EXPECT_EQ(page.balance().live_count, -1);
    page.heal();
    EXPECT_EQ(page.balance().live_bytes, 0);
    EXPECT_EQ(books.healed_count(), 1u);
    EXPECT_EQ(books.healed_bytes(), 100u);
    page.enter(10);
    EXPECT_EQ(page.usage().live_bytes, 10u);
    page.heal({.live_bytes = 30, .live_count = 2});
    EXPECT_EQ(page.usage().live_bytes, 30u);
    EXPECT_EQ(page.usage().live_count, 2u);
    EXPECT_EQ(books.usage(tags::node).live_bytes, 30u);
}

TEST(account, takes_what_lives_out_of_the_tags_books_when_it_dies) {
    ledger books({.batch_bytes = 64});
    {
        account page(books, tags::node);
        page.enter(100);
        page.enter(7);
        EXPECT_EQ(books.usage(tags::node).live_bytes, 107u);
    }
    const usage now = books.usage(tags::node);
    EXPECT_EQ(now.live_bytes, 0u);
    EXPECT_EQ(now.live_count, 0u);
    EXPECT_EQ(now.total_count, 2u);
    EXPECT_EQ(now.peak_live_bytes, 107u);
    EXPECT_EQ(books.usage_of_tree(tag()).live_bytes, 0u);
    EXPECT_EQ(books.healed_bytes(), 107u);
    account next(books, tags::node); // begins at zero, and not below
    next.enter(50);
    EXPECT_EQ(books.usage(tags::node).live_bytes, 50u);
    EXPECT_EQ(books.usage_of_tree(tag()).live_bytes, 50u);
    next.leave(50);
}

TEST(account, survives_a_shortage_of_cells_and_says_one_of_pages) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        ledger books({.upstream = &source});
        account page(books, tags::node);
        for (int i = 0; i < 3; ++i) page.enter(100); // without a cell: the shared way
        EXPECT_EQ(page.usage().live_bytes, 300u);
        EXPECT_EQ(page.usage().live_count, 3u);
        EXPECT_EQ(page.usage().peak_live_bytes, 300u);
        page.change(100, 50);
        page.leave_many({.live_bytes = 250, .live_count = 3});
        EXPECT_EQ(page.usage().live_bytes, 0u);
        EXPECT_EQ(page.usage().total_count, 4u);
        EXPECT_EQ(books.usage(tags::node).live_bytes, 0u);
    });
    EXPECT_EQ(points, 3u); // the root's page, the tag's, this thread's cell
}

TEST(account, keeps_its_books_in_the_ledgers_upstream_alone) {
    auditing_source audited(default_source());
    {
        ledger books({.upstream = &audited});
        account first(books, tags::node);
        first.enter(1); // this thread is known from here on
        first.leave(1);
        const no_allocation nothing_else;
        account page(books, tags::edge);
        for (int i = 0; i < 1000; ++i) page.enter(1000);
        page.leave_many({.live_bytes = 1'000'000, .live_count = 1000});
        EXPECT_EQ(page.balance().live_bytes, 0);
        EXPECT_EQ(audited.live_count(), 5u); // three pages, two cells
    }
    EXPECT_EQ(audited.live_count(), 0u);
}

// B55: the peak is that of the truth, to the byte, for one thread; whatever the batch.
TEST(account, model_agrees_with_plain_counters) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    for (const std::uint64_t batch : {2u, 100u, 5000u, 1u << 20}) {
        ledger books({.batch_bytes = batch});
        account page(books, tags::node);
        std::vector<std::uint64_t> live;
        usage truth;
        for (int step = 0; step < 20'000; ++step) {
            const auto action = random() % 16;
            if (action < 8 || live.empty()) {
                live.push_back(random() % 300);
                page.enter(live.back());
                truth.live_bytes += live.back();
                truth.total_bytes += live.back();
                ++truth.total_count;
            } else {
                std::uint64_t& one = live[random() % live.size()];
                truth.live_bytes -= one;
                if (action < 15) {
                    page.leave(one);
                    std::swap(one, live.back());
                    live.pop_back();
                } else {
                    const std::uint64_t changed = random() % 3000;
                    page.change(one, changed);
                    one = changed;
                    truth.live_bytes += changed;
                    truth.total_bytes += changed;
                    ++truth.total_count;
                }
            }
            truth.peak_live_bytes = std::max(truth.peak_live_bytes, truth.live_bytes);
            if (random() % 4096 == 0) {
                page.leave_many({.live_bytes = truth.live_bytes, .live_count = live.size()});
                live.clear();
                truth.live_bytes = 0;
            }
            truth.live_count = live.size();
            if (step % 64 != 0) continue;
            usage now = page.usage();
            now.behind_bytes_max = 0;
            ASSERT_EQ(now, truth);
            now = books.usage(tags::node);
            now.behind_bytes_max = 0;
            ASSERT_EQ(now, truth);
        }
        page.leave_many({.live_bytes = truth.live_bytes, .live_count = live.size()});
    }
}

} // namespace
} // namespace allot
