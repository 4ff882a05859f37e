#include <recorder/collector/launcher.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace allot::recorder {
namespace {

constexpr const char* some_library = "/lib/x86_64-linux-gnu/libdl.so.2"; // any that loads and does nothing

// A launcher in a process of its own, as it is made for: it changes signals and ends the process.
class launched {
public:
    explicit launched(
        std::vector<std::string> words, std::string segment = "", void (*prepare)() = [] {})
        : words_(std::move(words)) {
        EXPECT_EQ(pipe(said_.data()), 0);
        pid_ = fork();
        if (pid_ == 0) {
            prepare();
            dup2(said_[1], STDOUT_FILENO);
            close(said_[0]);
            close(said_[1]);
            be_launcher(segment);
        }
        close(said_[1]);
    }
    ~launched() { close(said_[0]); }
    launched(const launched&) = delete;
    launched& operator=(const launched&) = delete;

    int pid() const { return pid_; }
    std::string line() { // up to a line end
        std::string text;
        for (char c = 0; read(said_[0], &c, 1) == 1 && c != '\n';) {
            text.push_back(c);
        }
        return text;
    }
    std::string rest() {
        std::string text;
        for (char c = 0; read(said_[0], &c, 1) == 1;) {
            text.push_back(c);
        }
        return text;
    }
    int status() const {
        int status = 0;
        EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
        return status;
    }

private:
    [[noreturn]] void be_launcher(const std::string& segment) {
        std::vector<char*> pointers;
        for (std::string& word : words_) {
            pointers.push_back(word.data());
        }
        pointers.push_back(nullptr);
        auto child = child_process::fork_held(pointers.data(), some_library);
        if (!child) {
            _exit(99);
        }
        if (const int reason = child->start(segment); reason != 0) {
            _exit(exec_exit_code(reason));
        }
        while (!child->wait(1'000'000)) {
        }
        end_like(child->ended());
    }

    std::vector<std::string> words_;
    std::array<int, 2> said_{};
    int pid_ = 0;
};

TEST(launcher, ends_with_the_code_of_the_program) {
    for (const int code : {0, 1, 2, 125, 126, 127, 128, 255}) {
        const int status = launched({"sh", "-c", "exit " + std::to_string(code)}).status();
        ASSERT_TRUE(WIFEXITED(status));
        EXPECT_EQ(WEXITSTATUS(status), code);
    }
}

TEST(launcher, dies_by_the_signal_of_the_program) {
    for (const int number :
         {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGABRT, SIGFPE, SIGKILL, SIGSEGV, SIGPIPE, SIGALRM, SIGTERM,
          SIGUSR1, SIGUSR2, SIGBUS, SIGSYS, SIGXCPU, SIGRTMIN, SIGRTMAX}) {
        const int status = launched({"sh", "-c", "kill -" + std::to_string(number) + " $$"}).status();
        ASSERT_TRUE(WIFSIGNALED(status)) << number;
        EXPECT_EQ(WTERMSIG(status), number);
        EXPECT_FALSE(WCOREDUMP(status));
    }
}

TEST(launcher, says_why_a_program_could_not_start) {
    EXPECT_EQ(WEXITSTATUS(launched({"/nowhere/prog"}).status()), 127);
    EXPECT_EQ(WEXITSTATUS(launched({"no-such-program-anywhere"}).status()), 127);
    EXPECT_EQ(WEXITSTATUS(launched({"/tmp"}).status()), 126);
    EXPECT_EQ(WEXITSTATUS(launched({""}).status()), 127);
    EXPECT_EQ(exec_exit_code(ENOENT), 127);
    EXPECT_EQ(exec_exit_code(ENOEXEC), 126);
}

TEST(launcher, adds_two_variables_and_changes_no_other) {
    launched bare({"env"});
    launched seen({"env"}, "/tmp/some.partial", [] {});
    const std::string before = bare.rest();
    EXPECT_EQ(seen.rest(), before + "LD_PRELOAD=" + some_library + "\nALLOT_SEGMENT=/tmp/some.partial\n");
    EXPECT_EQ(WEXITSTATUS(bare.status()), 0);
    EXPECT_EQ(WEXITSTATUS(seen.status()), 0);
}

TEST(launcher, puts_our_library_before_the_users_and_once) {
    EXPECT_EQ(preload_list("/a.so", nullptr), "/a.so");
    EXPECT_EQ(preload_list("/a.so", ""), "/a.so");
    EXPECT_EQ(preload_list("/a.so", "libj.so /b.so:/c.so"), "/a.so:libj.so:/b.so:/c.so");
    EXPECT_EQ(preload_list("/a.so", "/a.so:/b.so"), "/a.so:/b.so");
    EXPECT_EQ(preload_list("/a.so", " : "), "/a.so");
}

TEST(launcher, hands_signal_mask_and_dispositions_on) {
    constexpr auto odd = [] {
        signal(SIGCHLD, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
        signal(SIGWINCH, SIG_IGN);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        sigaddset(&set, SIGALRM);
        sigprocmask(SIG_SETMASK, &set, nullptr);
    };
    launched seen({"grep", "^Sig[BIC]", "/proc/self/status"}, "", odd);
    launched plain({"grep", "^Sig[BIC]", "/proc/self/status"});
    const std::string text = seen.rest();
    EXPECT_NE(text.find("SigBlk:\t0000000000002800\n"), std::string::npos) << text; // 12 and 14
    EXPECT_NE(text.find("SigIgn:\t0000000008014000\n"), std::string::npos) << text; // 15, 17 and 28
    EXPECT_EQ(WEXITSTATUS(seen.status()), 0); // its end was not lost, though SIGCHLD was ignored
    EXPECT_NE(plain.rest().find("SigBlk:\t0000000000000000\n"), std::string::npos);
    EXPECT_EQ(WEXITSTATUS(plain.status()), 0);
}

TEST(launcher, passes_signals_on_each_time) {
    launched seen({"sh", "-c",
                   "n=0; trap 'n=$((n+1)); echo got $n' TERM USR1; trap 'exit 9' HUP; echo ready;"
                   " while :; do sleep 0.01; done"});
    ASSERT_EQ(seen.line(), "ready");
    kill(seen.pid(), SIGTERM);
    ASSERT_EQ(seen.line(), "got 1");
    kill(seen.pid(), SIGTERM);
    ASSERT_EQ(seen.line(), "got 2");
    kill(seen.pid(), SIGUSR1);
    ASSERT_EQ(seen.line(), "got 3");
    kill(seen.pid(), SIGINT); // ours to ignore: the terminal sends it to the program itself
    kill(seen.pid(), SIGQUIT);
    kill(seen.pid(), SIGHUP);
    EXPECT_EQ(WEXITSTATUS(seen.status()), 9);
}

TEST(launcher, dropped_before_the_start_never_runs_the_program) {
    const std::string mark = testing::TempDir() + "launcher_mark." + std::to_string(getpid());
    const pid_t pid = fork();
    if (pid == 0) {
        std::string path = mark;
        std::array<char*, 3> words{const_cast<char*>("touch"), path.data(), nullptr};
        {
            auto child = child_process::fork_held(words.data(), "");
        }
        _exit(waitpid(-1, nullptr, 0) == -1 && errno == ECHILD ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_NE(access(mark.c_str(), F_OK), 0);
}

} // namespace
} // namespace allot::recorder
