#include <recorder/collector/collector.hpp>

#include <gtest/gtest.h>
#include <recorder/collector/testing/fake_process.hpp>
#include <recorder/collector/testing/scratch.hpp>
#include <sys/wait.h>

namespace allot::recorder {
namespace {

using testing::fake_process;
using testing::fake_thread;
using testing::scratch;

const std::uint32_t own_pid = static_cast<std::uint32_t>(::getpid());

std::unique_ptr<collector> make_small(const std::string& path, recording_mode mode = recording_mode::full) {
    auto made = collector::make({.path = path,
                                 .mode = mode,
                                 .root_command = {"fake"},
                                 .contexts_max = 1u << 16,
                                 .ring_count = 8,
                                 .ring_words = 1024});
    if (!made) ADD_FAILURE() << made.error().text();
    return made ? std::move(*made) : nullptr;
}

void settle(collector& collect) {
    while (collect.poll()) {
    }
}

TEST(collector, sees_what_a_process_did_with_its_memory) { // the header's example
    scratch files;
    auto collect = make_small(files.path("x.partial"));
    collect->set_root(own_pid);
    fake_process process(collect->segment_path(), {.pid = own_pid});
    process.module(1, 0x400000, "/usr/bin/fake", "build");
    const std::uint32_t main = process.node(0x401000, ALLOT_NODE_ROOT, 1);
    const std::uint32_t work = process.node(0x402000, main, 1);
    fake_thread thread(process, 1);
    thread.allocate(0x10000, 100, work);
    thread.allocate(0x20000, 50, main);
    thread.free(0x10000);
    thread.allocate(0x10000, 10, work);
    settle(*collect);
    const snapshot all = collect->finish(3 << 8, 4711);

    EXPECT_EQ(all.totals, (heap_totals{3, 1, 0, 160, 2, 60, 150, 0}));
    EXPECT_EQ(all.peak_rss_bytes, 4711u);
    ASSERT_EQ(all.processes.size(), 1u);
    EXPECT_EQ(all.processes[0].command, (std::vector<std::string>{"fake", "argument"}));
    EXPECT_EQ(all.processes[0].executable, "/usr/bin/fake");
    EXPECT_EQ(all.processes[0].exit, (process_exit{process_exit::kind::code, 3}));
    EXPECT_EQ(all.processes[0].live_bytes_at_peak, 150u);
    ASSERT_EQ(all.contexts.size(), 2u);
    EXPECT_EQ(all.contexts[0].parent, context_node::root);
    EXPECT_EQ(all.contexts[0].address, (code_address{0, 0x1000}));
    EXPECT_EQ(all.contexts[0].numbers, (row_numbers{1, 50, 1, 50, 50, 50, 0}));
    EXPECT_EQ(all.contexts[1].parent, 0u);
    EXPECT_EQ(all.contexts[1].numbers, (row_numbers{2, 110, 1, 10, 100, 100, 0}));
    ASSERT_EQ(all.modules.size(), 1u);
    EXPECT_EQ(all.modules[0].path, "/usr/bin/fake");
    EXPECT_EQ(all.modules[0].numbers, (row_numbers{3, 160, 2, 60, 150, 150, 0}));
    ASSERT_EQ(all.sites.size(), 2u);
    EXPECT_EQ(all.sites[0].numbers.peak_live_bytes + all.sites[1].numbers.peak_live_bytes, 150u);
    ASSERT_EQ(all.threads.size(), 1u);
    EXPECT_EQ(all.threads[0].totals, (heap_totals{3, 1, 0, 160, 2, 60, 150, 0}));
    EXPECT_EQ(all.dropped_events, 0u);
    EXPECT_TRUE(all.notes.empty());
    ASSERT_TRUE(collect->remove_segment());
    EXPECT_FALSE(std::filesystem::exists(files.path("x.partial")));
}

TEST(collector, counts_temporaries_and_restores_what_a_failed_realloc_left) {
    scratch files;
    auto collect = make_small(files.path("x"));
    collect->set_root(own_pid);
    fake_process process(collect->segment_path(), {.pid = own_pid});
    const std::uint32_t main = process.node(0x1000, ALLOT_NODE_ROOT);
    fake_thread thread(process, 1);
    thread.allocate(0x100, 8, main); // ended by realloc before the next allocation: temporary
    thread.reallocate_free(0x100);
    thread.allocate(0x200, 16, main, true);
    thread.reallocate_free(0x200); // fails: still live, still the newest
    thread.reallocate_failed(0x200);
    thread.free(0x200); // temporary
    thread.allocate(0x300, 5, main);
    thread.allocate(0x400, 5, main);
    thread.free(0x300);    // not: 0x400 came between
    thread.free(0x999000); // from before the attach
    settle(*collect);
    const snapshot all = collect->finish(0, 0);
    EXPECT_EQ(all.totals.temporary_allocations, 2u);
    EXPECT_EQ(all.totals.reallocations, 1u);
    EXPECT_EQ(all.totals.frees, 4u);
    EXPECT_EQ(all.totals.live_bytes_at_exit, 5u);
    EXPECT_EQ(all.totals.peak_live_bytes, 16u);
    ASSERT_EQ(all.notes.size(), 1u);
    EXPECT_EQ(all.notes[0],
              "Frees of memory that a process had before it was observed, from before a fork for one: 1");
}

TEST(collector, waits_for_the_event_of_a_thread_that_is_in_a_hook_but_never_stops_the_others) {
    scratch files;
    auto collect = make_small(files.path("x"));
    collect->set_root(own_pid);
    fake_process process(collect->segment_path(), {.pid = own_pid});
    const std::uint32_t main = process.node(0x1000, ALLOT_NODE_ROOT);
    fake_thread slow(process, 1), quick(process, 2);
    settle(*collect);
    slow.set_busy(true); // it has taken its stamp and is interrupted
    slow.set_stamp(wire_stamp());
    for (std::uint64_t i = 0; i < 3000; ++i) { // several times the ring
        quick.allocate(0x10000 + i * 16, 100, main);
        quick.free(0x10000 + i * 16);
        if (i % 100 == 0) collect->poll();
    }
    slow.allocate(0x100, 50, main); // first of all, by its stamp
    slow.set_busy(false);
    const snapshot all = collect->finish(0, 0);
    EXPECT_EQ(all.totals.peak_live_bytes, 150u);
    EXPECT_EQ(all.error_bound_bytes, 0u);
    EXPECT_TRUE(all.notes.empty());
}

TEST(collector, counts_in_count_mode_from_the_counters_alone) {
    scratch files;
    auto collect = make_small(files.path("x"), recording_mode::count);
    collect->set_root(own_pid);
    fake_process process(collect->segment_path(), {.pid = own_pid, .live_basis = ALLOT_BASIS_USABLE});
    EXPECT_EQ(process.header().ring_count, 0u);
    fake_thread thread(process, 1, false);
    auto& counters = thread.entry().counters;
    counters.allocations = 10, counters.frees = 4, counters.allocated_bytes = 1000, counters.live_bytes = 300;
    thread.entry().live_unflushed_max_bytes = 200; // reached 500
    thread.entry().live_headroom_bytes = 150;      // is 350 now
    process.header().live_bytes = process.entry().live_flushed_bytes = 300;
    process.header().peak_live_bytes = process.entry().peak_live_bytes = 400;
    settle(*collect);
    const snapshot all = collect->finish(9, 0);
    EXPECT_EQ(all.totals, (heap_totals{10, 4, 0, 1000, 6, 350, 500, 0}));
    EXPECT_EQ(all.basis, live_basis::usable);
    EXPECT_EQ(all.error_bound_bytes, 0u); // one thread
    EXPECT_EQ(all.processes[0].exit, (process_exit{process_exit::kind::signal, 9}));
    EXPECT_EQ(all.processes[0].totals.peak_live_bytes, 500u);
    EXPECT_TRUE(all.contexts.empty());
}

TEST(collector, counts_a_process_that_comes_and_goes_between_two_looks) {
    const pid_t gone = ::fork();
    if (gone == 0) ::_exit(0);
    ASSERT_EQ(::waitpid(gone, nullptr, 0), gone);
    for (const recording_mode mode : {recording_mode::count, recording_mode::full}) {
        scratch files;
        auto collect = make_small(files.path("x"), mode);
        collect->poll(); // the look after which threads are not looked for again for a while
        fake_process process(collect->segment_path(), {.pid = static_cast<std::uint32_t>(gone)});
        fake_thread thread(process, 1, false); // without a ring: nothing else leads to it
        thread.entry().counters.allocations = 10;
        settle(*collect);
        EXPECT_EQ(collect->finish(0, 0).totals.allocations, 10u);
    }
}

} // namespace
} // namespace allot::recorder
