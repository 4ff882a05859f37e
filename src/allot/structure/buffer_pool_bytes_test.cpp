// What lies in the memory of a buffer_pool, and where: tenants, dead bytes, cache sets.
#include <allot/source/default_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/structure/buffer_pool.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#if ALLOT_HAS_ASAN
#    include <sanitizer/asan_interface.h>
#endif

namespace allot {
namespace {

constexpr buffer_tier small_tiers[] = {{.size = 256, .kept_count_max = 4},
                                       {.size = 1024, .kept_count_max = 2, .out_count_max = 3},
                                       {.size = 4096, .kept_count_max = 1}};

// Whether all that it can hold is zero. Level full fills what is not written yet, so that nobody can know.
bool is_zeroed(buffer of) {
    const std::span<std::byte> all = of.extend(of.capacity() - of.size());
    return checks == check_level::full ||
           std::ranges::all_of(all, [](std::byte each) { return each == std::byte{0}; });
}

TEST(buffer_pool_bytes, shows_no_tenant_what_another_wrote) { // B17
    buffer_pool pool({.tiers = small_tiers});
    EXPECT_TRUE(is_zeroed(pool.acquire({.bytes = 256, .tenant = 7}))); // fresh: whatever malloc had there
    const auto write = [&](std::uint64_t tenant) {
        buffer secret = pool.acquire({.bytes = 256, .tenant = tenant});
        EXPECT_TRUE(secret.empty());
        secret.append(std::string(256, 's'));
        return secret.data();
    };
    const std::byte* const place = write(7);
    EXPECT_EQ(write(7), place);
    for (const std::uint64_t other : {std::uint64_t{8}, std::uint64_t{0}, std::uint64_t{7}}) {
        EXPECT_TRUE(is_zeroed(pool.acquire({.bytes = 256, .tenant = other}))) << other;
        EXPECT_EQ(write(other), place);
    }
}

TEST(buffer_pool_bytes, keeps_a_growing_buffer_with_its_tenant) { // B17
    buffer_pool pool({.tiers = small_tiers});
    {
        buffer secret = pool.acquire({.bytes = 1, .tenant = 7});
        while (secret.size() < 6000) secret.append("secret"); // through all tiers
        secret.truncate(3000);
        EXPECT_TRUE(secret.try_shrink()); // and back into one
    }
    EXPECT_EQ(pool.statistics(2).kept_count(), 1);
    for (const std::size_t bytes : {256, 1024, 4096, 6000})
        EXPECT_TRUE(is_zeroed(pool.acquire({.bytes = bytes, .tenant = 8}))) << bytes;
    pool.check();
}

TEST(buffer_pool_bytes, spreads_its_buffers_over_the_cache) {
    page_source pages; // whose blocks all begin with a page
    for (memory_source* upstream : {static_cast<memory_source*>(&pages), &default_source()}) {
        constexpr buffer_tier tiers[] = {{.size = kibibytes(4), .kept_count_max = 100},
                                         {.size = kibibytes(64), .kept_count_max = 100}};
        buffer_pool pool({.upstream = upstream, .tiers = tiers});
        for (const std::size_t bytes : {kibibytes(4), kibibytes(64)}) {
            std::vector<buffer> out;
            std::vector<int> sets(64);
            for (int i = 0; i != 64; ++i) {
                out.push_back(pool.acquire({.bytes = bytes}));
                ++sets[reinterpret_cast<std::uintptr_t>(out.back().data()) % 4096 / 64];
            }
            EXPECT_LE(std::ranges::max(sets), 8); // 64 page-aligned ones would all share one
        }
    }
}

TEST(buffer_pool_bytes, shows_its_dead_bytes) {
#if ALLOT_HAS_ASAN
    buffer_pool pool({.tiers = small_tiers});
    auto* const data = static_cast<std::byte*>(pool.allocate(layout{256, 16}));
    EXPECT_TRUE(__asan_address_is_poisoned(data - 1)); // the head
    EXPECT_FALSE(__asan_address_is_poisoned(data));
    EXPECT_FALSE(__asan_address_is_poisoned(data + 255));
    EXPECT_TRUE(__asan_address_is_poisoned(data + 256));
    pool.deallocate(data, layout{256, 16});
    EXPECT_TRUE(__asan_address_is_poisoned(data));
    EXPECT_TRUE(__asan_address_is_poisoned(data + 255));
    EXPECT_EQ(pool.allocate(layout{256, 16}), data);
    EXPECT_FALSE(__asan_address_is_poisoned(data + 255));
    pool.deallocate(data, layout{256, 16});
#endif
}

} // namespace
} // namespace allot
