// Every source, and every decorator and structure over malloc, keeps every law. Below decorators and
// structures an auditing_source sees what they do to their upstream.
#include "parts.hpp"

#include <allot/structure/buffer_pool.hpp>
#include <gtest/gtest.h>

namespace allot {
namespace {

using composition::part;
using composition::stack;

part named(std::span<const part> parts, std::string_view stem) {
    for (const part& each : parts)
        if (each.stem == stem) return each;
    ADD_FAILURE() << "no part " << stem;
    return parts[0];
}

// Once more with small tiers, so that the laws meet each, growth between them and what is outsized.
constexpr buffer_tier tiers[] = {{.size = 256, .kept_count_max = 4}, {.size = 4096, .kept_count_max = 2}};
const part small_buffers{"buffer_pool_of_small_tiers", [](stack& tower) {
                             tower.put_source<buffer_pool>(
                                 buffer_pool_options{.upstream = &tower.top(), .tiers = tiers});
                         }};

struct subject {
    std::string name;
    std::vector<part> parts;
    friend std::ostream& operator<<(std::ostream& out, const subject& it) { return out << it.name; }
};

std::vector<subject> all_subjects() {
    std::vector<subject> all;
    for (const part& each : composition::bases()) all.push_back({each.stem, {each}});
    const part malloc = named(composition::bases(), "malloc_source");
    const part auditing = named(composition::decorators(), "auditing_source");
    for (const part& each : composition::decorators())
        all.push_back({std::string(each.stem) + "_over_malloc", {malloc, auditing, each}});
    for (const part& each : composition::structures()) all.push_back({each.stem, {malloc, auditing, each}});
    for (const part& each : composition::fixed_structures())
        all.push_back({each.stem, {malloc, auditing, each}});
    all.push_back({small_buffers.stem, {malloc, auditing, small_buffers}});
    return all;
}

std::vector<const conformance_law*> all_laws() {
    std::vector<const conformance_law*> all;
    for (const conformance_law& law : conformance_laws()) all.push_back(&law);
    return all;
}

class conformance : public testing::TestWithParam<std::tuple<subject, const conformance_law*>> {};

TEST_P(conformance, keeps_the_law) {
    const auto& [tested, law] = GetParam();
    stack tower;
    for (const part& each : tested.parts) tower.add(each);
    EXPECT_EQ(check_law(*law, tower.top(), tower.limits), std::vector<std::string>{});
    EXPECT_EQ(tower.take_down(), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(all, conformance,
                         testing::Combine(testing::ValuesIn(all_subjects()), testing::ValuesIn(all_laws())),
                         [](const auto& info) {
                             return std::get<0>(info.param).name + "_" + std::get<1>(info.param)->name;
                         });

} // namespace
} // namespace allot
