#include <allot/governance/ledger.hpp>

#include <allot/governance/tracked_source.hpp>
#include <allot/source/default_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <atomic>
#include <barrier>
#include <gtest/gtest.h>
#include <optional>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace allot {
namespace {

TEST(ledger, usage) {
    malloc_source malloc_source;

    ledger books({.name = "app"});
    tracked_source nodes({.upstream = &malloc_source, .books = &books, .whose = tags::node});
    void* block = nodes.allocate(layout{.size = 100});
    EXPECT_TRUE(books.usage(tags::node).live_bytes == 100);
    nodes.deallocate(block, {.size = 100});
    EXPECT_TRUE(books.usage(tags::node).live_bytes == 0 && books.usage(tags::node).total_count == 1);
}

TEST(ledger, adds_up_the_accounts_of_a_tag_and_the_tags_of_a_tree) {
    ledger books({.batch_bytes = 64});
    const tag strings = tag::make("ledger strings", tags::parse);
    account untagged(books, tag());
    account parse(books, tags::parse);
    account strings_a(books, strings);
    account strings_b(books, strings);
    untagged.enter(1);
    parse.enter(10);
    strings_a.enter(100);
    strings_b.enter(1000);
    strings_b.leave(1000);
    EXPECT_EQ(books.usage(tags::parse).live_bytes, 10u);
    EXPECT_EQ(books.usage(strings).live_bytes, 100u);
    EXPECT_EQ(books.usage(strings).total_count, 3u - 1u);
    EXPECT_EQ(books.usage_of_tree(tags::parse).live_bytes, 110u);
    EXPECT_EQ(books.usage_of_tree(tags::parse).live_count, 2u);
    EXPECT_EQ(books.usage_of_tree(tag()).live_bytes, 111u);
    EXPECT_EQ(books.usage(tag()).live_bytes, 1u);
    EXPECT_EQ(books.usage(tags::cbor), usage{});
    // Four accounts with one cell each, of which each may hide 64 bytes.
    const usage all = books.usage_of_tree(tag());
    EXPECT_EQ(all.behind_bytes_max, 4 * 64u);
    EXPECT_GE(all.peak_live_bytes + all.behind_bytes_max, 1111u);
    EXPECT_LE(all.peak_live_bytes, 1111u + all.behind_bytes_max);
    untagged.leave(1);
    parse.leave(10);
    strings_a.leave(100);
}

TEST(ledger, leaves_nothing_behind_on_a_shortage) {
    for_each_failure([](failing_source& source) {
        ledger books({.upstream = &source});
        account page(books, tag::make("deep", tag::make("deeper", tags::temp)));
        page.enter(1);
        page.leave(1);
        EXPECT_EQ(books.usage_of_tree(tag()).total_count, 1u);
    });
}

TEST(ledger, gives_its_pages_back) {
    auditing_source audited(default_source());
    {
        ledger books({.upstream = &audited});
        for (std::size_t i = 0; i < tags::count; ++i) ASSERT_TRUE(books.try_open(tag::at(i)));
        EXPECT_EQ(audited.live_count(), tags::count);
    }
    EXPECT_EQ(audited.live_count(), 0u);
}

TEST(ledger, dies_of_an_account_that_is_still_open) {
    EXPECT_DEATH(
        {
            std::optional<ledger> books(std::in_place, ledger_options{.name = "x"});
            account page(*books, tags::parse);
            books.reset();
        },
        "allot: fatal: ledger 'x': died with an open account of tag 'parse'");
}

// Blocks wander: each thread frees what another one entered. The sums must be exact whenever nobody is inside
// a call, and never further off than the bound that usage names while they run.
class wandering_blocks : public testing::Test {
protected:
    static constexpr int thread_count = 8;
    static constexpr int round_count = 20;
    static constexpr int entries_per_round = 2000;
    static constexpr std::uint64_t batch = 4096;

    static std::uint64_t size_of(int thread, int round, int i) {
        return static_cast<std::uint64_t>(1 + (thread * 131 + round * 31 + i * 17) % 500);
    }
};

TEST_F(wandering_blocks, are_counted_exactly_when_quiet_and_within_the_bound_while_they_run) {
    ledger books({.batch_bytes = batch});
    account page(books, tags::node);
    std::atomic<std::int64_t> entered = 0; // raised before the entry
    std::atomic<std::int64_t> left = 0;    // raised after the leave
    std::atomic<bool> done = false;
    std::thread observer([&] {
        while (!done.load()) {
            // Read in this order around the call, these bound what was live at some moment of it from above.
            const std::int64_t gone_before = left.load();
            const usage now = page.usage();
            const std::int64_t come_after = entered.load();
            EXPECT_LE(static_cast<std::int64_t>(now.live_bytes),
                      come_after - gone_before + static_cast<std::int64_t>(now.behind_bytes_max));
        }
    });
    std::int64_t expected = 0;
    std::barrier quiet(thread_count, [&]() noexcept {
        EXPECT_EQ(page.balance().live_bytes, expected = entered.load() - left.load());
        EXPECT_EQ(books.usage(tags::node).live_bytes, static_cast<std::uint64_t>(expected));
    });
    const auto work = [&](int self) {
        for (int round = 0; round < round_count; ++round) {
            for (int i = 0; i < entries_per_round; ++i) {
                const std::uint64_t bytes = size_of(self, round, i);
                entered += static_cast<std::int64_t>(bytes);
                page.enter(bytes);
            }
            quiet.arrive_and_wait();
            const int other = (self + 1) % thread_count;
            for (int i = 0; i < entries_per_round; ++i) {
                if (i % 100 == 99) continue; // some stay
                const std::uint64_t bytes = size_of(other, round, i);
                page.leave(bytes);
                left += static_cast<std::int64_t>(bytes);
            }
            quiet.arrive_and_wait();
        }
    };
    std::vector<std::thread> threads;
    for (int self = 0; self < thread_count; ++self) threads.emplace_back(work, self);
    for (std::thread& each : threads) each.join();
    done = true;
    observer.join();
    constexpr auto total = std::uint64_t{thread_count} * round_count * entries_per_round;
    const usage now = page.usage(); // the threads are gone, what they entered is not
    EXPECT_EQ(now.total_count, total);
    EXPECT_EQ(now.live_count, total / 100);
    EXPECT_EQ(now.live_bytes, static_cast<std::uint64_t>(expected));
    page.heal();
}

TEST(ledger, keeps_what_threads_entered_that_have_ended) {
    ledger books({.batch_bytes = kibibytes(64)}); // more than all of it: only the cells know
    account page(books, tags::node);
    for (int i = 0; i < 200; ++i) std::thread([&] { page.enter(100); }).join();
    EXPECT_EQ(page.usage().live_bytes, 20'000u);
    EXPECT_LE(page.usage().behind_bytes_max, 2 * kibibytes(64)); // they took one slot after the other
    std::thread([&] { page.leave_many({.live_bytes = 20'000, .live_count = 200}); }).join();
    EXPECT_EQ(page.balance().live_bytes, 0);
    EXPECT_EQ(page.balance().live_count, 0);
}

TEST(ledger, counts_more_threads_than_there_are_slots) {
    ledger books;
    account page(books, tags::node);
    constexpr int thread_count = detail::thread_slot_count + 20;
    std::barrier all_wrote(thread_count);
    std::vector<std::thread> threads;
    for (int i = 0; i < thread_count; ++i)
        threads.emplace_back([&] {
            page.enter(100);
            all_wrote.arrive_and_wait();
            page.leave(99);
            page.change(1, 2);
        });
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(page.usage().live_bytes, std::uint64_t{thread_count} * 100 - thread_count * 99u + thread_count);
    page.heal();
}

// Other threads write all the time, with flushes at each third entry; the child's books must be whole: a
// multiple of complete entries, and its own entries must fit.
TEST(ledger, is_whole_in_the_child_of_a_fork) {
    ledger books({.batch_bytes = 512});
    account page(books, tags::node);
    std::atomic<bool> done = false;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
            while (!done) {
                for (int k = 0; k < 10; ++k) page.enter(100);
                for (int k = 0; k < 10; ++k) page.leave(100);
            }
        });
    for (int i = 0; i < 20; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(20);
            const account::balance_sheet before = page.balance();
            page.enter(5000);
            const account::balance_sheet after = page.balance();
            // A flush cut in two would leave 300 bytes and more; a half-made entry leaves 100 for each
            // thread.
            const std::int64_t torn = before.live_bytes - 100 * before.live_count;
            const bool whole = before.live_bytes % 100 == 0 && torn >= -300 && torn <= 300 &&
                               before.live_bytes >= 0 && before.live_bytes <= 3 * 1000;
            ::_exit(whole && after.live_bytes == before.live_bytes + 5000 ? 0 : 1);
        }
        int status = 1;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0) << "in child " << i;
    }
    done = true;
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(page.balance().live_bytes, 0);
}

} // namespace
} // namespace allot
