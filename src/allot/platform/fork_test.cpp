#include <allot/platform/fork.hpp>

#include <gtest/gtest.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace {

std::string calls;

TEST(fork, runs_prepare_and_parent_here_and_child_in_the_child) {
    ASSERT_TRUE(allot::on_fork({.prepare = [] { calls += "prepare "; },
                                .parent = [] { calls += "parent"; },
                                .child = [] { calls += "child"; }}));
    const pid_t child = ::fork();
    if (child == 0) ::_exit(calls == "prepare child" ? 7 : 1);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    EXPECT_EQ(calls, "prepare parent");
}

} // namespace
