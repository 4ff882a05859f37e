#include <allot/core/poison.hpp>
#include <allot/source/buffer_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <array>
#include <cassert>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <thread>

namespace allot {
namespace {

using type = audit_finding::type;
constexpr auditing_source_options collecting{.name = "books", .on_finding = on_finding::collect};

std::string only_finding(const auditing_source& audited) {
    const auto findings = audited.findings();
    EXPECT_EQ(findings.size(), 1);
    return findings.empty() ? "" : text(findings.front());
}

TEST(auditing_source, usage) {
    malloc_source source;
    auditing_source audited(source);
    void* row = audited.allocate({.size = 100, .align = 64});
    audited.deallocate(row, {.size = 100, .align = 64});
    assert(audited.live_count() == 0 && audited.finding_count() == 0);
    EXPECT_EQ(audited.live_count(), 0);
    EXPECT_EQ(audited.finding_count(), 0);
}

TEST(auditing_source, keeps_alignment_from_one_to_a_page_and_beyond) {
    malloc_source source;
    for (std::size_t guard_bytes : {0, 8, 32, 4096}) {
        auditing_source audited(source, {.guard_bytes = guard_bytes});
        for (std::size_t align = 1; align <= kibibytes(64); align *= 2) {
            void* const block = audited.try_allocate({.size = 3, .align = align});
            ASSERT_NE(block, nullptr);
            EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % align, 0);
            std::memset(block, 1, 3);
            audited.deallocate(block, {.size = 3, .align = align});
        }
    }
}

TEST(auditing_source, finds_a_block_that_comes_back_twice) {
    malloc_source source;
    auditing_source audited(source, collecting);
    void* const block = audited.allocate({.size = 8});
    audited.deallocate(block, {.size = 8});
    audited.deallocate(block, {.size = 8});
    EXPECT_EQ(audited.finding_count(type::given_back_twice), 1);
    EXPECT_EQ(only_finding(audited).find("given back twice: 0x"), 0);
}

TEST(auditing_source, knows_the_old_address_of_a_block_that_moved) {
    page_source source;
    auditing_source audited(source, collecting);
    void* const old = audited.allocate({.size = 100});
    void* const in_the_way = audited.allocate({.size = 100});
    void* const now = audited.try_reallocate(old, {.size = 100}, mebibytes(8));
    ASSERT_NE(now, nullptr);
    ASSERT_NE(now, old);
    audited.deallocate(old, {.size = 100});
    EXPECT_EQ(audited.finding_count(type::given_back_twice), 1);
    audited.deallocate(in_the_way, {.size = 100});
    audited.deallocate(now, {.size = mebibytes(8)});
}

TEST(auditing_source, finds_a_block_of_somebody_else) {
    malloc_source source;
    auditing_source audited(source, collecting);
    int other = 5;
    audited.deallocate(&other, layout_of<int>());
    EXPECT_FALSE(audited.try_resize(&other, layout_of<int>(), 2));
    EXPECT_EQ(audited.try_reallocate(&other, layout_of<int>(), 8), nullptr);
    EXPECT_EQ(audited.finding_count(type::foreign_block), 3);
    EXPECT_EQ(audited.finding_count(), 3);
}

TEST(auditing_source, finds_a_wrong_size_and_a_wrong_alignment) {
    malloc_source source;
    auditing_source audited(source, collecting);
    void* block = audited.allocate({.size = 100, .align = 64});
    audited.deallocate(block, {.size = 96, .align = 64});
    EXPECT_NE(only_finding(audited).find(" has 100 bytes aligned to 64, came back as 96 bytes aligned to 64"),
              std::string::npos);
    block = audited.allocate({.size = 100, .align = 64});
    audited.deallocate(block, {.size = 100, .align = 32});
    EXPECT_EQ(audited.finding_count(type::wrong_layout), 2);
    EXPECT_EQ(audited.live_count(), 0) << "taken back all the same";
}

// AddressSanitizer reports these writes itself, and sooner.
#if !ALLOT_HAS_ASAN
TEST(auditing_source, finds_a_write_beyond_each_end) {
    malloc_source source;
    auditing_source audited(source, collecting);
    constexpr layout odd{.size = 13, .align = 8};
    auto* block = static_cast<volatile char*>(audited.allocate(odd));
    block[13] = 1;
    audited.deallocate(const_cast<char*>(block), odd);
    EXPECT_EQ(audited.finding_count(type::written_after), 1);
    block = static_cast<volatile char*>(audited.allocate(odd));
    block[-1] = 1;
    audited.check();
    EXPECT_EQ(audited.finding_count(type::written_before), 1) << "without waiting for its end";
    audited.deallocate(const_cast<char*>(block), odd);
    EXPECT_EQ(audited.finding_count(), 2) << "and reported once";
}
#endif

TEST(auditing_source, finds_what_never_came_back_and_returns_it) {
    page_source source;
    {
        auditing_source audited(source, collecting);
        void* const first = audited.allocate({.size = 10});
        void* const second = audited.allocate({.size = 20});
        audited.check_nothing_live();
        ASSERT_EQ(audited.findings().size(), 1);
        const audit_finding leak = audited.findings().front();
        EXPECT_EQ(leak.what, type::leaked);
        EXPECT_EQ(leak.address, first);
        EXPECT_EQ(leak.count, 2);
        EXPECT_EQ(leak.sum_bytes, 30);
        EXPECT_NE(first, second);
    }
    EXPECT_EQ(source.usage().live_count, 0);
}

TEST(auditing_source, each_finding_is_fatal_unless_collected) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    struct misuse {
        const char* line; // behind "auditing_source 'parser': "
        void (*commit)(auditing_source& audited);
    };
    static constexpr layout given{.size = 24, .align = 8};
    const misuse misuses[] = {
        {"foreign block: 0x[0-9a-f]+ \\(4 bytes aligned to 4\\)",
         [](auditing_source& audited) {
             int other = 5;
             audited.deallocate(&other, layout_of<int>());
         }},
        {"given back twice: 0x[0-9a-f]+ \\(24 bytes aligned to 8\\)",
         [](auditing_source& audited) {
             void* const block = audited.allocate(given);
             audited.deallocate(block, given);
             audited.deallocate(block, given);
         }},
        {"wrong layout: 0x[0-9a-f]+ has 24 bytes aligned to 8, came back as 16 bytes aligned to 8",
         [](auditing_source& audited) { audited.deallocate(audited.allocate(given), layout{16, 8}); }},
        {"leaked: 1 blocks of 24 bytes together, the oldest 0x[0-9a-f]+ \\(24 bytes aligned to 8\\)",
         [](auditing_source& audited) { static_cast<void>(audited.allocate(given)); }},
        {"wrong bulk free: 2 blocks of 48 bytes together, where the newest have 0 bytes",
         [](auditing_source& audited) { audited.bulk_freed({.live_bytes = 48, .live_count = 2}); }},
#if !ALLOT_HAS_ASAN
        {"written after the block: 0x[0-9a-f]+ \\(24 bytes aligned to 8\\)",
         [](auditing_source& audited) {
             auto* const block = static_cast<volatile char*>(audited.allocate(given));
             block[24] = 1;
             audited.check();
         }},
        {"written before the block: 0x[0-9a-f]+ \\(24 bytes aligned to 8\\)",
         [](auditing_source& audited) {
             auto* const block = static_cast<volatile char*>(audited.allocate(given));
             block[-1] = 1;
             audited.check();
         }},
#endif
    };
    for (const misuse& each : misuses) {
        const auto commit = [&] {
            malloc_source source;
            auditing_source audited(source, {.name = "parser"});
            each.commit(audited);
        };
        EXPECT_DEATH(commit(), std::string("^allot: fatal: auditing_source 'parser': ") + each.line + "\n");
    }
}

// Gives the same block to everybody, at an address of its own choice.
class bad_source final : public memory_source {
public:
    std::size_t shift = 8;

private:
    void* do_try_allocate(layout) noexcept override { return bytes_ + shift; }
    void do_give_back(void*, layout) noexcept override {}
    alignas(64) std::byte bytes_[256] = {};
};

TEST(auditing_source, finds_the_faults_of_its_upstream) {
    bad_source crooked;
    auditing_source audited(crooked, {.on_finding = on_finding::collect, .guard_bytes = 0});
    audited.deallocate(audited.allocate({.size = 8, .align = 64}), {.size = 8, .align = 64});
    EXPECT_EQ(audited.finding_count(type::bad_grant), 1) << "misaligned";
    void* const once = audited.allocate({.size = 8, .align = 8});
    EXPECT_EQ(audited.finding_count(type::bad_grant), 1);
    void* const twice = audited.allocate({.size = 8, .align = 8});
    EXPECT_EQ(once, twice);
    EXPECT_EQ(audited.finding_count(type::bad_grant), 2) << "the same";
    crooked.shift = 4;
    void* const before = audited.allocate({.size = 6, .align = 4});
    EXPECT_EQ(audited.finding_count(type::bad_grant), 3) << "its end lies in a live block";
    crooked.shift = 12;
    void* const behind = audited.allocate({.size = 1, .align = 4});
    EXPECT_EQ(audited.finding_count(type::bad_grant), 4) << "it begins in a live block";
    audited.deallocate(behind, {.size = 1, .align = 4});
    audited.deallocate(before, {.size = 6, .align = 4});
    audited.deallocate(twice, {.size = 8, .align = 8});
    EXPECT_EQ(audited.live_count(), 0);
}

TEST(auditing_source, a_bulk_free_ends_the_newest_blocks) {
    malloc_source source;
    auditing_source audited(source, {.on_finding = on_finding::collect, .guard_bytes = 0});
    void* const old = audited.allocate({.size = 10});
    void* const gone[2] = {audited.allocate({.size = 20}), audited.allocate({.size = 30})};
    audited.bulk_freed({.live_bytes = 50, .live_count = 2});
    EXPECT_EQ(audited.finding_count(), 0);
    EXPECT_EQ(audited.live_bytes(), 10);
    audited.bulk_freed({.live_bytes = 11, .live_count = 1});
    EXPECT_EQ(audited.finding_count(type::wrong_bulk_free), 1);
    EXPECT_EQ(audited.live_count(), 0);
    audited.bulk_freed({.live_bytes = 0, .live_count = 1});
    EXPECT_EQ(audited.finding_count(type::wrong_bulk_free), 2);
    for (void* block : {gone[0], gone[1]}) source.deallocate(block, {.size = 1});
    source.deallocate(old, {.size = 10});
}

TEST(auditing_source, asks_nothing_back_of_a_source_that_frees_in_bulk) {
    alignas(16) std::array<std::byte, 1024> bytes;
    buffer_source buffer(bytes);
    auditing_source audited(buffer);
    EXPECT_NE(audited.try_allocate({.size = 10}), nullptr);
    audited.check_nothing_live();
    EXPECT_EQ(audited.finding_count(), 0);
}

TEST(auditing_source, resizing_keeps_books_bytes_and_guards) {
    page_source source;
    auditing_source audited(source);
    layout now{.size = 100, .align = 16};
    auto* block = static_cast<unsigned char*>(audited.allocate(now));
    std::memset(block, 7, now.size);
    ASSERT_TRUE(audited.try_resize(block, now, 1000)) << "the page has room";
    std::memset(block + 100, 8, 900);
    now.size = 1000;
    EXPECT_FALSE(audited.try_resize(block, now, mebibytes(64 * 1024)));
    block = static_cast<unsigned char*>(audited.try_reallocate(block, now, 20'000));
    ASSERT_NE(block, nullptr);
    now.size = 20'000;
    std::memset(block + 1000, 9, 19'000);
    EXPECT_EQ(block[0] + block[99] + block[100] + block[999] + block[1000], 7 + 7 + 8 + 8 + 9);
    ASSERT_TRUE(audited.try_resize(block, now, 10));
    now.size = 10;
    audited.check();
    EXPECT_EQ(audited.live_bytes(), 10);
    EXPECT_EQ(audited.usage().total_count, 1);
    audited.deallocate(block, now);
}

TEST(auditing_source, good_size_charges_no_guards_and_keeps_its_laws) {
    page_source source;
    auditing_source audited(source);
    std::size_t before = 0;
    for (std::size_t size = 1; size < 20'000; size += 97) {
        const std::size_t good = audited.good_size({size, 16});
        EXPECT_GE(good, size);
        EXPECT_GE(good, before);
        EXPECT_EQ(audited.good_size({good, 16}), good);
        before = good;
    }
    const block most = audited.try_allocate_at_least({.size = 100, .align = 16});
    EXPECT_EQ(most.size, audited.good_size({100, 16}));
    std::memset(most.address, 1, most.size);
    audited.deallocate(most.address, {most.size, 16});
}

TEST(auditing_source, survives_each_refusal_of_its_upstream) {
    const auto body = [](failing_source& failing) {
        auditing_source audited(failing);
        constexpr layout first{.size = 10, .align = 8};
        void* block = audited.try_allocate(first);
        if (!block) return;
        if (void* const moved = audited.try_reallocate(block, first, 5000)) {
            audited.deallocate(moved, {5000, 8});
        } else {
            EXPECT_EQ(audited.live_bytes(), 10);
            audited.deallocate(block, first);
        }
    };
    EXPECT_EQ(for_each_failure(body), 2);
}

TEST(auditing_source, its_books_are_no_finding_of_no_allocation) {
    malloc_source source;
    auditing_source audited(source);
    no_allocation scope;
    for (int i = 0; i != 10; ++i) audited.deallocate(audited.allocate({.size = 500}), {.size = 500});
    EXPECT_EQ(scope.count(), 0);
}

TEST(auditing_source, agrees_with_plain_books_over_random_work) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    malloc_source source;
    auditing_source audited(source);
    std::vector<std::pair<void*, layout>> live;
    std::uint64_t live_bytes = 0;
    for (int step = 0; step != 5000; ++step) {
        const layout wanted{1 + random() % 300, std::size_t{1} << random() % 8};
        if (live.empty() || random() % 3 != 0) {
            live.emplace_back(audited.allocate(wanted), wanted);
            live_bytes += wanted.size;
        } else {
            auto& [address, given] = live[random() % live.size()];
            live_bytes -= given.size;
            if (random() % 2) {
                address = audited.try_reallocate(address, given, wanted.size);
                ASSERT_NE(address, nullptr);
                given.size = wanted.size;
                live_bytes += given.size;
            } else {
                audited.deallocate(address, given);
                std::swap(live.back(), *std::find(live.begin(), live.end(), std::pair{address, given}));
                live.pop_back();
            }
        }
        ASSERT_EQ(audited.live_bytes(), live_bytes);
        ASSERT_EQ(audited.live_count(), live.size());
    }
    audited.check();
    for (const auto& [address, given] : live) audited.deallocate(address, given);
}

TEST(auditing_source, many_threads_may_give_back_each_others_blocks) {
    malloc_source source;
    auditing_source audited(source);
    std::array<std::atomic<void*>, 16> shelf{};
    const auto work = [&](unsigned seed) {
        std::mt19937 random(seed);
        for (int step = 0; step != 2000; ++step) {
            void* const mine = audited.allocate({.size = 40});
            std::memset(mine, 1, 40);
            audited.deallocate(shelf[random() % shelf.size()].exchange(mine), {.size = 40});
            if (step % 500 == 0) audited.check();
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 0; i != 4; ++i) threads.emplace_back(work, i);
    for (std::thread& each : threads) each.join();
    for (auto& each : shelf) audited.deallocate(each.load(), {.size = 40});
    EXPECT_EQ(audited.live_count(), 0);
    EXPECT_EQ(audited.usage().total_count, 8000);
}

} // namespace
} // namespace allot
