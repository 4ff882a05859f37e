#include <allot/source/default_source.hpp>
#include <allot/source/fixtures/model.hpp>
#include <allot/source/pmr_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>

#include <gtest/gtest.h>

#include <memory_resource>
#include <string>

namespace {

using namespace allot;
using namespace allot::testing_model;

// A resource that throws whatever it is told to.
struct foreign : std::pmr::memory_resource {
    enum class manner { serve, throw_bad_alloc, throw_int } how = manner::serve;
    void* do_allocate(std::size_t size, std::size_t align) override {
        if (how == manner::throw_bad_alloc) throw std::bad_alloc();
        if (how == manner::throw_int) throw 5;
        return std::pmr::new_delete_resource()->allocate(size, align);
    }
    void do_deallocate(void* address, std::size_t size, std::size_t align) override {
        std::pmr::new_delete_resource()->deallocate(address, size, align);
    }
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

TEST(pmr_source, gives_what_a_standard_resource_has) {
    std::pmr::unsynchronized_pool_resource pool;
    pmr_source source(pool, {.name = "standard pool"});
    void* row = source.try_allocate({.size = 100});
    ASSERT_TRUE(row != nullptr);
    source.deallocate(row, {.size = 100});
}

TEST(pmr_source, aligns_and_describes) {
    foreign resource;
    pmr_source source(resource, {.name = "foreign"});
    for (std::size_t align = 1; align <= kibibytes(64); align *= 2) {
        void* const block = source.try_allocate({0, align});
        ASSERT_TRUE(block && is_aligned(block, align));
        source.deallocate(block, {0, align});
    }
    EXPECT_EQ(source.traits(), source_traits{});
    pmr_source shared(resource, {.thread_safe = true, .bulk_free = true});
    EXPECT_EQ(shared.traits(), (source_traits{.thread_safe = true, .bulk_free = true}));
    EXPECT_EQ(source.describe().name.view(), "foreign");
    EXPECT_STREQ(source.describe().kind, "pmr_source");
    EXPECT_EQ(source.good_size({100, 64}), 128u);
}

TEST(pmr_source, aligns_also_where_the_standards_pools_do_not) {
    std::pmr::unsynchronized_pool_resource pool;
    pmr_source source(pool);
    for (std::size_t align = 1; align <= kibibytes(4); align *= 2) {
        for (std::size_t size = 1; size <= kibibytes(5); size += 7) {
            EXPECT_TRUE(is_aligned(source.allocate({size, align}), align));
        }
    }
}

TEST(pmr_source, counts_every_foreign_exception_as_a_refusal) {
    foreign resource;
    pmr_source source(resource, {.name = "foreign"});
    using enum foreign::manner;
    for (foreign::manner how : {throw_bad_alloc, throw_int}) {
        resource.how = how;
        expect_refusal(source, {.size = 10}, "foreign");
    }
    EXPECT_EQ(source.usage().refused_count, 2u);
    EXPECT_THROW((void)source.allocate({.size = 10}), out_of_memory);
    resource.how = serve;
    source.deallocate(source.allocate({.size = 10}), {.size = 10});
}

TEST(pmr_source, leaves_the_word_to_a_source_of_ours_behind_it) {
    failing_source failing(default_source(), {.name = "behind", .plan = {.every = 1}});
    pmr_source source(failing, {.name = "foreign"});
    EXPECT_EQ(source.try_allocate({.size = 10}), nullptr);
    EXPECT_EQ(last_refusal().who.view(), "behind");
    EXPECT_EQ(source.usage().refused_count, 1u);
}

TEST(pmr_source, survives_a_shortage_at_every_point) {
    EXPECT_GT(for_each_failure([](failing_source& failing) {
                  pmr_source source(failing);
                  std::pmr::vector<std::pmr::string> lines(&source);
                  for (int i = 0; i != 20; ++i) lines.emplace_back(std::string(40, 'x'));
              }),
              20u);
}

TEST(pmr_source, returns_each_block_once_with_its_layout) {
    auditing_source audited(default_source());
    {
        pmr_source source(audited);
        run_model(source, {}, [&](const model& m) {
            ASSERT_EQ(audited.live_count(), m.live_count());
            ASSERT_GE(audited.live_bytes(), m.live_bytes());
        });
    }
    EXPECT_EQ(audited.live_count(), 0u);
}

TEST(pmr_source, serves_many_threads_where_the_resource_does) {
    std::pmr::synchronized_pool_resource pool;
    pmr_source source(pool, {.thread_safe = true});
    hammer(source, {.align_max = 16, .step_count = 1000});
}

} // namespace
