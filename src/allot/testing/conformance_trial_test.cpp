#include <allot/source/malloc_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/conformance_trial.hpp>
#include <gtest/gtest.h>

namespace allot {
namespace {

void keeps_small_blocks(conformance_trial& trial) {
    marked_blocks blocks(trial);
    if (void* const address = trial.take({8, 8})) blocks.add(address, {8, 8});
    trial.expect(trial.subject.describe().usage.live_count == blocks.size(), "counts no small blocks");
}

TEST(conformance_trial, usage) {
    page_source counting;
    EXPECT_EQ(check_law({"keeps_small_blocks", keeps_small_blocks}, counting), std::vector<std::string>{});
    EXPECT_EQ(counting.usage().live_count, 0);
    malloc_source source;
    auto findings = check_law({"keeps_small_blocks", keeps_small_blocks}, source);
    EXPECT_EQ(findings, std::vector<std::string>{"counts no small blocks"});
}

TEST(conformance_trial, promises_within_the_limits_alone) {
    malloc_source source;
    const conformance_limits limits{.size_max = 100, .align_max = 16, .bytes_max = 300};
    conformance_trial trial(source, limits);
    EXPECT_FALSE(trial.is_promised({101, 16}));
    EXPECT_FALSE(trial.is_promised({100, 32}));
    EXPECT_TRUE(trial.is_promised({100, 16}));
    EXPECT_TRUE(trial.is_promised({100, 16}));
    EXPECT_FALSE(trial.is_promised({100, 16})) << "together it would be more than 300";
    EXPECT_TRUE(trial.is_promised({0, 1})) << "a size of 0 is one byte";
}

TEST(conformance_trial, sees_a_block_that_changed) {
    malloc_source source;
    const conformance_limits limits;
    conformance_trial trial(source, limits);
    {
        marked_blocks blocks(trial);
        blocks.add(source.try_allocate({40, 8}), {40, 8});
        blocks.add(source.try_allocate({50, 8}), {50, 8});
        EXPECT_EQ(blocks.live_bytes(), 90);
        static_cast<char*>(blocks[1].address)[49] ^= 1;
    }
    EXPECT_EQ(trial.findings,
              std::vector<std::string>{"a block's bytes changed while it lived: 50 bytes aligned to 8"});
}

} // namespace
} // namespace allot
