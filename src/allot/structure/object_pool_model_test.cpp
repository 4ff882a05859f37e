// object_pool against a list of who is out and who is kept; and its steady state, which no page fault disturbs.
#include <allot/source/default_source.hpp>
#include <allot/structure/object_pool.hpp>
#include <allot/testing/auditing_source.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <sys/resource.h>
#include <vector>

namespace allot {
namespace {

struct item {
    static inline std::uint64_t live = 0;
    item() { ++live; }
    item(item&& other) noexcept : mark(other.mark), large(other.large) { ++live; }
    ~item() { --live; }
    unsigned mark = 0;
    bool large = false;
};
struct item_care : object_care<item> {
    void clean(item& used) const { used.mark = 0; }
    bool keeps(const item& used) const noexcept { return !used.large; }
};

class model {
public:
    model(unsigned seed, const object_pool_options& how) : how_(how), random_(seed), pool_(how) {}
    ~model() {
        for (auto& each : out_) expect_unharmed(each);
    }

    void step() {
        switch (random_() % 16) {
        case 0: give(); break;
        case 1: take(); break;
        case 2: trim(); break;
        case 3: reserve(); break;
        default:
            if (random_() % 100 < (++step_count_ / 200 % 2 ? 35 : 65))
                acquire();
            else
                give_back();
        }
        compare();
    }

private:
    struct holding {
        pooled<item> handle;
        unsigned mark;
    };

    void expect_unharmed(const holding& one) { ASSERT_EQ(one.handle->mark, one.mark); }
    void acquire() {
        pooled<item> one = pool_.try_acquire();
        const bool may = out_.size() + kept_ < how_.out_count_max || kept_ != 0;
        ASSERT_EQ(static_cast<bool>(one), may);
        if (!one) return;
        ASSERT_EQ(one->mark, 0U);
        ASSERT_FALSE(one->large);
        if (kept_ != 0)
            --kept_;
        else
            ++missed_;
        const auto mark = static_cast<unsigned>(random_()) | 1;
        one->mark = mark;
        ++acquired_;
        out_.push_back({std::move(one), mark});
    }
    holding pick() {
        std::swap(out_[random_() % out_.size()], out_.back());
        holding one = std::move(out_.back());
        out_.pop_back();
        return one;
    }
    void give_back() {
        if (out_.empty()) return;
        holding one = pick();
        expect_unharmed(one);
        const bool large = random_() % 20 == 0;
        one.handle->large = large;
        one.handle.give_back();
        if (!large && kept_ < how_.kept_count_max) ++kept_;
    }
    void give() {
        const bool may = kept_ < how_.kept_count_max && out_.size() + kept_ < how_.out_count_max;
        ASSERT_EQ(pool_.give(item()), may);
        kept_ += may;
    }
    void take() {
        if (out_.empty()) return;
        holding one = pick();
        ASSERT_EQ(one.handle.take().mark, one.mark);
    }
    void trim() {
        const std::uint64_t to = random_() % 40;
        (void)pool_.trim(to);
        kept_ = std::min(kept_, to);
    }
    void reserve() {
        const std::uint64_t to = random_() % 20;
        (void)pool_.try_reserve(to);
        while (kept_ < to && kept_ < how_.kept_count_max && out_.size() + kept_ < how_.out_count_max) ++kept_;
    }
    void compare() {
        pool_.check();
        const object_counts now = pool_.counts();
        ASSERT_EQ(now.out, out_.size());
        ASSERT_EQ(now.kept, kept_);
        ASSERT_EQ(now.acquired, acquired_);
        ASSERT_EQ(now.missed, missed_);
        ASSERT_EQ(now.created + now.given, now.out + now.kept + now.discarded + now.taken);
        ASSERT_EQ(now.acquired, now.out + now.returned + now.taken);
        ASSERT_EQ(item::live, now.out + now.kept);
    }

    object_pool_options how_;
    std::mt19937 random_;
    object_pool<item, item_care> pool_;
    std::vector<holding> out_;
    std::uint64_t kept_ = 0, acquired_ = 0, missed_ = 0;
    unsigned step_count_ = 0;
};

TEST(object_pool_model, does_what_a_list_of_objects_says) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    for (unsigned run = 0; run != 9 && !HasFatalFailure(); ++run) {
        auditing_source upstream(default_source());
        model sequence(seed + run, {.upstream = &upstream,
                                    .kept_count_max = run % 3 * 20,
                                    .out_count_max = run % 2 ? usage::unlimited : 30});
        for (int step = 0; step != 2000 && !HasFatalFailure(); ++step) sequence.step();
    }
    EXPECT_EQ(item::live, 0);
}

std::uint64_t page_faults() {
    rusage now{};
    getrusage(RUSAGE_THREAD, &now);
    return static_cast<std::uint64_t>(now.ru_minflt);
}

TEST(object_pool_model, takes_neither_blocks_nor_page_faults_in_steady_state) { // B28
    auditing_source upstream(default_source());
    object_pool<std::string> texts({.upstream = &upstream});
    std::vector<pooled<std::string>> out(200);
    const auto window = [&] {
        for (int round = 0; round != 50; ++round) {
            for (auto& each : out) (each = texts.acquire())->assign(2000, 'x');
            for (auto& each : out) each.give_back();
        }
    };
    window(); // warm-up
    const std::uint64_t blocks = upstream.usage().total_count;
    std::uint64_t best = usage::unlimited;
    for (int i = 0; i != 5; ++i) {
        const std::uint64_t before = page_faults();
        window();
        best = std::min(best, page_faults() - before);
    }
    EXPECT_EQ(best, 0);
    EXPECT_EQ(upstream.usage().total_count, blocks);
}

} // namespace
} // namespace allot
