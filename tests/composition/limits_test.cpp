// A budget stops at the byte, whoever stands above and below: over a structure it limits objects, below one
// chunks.
#include "stacks.hpp"

#include <allot/governance/budget.hpp>
#include <allot/governance/budgeted_source.hpp>

namespace allot::composition {
namespace {

// Over page_source each block of a heap and a pool takes pages of its own, those of their books, too.
constexpr std::uint64_t limit_bytes = kibibytes(160);

// base < decorator < budgeted < structure < decorator, and with the budget above the structure; each of them
// but the base may be left out.
template <class Body>
void for_each_place(const part& base, Body body) {
    for_each_stack_over({base}, [&](const parts& chosen) {
        for (std::size_t place = 1; place <= chosen.size(); ++place) body(chosen, place);
    });
}

struct limited_stack {
    limited_stack(const parts& chosen, std::size_t place) {
        for (std::size_t i = 0; i != chosen.size(); ++i) {
            if (i == place) put_limit();
            tower.add(chosen[i]);
        }
        if (place == chosen.size()) put_limit();
    }
    void put_limit() {
        limit = &tower.put<budget>(
            [](budget& left) { return stack::live_of(left); },
            budget_options{.name = "limit", .limit_bytes = limit_bytes, .upstream = &tower.bottom()});
        tower.put_source<budgeted_source>(budgeted_source_options{.upstream = &tower.top(), .limit = limit});
    }
    std::uint64_t charged() const { return limit->usage().live_bytes; }

    stack tower;
    budget* limit = nullptr;
};

class limits : public over_base {};

// Blocks of one size until the budget says no, in every stack.
TEST_P(limits, are_never_passed) {
    for_each_place(base_named(GetParam()), [](const parts& chosen, std::size_t place) {
        limited_stack it(chosen, place);
        SCOPED_TRACE(it.tower.name() + ", the limit at " + std::to_string(place));
        const layout wanted{std::min<std::size_t>(2500, it.tower.limits.size_max), 8};
        std::vector<void*> blocks;
        while (void* const address = it.tower.top().try_allocate(wanted)) {
            blocks.push_back(address);
            ASSERT_LE(it.charged(), limit_bytes);
            ASSERT_LE(blocks.size() * wanted.size, limit_bytes);
        }
        EXPECT_GT(blocks.size(), 5);
        EXPECT_EQ(last_refusal().who.view(), "limit");
        EXPECT_GE(it.limit->usage().refused_count, 1);
        const std::uint64_t before = it.charged();
        EXPECT_EQ(it.tower.top().try_allocate(wanted), nullptr);
        EXPECT_EQ(it.charged(), before) << "a refusal left a charge";
        for (void* block : blocks) it.tower.top().deallocate(block, wanted);
        EXPECT_EQ(it.tower.take_down(), std::vector<std::string>{});
    });
}

// The budget on top: the last byte is served and the next is not.
TEST_P(limits, stop_at_the_byte) {
    for_each_stack_over({base_named(GetParam())}, [](const parts& chosen) {
        limited_stack it(chosen, chosen.size());
        SCOPED_TRACE(it.tower.name());
        memory_source& top = it.tower.top();
        std::vector<std::pair<void*, layout>> blocks;
        const auto take = [&](std::size_t size) {
            void* const address = top.try_allocate({size, 1});
            if (address) blocks.emplace_back(address, layout{size, 1});
            return address != nullptr;
        };
        while (take(std::min<std::size_t>(1000, it.tower.limits.size_max))) continue;
        std::uint64_t rest = limit_bytes - it.charged();
        if (rest != 0 && top.good_size({rest, 1}) == rest) {
            EXPECT_FALSE(take(rest + 1));
            EXPECT_TRUE(take(rest));
            rest = 0;
        }
        EXPECT_LT(rest, top.good_size({1, 1})) << "a block of one byte would still have gone in";
        EXPECT_EQ(it.charged(), limit_bytes - rest);
        EXPECT_FALSE(take(1));
        for (const auto& [address, given] : blocks) top.deallocate(address, given);
        EXPECT_EQ(it.charged(), 0);
        EXPECT_EQ(it.tower.take_down(), std::vector<std::string>{});
    });
}

ALLOT_FOR_EACH_BASE(limits);

} // namespace
} // namespace allot::composition
