// Ownership transfer (GM8): what lives in one arena lives on in another.
#include <allot/source/malloc_source.hpp>
#include <allot/structure/arena.hpp>
#include <allot/testing/auditing_source.hpp>

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>

namespace {

using namespace allot;

struct counting : bulk_observer {
    bulk_free gone;
    void bulk_freed(bulk_free more) noexcept override {
        gone.live_bytes += more.live_bytes;
        gone.live_count += more.live_count;
    }
};

struct arena_absorb : testing::Test {
    malloc_source heap;
    auditing_source below{heap};
};

TEST_F(arena_absorb, takes_blocks_and_books_and_leaves_the_other_empty) {
    arena whole({.name = "document", .upstream = &below});
    arena part({.name = "part", .upstream = &below});
    int* const kept = whole.make<int>(1);
    int* const moved = part.make<int>(2);
    const std::string_view text = part.copy("moved as it stands");
    ASSERT_TRUE(whole.try_absorb(part));
    EXPECT_EQ(*kept + *moved, 3);
    EXPECT_EQ(text, "moved as it stands");
    EXPECT_TRUE(whole.owns(moved));
    EXPECT_FALSE(part.owns(moved));
    EXPECT_EQ(whole.usage().live_bytes, 4u + 4 + 19);
    EXPECT_EQ(whole.usage().live_count, 3u);
    EXPECT_EQ(whole.usage().held_count, 2u);
    EXPECT_EQ(part.usage().live_count, 0u);
    EXPECT_EQ(part.usage().held_bytes, 0u);
    EXPECT_EQ(whole.usage().held_bytes, below.live_bytes());
    whole.deallocate(moved, layout_of<int>());
    EXPECT_EQ(whole.usage().live_count, 2u);
    part.make<int>(3);
    whole.check();
    part.check();
}

TEST_F(arena_absorb, into_an_empty_arena_goes_on_where_the_other_stood) {
    arena part({.upstream = &below});
    arena whole({.upstream = &below});
    const int* const first = part.make<int>(1);
    ASSERT_TRUE(whole.try_absorb(part));
    EXPECT_EQ(whole.make<int>(2), first + 1);
    EXPECT_EQ(below.live_count(), 1u);
    whole.check();
    arena nothing({.upstream = &below});
    EXPECT_TRUE(whole.try_absorb(nothing));
    EXPECT_EQ(whole.usage().live_count, 2u);
}

TEST_F(arena_absorb, ends_with_the_scope_that_was_open_and_runs_destructors) {
    auto alive = std::make_shared<int>(1);
    arena whole({.upstream = &below});
    arena part({.upstream = &below});
    whole.make<int>(1);
    {
        arena::scope step(whole);
        part.make_owned<std::shared_ptr<int>>(alive);
        part.make_owned<std::shared_ptr<int>>(alive);
        ASSERT_TRUE(whole.try_absorb(part));
        whole.make_owned<std::shared_ptr<int>>(alive);
        part.reset();
        EXPECT_EQ(alive.use_count(), 4);
    }
    EXPECT_EQ(alive.use_count(), 1);
    EXPECT_EQ(whole.usage().live_count, 1u);
    whole.check();
}

TEST_F(arena_absorb, survives_the_thread_that_filled_it) {
    arena whole({.upstream = &below});
    std::unique_ptr<arena> theirs;
    std::thread([&] {
        theirs = std::make_unique<arena>(arena_options{.upstream = &below});
        for (int i = 0; i != 10'000; ++i) theirs->make<int>(i);
    }).join();
    ASSERT_TRUE(whole.try_absorb(*theirs));
    theirs.reset();
    EXPECT_EQ(whole.usage().live_bytes, 40'000u);
}

TEST_F(arena_absorb, refuses_what_its_limit_has_no_room_for_and_changes_nothing) {
    arena tight({.name = "tight", .upstream = &below, .limit_bytes = 5000});
    arena part({.upstream = &below});
    tight.make<int>(1);
    part.make<int>(2);
    EXPECT_FALSE(tight.try_absorb(part));
    EXPECT_EQ(last_refusal().who.view(), "tight");
    EXPECT_EQ(tight.usage().refused_count, 1u);
    EXPECT_EQ(part.usage().live_count, 1u);
    EXPECT_EQ(tight.usage().live_count, 1u);
}

TEST_F(arena_absorb, tells_the_observer_of_the_arena_that_they_left) {
    counting above;
    arena part({.upstream = &below, .above = &above});
    arena same({.upstream = &below, .above = &above});
    arena whole({.upstream = &below});
    part.make<int>(1);
    ASSERT_TRUE(same.try_absorb(part)); // still under its eyes
    EXPECT_EQ(above.gone.live_count, 0u);
    ASSERT_TRUE(whole.try_absorb(same));
    EXPECT_EQ(above.gone.live_count, 1u);
    EXPECT_EQ(above.gone.live_bytes, 4u);
}

TEST_F(arena_absorb, keeps_every_byte_and_book_through_random_marks_and_transfers) {
    constexpr unsigned seed = 7;
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    for (int round = 0; round != 300; ++round) {
        arena whole({.upstream = &below, .chunk_bytes_min = 512, .chunk_bytes_max = 2048});
        arena part({.upstream = &below, .chunk_bytes_min = 512, .chunk_bytes_max = 2048});
        std::vector<std::pair<unsigned char*, std::size_t>> live;
        const auto fill = [&](arena& in, std::size_t many) {
            for (std::size_t i = 0; i != many; ++i) {
                const std::size_t size = 1 + random() % (random() % 16 == 0 ? 3000 : 100);
                auto* const block = static_cast<unsigned char*>(in.allocate(layout{size, 8}));
                std::fill_n(block, size, static_cast<unsigned char>(live.size()));
                live.emplace_back(block, size);
            }
        };
        fill(whole, random() % 20);
        const arena_mark mark = whole.mark();
        const std::size_t count_then = live.size();
        for (int i = 0; i != 3; ++i) {
            fill(part, random() % 20);
            ASSERT_TRUE(whole.try_absorb(part));
            whole.check();
            part.check();
            fill(whole, random() % 20);
        }
        ASSERT_EQ(whole.usage().live_count, live.size());
        for (std::size_t i = 0; i != live.size(); ++i)
            for (std::size_t at = 0; at != live[i].second; ++at)
                ASSERT_EQ(live[i].first[at], static_cast<unsigned char>(i));
        whole.rewind(mark);
        whole.check();
        ASSERT_EQ(whole.usage().live_count, count_then);
        part.reset();
        whole.reset();
        whole.check();
        ASSERT_EQ(whole.usage().live_count, 0u);
    }
    EXPECT_EQ(below.live_count(), 0u);
}

TEST_F(arena_absorb, of_another_upstream_or_observer_is_fatal) {
    malloc_source other;
    counting above;
    arena whole({.name = "whole", .upstream = &below, .above = &above});
    arena foreign({.name = "foreign", .upstream = &other});
    arena unseen({.name = "unseen", .upstream = &below});
    EXPECT_DEATH(static_cast<void>(whole.try_absorb(foreign)),
                 "^allot: fatal: arena 'whole': absorbs 'foreign' of another upstream\n$");
    EXPECT_DEATH(static_cast<void>(whole.try_absorb(unseen)),
                 "^allot: fatal: arena 'whole': absorbs 'unseen' of another bulk_observer\n$");
}

} // namespace
