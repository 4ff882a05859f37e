// A refusal at any point leaves nothing behind, whoever stands above and below: the stack is built, used and
// taken down once for each request that reaches its base.
#include "stacks.hpp"

#include <allot/testing/for_each_failure.hpp>

namespace allot::composition {
namespace {

void use_briefly(stack& tower) {
    std::vector<std::pair<void*, layout>> blocks;
    for (std::size_t i = 1; i != 6; ++i) {
        const layout wanted{std::min<std::size_t>(i * 900, tower.limits.size_max), 16};
        if (void* const address = tower.top().try_allocate(wanted)) blocks.emplace_back(address, wanted);
    }
    for (auto& [address, given] : blocks) {
        const std::size_t size = std::min<std::size_t>(given.size + 700, tower.limits.size_max);
        if (void* const now = tower.top().try_reallocate(address, given, size)) {
            address = now;
            given.size = size;
        }
    }
    for (const auto& [address, given] : blocks) tower.top().deallocate(address, given);
}

class shortage : public over_base {};

TEST_P(shortage, leaves_nothing_behind) {
    std::uint64_t points = 0;
    for_each_stack_over({}, [&](const parts& chosen) {
        stack base;
        base.add(base_named(GetParam()));
        std::string name = base.name();
        for (const part& each : chosen) name += std::string(" < ") + each.stem;
        SCOPED_TRACE(name);
        const auto body = [&](failing_source& failing) {
            stack tower(failing);
            tower.limits = base.limits;
            for (const part& each : chosen) tower.add(each); // throws where a part cannot do without memory
            use_briefly(tower);
            EXPECT_EQ(tower.take_down(), std::vector<std::string>{});
        };
        points += for_each_failure(body, {.upstream = &base.top()});
        points += for_each_failure(body, {.upstream = &base.top(), .lasting = true});
        EXPECT_EQ(base.take_down(), std::vector<std::string>{});
    });
    EXPECT_GT(points, 100) << "hardly a request was refused";
}

ALLOT_FOR_EACH_BASE(shortage);

} // namespace
} // namespace allot::composition
