#include <allot/core/poison.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/source_conformance.hpp>
#include <cstdio>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <mutex>
#include <set>

// A sanitizer's malloc ends the program at sizes that it finds absurd, unless told to refuse them.
extern "C" {
const char* __asan_default_options() { return "allocator_may_return_null=1"; }
const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
}

namespace allot {
namespace {

std::vector<std::string> check_named(std::string_view name, memory_source& subject,
                                     const conformance_limits& limits = {}) {
    for (const conformance_law& law : conformance_laws())
        if (law.name == name) return check_law(law, subject, limits);
    ADD_FAILURE() << "no law " << name;
    return {};
}

// A source that keeps every law, but for the one thing that a test sets.
class crooked_source final : public memory_source {
public:
    std::size_t shift = 0;          // of the addresses
    std::size_t size_lost = 0;      // of what at_least gives
    bool forgets_refusal = false;   // does not note it
    bool counts_refusal = true;     // in its usage
    bool one_address = false;       // the same block to everybody
    bool serves_impossible = false; // a small block
    bool moves_impossible = false;
    bool miscounts = false;     // a block that comes back stays in the books
    bool forgets_bytes = false; // when it reallocates
    bool claims_zeroed = false;
    bool claims_resize = false; // and only harms the block
    bool changes_name = false;
    bool refuses_all = false;
    bool throws_away_limit = false; // tells a limit and gives more
    std::function<std::size_t(layout)> good = [](layout wanted) { return wanted.size; };

private:
    void* do_try_allocate(layout wanted) noexcept override {
        const std::lock_guard hold(mutex_);
        if (serves_impossible && wanted.size > mebibytes(64)) return static_bytes_;
        if (refuses_all || wanted.size > mebibytes(64)) {
            if (!forgets_refusal) note_refusal({.kind = "crooked", .asked = wanted});
            refused_ += counts_refusal;
            return nullptr;
        }
        if (one_address) return static_bytes_;
        live_ += wanted.size;
        ++total_;
        char* const address =
            static_cast<char*>(source_.try_allocate({wanted.size + shift, wanted.align})) + shift;
        if (claims_zeroed) std::memset(address, 1, wanted.size);
        return address;
    }
    void do_give_back(void* address, layout given) noexcept override {
        const std::lock_guard hold(mutex_);
        if (address == static_bytes_) return;
        if (!miscounts) live_ -= given.size;
        source_.deallocate(static_cast<char*>(address) - shift, {given.size + shift, given.align});
    }
    block do_try_allocate_at_least(layout wanted) noexcept override {
        void* const address = do_try_allocate(wanted);
        return {address, address ? wanted.size - size_lost : 0};
    }
    bool do_try_resize(void* address, layout, std::size_t) noexcept override {
        if (claims_resize) *static_cast<char*>(address) ^= 1;
        return false;
    }
    void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept override {
        if (moves_impossible) {
            do_give_back(address, given);
            return static_bytes_;
        }
        void* const moved = do_try_allocate({new_size, given.align});
        if (!moved) return nullptr;
        std::memset(moved, 0xEE, new_size);
        if (!forgets_bytes) std::memcpy(moved, address, std::min(given.size, new_size));
        do_give_back(address, given);
        return moved;
    }
    std::size_t do_good_size(layout wanted) const noexcept override { return good(wanted); }
    source_traits do_traits() const noexcept override {
        return {.thread_safe = true, .zeroed = claims_zeroed};
    }
    source_description do_describe() const noexcept override {
        const std::lock_guard hold(mutex_);
        const char* const called = changes_name && total_ > 5 ? "another" : "crooked";
        const std::uint64_t limit = throws_away_limit ? 4096 : usage::unlimited;
        return {
            .name = called,
            .kind = "crooked_source",
            .usage = {
                .live_bytes = live_, .total_count = total_, .refused_count = refused_, .limit_bytes = limit}};
    }

    mutable std::mutex mutex_;
    malloc_source source_;
    std::uint64_t live_ = 0, total_ = 0, refused_ = 0;
    alignas(65536) char static_bytes_[65536];
};

TEST(source_conformance, usage) {
    for (const conformance_law& law : conformance_laws()) {
        malloc_source subject;
        for (const std::string& finding : check_law(law, subject)) std::puts(finding.c_str());
        EXPECT_TRUE(check_law(law, subject).empty());
    }
}

TEST(source_conformance, each_law_has_a_name_of_its_own) {
    std::set<std::string> names;
    for (const conformance_law& law : conformance_laws()) names.insert(law.name);
    EXPECT_EQ(names.size(), conformance_laws().size());
}

TEST(source_conformance, a_source_that_keeps_the_laws_passes_and_is_left_clean) {
    for (const conformance_law& law : conformance_laws()) {
        auto straight = std::make_unique<crooked_source>();
        auditing_source audited(*straight);
        EXPECT_EQ(check_law(law, audited), std::vector<std::string>{}) << law.name;
        EXPECT_EQ(audited.live_count(), 0) << law.name;
    }
}

struct breach {
    const char* law;
    const char* finding; // how one of the findings begins
    std::function<void(crooked_source&)> bend;
};

TEST(source_conformance, each_breach_is_found_by_its_law) {
    const breach breaches[] = {
        {"alignment", "gave a misaligned block", [](auto& it) { it.shift = 8; }},
        {"alignment", "refused a block within", [](auto& it) { it.refuses_all = true; }},
        {"zero_size", "gave one address", [](auto& it) { it.one_address = true; }},
        {"zero_size", "refused a size of 0", [](auto& it) { it.refuses_all = true; }},
        {"refusals", "served an impossible", [](auto& it) { it.serves_impossible = true; }},
        {"refusals", "moved beyond all sizes", [](auto& it) { it.moves_impossible = true; }},
        {"refusals", "noted no refusal", [](auto& it) { it.forgets_refusal = true; }},
        {"refusals", "no source on the way", [](auto& it) { it.counts_refusal = false; }},
        {"books", "live_bytes did not come back", [](auto& it) { it.miscounts = true; }},
        {"good_size", "good_size is below", [](auto& it) { it.good = [](layout a) { return a.size / 2; }; }},
        {"good_size", "good_size falls", [](auto& it) { it.good = [](layout a) { return a.size ^ 7; }; }},
        {"good_size", "good_size of a good_size",
         [](auto& it) { it.good = [](layout a) { return a.size + 1; }; }},
        {"good_size", "good_size changed",
         [](auto& it) { it.good = [&it](layout a) { return a.size + it.describe().usage.total_count; }; }},
        {"at_least", "gave less than at least", [](auto& it) { it.size_lost = 1; }},
        {"resize", "harmed a block", [](auto& it) { it.claims_resize = true; }},
        {"reallocate", "lost bytes", [](auto& it) { it.forgets_bytes = true; }},
        {"pmr_containers", "std::pmr::list broke: out of memory", [](auto& it) { it.refuses_all = true; }},
        {"describe_from_another_thread", "describe() gave another name",
         [](auto& it) { it.changes_name = true; }},
        {"zeroed", "gave a block that is not zero", [](auto& it) { it.claims_zeroed = true; }},
#ifndef __SANITIZE_THREAD__ // which would rightly report the race
        {"thread_safe", "blocks of several threads damaged", [](auto& it) { it.one_address = true; }},
#endif
        {"exhaustion", "gave more than its limit", [](auto& it) { it.throws_away_limit = true; }},
        {"exhaustion", "has a limit and serves nothing",
         [](auto& it) { it.throws_away_limit = it.refuses_all = true; }},
    };
    for (const breach& each : breaches) {
        auto crooked = std::make_unique<crooked_source>();
        each.bend(*crooked);
        bool found = false;
        std::string all;
        for (const std::string& finding : check_named(each.law, *crooked)) {
            found = found || finding.starts_with(each.finding);
            all += finding + "\n";
        }
        EXPECT_TRUE(found) << each.law << ": " << each.finding << ", but found:\n" << all;
    }
}

TEST(source_conformance, what_the_limits_do_not_promise_is_not_asked) {
    auto crooked = std::make_unique<crooked_source>();
    crooked->refuses_all = true;
    for (const conformance_law& law : conformance_laws())
        EXPECT_EQ(check_law(law, *crooked, {.size_max = 0}), std::vector<std::string>{}) << law.name;
}

} // namespace
} // namespace allot
