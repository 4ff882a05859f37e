// Frames of every layout that compilers make, each followed by every other, against libgcc's unwinder.
#include "shapes.hpp"

#include <allot/platform/call_stack_test.hpp>

#include <set>

namespace {

using namespace stack_test;
using kind = allot::unwind_rule::kind;

allot::stack_cache* cache; // of the running test
std::set<kind> kinds;      // of rules met
int visits;
#ifdef __clang__
constexpr bool is_gcc = false;
#else
constexpr bool is_gcc = true;
#endif

void visit() {
    const taken now = take(*cache);
    if (!testing::Test::HasFailure()) expect_right(now);
    for (const auto address : now.ours) kinds.insert(rules().find(address).how());
    ++visits;
}

std::vector<shapes::named_shape> all() {
    std::vector<shapes::named_shape> out;
    for (const auto& set : {shapes::no_optimisation(), shapes::no_frame_pointer(), shapes::frame_pointer(),
                            shapes::realigned()})
        out.insert(out.end(), set.begin(), set.end());
    return out;
}

TEST(shapes, of_each_layout_are_followed_down_and_up) {
    const cache_pointer own = new_cache();
    cache = own.get();
    for (const auto& shape : all()) {
        SCOPED_TRACE(shape.name);
        cache->forget();
        shape.run(visit, 12);
        if (HasFailure()) return;
    }
    EXPECT_GT(visits, 1000);
    for (const kind wanted :
         {kind::by_stack_pointer, kind::by_frame_pointer, kind::by_frame_word, kind::outermost}) {
        if (!is_gcc && wanted == kind::by_frame_word) continue; // clang copies arguments instead
        EXPECT_TRUE(kinds.contains(wanted)) << "no rule of kind " << static_cast<int>(wanted);
    }
}

TEST(shapes, of_different_layouts_follow_one_another) {
    const cache_pointer own = new_cache();
    cache = own.get();
    const auto shapes = all();
    for (int round = 0; round != 2; ++round)
        for (const auto& first : shapes)
            for (const auto& second : shapes) {
                SCOPED_TRACE(testing::Message() << first.name << " then " << second.name);
                first.run(visit, 2);
                second.run(visit, 3);
                if (HasFailure()) return;
            }
}

} // namespace
