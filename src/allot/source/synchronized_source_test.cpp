#include <allot/source/buffer_source.hpp>
#include <allot/source/default_source.hpp>
#include <allot/source/fixtures/model.hpp>
#include <allot/source/page_source.hpp>
#include <allot/source/synchronized_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

namespace {

using namespace allot;
using namespace allot::testing_model;

TEST(synchronized_source, is_used_by_two_threads) {
    std::array<std::byte, 4096> bytes;
    buffer_source buffer(bytes);
    synchronized_source shared(buffer, {.name = "shared buffer"});
    std::jthread other([&] { shared.deallocate(shared.try_allocate({.size = 64}), {.size = 64}); });
    shared.deallocate(shared.try_allocate({.size = 64}), {.size = 64});
}

TEST(synchronized_source, passes_on_what_its_upstream_can) {
    page_source pages;
    synchronized_source shared(pages, {.name = "shared"});
    EXPECT_EQ(shared.traits(), pages.traits());
    EXPECT_EQ(shared.good_size({.size = 1}), pages.good_size({.size = 1}));
    EXPECT_EQ(shared.describe().name.view(), "shared");
    EXPECT_STREQ(shared.describe().kind, "synchronized_source");
    EXPECT_EQ(shared.describe().upstream, &pages);
    block got = shared.try_allocate_at_least({.size = 1});
    EXPECT_EQ(got.size, pages.good_size({.size = 1}));
    EXPECT_TRUE(shared.try_resize(got.address, {.size = got.size}, 10));
    void* const moved = shared.try_reallocate(got.address, {.size = 10}, mebibytes(4));
    EXPECT_EQ(pages.usage().live_bytes, mebibytes(4));
    shared.deallocate(moved, {.size = mebibytes(4)});
    std::array<std::byte, 64> bytes;
    buffer_source buffer(bytes);
    EXPECT_EQ(synchronized_source(buffer).traits(), (source_traits{.thread_safe = true, .bulk_free = true}));
}

TEST(synchronized_source, counts_refusals_and_leaves_the_word_to_who_refused) {
    failing_source failing(default_source(), {.name = "below", .plan = {.every = 1}});
    synchronized_source shared(failing);
    expect_refusal(shared, {.size = 8}, "below");
    EXPECT_FALSE(shared.try_allocate_at_least({.size = 8}));
    failing.plan({});
    void* const block = shared.allocate({.size = 8});
    failing.plan({.every = 1});
    EXPECT_EQ(shared.try_reallocate(block, {.size = 8}, 9), nullptr);
    EXPECT_EQ(shared.usage().refused_count, 3u);
    shared.deallocate(block, {.size = 8});
}

TEST(synchronized_source, survives_a_shortage_at_every_point) {
    EXPECT_GT(for_each_failure([](failing_source& failing) {
                  synchronized_source shared(failing);
                  std::pmr::vector<int> numbers(&shared);
                  for (int i = 0; i != 100; ++i) numbers.push_back(i);
              }),
              5u);
}

TEST(synchronized_source, returns_each_block_once_with_its_layout) {
    auditing_source audited(default_source());
    synchronized_source shared(audited);
    run_model(shared, {}, [&](const model& m) {
        ASSERT_EQ(audited.live_count(), m.live_count());
        ASSERT_EQ(audited.live_bytes(), m.live_bytes());
    });
}

// Notices when two threads are inside it.
struct alone : memory_source {
    void* do_try_allocate(layout wanted) noexcept override {
        enter();
        return default_source().try_allocate(wanted);
    }
    void do_give_back(void* address, layout given) noexcept override {
        enter();
        default_source().deallocate(address, given);
    }
    void enter() noexcept {
        met = met || inside.exchange(true);
        std::this_thread::yield(); // another one is welcome to try
        inside = false;
    }
    std::atomic<bool> inside = false, met = false;
};

TEST(synchronized_source, lets_in_one_thread_at_a_time) {
    alone upstream;
    synchronized_source shared(upstream);
    hammer(shared, {});
    EXPECT_FALSE(upstream.met);
}

TEST(synchronized_source, lets_many_threads_use_what_one_alone_may) {
    std::vector<std::byte> bytes(mebibytes(1));
    buffer_source buffer(bytes);
    synchronized_source shared(buffer);
    hammer(shared, {});
    buffer.check();
    EXPECT_EQ(buffer.usage().live_count, 0u);
}

} // namespace
