#include <allot/structure/demand.hpp>

#include <gtest/gtest.h>

namespace allot {
namespace {

// Usage.

TEST(demand, grows_at_once_and_gives_back_slowly) {
    demand need({.window_count = 100});
    for (int i = 0; i != 100; ++i) need.note(7);
    EXPECT_TRUE(need.target() == 7);
    for (int i = 0; i != 300; ++i) need.note(1);
    EXPECT_TRUE(need.target() < 7 && need.target() >= 1); // on its way down
}

} // namespace
} // namespace allot
