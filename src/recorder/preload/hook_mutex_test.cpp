#include <recorder/preload/hook_mutex.hpp>

#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace allot::recorder {
namespace {

TEST(hook_mutex, lets_one_thread_in_at_a_time) { // usage
    hook_mutex mutex{};
    std::uint64_t shared = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i != 4; ++i)
        threads.emplace_back([&] {
            for (int n = 0; n != 20'000; ++n) {
                const hook_mutex::guard hold(mutex);
                ++shared;
            }
        });
    for (auto& t : threads) t.join();
    EXPECT_EQ(shared, 80'000u);
}

} // namespace
} // namespace allot::recorder
