// Many threads in one budget: the limit holds at every instant, and what was refused early was in flight.
#include <allot/governance/budget.hpp>

#include <atomic>
#include <barrier>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace allot {
namespace {

constexpr int thread_count = 8;

void in_eight_threads(auto body) {
    std::vector<std::thread> threads;
    for (int i = 0; i < thread_count; ++i) threads.emplace_back([&, i] { body(i); });
    for (std::thread& each : threads) each.join();
}

// Two children of a parent whose limit is less than theirs together. `truth` is raised after a charge and
// lowered before its refund, so that it never says more than what is charged: if it ever exceeds a limit, so
// did the budget.
class crowd : public testing::Test {
protected:
    static constexpr std::uint64_t child_limit = 60'000;
    static constexpr std::uint64_t top_limit = 100'000;

    bool charge(int child, std::uint64_t bytes) {
        if (!children[child]->try_charge(bytes)) return false;
        truth[child] += bytes;
        truth_of_top += bytes;
        return true;
    }
    void refund(int child, std::uint64_t bytes) {
        truth_of_top -= bytes;
        truth[child] -= bytes;
        children[child]->refund(bytes);
    }
    void look() {
        EXPECT_LE(truth_of_top.load(), top_limit);
        for (int i = 0; i < 2; ++i) EXPECT_LE(truth[i].load(), child_limit);
        for (const budget* each : {&top, &a, &b}) {
            const usage now = each->usage();
            EXPECT_LE(now.held_bytes, now.limit_bytes);
            EXPECT_LE(now.live_bytes, now.held_bytes);
            EXPECT_LE(now.peak_held_bytes, now.limit_bytes);
        }
    }

    budget top{{.name = "top", .limit_bytes = top_limit, .quantum_bytes = 1000}};
    budget a{{.name = "a", .limit_bytes = child_limit, .parent = &top, .quantum_bytes = 1000}};
    budget b{{.name = "b", .limit_bytes = child_limit, .parent = &top, .quantum_bytes = 700}};
    budget* children[2] = {&a, &b};
    std::atomic<std::uint64_t> truth[2] = {};
    std::atomic<std::uint64_t> truth_of_top = 0;
};

TEST_F(crowd, never_exceeds_a_limit_at_any_instant_and_is_exact_when_quiet) {
    std::atomic<bool> done = false;
    std::thread observer([&] {
        while (!done) look();
    });
    struct slot {
        int child;
        std::uint64_t bytes;
    };
    std::vector<std::vector<slot>> kept(thread_count);
    std::atomic<int> granted = 0;
    std::atomic<int> refused = 0;
    std::barrier quiet(thread_count, [&]() noexcept {
        EXPECT_EQ(a.usage().live_bytes, truth[0].load());
        EXPECT_EQ(b.usage().live_bytes, truth[1].load());
        EXPECT_EQ(top.usage().live_bytes, truth_of_top.load());
    });
    in_eight_threads([&](int self) {
        for (int round = 0; round < 30; ++round) {
            for (int i = 0; i < 300; ++i) {
                const int child = (self + i) % 2;
                const auto bytes = static_cast<std::uint64_t>(1 + (self * 7 + i * 13 + round) % 900);
                if (charge(child, bytes))
                    kept[static_cast<std::size_t>(self)].push_back({child, bytes}), ++granted;
                else
                    ++refused;
            }
            quiet.arrive_and_wait();
            // Another thread's: credit wanders between the cells.
            std::vector<slot>& others = kept[static_cast<std::size_t>((self + 1 + round) % thread_count)];
            for (const slot& each : others) refund(each.child, each.bytes);
            others.clear();
            quiet.arrive_and_wait();
        }
    });
    done = true;
    observer.join();
    EXPECT_GT(granted.load(), 1000);
    EXPECT_GT(refused.load(), 1000);
    EXPECT_EQ(top.usage().live_bytes, 0u);
    EXPECT_TRUE(top.try_charge(top_limit)); // all of it, to the last byte
    top.refund(top_limit);
}

// Each thread asks for small parts and keeps them: together they must get nearly all. What is missing when
// the first one was refused is what others had in flight at that moment.
TEST_F(crowd, is_early_by_no_more_than_it_says) {
    budget limit({.limit_bytes = 1'000'000, .quantum_bytes = 5000});
    std::atomic<std::uint64_t> charged = 0;
    std::atomic<std::uint64_t> left_max = 0;
    in_eight_threads([&](int) {
        while (limit.try_charge(100)) charged += 100;
        const std::uint64_t left = 1'000'000 - charged.load(); // others may still be about to add
        std::uint64_t known = left_max.load();
        while (left > known && !left_max.compare_exchange_weak(known, left)) {
        }
    });
    EXPECT_LE(left_max.load(), limit.usage().early_bytes_max + thread_count * 100u);
    while (limit.try_charge(100)) charged += 100;
    EXPECT_EQ(charged.load(), 1'000'000u);
    limit.refund(charged);
}

TEST_F(crowd, keeps_the_credit_of_ended_threads_and_hands_it_on) {
    budget limit({.limit_bytes = 1'000'000, .quantum_bytes = 1000});
    for (int i = 0; i < 300; ++i) std::thread([&] { EXPECT_TRUE(limit.try_charge(10)); }).join();
    EXPECT_EQ(limit.usage().live_bytes, 3000u);
    EXPECT_LE(limit.usage().free_bytes, 2000u); // one cell for all of them
    limit.refund(3000);
}

TEST_F(crowd, is_whole_in_the_child_of_a_fork) {
    std::atomic<bool> done = false;
    std::vector<std::thread> threads;
    for (int self = 0; self < 3; ++self)
        threads.emplace_back([&, self] {
            while (!done) {
                int count = 0;
                while (count < 40 && children[self % 2]->try_charge(100)) ++count;
                for (; count > 0; --count) children[self % 2]->refund(100);
            }
        });
    for (int i = 0; i < 20; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(20);
            // Whatever the three held is lost, and no more: all else can be charged, in whole hundreds.
            const std::uint64_t live = top.usage().live_bytes;
            const bool whole = live % 100 == 0 && live <= 3 * 4100;
            const bool to_the_byte = top.try_charge(top_limit - live) && !top.try_charge(1);
            const bool sums =
                a.usage().live_bytes + b.usage().live_bytes + top_limit - live == top.usage().live_bytes;
            ::_exit(whole && to_the_byte && sums ? 0 : 1 + 2 * whole + 4 * to_the_byte + 8 * sums);
        }
        int status = 1;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0) << "in child " << i;
    }
    done = true;
    for (std::thread& each : threads) each.join();
}

} // namespace
} // namespace allot
