// Books return to zero, whoever stands above and below: when blocks come back one by one, and when a
// structure ends them all at once.
#include "stacks.hpp"

#include <allot/testing/conformance_trial.hpp>
#include <random>

namespace allot::composition {
namespace {

// Takes, resizes and gives back; all is given back in the end.
void work_on(stack& tower, conformance_trial& trial) {
    std::mt19937 random(1);
    marked_blocks blocks(trial);
    const std::size_t size_max = std::min<std::size_t>(tower.limits.size_max, 1500);
    const std::size_t align_max = std::min<std::size_t>(tower.limits.align_max, 64);
    for (int step = 0; step != 120; ++step) {
        const layout wanted{1 + random() % size_max, std::min(std::size_t{1} << random() % 7, align_max)};
        switch (blocks.size() == 0 ? 0 : random() % 4) {
        case 0:
        case 1:
            if (void* const address = trial.take(wanted)) blocks.add(address, wanted);
            break;
        case 2: blocks.give_back(random() % blocks.size()); break;
        case 3: {
            marked_block& block = blocks[random() % blocks.size()];
            void* const now = tower.top().try_reallocate(block.address, block.given, wanted.size);
            if (!now) break;
            block.address = now;
            block.given.size = wanted.size;
            block.fill();
        }
        }
    }
    trial.expect(trial.taken_bytes > 10'000, "took hardly anything");
}

void end_many_at_once(stack& tower, conformance_trial& trial) {
    for (int i = 0; i != 30; ++i) {
        void* const address = trial.take({std::size_t(i + 1), 8});
        if (address) std::memset(address, 1, std::size_t(i + 1));
    }
    tower.end_in_bulk();
}

class books : public over_base {};

TEST_P(books, return_to_zero) {
    int count = 0;
    for_each_stack([&](const parts& chosen) {
        stack tower;
        for (const part& each : chosen) tower.add(each);
        SCOPED_TRACE(tower.name());
        conformance_trial trial(tower.top(), tower.limits);
        work_on(tower, trial);
        if (tower.can_end_in_bulk()) {
            end_many_at_once(tower, trial);
            work_on(tower, trial);
        }
        EXPECT_EQ(trial.findings, std::vector<std::string>{});
        EXPECT_EQ(tower.take_down(), std::vector<std::string>{});
        ++count;
    });
    const auto d = static_cast<int>(decorators().size()), s = static_cast<int>(structures().size());
    EXPECT_EQ(count, (d + 1) * (1 + s * (d + 1))) << "the matrix is not whole";
}

ALLOT_FOR_EACH_BASE(books);

TEST(books_over_nothing, stay_empty) {
    int built = 0;
    for_each_stack_over({base_named("null_source")}, [&](const parts& chosen) {
        stack tower;
        try {
            for (const part& each : chosen) tower.add(each);
            ++built;
            SCOPED_TRACE(tower.name());
            EXPECT_EQ(tower.top().try_allocate({.size = 16}), nullptr);
        } catch (const out_of_memory&) {
            // A ledger and a tagged_heap need a page of their own.
        }
        EXPECT_EQ(tower.take_down(), std::vector<std::string>{});
    });
    EXPECT_GT(built, 50);
}

} // namespace
} // namespace allot::composition
