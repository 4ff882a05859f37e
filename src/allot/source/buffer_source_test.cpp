#include <allot/core/poison.hpp>
#include <allot/source/buffer_source.hpp>
#include <allot/source/fixtures/model.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>

namespace {

using namespace allot;
using namespace allot::testing_model;

TEST(buffer_source, hands_out_the_bytes_of_a_buffer) {
    std::array<std::byte, 1024> bytes;
    buffer_source source(bytes, {.name = "scratch"});
    void* row = source.try_allocate({.size = 100, .align = 16});
    ASSERT_TRUE(source.owns(row) && source.usage().live_bytes == 100);
    source.deallocate(row, {.size = 100, .align = 16});
    ASSERT_TRUE(source.try_allocate({.size = 2000}) == nullptr); // last_refusal() says why
    EXPECT_EQ(last_refusal().limit_bytes, 1024u);
}

TEST(buffer_source, is_full_at_the_last_byte) {
    std::array<std::byte, 64> bytes;
    buffer_source source(bytes, {.name = "scratch"});
    void* const all = source.try_allocate({64, 1});
    EXPECT_EQ(all, bytes.data());
    expect_refusal(source, {1, 1}, "scratch");
    EXPECT_EQ(last_refusal().live_bytes, 64u);
    source.deallocate(all, {64, 1});
    expect_refusal(source, {65, 1}, "scratch");
    expect_refusal(source, {.size = 1, .align = std::size_t{1} << 62}, "scratch");
    expect_refusal(source, {.size = (std::size_t{1} << 63) - 1, .align = 1}, "scratch");
    source.deallocate(source.allocate({64, 1}), {64, 1});
    source.check();
}

TEST(buffer_source, without_a_byte_refuses_and_owns_nothing) {
    buffer_source source({});
    EXPECT_EQ(source.try_allocate({0, 1}), nullptr);
    EXPECT_FALSE(source.owns(nullptr));
    EXPECT_FALSE(source.owns(&source));
    source.check();
}

TEST(buffer_source, takes_back_the_newest_and_all_when_none_is_left) {
    alignas(64) std::array<std::byte, 256> bytes;
    buffer_source source(bytes);
    void* const a = source.allocate({10, 1});
    void* const b = source.allocate({10, 64});
    void* const c = source.allocate({10, 1});
    EXPECT_EQ(b, bytes.data() + 64);
    EXPECT_EQ(source.usage().slack_bytes, 54u);
    source.deallocate(c, {10, 1});
    EXPECT_EQ(source.allocate({10, 1}), c);
    source.deallocate(b, {10, 64}); // not the newest: waits
    EXPECT_EQ(source.usage().slack_bytes, 64u);
    source.deallocate(c, {10, 1});
    source.deallocate(a, {10, 1});
    EXPECT_EQ(source.allocate({256, 1}), bytes.data());
    EXPECT_EQ(source.usage().peak_live_bytes, 256u);
}

TEST(buffer_source, grows_the_newest_in_place_and_shrinks_any) {
    std::array<std::byte, 64> bytes;
    buffer_source source(bytes);
    void* const a = source.allocate({10, 1});
    void* const b = source.allocate({10, 1});
    EXPECT_FALSE(source.try_resize(a, {10, 1}, 11));
    EXPECT_TRUE(source.try_resize(a, {10, 1}, 4));
    EXPECT_TRUE(source.try_resize(b, {10, 1}, 54));
    EXPECT_FALSE(source.try_resize(b, {54, 1}, 55));
    EXPECT_EQ(source.usage().live_bytes, 58u);
    EXPECT_EQ(source.usage().slack_bytes, 6u);
    EXPECT_TRUE(source.try_resize(b, {54, 1}, 5));
    EXPECT_EQ(source.usage().free_bytes, 49u);
    source.check();
}

TEST(buffer_source, says_what_it_is) {
    std::array<std::byte, 64> bytes;
    buffer_source source(bytes, {.name = "scratch"});
    EXPECT_EQ(source.traits(), source_traits{.bulk_free = true});
    EXPECT_EQ(source.good_size({100, 64}), 100u);
    EXPECT_STREQ(source.describe().kind, "buffer_source");
    EXPECT_EQ(source.describe().name.view(), "scratch");
    EXPECT_EQ(source.describe().usage.limit_bytes, 64u);
}

TEST(buffer_source, takes_no_memory_but_the_buffer) {
    std::array<std::byte, 1024> bytes;
    const no_allocation scope;
    buffer_source source(bytes);
    void* const block = source.try_allocate({100, 8});
    (void)source.try_allocate({2000, 8});
    void* const moved = source.try_reallocate(block, {100, 8}, 200);
    source.deallocate(moved, {200, 8});
    EXPECT_EQ(scope.count(), 0u);
}

TEST(buffer_source, gets_each_block_back_as_it_gave_it) {
    std::vector<std::byte> bytes(kibibytes(256));
    buffer_source source(bytes);
    auditing_source audited(source);
    run_model(audited, {.step_count = 1000},
              [&](const model& m) { ASSERT_EQ(audited.live_bytes(), m.live_bytes()); });
    EXPECT_EQ(source.usage().live_count, 0u);
}

TEST(buffer_source, keeps_what_random_operations_write) {
    for (bool newest_first : {false, true}) {
        std::vector<std::byte> bytes(kibibytes(64));
        buffer_source source(bytes);
        std::uint64_t refused = 0;
        run_model(source, {.newest_first = newest_first}, [&](const model& m) {
            source.check();
            ASSERT_EQ(source.usage().live_bytes, m.live_bytes());
            ASSERT_EQ(source.usage().live_count, m.live_count());
            refused = std::max(refused, m.refused_count());
        });
        EXPECT_GT(refused, 0u);
        EXPECT_GE(source.usage().refused_count, refused);
    }
}

TEST(buffer_source, is_described_from_another_thread) {
    std::vector<std::byte> bytes(kibibytes(64));
    buffer_source source(bytes);
    std::atomic<bool> done = false;
    std::thread looker([&] {
        while (!done) EXPECT_LE(source.describe().usage.live_bytes, kibibytes(64));
    });
    run_model(source, {.step_count = 1000}, [](const model&) {});
    done = true;
    looker.join();
}

TEST(buffer_source_misuse, names_a_block_that_is_not_its_own) {
    if constexpr (checks == check_level::off) GTEST_SKIP() << "level off looks at nothing";
    std::array<std::byte, 64> bytes, other;
    buffer_source source(bytes, {.name = "scratch"});
    void* const block = source.allocate({10, 1});
    const char* const line =
        "^allot: fatal: buffer_source 'scratch': 0x[0-9a-f]+ with 1?[0-9] bytes is not a block of it\n$";
    EXPECT_DEATH(source.deallocate(other.data(), {10, 1}), line);
    EXPECT_DEATH(source.deallocate(block, {11, 1}), line); // longer than it is
    source.deallocate(block, {10, 1});
    EXPECT_DEATH(source.deallocate(block, {10, 1}), line); // twice
}

TEST(buffer_source_misuse, makes_dead_bytes_visible) {
    if constexpr (!poisons) GTEST_SKIP() << "AddressSanitizer or level full only";
    alignas(8) std::array<std::byte, 64> bytes{};
    {
        buffer_source source(bytes);
        auto* const block = static_cast<volatile char*>(source.allocate({8, 8}));
        *block = 1;
        source.deallocate(const_cast<char*>(block), {8, 8});
#if ALLOT_HAS_ASAN
        EXPECT_DEATH(*block = 2, "use-after-poison");
        EXPECT_DEATH((void)*reinterpret_cast<volatile char*>(&bytes[40]), "use-after-poison");
#else
        EXPECT_EQ(static_cast<unsigned char>(*block), 0xDD);
#endif
    }
    bytes[40] = std::byte{1}; // the buffer is its owner's again
}

} // namespace
