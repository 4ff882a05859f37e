#include <allot/platform/thread_slots.hpp>

#include <allot/platform/clock.hpp>
#include <gtest/gtest.h>
#include <latch>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace allot::detail {
namespace {

TEST(thread_slots, gives_each_running_thread_one_of_its_own_and_a_later_one_the_same_again) {
    const std::uint32_t mine = take_thread_slot();
    EXPECT_NE(mine, 0u);
    EXPECT_EQ(take_thread_slot(), mine);
    EXPECT_EQ(thread_slot(), mine);
    std::uint32_t first = 0;
    std::uint32_t second = 0;
    std::thread([&] { first = take_thread_slot(); }).join();
    std::thread([&] { second = take_thread_slot(); }).join();
    EXPECT_NE(first, mine);
    EXPECT_EQ(first, second);
}

TEST(thread_slots, answers_0_where_all_are_taken_and_gives_again_later) {
    const std::uint32_t mine = take_thread_slot();
    std::vector<std::uint32_t> slots(thread_slot_count + 4);
    {
        std::latch all_took(static_cast<std::ptrdiff_t>(slots.size()));
        std::vector<std::thread> threads;
        for (std::uint32_t& slot : slots)
            threads.emplace_back([&] {
                slot = take_thread_slot();
                all_took.arrive_and_wait();
            });
        for (std::thread& each : threads) each.join();
    }
    std::set<std::uint32_t> distinct(slots.begin(), slots.end());
    EXPECT_TRUE(distinct.contains(0));
    EXPECT_FALSE(distinct.contains(mine));
    EXPECT_EQ(distinct.size(), thread_slot_count); // 0 and all but this thread's
    std::uint32_t later = 0;
    std::thread([&] { later = take_thread_slot(); }).join();
    EXPECT_NE(later, 0u);
}

TEST(thread_slots, has_none_for_a_thread_whose_thread_local_objects_are_destroyed) {
    static std::uint32_t at_the_end = 99;
    struct late {
        ~late() { at_the_end = take_thread_slot(); }
    };
    std::thread([] {
        static thread_local late object; // made before the slot's holder, so destroyed after it
        static_cast<void>(&object);
        EXPECT_NE(take_thread_slot(), 0u);
    }).join();
    EXPECT_EQ(at_the_end, 0u);
}

TEST(thread_slots, lends_the_slot_of_an_ended_thread_and_of_no_other) {
    const std::uint32_t mine = take_thread_slot();
    std::uint32_t ended = 0;
    std::thread([&] { ended = take_thread_slot(); }).join();
    EXPECT_FALSE(try_borrow_thread_slot(mine));
    ASSERT_TRUE(try_borrow_thread_slot(ended));
    EXPECT_FALSE(try_borrow_thread_slot(ended));
    std::uint32_t other = 0;
    std::thread([&] { other = take_thread_slot(); }).join();
    EXPECT_NE(other, ended);
    return_thread_slot(ended);
    std::thread([&] { other = take_thread_slot(); }).join();
    EXPECT_EQ(other, ended);
}

TEST(fork_mutex, is_not_waited_for_by_its_holder_nor_beyond_the_deadline) {
    fork_mutex mutex;
    const fork_mutex::guard hold(mutex);
    EXPECT_FALSE(mutex.try_lock_until(futex_no_timeout));
    bool got = true;
    std::thread([&] { got = mutex.try_lock_until(monotonic_ns() + 1'000'000); }).join();
    EXPECT_FALSE(got);
}

// The child must not hang: another thread holds mutexes, in either order, all the time.
TEST(fork_mutex, is_free_in_the_child_whatever_other_threads_were_at) {
    fork_mutex a;
    fork_mutex b;
    std::atomic<bool> done = false;
    std::thread ab([&] {
        while (!done) {
            const fork_mutex::guard outer(a);
            const fork_mutex::guard inner(b);
        }
    });
    std::thread slot([&] {
        while (!done) const light_mutex::guard hold(slot_mutex(take_thread_slot()));
    });
    for (int i = 0; i < 20; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(20);
            a.lock();
            b.lock();
            for (std::uint32_t each = 0; each <= thread_slot_count; ++each) slot_mutex(each).lock();
            ::_exit(0);
        }
        int status = 1;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    done = true;
    ab.join();
    slot.join();
}

TEST(fork_mutex, stays_held_in_the_child_of_a_thread_that_forks_inside_of_it) {
    fork_mutex mutex;
    mutex.lock();
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(20);
        if (mutex.try_lock_until(0)) ::_exit(1); // this thread's own still
        mutex.unlock();
        mutex.lock();
        ::_exit(0);
    }
    int status = 1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    mutex.unlock();
}

} // namespace
} // namespace allot::detail
