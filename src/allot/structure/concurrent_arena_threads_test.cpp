// concurrent_arena over several threads: apart from each other, at their end, without a slot, after a fork.
#include <allot/structure/concurrent_arena.hpp>

#include <gtest/gtest.h>

#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <atomic>
#include <barrier>
#include <cstring>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace allot {
namespace {

struct written {
    unsigned char* address;
    std::size_t size;
    int seed;
};

void write_many(concurrent_arena& in, std::vector<written>& into, int count, unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < count; ++i) {
        const std::size_t size = 1 + random() % (random() % 50 == 0 ? 20'000 : 150);
        into.push_back(
            {static_cast<unsigned char*>(in.allocate(size, 8)), size, static_cast<int>(random() % 256)});
        std::memset(into.back().address, into.back().seed, size);
    }
}
void verify(const std::vector<written>& all) {
    for (const written& each : all)
        for (std::size_t i = 0; i < each.size; ++i) ASSERT_EQ(each.address[i], each.seed);
}
std::uint64_t bytes_of(const std::vector<written>& all) {
    std::uint64_t bytes = 0;
    for (const written& each : all) bytes += each.size;
    return bytes;
}

TEST(concurrent_arena_threads, keeps_eight_threads_apart_over_resets) {
    auditing_source below(default_source());
    {
        concurrent_arena shared({.upstream = &below, .chunk_bytes_min = 4096});
        std::vector<written> of[8];
        std::atomic<bool> done = false;
        std::thread reader([&] { // numbers may be asked for at any time
            while (!done) {
                const usage now = shared.describe().usage;
                EXPECT_LE(now.free_bytes, now.held_bytes);
            }
        });
        std::uint64_t truth = 0;
        std::barrier all(8, [&]() noexcept { // all threads wait here: nobody allocates
            const usage now = shared.usage();
            EXPECT_EQ(now.live_bytes, truth);
            shared.check();
            for (std::vector<written>& each : of) each.clear();
            shared.reset();
        });
        std::atomic<std::uint64_t> sum = 0;
        std::barrier before(8, [&]() noexcept { truth = sum.exchange(0); });
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < 8; ++t)
            threads.emplace_back([&, t] {
                for (unsigned round = 0; round < 10; ++round) {
                    write_many(shared, of[t], 500, t * 100 + round);
                    verify(of[t]);
                    sum += bytes_of(of[t]);
                    before.arrive_and_wait();
                    all.arrive_and_wait();
                }
            });
        for (std::thread& each : threads) each.join();
        done = true;
        reader.join();
        EXPECT_EQ(shared.reset_count(), 10u);
        EXPECT_EQ(shared.usage().total_count, 8u * 10 * 500);
    }
    EXPECT_EQ(below.live_count(), 0u);
}

TEST(concurrent_arena_threads, keeps_what_an_ended_thread_allocated_and_goes_on_in_its_part) {
    concurrent_arena shared;
    std::vector<written> all;
    for (unsigned t = 0; t < 50; ++t) std::thread([&] { write_many(shared, all, 20, t); }).join();
    verify(all);
    EXPECT_EQ(shared.usage().live_bytes, bytes_of(all));
    // One after the other, they share one slot and so one part.
    EXPECT_LT(shared.usage().early_bytes_max, kibibytes(64) + 1);
    shared.check();
}

TEST(concurrent_arena_threads, takes_back_what_another_thread_allocated) {
    concurrent_arena shared;
    std::vector<written> all;
    std::thread([&] { write_many(shared, all, 1000, 1); }).join();
    std::vector<written> mine;
    write_many(shared, mine, 100, 2);
    for (const written& each : all) shared.deallocate(each.address, each.size, 8);
    write_many(shared, mine, 100, 3);
    verify(mine);
    EXPECT_EQ(shared.usage().live_bytes, bytes_of(mine));
    EXPECT_EQ(shared.usage().live_count, 200u);
    shared.check();
    shared.reset();
    EXPECT_EQ(shared.usage().live_bytes, 0u);
}

TEST(concurrent_arena_threads, holds_its_limit_exactly) {
    constexpr std::uint64_t limit = kibibytes(512);
    concurrent_arena shared({.chunk_bytes_min = 4096, .limit_bytes = limit});
    std::atomic<std::uint64_t> served = 0;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            std::mt19937 random(t);
            for (;;) {
                const std::size_t size = 1 + random() % 300;
                if (!shared.try_allocate({size, 8})) break;
                served += size;
                ASSERT_LE(shared.usage().held_bytes, limit);
            }
        });
    for (std::thread& each : threads) each.join();
    const usage now = shared.usage();
    EXPECT_EQ(now.live_bytes, served);
    EXPECT_LE(now.peak_held_bytes, limit);
    EXPECT_GT(served + now.early_bytes_max, limit * 8 / 10);
}

TEST(concurrent_arena_threads, serves_more_threads_than_there_are_slots) {
    constexpr unsigned count = detail::thread_slot_count + 10;
    concurrent_arena shared;
    std::barrier all(count);
    std::vector<std::vector<written>> of(count);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < count; ++t)
        threads.emplace_back([&, t] {
            write_many(shared, of[t], 10, t);
            all.arrive_and_wait();
            write_many(shared, of[t], 10, 1000 + t);
            shared.deallocate(of[t].back().address, of[t].back().size, 8);
            of[t].pop_back();
            verify(of[t]);
            all.arrive_and_wait();
        });
    for (std::thread& each : threads) each.join();
    std::uint64_t truth = 0;
    for (const auto& each : of) truth += bytes_of(each);
    EXPECT_EQ(shared.usage().live_bytes, truth);
    EXPECT_EQ(shared.usage().live_count, std::uint64_t{count} * 19);
    shared.check();
}

#if !defined(__SANITIZE_THREAD__)
TEST(concurrent_arena_threads, works_in_the_child_of_a_fork_while_threads_allocate) {
    concurrent_arena shared({.limit_bytes = mebibytes(64)});
    std::barrier all_run(4); // a fork while a thread starts would leave the sanitizer's own lock taken
    std::atomic<bool> done = false;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t)
        threads.emplace_back([&] {
            all_run.arrive_and_wait();
            while (!done) shared.deallocate(shared.allocate(100), 100);
        });
    all_run.arrive_and_wait();
    std::vector<written> before;
    write_many(shared, before, 100, 1);
    for (unsigned i = 0; i < 5; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            std::vector<written> mine;
            write_many(shared, mine, 200, i);
            std::thread([&] { write_many(shared, mine, 200, i + 9); }).join(); // goes on in another's part
            verify(mine);
            verify(before);
            shared.reset();
            write_many(shared, mine, 1, i);
            ::_exit(testing::Test::HasFailure() ? 1 : 0);
        }
        int status = -1;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    done = true;
    for (std::thread& each : threads) each.join();
}
#endif

} // namespace
} // namespace allot
