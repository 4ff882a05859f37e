#include <recorder/collector/recovery.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <numeric>
#include <random>
#include <recorder/collector/collector.hpp>
#include <recorder/collector/testing/fake_process.hpp>
#include <recorder/collector/testing/scratch.hpp>
#include <sys/wait.h>

namespace allot::recorder {
namespace {

using testing::fake_process;
using testing::fake_thread;
using testing::scratch;

std::unique_ptr<collector> make_small(const std::string& path) {
    auto made =
        collector::make({.path = path, .contexts_max = 1u << 10, .ring_count = 2, .ring_words = 1024});
    return made ? std::move(*made) : nullptr;
}

std::uint64_t at_peak(const snapshot& all) {
    return std::accumulate(
        all.contexts.begin(), all.contexts.end(), std::uint64_t{0},
        [](std::uint64_t sum, const auto& node) { return sum + node.numbers.live_bytes_at_peak; });
}

TEST(recovery, makes_a_snapshot_of_what_a_dead_collector_left) { // the header's example
    scratch files;
    const std::string path = files.path("x");
    const pid_t dies = ::fork();
    if (dies == 0) {
        auto collect = make_small(path);
        collect->set_root(static_cast<std::uint32_t>(::getpid()));
        fake_process process(path, {.pid = static_cast<std::uint32_t>(::getpid())});
        const std::uint32_t main = process.node(0x1000, ALLOT_NODE_ROOT);
        fake_thread thread(process, 1);
        for (std::uint64_t i = 0; i < 100; ++i) thread.allocate(0x1000 + i * 16, 10, main);
        for (std::uint64_t i = 0; i < 60; ++i) thread.free(0x1000 + i * 16);
        do collect->poll(); // also what is held back for a moment
        while (process.ring(thread.ring()).tail != process.ring(thread.ring()).head);
        for (std::uint64_t i = 0; i < 7; ++i)
            thread.allocate(0x9000 + i * 16, 10, main); // nobody takes these in
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(dies, &status, 0), dies);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_TRUE(is_segment(path));
    auto found = recover(path);
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_TRUE(found->partial);
    EXPECT_EQ(found->totals.allocations, 107u); // exact: out of the counters
    EXPECT_EQ(found->totals.frees, 60u);
    EXPECT_EQ(found->totals.allocated_bytes, 1070u);
    EXPECT_EQ(found->dropped_events, 7u);
    EXPECT_EQ(found->totals.peak_live_bytes, 1000u);
    EXPECT_EQ(found->totals.live_bytes_at_exit, 400u);
    EXPECT_EQ(at_peak(*found), 1000u);
    ASSERT_EQ(found->contexts.size(), 1u);
    EXPECT_EQ(found->contexts[0].numbers.live_blocks_at_exit, 40u);
    ASSERT_EQ(found->processes.size(), 1u);
    EXPECT_EQ(found->processes[0].command[0], "fake");
    ASSERT_FALSE(found->notes.empty());
    EXPECT_NE(found->notes[0].find("not finished"), std::string::npos);
}

TEST(recovery, looks_at_a_collector_that_is_still_at_work) {
    scratch files;
    auto collect = make_small(files.path("x"));
    fake_process process(files.path("x"), {.pid = static_cast<std::uint32_t>(::getpid())});
    fake_thread thread(process, 1);
    for (std::uint64_t i = 0; i < 300; ++i) {
        thread.allocate(0x1000 + i * 16, 10, process.node(0x1000 + i % 8, ALLOT_NODE_ROOT));
        collect->poll();
        auto found = recover(files.path("x"));
        ASSERT_TRUE(found);
        ASSERT_EQ(found->totals.allocations, i + 1);
        ASSERT_EQ(at_peak(*found), found->totals.peak_live_bytes);
    }
}

TEST(recovery, refuses_what_is_not_a_segment) {
    scratch files;
    EXPECT_FALSE(recover(files.path("absent")));
    EXPECT_FALSE(is_segment(files.path("absent")));
    std::ofstream(files.path("y")) << "not a segment at all";
    EXPECT_FALSE(recover(files.path("y")));
    EXPECT_FALSE(is_segment(files.path("y")));
}

// A few bytes of everything that is in use are overwritten, the file cut; whatever comes out, nothing
// crashes, also in a collector that reads the damaged parts.
TEST(recovery, and_the_collector_survive_damaged_segments) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    for (int round = 0; round < 20; ++round) {
        scratch files;
        auto collect = make_small(files.path("x"));
        collect->set_root(static_cast<std::uint32_t>(::getpid()));
        fake_process process(files.path("x"), {.pid = static_cast<std::uint32_t>(::getpid())});
        process.module(1, 0x1000, "/usr/bin/fake", "id");
        std::uint32_t node = ALLOT_NODE_ROOT;
        fake_thread thread(process, 1);
        for (std::uint64_t i = 0; i < 20; ++i) {
            node = process.node(0x1000 + i, node, 1);
            thread.allocate(0x1000 + i * 16, i, node);
        }
        if (round % 2) collect->poll();
        allot_wire_source& source = process.source("arena", "request", 4096);
        allot_wire_header& header = process.header();
        struct part {
            void* at;
            std::size_t bytes;
        };
        const part parts[] = {
            {&process.entry(), sizeof(allot_wire_process)},
            {&thread.entry(), sizeof(allot_wire_thread)},
            {&process.ring(thread.ring()), sizeof(allot_wire_ring)},
            {&source, sizeof source},
            {process.words(thread.ring()), 400},
            {&process.page(1), 256},
            {&process.page(2), 256},
            {reinterpret_cast<char*>(&header) + header.segment_bytes, sizeof(std::uint64_t) * 60}};
        // The last part is the collector's own: nobody but a damaged disk writes there, so only recovery
        // meets that.
        for (int hits = 0; hits < 4; ++hits) {
            const part& hit = parts[random() % 7];
            static_cast<unsigned char*>(hit.at)[random() % hit.bytes] = static_cast<unsigned char>(random());
        }
        collect->poll();
        (void)recover(files.path("x"));
        (void)collect->finish(0, 0);
        for (int hits = 0; hits < 4; ++hits) {
            const part& hit = parts[random() % 8];
            static_cast<unsigned char*>(hit.at)[random() % hit.bytes] = static_cast<unsigned char>(random());
        }
        (void)recover(files.path("x"));
    }
}

} // namespace
} // namespace allot::recorder
