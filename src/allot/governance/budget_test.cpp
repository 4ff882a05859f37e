#include <allot/governance/budget.hpp>

#include <allot/core/out_of_memory.hpp>
#include <allot/platform/clock.hpp>
#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

namespace allot {
namespace {

struct event_log : observer {
    void observe(const event& what) noexcept override { seen.push_back(what); }
    std::vector<event> seen;
};

// Holds charged bytes that it gives back when asked, and counts how often that is.
struct holder : reclaimable {
    holder(budget& limit, std::uint64_t bytes, reclaim_manner how = reclaim_manner::concurrent)
        : limit_(limit), bytes_(bytes), manner_(how) {
        EXPECT_TRUE(limit.try_charge(bytes));
    }
    ~holder() { limit_.refund(bytes_); }
    reclaim_manner manner() const noexcept override { return manner_; }
    std::uint64_t reclaim(reclaim_request wish) noexcept override {
        ++asked;
        wanted = wish.wanted_bytes;
        if (inside) inside();
        if (manner_ == reclaim_manner::deferred) return 0;
        const std::uint64_t given = std::exchange(bytes_, 0);
        limit_.refund(given);
        return given;
    }
    int asked = 0;
    std::uint64_t wanted = 0;
    void (*inside)() = nullptr;

private:
    budget& limit_;
    std::uint64_t bytes_;
    reclaim_manner manner_;
};

TEST(budget, usage) {
    budget tenant({.name = "tenant", .limit_bytes = 1000});
    budget session({.name = "session", .limit_bytes = 600, .parent = &tenant});
    EXPECT_TRUE(session.try_charge(600) && !session.try_charge(1));
    EXPECT_TRUE(last_refusal().who == name("session") && tenant.usage().live_bytes == 600);
    session.refund(600);
}

TEST(budget, stops_at_the_byte_whatever_the_quantum) {
    for (const std::uint64_t quantum : {0u, 1u, 7u, 100u, 1u << 20})
        for (const std::uint64_t step : {1u, 3u, 64u}) {
            budget limit({.limit_bytes = 1000, .quantum_bytes = quantum});
            std::uint64_t charged = 0;
            while (limit.try_charge(step)) charged += step;
            EXPECT_EQ(charged, 1000 / step * step);
            EXPECT_EQ(limit.usage().live_bytes, charged);
            EXPECT_TRUE(limit.try_charge(1000 - charged)) << quantum << " " << step;
            EXPECT_EQ(limit.usage().peak_live_bytes, 1000u);
            limit.refund(1000);
            EXPECT_EQ(limit.usage().live_bytes, 0u);
            EXPECT_EQ(limit.usage().peak_live_bytes, 1000u);
            EXPECT_EQ(limit.usage().refused_count, 1u);
        }
}

TEST(budget, knows_limits_of_nothing_and_of_everything) {
    budget none({.name = "none", .limit_bytes = 0});
    EXPECT_TRUE(none.try_charge(0));
    EXPECT_FALSE(none.try_charge(1));
    EXPECT_EQ(last_refusal().limit_bytes, 0u);
    budget all({});
    EXPECT_TRUE(all.try_charge(usage::unlimited - kibibytes(64)));
    EXPECT_FALSE(all.try_charge(kibibytes(65)));
    all.refund(usage::unlimited - kibibytes(64));
    EXPECT_EQ(all.usage().live_bytes, 0u);
}

TEST(budget, leaves_nothing_behind_when_a_parent_refuses) {
    event_log log;
    budget top({.name = "top", .limit_bytes = 500, .observer = &log});
    budget middle({.name = "middle", .limit_bytes = 800, .parent = &top, .observer = &log});
    budget leaf({.name = "leaf", .parent = &middle, .observer = &log});
    ASSERT_TRUE(leaf.try_charge(100));
    EXPECT_FALSE(leaf.try_charge(401));
    EXPECT_EQ(last_refusal().who, name("top"));
    EXPECT_EQ(last_refusal().asked.size, 401u);
    EXPECT_EQ(last_refusal().live_bytes, 100u);
    ASSERT_EQ(log.seen.size(), 1u);
    EXPECT_EQ(log.seen[0].who, name("top"));
    EXPECT_EQ(log.seen[0].what, event::type::refused);
    for (const budget* each : {&top, &middle, &leaf}) {
        EXPECT_EQ(each->usage().live_bytes, 100u) << each->name().c_str();
        EXPECT_EQ(each->usage().peak_live_bytes, 100u) << each->name().c_str();
    }
    leaf.refund(100);
    EXPECT_EQ(top.usage().held_bytes, leaf.usage().free_bytes);
}

TEST(budget, takes_back_the_credit_of_idle_threads_and_of_other_children_before_it_refuses) {
    budget top({.limit_bytes = 100'000});
    budget idle({.parent = &top, .quantum_bytes = 30'000});
    budget busy({.limit_bytes = 99'990, .parent = &top, .quantum_bytes = 0});
    std::thread([&] { ASSERT_TRUE(idle.try_charge(10)); }).join();
    EXPECT_EQ(idle.usage().held_bytes, 30'010u);
    EXPECT_EQ(top.usage().live_bytes, 10u);
    EXPECT_TRUE(busy.try_charge(99'990));
    EXPECT_EQ(idle.usage().held_bytes, 10u);
    EXPECT_FALSE(idle.try_charge(1));
    idle.refund(10);
    busy.refund(99'990);
}

TEST(budget, asks_for_memory_back_before_it_refuses) {
    budget top({.name = "top", .limit_bytes = 1000, .quantum_bytes = 0});
    budget child({.parent = &top, .quantum_bytes = 0});
    holder cache(child, 600);
    holder wish(child, 100, reclaim_manner::deferred);
    ASSERT_TRUE(child.try_add(cache) && child.try_add(wish)); // the parent asks its children's as well
    EXPECT_TRUE(top.try_charge(300));
    EXPECT_EQ(cache.asked, 0);
    EXPECT_TRUE(top.try_charge(400));
    EXPECT_EQ(cache.asked, 1);
    EXPECT_EQ(cache.wanted, 400u);
    EXPECT_EQ(wish.asked, 0); // that was enough
    EXPECT_FALSE(top.try_charge(500));
    EXPECT_EQ(wish.asked, 1);
    EXPECT_EQ(wish.wanted, 300u);
    EXPECT_FALSE(top.try_charge(5000)); // beyond the limit: nobody is asked
    EXPECT_EQ(wish.asked, 1);
    child.remove(cache);
    child.remove(wish);
    top.refund(700);
}

TEST(budget, asks_nobody_when_the_time_is_over_and_waits_for_no_reclaim_of_its_own) {
    static budget* limit = nullptr;
    budget top({.limit_bytes = 100, .quantum_bytes = 0, .reclaim_ns = 0});
    holder cache(top, 100);
    ASSERT_TRUE(top.try_add(cache));
    EXPECT_FALSE(top.try_charge(1));
    EXPECT_EQ(cache.asked, 0);
    top.remove(cache);

    budget patient({.limit_bytes = 100, .quantum_bytes = 0, .reclaim_ns = 60'000'000'000});
    holder rude(patient, 100);
    limit = &patient;
    rude.inside = [] { EXPECT_FALSE(limit->try_charge(50)); }; // charges while it should free
    ASSERT_TRUE(patient.try_add(rude));
    const std::uint64_t before_ns = monotonic_ns();
    EXPECT_TRUE(patient.try_charge(1));
    EXPECT_LT(monotonic_ns() - before_ns, 30'000'000'000u);
    patient.remove(rude);
    patient.refund(1);
}

TEST(budget, has_room_for_16_reclaimables) {
    budget limit({});
    holder cache(limit, 0);
    for (std::size_t i = 0; i < budget::reclaimable_count_max; ++i) EXPECT_TRUE(limit.try_add(cache));
    EXPECT_FALSE(limit.try_add(cache));
    limit.remove(cache);
    EXPECT_TRUE(limit.try_add(cache));
    for (std::size_t i = 0; i < budget::reclaimable_count_max; ++i) limit.remove(cache);
    EXPECT_DEATH(limit.remove(cache), "is no reclaimable of it");
}

TEST(budget, works_without_cells_on_a_shortage) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        budget top({.limit_bytes = 1000, .upstream = &source});
        budget child({.parent = &top, .quantum_bytes = 100, .upstream = &source});
        EXPECT_TRUE(child.try_charge(300));
        EXPECT_TRUE(top.try_charge(700));
        EXPECT_FALSE(child.try_charge(1));
        top.refund(700);
        child.refund(300);
        EXPECT_EQ(child.usage().live_bytes, 0u);
        EXPECT_EQ(top.usage().live_bytes, 0u);
    });
    EXPECT_EQ(points, 2u);
}

TEST(budget, takes_a_cell_of_its_upstream_and_nothing_else) {
    auditing_source audited(default_source());
    {
        budget limit({.limit_bytes = 1'000'000, .upstream = &audited});
        ASSERT_TRUE(limit.try_charge(1));
        const no_allocation nothing;
        for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limit.try_charge(900));
        EXPECT_FALSE(limit.try_charge(1'000'000));
        for (int i = 0; i < 1000; ++i) limit.refund(900);
        limit.refund(1);
        EXPECT_EQ(audited.live_count(), 1u);
    }
    EXPECT_EQ(audited.live_count(), 0u);
}

TEST(budget, tells_what_is_charged_at_its_end_and_heals_its_parent) {
    event_log log;
    budget top({});
    {
        budget child({.name = "child", .parent = &top, .observer = &log});
        ASSERT_TRUE(child.try_charge(40));
    }
    ASSERT_EQ(log.seen.size(), 1u);
    EXPECT_EQ(log.seen[0].what, event::type::unbalanced);
    EXPECT_EQ(log.seen[0].bytes, 40u);
    EXPECT_EQ(top.usage().held_bytes, 0u);
    EXPECT_EQ(top.usage().behind_bytes_max, 0u);
}

TEST(budget, dies_of_broken_agreements) {
    EXPECT_DEATH(
        {
            budget limit({.name = "x"});
            static_cast<void>(limit.try_charge(40));
        },
        "allot: fatal: budget 'x': died with 40 live bytes");
    EXPECT_DEATH(
        {
            std::optional<budget> top(std::in_place, budget_options{.name = "x"});
            budget child({.name = "y", .parent = &*top});
            top.reset();
        },
        "allot: fatal: budget 'x': died before its child 'y'");
    EXPECT_DEATH(
        {
            budget limit({.name = "x", .quantum_bytes = 0});
            static_cast<void>(limit.try_charge(60));
            limit.refund(100);
        },
        "allot: fatal: budget 'x': refund of 100 bytes, 60 are charged");
}

// A chain of three with sibling leaves, against sums: live and peak to the byte where nothing lies below, and
// a charge is refused exactly when some level has no room.
TEST(budget, model_agrees_with_plain_sums) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    for (int run = 0; run < 20; ++run) {
        const std::uint64_t quantum = run % 2 == 0 ? 0 : 1 + random() % 400;
        budget top({.limit_bytes = 5000, .quantum_bytes = quantum});
        budget middle({.limit_bytes = 4000, .parent = &top, .quantum_bytes = quantum});
        budget a({.limit_bytes = 3000, .parent = &middle, .quantum_bytes = quantum});
        budget b({.limit_bytes = 3000, .parent = &middle, .quantum_bytes = quantum});
        budget* const all[] = {&top, &middle, &a, &b};
        std::map<budget*, std::vector<std::uint64_t>> own;
        std::map<budget*, std::uint64_t> live;
        std::map<budget*, std::uint64_t> peak;
        for (int step = 0; step < 3000; ++step) {
            budget* const one = all[random() % 4];
            std::vector<std::uint64_t>& charges = own[one];
            if (random() % 9 < 5) {
                const std::uint64_t bytes = random() % 700;
                bool room = true;
                for (budget* each = one; each; each = each->parent())
                    room = room && live[each] + bytes <= each->usage().limit_bytes;
                ASSERT_EQ(one->try_charge(bytes), room);
                if (!room) continue;
                charges.push_back(bytes);
                for (budget* each = one; each; each = each->parent())
                    peak[each] = std::max(peak[each], live[each] += bytes);
            } else if (!charges.empty()) {
                one->refund(charges.back());
                for (budget* each = one; each; each = each->parent()) live[each] -= charges.back();
                charges.pop_back();
            }
            for (budget* each : all) {
                const usage now = each->usage();
                ASSERT_EQ(now.live_bytes, live[each]);
                ASSERT_EQ(now.held_bytes, now.live_bytes + now.free_bytes);
                ASSERT_LE(now.held_bytes, now.limit_bytes);
                ASSERT_GE(now.peak_live_bytes, peak[each]);
                ASSERT_LE(now.peak_live_bytes, peak[each] + now.behind_bytes_max);
                const bool is_leaf = each == &a || each == &b;
                ASSERT_TRUE(!is_leaf || now.peak_live_bytes == peak[each]);
            }
        }
        for (auto& [one, charges] : own)
            for (const std::uint64_t bytes : charges) one->refund(bytes);
    }
}

} // namespace
} // namespace allot
