#include <allot/testing/no_allocation.hpp>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <malloc.h>
#include <memory_resource>
#include <string>
#include <thread>
#include <vector>

namespace allot {
namespace {

constexpr no_allocation_options collecting{.on_finding = on_finding::collect};

// Where nothing is seen (Valgrind), there is nothing to test but that it says so.
#define NEEDS_SIGHT()                                                                                        \
    if (!no_allocation::sees()) GTEST_SKIP() << "another malloc stands before the hooks"

// A new-expression may be left out together with its delete; a call of the function may not.
void allocate_one() { ::operator delete(::operator new(sizeof(int))); }

TEST(no_allocation, usage) {
    NEEDS_SIGHT();
    no_allocation scope({.on_finding = on_finding::collect});
    std::vector<int> numbers(10);
    assert(scope.count() == 1 && scope.bytes() == 10 * sizeof(int));
    EXPECT_EQ(scope.count(), 1);
    EXPECT_EQ(scope.bytes(), 40);
}

TEST(no_allocation, sees_in_this_build) {
    // Valgrind sets this for the programs that it runs; nothing else may blind the hooks.
    const char* preloaded = std::getenv("LD_PRELOAD");
    const bool in_valgrind = preloaded && std::strstr(preloaded, "vgpreload");
    EXPECT_EQ(no_allocation::sees(), !in_valgrind);
}

TEST(no_allocation, counts_each_way_to_malloc_once) {
    NEEDS_SIGHT();
    void* blocks[9] = {};
    no_allocation scope(collecting);
    std::uint64_t expected = 0;
    blocks[0] = std::malloc(8);
    EXPECT_EQ(scope.count(), ++expected) << "malloc";
    blocks[1] = std::calloc(2, 4);
    EXPECT_EQ(scope.count(), ++expected) << "calloc";
    blocks[0] = std::realloc(blocks[0], 5000);
    EXPECT_EQ(scope.count(), ++expected) << "realloc";
    blocks[0] = reallocarray(blocks[0], 100, 100);
    EXPECT_EQ(scope.count(), ++expected) << "reallocarray";
    blocks[2] = std::aligned_alloc(64, 64);
    EXPECT_EQ(scope.count(), ++expected) << "aligned_alloc";
    blocks[3] = memalign(64, 64);
    EXPECT_EQ(scope.count(), ++expected) << "memalign";
    EXPECT_EQ(posix_memalign(&blocks[4], 64, 64), 0);
    EXPECT_EQ(scope.count(), ++expected) << "posix_memalign";
    blocks[5] = valloc(8);
    EXPECT_EQ(scope.count(), ++expected) << "valloc";
    blocks[6] = strdup("the C library's own");
    EXPECT_EQ(scope.count(), ++expected) << "strdup";
    blocks[7] = ::operator new(24);
    EXPECT_EQ(scope.count(), ++expected) << "operator new";
    ::operator delete(blocks[7]);
    blocks[7] = nullptr;
    for (void* block : blocks) std::free(block);
    EXPECT_EQ(scope.count(), expected) << "giving back is not a finding";
    void* large = nullptr;
    EXPECT_NE(large = ::operator new(64, std::align_val_t(64)), nullptr);
    EXPECT_EQ(scope.count(), ++expected) << "aligned operator new";
    ::operator delete(large, std::align_val_t(64));
}

TEST(no_allocation, overlooks_what_ran_before_b57) {
    NEEDS_SIGHT();
    std::vector<std::string> before(100, std::string(100, 'x'));
    no_allocation scope(collecting);
    EXPECT_EQ(scope.count(), 0);
    EXPECT_EQ(scope.bytes(), 0);
}

TEST(no_allocation, overlooks_other_threads) {
    NEEDS_SIGHT();
    std::uint64_t inside = 99;
    no_allocation scope(collecting);
    std::uint64_t before = 0;
    {
        std::thread other([&] {
            std::vector<int> numbers(1000);
            no_allocation theirs(collecting);
            std::vector<int> more(10);
            inside = theirs.count();
        });
        before = scope.count(); // what starting a thread took is ours
        other.join();
    }
    EXPECT_EQ(inside, 1);
    EXPECT_EQ(scope.count(), before);
}

TEST(no_allocation, scopes_nest) {
    NEEDS_SIGHT();
    no_allocation outer(collecting);
    allocate_one();
    {
        no_allocation inner(collecting);
        allocate_one();
        EXPECT_EQ(inner.count(), 1);
        EXPECT_EQ(outer.count(), 2);
    }
    allocate_one();
    EXPECT_EQ(outer.count(), 3);
}

TEST(no_allocation, allowed_parts_do_not_count) {
    NEEDS_SIGHT();
    no_allocation scope(collecting);
    {
        allocation_allowed here;
        {
            allocation_allowed deeper;
        }
        std::vector<int> numbers(100);
    }
    EXPECT_EQ(scope.count(), 0);
    std::vector<int> numbers(100);
    EXPECT_EQ(scope.count(), 1);
}

TEST(no_allocation, a_std_pmr_container_over_a_buffer_takes_nothing) {
    std::byte buffer[1024];
    std::pmr::monotonic_buffer_resource resource(buffer, sizeof buffer, std::pmr::null_memory_resource());
    no_allocation scope;
    std::pmr::vector<int> numbers(100, &resource);
    EXPECT_EQ(scope.count(), 0);
}

TEST(no_allocation, is_fatal_at_the_spot) {
    NEEDS_SIGHT();
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            no_allocation scope;
            void* (*volatile allocate)(std::size_t) = std::malloc;
            allocate(123);
        },
        "^allot: fatal: no_allocation: 123 bytes were allocated\n");
}

} // namespace
} // namespace allot
