#include <allot/structure/arena.hpp>

#include <gtest/gtest.h>

#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <coroutine>
#include <cstring>
#include <thread>
#include <vector>

namespace allot {
namespace {

struct books {
    std::uint64_t bytes;
    std::uint64_t count;
    friend bool operator==(const books&, const books&) = default;
};
books live(const arena& of) { return {of.usage().live_bytes, of.usage().live_count}; }

// B1: the inner scope ends itself, not the arena.
TEST(arena_scope, ends_what_began_in_it_and_nothing_else) {
    arena task;
    const std::string_view before = task.copy("before");
    {
        arena::scope outer(task);
        const std::string_view between = task.copy("between");
        {
            arena::scope inner(task);
            std::memset(task.allocate(kibibytes(100)), 1, kibibytes(100));
            EXPECT_EQ(live(task).count, 3u);
        }
        EXPECT_EQ(live(task).count, 2u);
        EXPECT_EQ(between, "between");
    }
    EXPECT_EQ(before, "before");
    EXPECT_EQ(live(task), (books{7, 1}));
    task.check();
}

// The tally has 24 bits for the count: a mark opens a window anew, and must not let it run over.
TEST(arena_marks, count_more_small_blocks_than_the_tally_holds) {
    arena large({.chunk_bytes_min = mebibytes(64), .chunk_bytes_max = mebibytes(64)});
    constexpr std::uint64_t many = (std::uint64_t{1} << 24) - 100;
    std::uint64_t count = 0;
    for (; count != many; ++count) (void)large.allocate(1, 1);
    const arena_mark middle = large.mark();
    for (; count != many + 1000; ++count) (void)large.allocate(1, 1);
    EXPECT_EQ(large.usage().total_count, count);
    EXPECT_EQ(large.usage().total_bytes, count);
    large.rewind(middle);
    EXPECT_EQ(large.usage().live_count, many);
    large.check();
}

TEST(arena_scope, leaves_nothing_behind_in_a_loop) {
    arena loop;
    (void)loop.allocate(1);
    {
        arena::scope first(loop);
    }
    const usage before = loop.usage();
    for (int i = 0; i < 1000; ++i) {
        arena::scope outer(loop);
        arena::scope same_place(loop);
        (void)loop.allocate(10);
        arena::scope inner(loop);
        (void)loop.allocate(10);
    }
    EXPECT_EQ(loop.usage().slack_bytes, before.slack_bytes);
    EXPECT_EQ(loop.usage().held_count, 1u);
}

// B2: rewind restores the used bytes and the live books, across chunks.
TEST(arena_marks, restore_the_books_exactly_across_chunks) {
    arena deep({.chunk_bytes_min = 512, .chunk_bytes_max = 1024});
    std::vector<std::pair<arena_mark, books>> marks;
    std::vector<std::uint64_t> free_after;
    for (std::size_t i = 0; i < 40; ++i) {
        const arena_mark mark = deep.mark();
        marks.emplace_back(mark, live(deep));
        (void)deep.allocate(layout{1 + i * 31, std::size_t{1} << (i % 7)});
        deep.check();
    }
    EXPECT_GT(deep.usage().held_count, 10u);
    const std::uint64_t held = deep.usage().held_bytes;
    for (std::size_t i = marks.size(); i-- > 0;) {
        deep.rewind(marks[i].first);
        deep.check();
        EXPECT_EQ(live(deep), marks[i].second) << i;
    }
    EXPECT_EQ(deep.usage().held_bytes, held);
    EXPECT_EQ(live(deep), (books{0, 0}));
}

TEST(arena_marks, restore_what_still_lives_when_older_blocks_were_given_back_meanwhile) {
    arena mixed({.chunk_bytes_min = 512});
    void* const a = mixed.allocate(100);
    (void)mixed.allocate(1);
    const arena_mark first = mixed.mark();
    void* const b = mixed.allocate(50);
    const arena_mark second = mixed.mark();
    (void)mixed.allocate(2000); // another chunk
    mixed.deallocate(a, 100);   // older than both marks
    mixed.deallocate(b, 50);    // older than one of them
    mixed.rewind(second);
    EXPECT_EQ(live(mixed), (books{1, 1}));
    (void)mixed.allocate(8);
    mixed.rewind(first);
    EXPECT_EQ(live(mixed), (books{1, 1}));
    mixed.check();
}

TEST(arena_marks, may_be_used_again_and_again) {
    arena loop({.chunk_bytes_min = 512});
    (void)loop.allocate(24);
    const arena_mark mark = loop.mark();
    void* const first = loop.allocate(400);
    failing_source unused(default_source());
    for (int i = 0; i < 10; ++i) {
        loop.rewind(mark);
        EXPECT_EQ(loop.allocate(400), first);
    }
    EXPECT_EQ(live(loop), (books{424, 2}));
}

// Where the chunk has no room for the mark it takes the kept room, and the chunk serves no block after that.
TEST(arena_marks, fit_everywhere) {
    for (std::size_t fill = 0; fill < 600; ++fill) {
        arena tight({.chunk_bytes_min = 512, .chunk_bytes_max = 512});
        (void)tight.allocate(layout{8, 8});
        const std::size_t room = tight.usage().free_bytes;
        if (fill > room) break;
        if (fill) std::memset(tight.allocate(layout{fill, 1}), 1, fill);
        const books before = live(tight);
        const arena_mark outer = tight.mark();
        const std::uint64_t free_at_mark = tight.usage().free_bytes;
        {
            arena::scope same_place(tight);
            auto* const block = static_cast<char*>(tight.allocate(layout{1, 1}));
            *block = 'x';
            arena::scope inner(tight);
            (void)tight.allocate(layout{400, 1});
            tight.check();
        }
        tight.rewind(outer);
        EXPECT_EQ(live(tight), before);
        EXPECT_GE(tight.usage().free_bytes, free_at_mark);
        tight.check();
    }
}

// The large block's chunk stands behind the current one; a mark older than it ends it all the same.
TEST(arena_marks, end_a_large_block_that_left_the_current_chunk_in_use) {
    arena mixed({.chunk_bytes_min = 4096});
    auto* const before = static_cast<char*>(mixed.allocate(16));
    const arena_mark mark = mixed.mark();
    (void)mixed.allocate(100'000);
    EXPECT_EQ(static_cast<char*>(mixed.allocate(16)),
              before + 16 + 64); // behind the mark, not in a new chunk
    EXPECT_EQ(mixed.usage().held_count, 2u);
    const arena_mark later = mixed.mark();
    (void)mixed.allocate(200'000);
    mixed.rewind(later);
    EXPECT_EQ(live(mixed), (books{100'032, 3}));
    mixed.rewind(mark);
    EXPECT_EQ(live(mixed), (books{16, 1}));
    mixed.check();
}

// B2, B4: who keeps books above the arena learns what went, at each kind of end.
TEST(arena_marks, tell_who_keeps_books_above_what_went) {
    struct above_books : bulk_observer {
        std::vector<books> told;
        void bulk_freed(bulk_free gone) noexcept override {
            told.push_back({gone.live_bytes, gone.live_count});
        }
    } above;
    {
        arena below({.chunk_bytes_min = 512, .above = &above});
        void* const old = below.allocate(10);
        const arena_mark mark = below.mark();
        (void)below.allocate(20);
        below.deallocate(old, 10);
        (void)below.allocate(1000);
        below.rewind(mark);
        below.rewind(mark); // nothing to tell
        (void)below.allocate(30);
        below.reset();
        (void)below.allocate(40);
        below.release();
        (void)below.allocate(50);
    }
    EXPECT_EQ(above.told, (std::vector<books>{{1020, 2}, {30, 1}, {40, 1}, {50, 1}}));
}

TEST(arena_marks, keep_the_books_of_a_decorator_above) {
    // The auditing source is above and below at once: below for the chunks, above for each block.
    struct late : bulk_observer {
        bulk_observer* to = nullptr;
        void bulk_freed(bulk_free gone) noexcept override { to->bulk_freed(gone); }
    } link;
    arena bumped({.chunk_bytes_min = 512, .above = &link});
    auditing_source above(bumped, {.guard_bytes = 0});
    link.to = &above;
    for (int round = 0; round < 3; ++round) {
        void* const old = above.allocate(24);
        const arena_mark mark = bumped.mark();
        for (int i = 0; i < 100; ++i) {
            void* const block = above.allocate(30);
            if (i % 4 == 0) above.deallocate(block, 30);
        }
        bumped.rewind(mark);
        EXPECT_EQ(above.live_count(), 1u);
        above.deallocate(old, 24);
        (void)above.allocate(5000);
        bumped.reset();
        EXPECT_EQ(above.live_count(), 0u);
    }
}

// B3: a scope belongs to its arena, not to a thread. A coroutine that began one thread and ends on another
// ends its own scope; the other thread's arena is left alone.
struct detached {
    struct promise_type {
        detached get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};
struct pause {
    std::coroutine_handle<>& where;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> here) const noexcept { where = here; }
    void await_resume() const noexcept {}
};
detached work_across_threads(arena& own, std::coroutine_handle<>& where) {
    arena::scope scope(own);
    (void)own.allocate(1000);
    co_await pause{where};
    (void)own.allocate(2000);
}

TEST(arena_scope, ends_its_own_on_whatever_thread_a_coroutine_resumes) {
    arena own;
    (void)own.allocate(10);
    std::coroutine_handle<> where;
    work_across_threads(own, where);
    EXPECT_EQ(live(own), (books{1010, 2}));
    std::thread([&where] {
        arena of_this_thread;
        arena::scope scope(of_this_thread);
        (void)of_this_thread.allocate(77);
        where.resume(); // runs to the end of the coroutine's scope
        EXPECT_EQ(live(of_this_thread), (books{77, 1}));
    }).join();
    EXPECT_EQ(live(own), (books{10, 1}));
    own.check();
}

// B4: scopes end without a throw, also while an exception passes through them.
TEST(arena_scope, ends_while_an_exception_passes) {
    static_assert(std::is_nothrow_destructible_v<arena::scope>);
    arena limited({.limit_bytes = 4096});
    try {
        arena::scope outer(limited);
        arena::scope inner(limited);
        (void)limited.allocate(10);
        (void)limited.allocate(10'000);
        FAIL();
    } catch (const out_of_memory&) {
    }
    EXPECT_EQ(live(limited), (books{0, 0}));
    limited.reset();
}

// B6: on every way out of its block, and the block runs also where the arena can take nothing from upstream.
TEST(arena_scope, ends_on_each_way_out_and_skips_no_body) {
    arena some;
    const auto leave = [&some](int way) {
        for (int round = 0; round < 2; ++round) {
            arena::scope scope(some);
            (void)some.allocate(100);
            if (way == 0) break;
            if (way == 1) continue;
            if (way == 2) goto out;
            return;
        }
    out:;
    };
    for (int way = 0; way < 4; ++way) {
        leave(way);
        EXPECT_EQ(live(some), (books{0, 0})) << way;
    }
    EXPECT_EQ(some.usage().total_count, 5u);

    failing_source nothing(default_source(), {.plan = {.every = 1}});
    arena empty({.upstream = &nothing});
    bool ran = false;
    {
        arena::scope scope(empty);
        ran = true;
        EXPECT_EQ(empty.try_allocate({.size = 8}), nullptr);
    }
    EXPECT_TRUE(ran);
    empty.check();
}

// B14: the operation takes a scope of the arena that it is given, or has an arena of its own: either way its
// memory goes at its end, and the caller's stays.
std::size_t measured(std::string_view text, arena* given) {
    arena own({.name = "operation"});
    arena& work = given ? *given : own;
    arena::scope scope(work);
    return work.copy(text).size() + (text.size() > 1 ? measured(text.substr(1), &work) : 0);
}

TEST(arena_scope, ends_a_nested_operation_without_its_callers) {
    auditing_source below(default_source());
    EXPECT_EQ(measured("four", nullptr), 10u);
    arena callers({.upstream = &below});
    const std::string_view kept = callers.copy("kept");
    EXPECT_EQ(measured("four", &callers), 10u);
    EXPECT_EQ(kept, "kept");
    EXPECT_EQ(live(callers), (books{5, 1}));
    callers.release();
    EXPECT_EQ(below.live_count(), 0u);
}

// B16: operations that nest share the arena, not a buffer.
TEST(arena_scope, keeps_nested_operations_apart) {
    arena shared;
    arena::scope outer(shared);
    const std::span<int> first = shared.make_span<int>(50);
    std::fill(first.begin(), first.end(), 1);
    for (int i = 0; i < 3; ++i) {
        arena::scope inner(shared);
        const std::span<int> second = shared.make_span<int>(50);
        std::fill(second.begin(), second.end(), 2);
    }
    EXPECT_EQ(std::count(first.begin(), first.end(), 1), 50);
}

} // namespace
} // namespace allot
