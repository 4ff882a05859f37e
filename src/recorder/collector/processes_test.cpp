#include <recorder/collector/processes.hpp>

#include <csignal>
#include <gtest/gtest.h>
#include <recorder/collector/collector.hpp>
#include <recorder/collector/testing/fake_process.hpp>
#include <recorder/collector/testing/scratch.hpp>
#include <sys/wait.h>

namespace allot::recorder {
namespace {

using testing::fake_process;
using testing::fake_thread;
using testing::scratch;
using kind = process_exit::kind;

// A child that waits in read() until it is told to end, or to become /bin/cat.
class child {
public:
    child() {
        if (::pipe(orders_) != 0) std::abort();
        pid_ = ::fork();
        if (pid_ != 0) return;
        ::close(orders_[1]);
        char order = 0;
        if (::read(orders_[0], &order, 1) == 1 && order == 'x') {
            ::dup2(orders_[0], 0);
            ::execl("/bin/cat", "cat", "-", nullptr);
        }
        ::_exit(7);
    }
    ~child() {
        ::close(orders_[0]);
        ::close(orders_[1]);
        ::waitpid(pid_, nullptr, 0);
    }
    std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }
    void become_cat() { (void)!::write(orders_[1], "x", 1); }
    void end() { // and waits, but leaves it a zombie, as the observed tree's parent may
        (void)!::write(orders_[1], "q", 1);
        siginfo_t info{};
        ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
    }

private:
    int orders_[2] = {};
    pid_t pid_ = 0;
};

struct recording {
    recording() {
        auto made = collector::make({.path = files.path("x"),
                                     .root_command = {"root", "never"},
                                     .contexts_max = 1u << 12,
                                     .ring_count = 4,
                                     .ring_words = 512});
        collect = std::move(*made);
        collect->set_root(static_cast<std::uint32_t>(::getpid()));
    }
    template <class Condition>
    bool poll_until(Condition&& condition) { // no sleeps: it polls, at most for ten seconds
        for (const std::uint64_t begun = monotonic_ns(); monotonic_ns() - begun < 10'000'000'000u;) {
            collect->poll();
            if (condition()) return true;
        }
        return false;
    }
    scratch files;
    std::unique_ptr<collector> collect;
};

TEST(processes, frees_all_that_an_ended_process_held_and_keeps_its_numbers) {
    recording run;
    fake_process root(run.collect->segment_path(), {.pid = static_cast<std::uint32_t>(::getpid())});
    const std::uint32_t main = root.node(0x1000, ALLOT_NODE_ROOT);
    fake_thread at_home(root, 1);
    std::uint64_t expected = 0;
    for (int round = 0; round < 20; ++round) { // more than there are entries, rings and pages at a time
        child other;
        fake_process process(run.collect->segment_path(), {.pid = other.pid()});
        const std::uint32_t node = process.node(0x2000, ALLOT_NODE_ROOT);
        fake_thread thread(process, other.pid());
        thread.allocate(0x10, 1000, node);
        thread.allocate(0x20, 24, node);
        thread.free(0x20);
        expected += 1000;
        process.exit(round);
        other.end();
        ASSERT_TRUE(run.poll_until([&] { return process.entry().state == ALLOT_FREE; })) << round;
        EXPECT_EQ(process.ring(thread.ring()).state, unsigned{ALLOT_FREE});
        EXPECT_EQ(process.thread(thread.index()).state, unsigned{ALLOT_FREE});
        at_home.allocate(0x1000 + static_cast<std::uint64_t>(round) * 16, 10,
                         main); // the total's peak: only one child's at a time
    }
    EXPECT_LT(root.header().page_next, 10u); // pages are used again
    const snapshot all = run.collect->finish(0, 0);
    ASSERT_EQ(all.processes.size(), 21u);
    EXPECT_EQ(all.totals.live_bytes_at_exit, expected + 200);
    EXPECT_EQ(all.totals.peak_live_bytes, 1024u + 190);
    EXPECT_EQ(all.totals.allocations, 60u);
    for (std::uint32_t i = 1; i < 21; ++i) {
        EXPECT_EQ(all.processes[i].exit, (process_exit{kind::code, static_cast<std::int32_t>(i) - 1}));
        EXPECT_EQ(all.processes[i].totals, (heap_totals{2, 1, 0, 1024, 1, 1000, 1024, 1}));
    }
    ASSERT_EQ(all.contexts.size(), 2u); // the children's stacks are the same
    EXPECT_EQ(all.dropped_events, 0u);
}

TEST(processes, counts_what_a_killed_process_had_written) {
    recording run;
    child other;
    fake_process process(run.collect->segment_path(), {.pid = other.pid()});
    fake_thread thread(process, 1);
    for (std::uint64_t i = 0; i < 100; ++i)
        thread.allocate(0x1000 + i * 16, 10, process.node(0x1000, ALLOT_NODE_ROOT));
    thread.set_busy(true); // killed in the middle of a hook: its counter is ahead of its events
    ++thread.entry().counters.allocations;
    other.end();
    ASSERT_TRUE(run.poll_until([&] { return process.entry().state == ALLOT_FREE; }));
    const snapshot all = run.collect->finish(0, 0);
    const process_row& row = all.processes[1]; // [0] is the root, which never attached
    EXPECT_EQ(row.totals.allocations, 101u);
    EXPECT_EQ(row.totals.live_bytes_at_exit, 1000u);
    EXPECT_EQ(row.exit.how, kind::unknown); // not our child to ask
    EXPECT_EQ(all.dropped_events, 1u);
}

TEST(processes, says_that_the_root_never_attached_and_why) {
    struct why : process_inspector {
        std::string reason_not_observed(const std::string&) override { return "statically linked"; }
    } inspector;
    scratch files;
    auto made = collector::make(
        {.path = files.path("x"), .root_command = {"busybox", "true"}, .inspector = &inspector});
    (*made)->set_root(4711);
    (*made)->poll();
    const snapshot all = (*made)->finish(5 << 8, 0);
    ASSERT_EQ(all.processes.size(), 1u);
    EXPECT_EQ(all.processes[0].pid, 4711u);
    EXPECT_FALSE(all.processes[0].observed);
    EXPECT_EQ(all.processes[0].reason, "statically linked");
    EXPECT_EQ(all.processes[0].command, (std::vector<std::string>{"busybox", "true"}));
    EXPECT_EQ(all.processes[0].exit, (process_exit{kind::code, 5}));
}

TEST(processes, sees_one_become_another_program_that_attaches) {
    recording run;
    child other;
    auto before = std::make_unique<fake_process>(run.collect->segment_path(),
                                                 testing::fake_options{.pid = other.pid()});
    fake_thread thread(*before, 1);
    thread.allocate(0x10, 100, ALLOT_NODE_UNKNOWN);
    run.collect->poll();
    fake_process after(run.collect->segment_path(), {.pid = other.pid()});
    ASSERT_TRUE(run.poll_until([&] { return before->entry().state == ALLOT_FREE; }));
    fake_thread second(after, 1);
    second.allocate(0x10, 50, ALLOT_NODE_UNKNOWN);
    const snapshot all = run.collect->finish(0, 0);
    ASSERT_EQ(all.processes.size(), 3u);
    EXPECT_EQ(all.processes[1].exit.how, kind::exec);
    EXPECT_EQ(all.processes[2].exit.how, kind::running);
    EXPECT_EQ(all.totals.live_bytes_at_exit, 150u);
    EXPECT_EQ(all.totals.peak_live_bytes, 100u); // its blocks were gone when it became the other
}

TEST(processes, sees_one_become_another_program_that_does_not_attach) {
    recording run;
    child other;
    fake_process process(run.collect->segment_path(), {.pid = other.pid(), .executable = ""});
    ASSERT_TRUE(run.poll_until([&] { return true; }));
    other.become_cat();
    ASSERT_TRUE(run.poll_until([&] { return process.entry().state == ALLOT_FREE; }));
    const snapshot all = run.collect->finish(0, 0);
    ASSERT_EQ(all.processes.size(), 3u);
    EXPECT_EQ(all.processes[1].exit.how, kind::exec);
    EXPECT_TRUE(all.processes[1].observed);
    EXPECT_FALSE(all.processes[2].observed);
    EXPECT_EQ(all.processes[2].pid, other.pid());
    EXPECT_EQ(all.processes[2].command, (std::vector<std::string>{"cat", "-"}));
    EXPECT_NE(all.processes[2].executable.find("cat"), std::string::npos);
    EXPECT_EQ(all.processes[2].reason, "the program did not load the recorder");
}

// As under Valgrind, where the process runs another file than the program that it says it is.
TEST(processes, believes_one_that_has_the_segment_mapped_whatever_its_file) {
    recording run;
    child other; // forked, so that it has the mapping
    fake_process process(run.collect->segment_path(), {.pid = other.pid(), .executable = "/bin/cat"});
    const std::uint64_t begun = monotonic_ns();
    ASSERT_TRUE(run.poll_until([&] { return monotonic_ns() - begun > 250'000'000; }));
    EXPECT_EQ(process.entry().state, unsigned{ALLOT_LIVE});
    const snapshot all = run.collect->finish(0, 0);
    ASSERT_EQ(all.processes.size(), 2u); // [0] is the root, which never attached
    EXPECT_TRUE(all.processes[1].observed);
}

TEST(processes, tells_what_the_recorder_itself_refused) {
    recording run;
    fake_process process(run.collect->segment_path(),
                         {.pid = static_cast<std::uint32_t>(::getpid()), .reason = ALLOT_REASON_SANITIZER});
    run.collect->poll();
    const snapshot all = run.collect->finish(0, 0);
    EXPECT_FALSE(all.processes[0].observed);
    EXPECT_EQ(all.processes[0].reason, "built with a sanitizer, which owns malloc");
}

TEST(processes, tells_that_an_allocator_has_its_own_operator_new) {
    recording run;
    const auto pid = static_cast<std::uint32_t>(::getpid());
    fake_process process(run.collect->segment_path(), {.pid = pid, .own_operator_new = 1});
    run.collect->poll();
    const snapshot all = run.collect->finish(0, 0);
    ASSERT_EQ(all.notes.size(), 1u);
    EXPECT_NE(all.notes[0].find("own operator new"), std::string::npos) << all.notes[0];
    EXPECT_TRUE(all.notes[0].ends_with(": 1")) << all.notes[0];
}

TEST(processes, reuses_rings_and_entries_of_threads_that_end) {
    recording run;
    fake_process process(run.collect->segment_path(), {.pid = static_cast<std::uint32_t>(::getpid())});
    const std::uint32_t main = process.node(0x1000, ALLOT_NODE_ROOT);
    for (std::uint32_t i = 0; i < 2000; ++i) {
        fake_thread thread(process, i + 1);
        process.header().thread_hint = thread.index() + 1;
        thread.allocate(0x1000 + i * 16, 8, main);
        thread.end();
        ASSERT_TRUE(run.poll_until([&] { return process.ring(thread.ring()).state == ALLOT_FREE; }));
        ASSERT_TRUE(run.poll_until([&] { return process.header().thread_hint == thread.index(); }));
    }
    const snapshot all = run.collect->finish(0, 0);
    EXPECT_EQ(all.totals.allocations, 2000u);
    ASSERT_EQ(all.threads.size(), 2000u);
    for (const thread_row& row : all.threads) ASSERT_EQ(row.totals.allocations, 1u);
    EXPECT_EQ(all.totals.live_bytes_at_exit, 16000u);
    EXPECT_EQ(all.totals.peak_live_bytes, 16000u);
}

} // namespace
} // namespace allot::recorder
