#include <allot/governance/tracked_source.hpp>

#include <allot/core/out_of_memory.hpp>
#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <gtest/gtest.h>
#include <memory_resource>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace allot {
namespace {

struct event_log : observer {
    void observe(const event& what) noexcept override { seen.push_back(what); }
    std::vector<event> seen;
};

TEST(tracked_source, usage) {
    memory_source& source = default_source();

    ledger books;
    tracked_source nodes({.upstream = &source, .books = &books, .whose = tags::node});
    {
        std::pmr::vector<int> numbers(10, &nodes);
        EXPECT_TRUE(nodes.usage().live_bytes == 10 * sizeof(int));
    }
    EXPECT_TRUE(books.usage(tags::node).live_bytes == 0 && books.usage(tags::node).total_count == 1);
}

TEST(tracked_source, enters_every_kind_of_call_with_the_blocks_real_size) {
    ledger books;
    tracked_source source({.books = &books, .whose = tags::node});
    EXPECT_EQ(source.describe().name, name("node"));
    void* zero = source.try_allocate({.size = 0});
    EXPECT_EQ(source.usage().live_bytes, 1u);
    source.deallocate(zero, {.size = 0});
    const block room = source.try_allocate_at_least({.size = 100, .align = 4096});
    EXPECT_EQ(source.usage().live_bytes, room.size);
    source.deallocate(room.address, {.size = room.size, .align = 4096});
    // B54: a reallocation is one free and one allocation, and does not inflate the peak.
    void* grown = source.try_reallocate(source.try_allocate({.size = 3000}), {.size = 3000}, 4000);
    EXPECT_EQ(source.usage().live_bytes, 4000u);
    EXPECT_EQ(source.usage().peak_live_bytes, 4000u);
    EXPECT_EQ(source.usage().total_count, 4u);
    source.deallocate(grown, {.size = 4000});
    EXPECT_EQ(source.usage().live_count, 0u);
}

// B55: freed in another thread and reused at once, a block is counted once: leave comes before upstream has
// it.
TEST(tracked_source, counts_no_block_twice_that_is_reused_at_once) {
    struct recycler final : memory_source {
        void* do_try_allocate(layout) noexcept override { return bytes; }
        void do_give_back(void*, layout) noexcept override {
            if (tracked && again) again = false, static_cast<void>(tracked->try_allocate({.size = 100}));
        }
        alignas(16) std::byte bytes[100];
        tracked_source* tracked = nullptr;
        bool again = true;
    } upstream;
    ledger books;
    tracked_source source({.upstream = &upstream, .books = &books, .whose = tags::node});
    upstream.tracked = &source;
    source.deallocate(source.try_allocate({.size = 100}),
                      {.size = 100}); // upstream hands it out again inside
    EXPECT_EQ(source.usage().peak_live_bytes, 100u);
    EXPECT_EQ(source.usage().live_bytes, 100u);
    source.deallocate(upstream.bytes, {.size = 100});
}

TEST(tracked_source, learns_of_the_ends_that_come_without_a_free) {
    ledger books;
    tracked_source above({.books = &books, .whose = tags::node});
    void* blocks[3];
    for (void*& each : blocks) each = above.try_allocate({.size = 32});
    bulk_observer& told = above;
    told.bulk_freed({.live_bytes = 96, .live_count = 3});
    EXPECT_EQ(above.usage().live_bytes, 0u);
    EXPECT_EQ(above.usage().live_count, 0u);
    for (void* each : blocks) default_source().deallocate(each, {.size = 32});
}

TEST(tracked_source, leaves_nothing_behind_on_a_shortage) {
    for_each_failure([](failing_source& failing) {
        ledger books({.upstream = &failing});
        tracked_source source({.upstream = &failing, .books = &books, .whose = tags::node});
        const std::uint64_t refused_before = source.usage().refused_count;
        struct always {
            const tracked_source& source;
            ~always() { EXPECT_EQ(source.usage().live_bytes, 0u); }
        } const check{source};
        try {
            std::pmr::vector<std::pmr::string> words(&source);
            for (int i = 0; i < 20; ++i)
                words.emplace_back("a word that is longer than what fits in a string");
        } catch (const out_of_memory&) {
            EXPECT_EQ(source.usage().refused_count, refused_before + 1);
            throw;
        }
    });
}

TEST(tracked_source, gives_each_block_back_and_adds_nothing) {
    auditing_source audited(default_source());
    ledger books;
    tracked_source source({.upstream = &audited, .books = &books, .whose = tags::node});
    source.deallocate(source.try_allocate({.size = 8}), {.size = 8});
    const no_allocation nothing;
    std::pmr::vector<int> numbers(&source);
    for (int i = 0; i < 1000; ++i) numbers.push_back(i);
    EXPECT_EQ(audited.live_bytes(), source.usage().live_bytes);
}

// B56, as far as a source can see that shares no byte with its blocks: both books are wrong, and both heal.
TEST(tracked_source, heals_the_books_at_its_end_and_tells) {
    event_log log;
    ledger books({.observer = &log});
    {
        tracked_source a({.books = &books, .whose = tags::node});
        tracked_source b({.books = &books, .whose = tags::edge});
        b.deallocate(a.try_allocate({.size = 100}), {.size = 100});
        EXPECT_EQ(books.usage(tags::node).live_bytes, 100u);
        EXPECT_EQ(books.usage(tags::edge).live_bytes, 0u);
    }
    EXPECT_EQ(books.usage(tags::node).live_bytes, 0u);
    EXPECT_EQ(books.usage_of_tree(tag()).live_bytes, 0u);
    EXPECT_EQ(books.healed_count(), 2u);
    ASSERT_EQ(log.seen.size(), 4u); // of each: unbalanced, then healed
    for (const event& each : log.seen) EXPECT_EQ(each.bytes, 100u);
    EXPECT_EQ(log.seen[0].what, event::type::unbalanced);
    EXPECT_EQ(log.seen[0].who, name("edge"));
    EXPECT_EQ(log.seen[1].what, event::type::healed);
}

TEST(tracked_source, dies_with_a_balance_when_nobody_is_told) {
    EXPECT_DEATH(
        {
            ledger books;
            tracked_source source({.name = "x", .books = &books, .whose = tags::node});
            static_cast<void>(source.try_allocate({.size = 100}));
        },
        "allot: fatal: tracked_source 'x': died with 100 live bytes in 1 blocks of tag 'node'");
    EXPECT_DEATH(tracked_source({.whose = tags::node}),
                 "tracked_source of tag 'node': made without a ledger");
}

TEST(tracked_source, model_agrees_with_a_list_of_blocks_over_eight_threads) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    ledger books({.batch_bytes = 1024});
    tracked_source source({.books = &books, .whose = tags::node});
    std::vector<std::vector<block>> kept(8);
    const auto work = [&](unsigned self, std::vector<block>& mine) {
        std::mt19937 random(seed + self);
        for (int step = 0; step < 5000; ++step) {
            if (random() % 3 != 0 || mine.empty()) {
                const std::size_t size = 1 + random() % 200;
                mine.push_back({source.try_allocate({.size = size}), size});
            } else {
                std::swap(mine[random() % mine.size()], mine.back());
                source.deallocate(mine.back().address, {.size = mine.back().size});
                mine.pop_back();
            }
        }
    };
    const auto in_eight_threads = [&](auto body) {
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < 8; ++i) threads.emplace_back([&, i] { body(i); });
        for (std::thread& each : threads) each.join();
    };
    in_eight_threads([&](unsigned i) { work(i, kept[i]); });
    usage truth;
    for (const auto& list : kept)
        for (const block& each : list) truth.live_bytes += each.size, ++truth.live_count;
    EXPECT_EQ(source.usage().live_bytes, truth.live_bytes);
    EXPECT_EQ(source.usage().live_count, truth.live_count);
    in_eight_threads([&](unsigned i) { // each frees another one's
        for (const block& each : kept[(i + 3) % 8]) source.deallocate(each.address, {.size = each.size});
    });
    EXPECT_EQ(books.usage(tags::node).live_bytes, 0u);
    EXPECT_EQ(books.usage(tags::node).live_count, 0u);
}

} // namespace
} // namespace allot
