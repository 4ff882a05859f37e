// A pool that follows its demand against the best fixed size, on traces of demand.
//
// The best fixed size is known only afterwards: the smallest that serves 95 % of all acquisitions from what it keeps.
// Two manners of fixing it: so many kept at most (object_pool's kept_count_max), and so many in all.
#include <allot/structure/object_pool.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

using trace = std::vector<bool>; // true: acquires one, false: gives one back

trace recorded(const std::string& name) {
    std::ifstream file(std::string(ALLOT_BENCH_DATA) + "/demand_" + name + ".bits", std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    trace operations;
    for (const char byte : bytes)
        for (int bit = 0; bit != 8; ++bit) operations.push_back((byte >> bit & 1) != 0);
    return operations;
}

// Requests one after another, each of a geometric number of objects whose mean a Markov chain switches: 200 in a busy
// time of 50 requests, 4 in a calm one of 5,000 (a Markov-modulated batch process; Heffes and Lucantoni 1986 for the
// chain).
trace markov_modulated_batches(std::uint64_t seed, std::size_t count) {
    std::mt19937_64 random(seed);
    const auto uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
    trace operations;
    for (bool is_busy = false; operations.size() < count;) {
        const double mean = is_busy ? 200 : 4;
        const auto objects = 1 + static_cast<std::size_t>(std::log(1 - uniform()) / std::log(1 - 1 / mean));
        operations.insert(operations.end(), objects, true);
        operations.insert(operations.end(), objects, false);
        if (uniform() < (is_busy ? 1.0 / 50 : 1.0 / 5000)) is_busy = !is_busy;
    }
    return operations;
}

struct score {
    double hit_rate = 0;
    double held = 0; // kept and live, on average over the operations
};

enum class fixed { kept, all };

score of_fixed_size(const trace& operations, std::uint64_t size, fixed what) {
    std::uint64_t live = 0, kept = 0, hits = 0, acquired = 0;
    double sum = 0;
    for (const bool acquires : operations) {
        if (acquires) {
            ++acquired;
            ++live;
            if (kept != 0) --kept, ++hits;
        } else if (live != 0) {
            --live;
            if (what == fixed::all ? kept + live < size : kept < size) ++kept;
        }
        sum += static_cast<double>(kept + live);
    }
    return {static_cast<double>(hits) / static_cast<double>(acquired),
            sum / static_cast<double>(operations.size())};
}

struct best_size {
    std::uint64_t size;
    score result;
};

best_size best_fixed_size(const trace& operations, fixed what) {
    std::uint64_t low = 0, high = 1 << 16;
    while (low < high) {
        const std::uint64_t middle = (low + high) / 2;
        if (of_fixed_size(operations, middle, what).hit_rate >= 0.95)
            high = middle;
        else
            low = middle + 1;
    }
    return {low, of_fixed_size(operations, low, what)};
}

score of_pool(const trace& operations, const object_pool_options& how) {
    struct thing {
        int value;
    };
    object_pool<thing> pool(how);
    std::vector<pooled<thing>> out;
    double sum = 0;
    for (const bool acquires : operations) {
        if (acquires)
            out.push_back(pool.acquire());
        else if (!out.empty())
            out.pop_back();
        const object_counts now = pool.counts();
        sum += static_cast<double>(now.kept + now.out);
    }
    pool.check();
    return {pool.counts().hit_rate(), sum / static_cast<double>(operations.size())};
}

void expect_less_than_the_best_fixed_size(const std::string& name, const trace& operations) {
    ASSERT_GT(operations.size(), 100'000) << name;
    const best_size kept = best_fixed_size(operations, fixed::kept);
    const best_size all = best_fixed_size(operations, fixed::all);
    // The arithmetic above is what the pool does.
    const score pool_of_that = of_pool(operations, {.kept_count_max = kept.size});
    EXPECT_EQ(pool_of_that.hit_rate, kept.result.hit_rate) << name;
    EXPECT_EQ(pool_of_that.held, kept.result.held) << name;
    ASSERT_GE(kept.result.hit_rate, 0.95) << name;
    ASSERT_GE(all.result.hit_rate, 0.95) << name;
    const score follows = of_pool(operations, {.kept_count_max = 1 << 16, .follows_demand = true});
    const double best = std::min(kept.result.held, all.result.held);
    std::printf("%-8s follows: hit rate %.3f, holds %.1f; fixed: %.1f with %llu kept, %.1f with %llu in all; "
                "ratio %.2f\n",
                name.c_str(), follows.hit_rate, follows.held, kept.result.held,
                static_cast<unsigned long long>(kept.size), all.result.held,
                static_cast<unsigned long long>(all.size), follows.held / best);
    EXPECT_GE(follows.hit_rate, 0.95) << name;
    EXPECT_LT(follows.held, best) << name;
}

TEST(demand_trace, holds_less_than_the_best_fixed_size_on_what_real_programs_did) { // AG5, LA3
    for (const char* name : {"jq", "python"}) expect_less_than_the_best_fixed_size(name, recorded(name));
}

TEST(demand_trace, holds_less_than_the_best_fixed_size_on_batches_that_come_and_go) {
    for (const std::uint64_t seed : {1, 2, 3})
        expect_less_than_the_best_fixed_size("seed " + std::to_string(seed),
                                             markov_modulated_batches(seed, 1 << 20));
}

} // namespace
} // namespace allot
