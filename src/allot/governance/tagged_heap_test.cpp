#include <allot/governance/tagged_heap.hpp>

#include <allot/core/out_of_memory.hpp>
#include <allot/governance/report.hpp>
#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <atomic>
#include <gtest/gtest.h>
#include <memory_resource>
#include <random>
#include <thread>
#include <vector>

namespace allot {
namespace {

struct event_log : observer {
    void observe(const event& what) noexcept override { seen.push_back(what); }
    std::vector<event> seen;
};

TEST(tagged_heap, usage) {
    tagged_heap heap({.name = "app"});
    {
        std::pmr::vector<int> numbers(10, &heap.source(tags::node));
        EXPECT_TRUE(heap.usage(tags::node).live_bytes == 10 * sizeof(int));
    }
    void* left = heap.source(tags::node).allocate(layout{.size = 100});
    EXPECT_TRUE(left && heap.end(tags::node) == 100);
    EXPECT_TRUE(heap.usage(tags::node).live_bytes == 0);
}

TEST(tagged_heap, ends_a_tag_with_the_tags_below_it_and_nothing_else) {
    auditing_source audited(default_source());
    {
        tagged_heap heap({.upstream = &audited});
        const tag strings = tag::make("heap strings", tags::parse);
        memory_source& parse = heap.source(tags::parse);
        EXPECT_EQ(&heap.source(tags::parse), &parse);
        static_cast<void>(parse.try_allocate({.size = 10}));
        static_cast<void>(heap.source(strings).try_allocate({.size = 100, .align = 64}));
        static_cast<void>(heap.source(tag()).try_allocate({.size = 1000}));
        EXPECT_EQ(heap.books().usage_of_tree(tag()).live_bytes, 1110u);
        const std::uint64_t before = audited.live_count();
        EXPECT_EQ(heap.end(tags::parse), 110u);
        EXPECT_EQ(audited.live_count(), before - 2);
        EXPECT_EQ(heap.end(tags::parse), 0u);
        EXPECT_EQ(heap.end(tags::cbor), 0u); // never used
        EXPECT_EQ(heap.usage(tag()).live_bytes, 1000u);
        EXPECT_EQ(heap.books().healed_count(), 0u);
        // The source is as it was, and its blocks are counted anew.
        void* const again = parse.try_allocate({.size = 7});
        EXPECT_EQ(heap.usage(tags::parse).live_bytes, 7u);
        EXPECT_EQ(heap.usage(tags::parse).total_count, 2u);
        parse.deallocate(again, {.size = 7});
        EXPECT_EQ(heap.end(tag()), 1000u);
    }
    EXPECT_EQ(audited.live_count(), 0u);
}

// B56
TEST(tagged_heap, sends_a_block_of_another_tag_home_and_keeps_the_books_right) {
    event_log log;
    tagged_heap heap({.observer = &log});
    memory_source& node = heap.source(tags::node);
    memory_source& edge = heap.source(tags::edge);
    void* const a = node.try_allocate({.size = 100});
    void* const b = node.try_allocate({.size = 50});
    edge.deallocate(a, {.size = 100});
    EXPECT_EQ(heap.usage(tags::node).live_bytes, 50u);
    EXPECT_EQ(heap.usage(tags::node).live_count, 1u);
    EXPECT_EQ(heap.usage(tags::edge), edge.describe().usage);
    EXPECT_EQ(heap.usage(tags::edge).total_count, 0u);
    void* const grown = edge.try_reallocate(b, {.size = 50}, 60);
    EXPECT_EQ(heap.usage(tags::node).live_bytes, 60u);
    node.deallocate(grown, {.size = 60});
    ASSERT_EQ(log.seen.size(), 1u);
    EXPECT_EQ(log.seen[0].what, event::type::healed);
    EXPECT_EQ(log.seen[0].who, name("node"));
    EXPECT_EQ(log.seen[0].bytes, 100u);
    EXPECT_EQ(heap.books().healed_count(), 1u);
}

TEST(tagged_heap, dies_of_a_wrong_free_when_nobody_is_told) {
    tagged_heap heap({.name = "x"});
    void* const block = heap.source(tags::node).try_allocate({.size = 100});
    EXPECT_DEATH(
        heap.source(tags::edge).deallocate(block, {.size = 100}),
        "allot: fatal: tagged_heap 'x': block 0x[0-9a-f]+ of 100 bytes of tag 'node' came back to 'edge'");
}

TEST(tagged_heap, tells_what_lives_at_its_end) {
    event_log log;
    {
        tagged_heap heap({.observer = &log});
        static_cast<void>(heap.source(tags::node).try_allocate({.size = 100}));
    }
    ASSERT_EQ(log.seen.size(), 1u);
    EXPECT_EQ(log.seen[0].what, event::type::unbalanced);
    EXPECT_EQ(log.seen[0].bytes, 100u);
    EXPECT_EQ(log.seen[0].count, 1u);
}

// A factory of the application's own, whose sources free block by block and whose blocks do not tell whose
// they are.
struct plain_factory : source_factory {
    struct plain final : memory_source {
        void* do_try_allocate(layout wanted) noexcept override {
            return default_source().try_allocate(wanted);
        }
        void do_give_back(void* address, layout given) noexcept override {
            default_source().deallocate(address, given);
        }
    };
    memory_source* try_make(const name&) noexcept override { return new plain; }
    void destroy(memory_source& made) noexcept override { delete &made; }
};

TEST(tagged_heap, works_over_another_factory_and_cannot_end_what_that_cannot_free) {
    event_log log;
    plain_factory factory;
    tagged_heap heap({.name = "x", .factory = &factory, .observer = &log});
    memory_source& node = heap.source(tags::node);
    void* const block = node.try_allocate({.size = 100});
    EXPECT_EQ(heap.end(tags::node), 0u);
    EXPECT_EQ(heap.usage(tags::node).live_bytes, 100u);
    ASSERT_EQ(log.seen.size(), 1u);
    EXPECT_EQ(log.seen[0].what, event::type::unbalanced);
    node.deallocate(block, {.size = 100});
    EXPECT_EQ(heap.end(tags::node), 0u);
    EXPECT_EQ(log.seen.size(), 1u);

    tagged_heap silent({.name = "x", .factory = &factory});
    void* const left = silent.source(tags::edge).try_allocate({.size = 40});
    EXPECT_DEATH(silent.end(tags::edge),
                 "allot: fatal: tagged_heap 'x': tag 'edge' ends with 40 live bytes that its "
                 "source cannot free");
    silent.source(tags::edge).deallocate(left, {.size = 40});
}

TEST(tagged_heap, leaves_nothing_behind_on_a_shortage) {
    for_each_failure([](failing_source& failing) {
        tagged_heap heap({.upstream = &failing});
        memory_source* const node = heap.try_source(tags::node);
        if (!node) return;
        void* const block = node->try_allocate({.size = 100});
        EXPECT_EQ(heap.end(tags::node), block ? 100u : 0u);
        void* const later =
            node->try_allocate({.size = 10}); // also where end() found no memory for a new source
        EXPECT_EQ(heap.usage(tags::node).live_bytes, later ? 10u : 0u);
        std::pmr::vector<int> numbers(10, &heap.source(tags::edge));
    });
}

TEST(tagged_heap, takes_from_its_upstream_alone) {
    auditing_source audited(default_source());
    {
        tagged_heap heap({.upstream = &audited});
        heap.source(tags::node).deallocate(heap.source(tags::node).allocate(layout{.size = 1}), {.size = 1});
        const no_allocation nothing;
        std::pmr::vector<int> numbers(&heap.source(tags::edge));
        for (int i = 0; i < 1000; ++i) numbers.push_back(i);
        heap.end(tags::cache);
    }
    EXPECT_EQ(audited.live_count(), 0u);
}

TEST(tagged_heap, model_of_threads_tags_ends_and_wrong_frees_agrees_with_a_list) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    struct counting : observer {
        void observe(const event&) noexcept override { ++count; }
        std::atomic<std::uint64_t> count = 0;
    } told;
    auditing_source audited(default_source());
    tagged_heap heap({.observer = &told, .upstream = &audited});
    struct held {
        void* address;
        std::size_t size;
        std::size_t tag_index;
    };
    std::atomic<std::uint64_t> wrong = 0;
    for (int round = 0; round < 5; ++round) {
        std::vector<std::vector<held>> kept(4);
        std::vector<std::thread> threads;
        for (unsigned self = 0; self < 4; ++self)
            threads.emplace_back([&, self] {
                std::mt19937 random(seed + self + static_cast<unsigned>(round));
                std::vector<held>& mine = kept[self];
                for (int step = 0; step < 1000; ++step) {
                    const std::size_t some = random() % tags::count;
                    if (random() % 3 != 0 || mine.empty()) {
                        const std::size_t size = 1 + random() % 200;
                        mine.push_back({heap.source(tag::at(some)).try_allocate({.size = size}), size, some});
                        continue;
                    }
                    const held gone = mine.back();
                    mine.pop_back();
                    const std::size_t through = random() % 8 == 0 ? some : gone.tag_index;
                    wrong += through != gone.tag_index;
                    heap.source(tag::at(through)).deallocate(gone.address, {.size = gone.size});
                }
            });
        for (std::thread& each : threads) each.join();
        for (std::size_t index = 0; index < tags::count; ++index) {
            std::uint64_t bytes = 0;
            for (const auto& list : kept)
                for (const held& each : list) bytes += each.tag_index == index ? each.size : 0;
            ASSERT_EQ(heap.usage(tag::at(index)).live_bytes, bytes);
            ASSERT_TRUE(index == 0 || heap.end(tag::at(index)) == bytes);
        }
        heap.end(tag());
        ASSERT_EQ(heap.books().usage_of_tree(tag()).live_bytes, 0u);
    }
    EXPECT_EQ(told.count.load(), wrong.load());
    EXPECT_EQ(heap.books().healed_count(), wrong.load());
}

} // namespace
} // namespace allot
