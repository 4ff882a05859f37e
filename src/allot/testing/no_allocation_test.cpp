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

void use(std::vector<int>& numbers) { asm volatile("" : : "r"(numbers.data()) : "memory"); }

TEST(no_allocation, usage) {
    NEEDS_SIGHT();
    no_allocation scope({.on_finding = on_finding::collect});
    std::vector<int> numbers(10);
    use(numbers); // else a compiler may leave them out
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

#if defined(__SANITIZE_THREAD__)
constexpr bool sees_aligned = false; // its runtime calls no hook there
#elif defined(__has_feature)
constexpr bool sees_aligned = !__has_feature(thread_sanitizer);
#else
constexpr bool sees_aligned = true;
#endif

// How often body() allocates. Nothing is compared inside the scope: a comparison that fails allocates.
template <class Body>
std::uint64_t count_in(Body body) {
    const no_allocation scope(collecting);
    body();
    asm volatile("" : : : "memory");
    return scope.count();
}

TEST(no_allocation, counts_each_way_to_malloc_once) {
    NEEDS_SIGHT();
    void* block = nullptr;
    asm volatile("" : : "r"(&block)); // known elsewhere: no compiler may leave its allocation out
    EXPECT_EQ(count_in([&] { block = std::malloc(8); }), 1);
    EXPECT_EQ(count_in([&] { block = std::realloc(block, 5000); }), 1);
    EXPECT_EQ(count_in([&] { block = reallocarray(block, 100, 100); }), 1);
    EXPECT_EQ(count_in([&] { std::free(block); }), 0) << "giving back is not a finding";
    EXPECT_EQ(count_in([&] { block = std::calloc(2, 4); }), 1);
    std::free(block);
    EXPECT_EQ(count_in([&] { block = strdup("the C library's own"); }), 1);
    std::free(block);
    EXPECT_EQ(count_in([&] { block = ::operator new(24); }), 1);
    ::operator delete(block);
}

TEST(no_allocation, counts_each_way_to_aligned_malloc_once) {
    NEEDS_SIGHT();
    if (!sees_aligned) GTEST_SKIP() << "ThreadSanitizer calls no hook in the aligned functions";
    void* block = nullptr;
    asm volatile("" : : "r"(&block)); // known elsewhere: no compiler may leave its allocation out
    EXPECT_EQ(count_in([&] { block = std::aligned_alloc(64, 64); }), 1);
    std::free(block);
    EXPECT_EQ(count_in([&] { block = memalign(64, 64); }), 1);
    std::free(block);
    EXPECT_EQ(count_in([&] { static_cast<void>(posix_memalign(&block, 64, 64)); }), 1);
    std::free(block);
    EXPECT_EQ(count_in([&] { block = valloc(8); }), 1);
    std::free(block);
    EXPECT_EQ(count_in([&] { block = pvalloc(8); }), 1);
    std::free(block);
    EXPECT_EQ(count_in([&] { block = ::operator new(64, std::align_val_t(64)); }), 1);
    ::operator delete(block, std::align_val_t(64));
}

// B57: a scope, not a total that depends on what ran before.
TEST(no_allocation, overlooks_what_ran_before) {
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
            use(numbers);
            no_allocation theirs(collecting);
            std::vector<int> more(10);
            use(more);
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
        use(numbers);
    }
    EXPECT_EQ(scope.count(), 0);
    std::vector<int> numbers(100);
    use(numbers);
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
