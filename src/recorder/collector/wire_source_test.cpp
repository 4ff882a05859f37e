#include <recorder/collector/wire_source.hpp>

#include <chrono>
#include <csignal>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <recorder/collector/collector.hpp>
#include <recorder/collector/recovery.hpp>
#include <recorder/collector/testing/fake_process.hpp>
#include <recorder/collector/testing/scratch.hpp>
#include <string>
#include <sys/wait.h>

namespace allot::recorder {
namespace {

using testing::fake_process;
using testing::scratch;

std::unique_ptr<collector> collect_into(const std::string& path) {
    auto made =
        collector::make({.path = path, .contexts_max = 1u << 10, .ring_count = 2, .ring_words = 1024});
    return made ? std::move(*made) : nullptr;
}

TEST(wire_source, has_a_peak_of_at_least_what_is_held) { // the header's example
    allot_wire_source entry{};
    entry.state = ALLOT_LIVE, entry.process_serial = 7, entry.held_bytes = 4096;
    std::memcpy(entry.kind, "arena", 6);
    std::optional<wire_source> seen = read_source(entry);
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->record.peak_held_bytes, 4096u);
    EXPECT_EQ(seen->serial, 7u);
    EXPECT_STREQ(seen->record.kind, "arena");
}

TEST(wire_source, ends_its_text_itself_and_is_empty_unless_live) {
    allot_wire_source entry{};
    entry.state = ALLOT_CLAIMED;
    EXPECT_FALSE(read_source(entry));
    entry.state = ALLOT_LIVE;
    std::memset(entry.name, 'n', sizeof entry.name);
    std::memset(entry.kind, 'k', sizeof entry.kind);
    EXPECT_EQ(std::strlen(read_source(entry)->record.name), 31u);
    EXPECT_EQ(std::strlen(read_source(entry)->record.kind), 15u);
}

TEST(wire_source, of_running_and_of_ended_processes_are_in_the_snapshot_by_process) {
    scratch files;
    auto collect = collect_into(files.path("x"));
    int gate[2];
    ASSERT_EQ(::pipe(gate), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(gate[1]);
        char byte;
        ::_exit(::read(gate[0], &byte, 1) == 0 ? 0 : 1);
    }
    ::close(gate[0]);
    collect->set_root(static_cast<std::uint32_t>(::getpid()));
    fake_process root(files.path("x"), {.pid = static_cast<std::uint32_t>(::getpid())});
    auto ends = std::make_unique<fake_process>(
        files.path("x"), testing::fake_options{.pid = static_cast<std::uint32_t>(child)});
    allot_wire_source& request = root.source("arena", "request", 4096);
    allot_wire_source& gone = ends->source("pool", "lines", 10);
    gone.peak_held_bytes = 64, gone.source_count = 3;
    collect->poll();
    request.held_bytes = 8192; // after the last look, and before its peak was written
    ::close(gate[1]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    const auto state = [&] { return __atomic_load_n(&gone.state, __ATOMIC_ACQUIRE); };
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (state() != ALLOT_FREE && std::chrono::steady_clock::now() < patience) collect->poll();
    EXPECT_EQ(gone.process_serial, 0u); // as the next claim expects it
    const snapshot all = collect->finish(0, 0);
    ASSERT_EQ(all.named_sources.size(), 2u);
    EXPECT_EQ(all.named_sources[0], (named_source_row{0, "arena", "request", 8192, 8192, 1, 1}));
    EXPECT_EQ(all.named_sources[1], (named_source_row{1, "pool", "lines", 10, 64, 1, 3}));
}

TEST(wire_source, is_recovered_when_everybody_was_killed) {
    scratch files;
    const std::string path = files.path("x");
    const pid_t dies = ::fork();
    if (dies == 0) {
        auto collect = collect_into(path);
        fake_process process(path, {.pid = static_cast<std::uint32_t>(::getpid())});
        collect->poll();
        process.source("arena", "request", 4096);
        process.header().source_reports_lost = 5;
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(dies, &status, 0), dies);
    auto found = recover(path);
    ASSERT_TRUE(found) << found.error().text();
    ASSERT_EQ(found->named_sources.size(), 1u);
    EXPECT_EQ(found->named_sources[0], (named_source_row{0, "arena", "request", 4096, 4096, 1, 1}));
    EXPECT_EQ(found->notes.back(), "Reports of named memory that found no room and are in no row: 5");
}

} // namespace
} // namespace allot::recorder
