// Nothing that goes wrong with the recording may harm the program.

#include "harness.hpp"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <set>
#include <sstream>
#include <unistd.h>

namespace allot::test {
namespace {

std::string output_of(const std::string& command) {
    std::string all;
    FILE* pipe = popen(command.c_str(), "r");
    char buffer[4096];
    while (const std::size_t got = fread(buffer, 1, sizeof buffer, pipe)) all.append(buffer, got);
    pclose(pipe);
    return all;
}

TEST(harm, the_library_needs_the_c_library_alone) {
    std::istringstream lines(output_of("readelf -d " ALLOT_TEST_PRELOAD));
    std::set<std::string> needed;
    for (std::string line; std::getline(lines, line);)
        if (line.find("(NEEDED)") != std::string::npos) needed.insert(line.substr(line.find('[')));
    EXPECT_EQ(needed, (std::set<std::string>{"[libc.so.6]", "[ld-linux-x86-64.so.2]"}));
}

TEST(harm, the_library_shows_only_what_it_stands_in_for) {
    std::istringstream lines(output_of("nm -D --defined-only " ALLOT_TEST_PRELOAD));
    std::set<std::string> names;
    for (std::string address, kind, name; lines >> address >> kind >> name;) names.insert(name);
    EXPECT_EQ(names,
              (std::set<std::string>{"malloc", "free", "calloc", "realloc", "reallocarray", "posix_memalign",
                                     "aligned_alloc", "memalign", "valloc", "pvalloc", "malloc_usable_size",
                                     "dlclose", "_exit", "_Exit", "allot_client_v1"}));
}

TEST(harm, no_segment_no_word) {
    for (const std::string path : {"/nowhere/at/all", "relative", "", "/tmp", "/dev/null", "/dev/zero"}) {
        const outcome ended = run(path, {"malloc"});
        EXPECT_TRUE(ended.exited_with(0)) << path;
        EXPECT_EQ(ended.out, "") << path;
    }
    EXPECT_TRUE(run("", {"malloc"}, {.segment = false}).exited_with(0));
}

TEST(harm, a_segment_that_is_not_one_is_left_alone) {
    using spoil = std::function<void(test_segment&)>;
    const std::pair<const char*, spoil> ways[] = {
        {"magic", [](auto& s) { s.header().magic[0] = 'B'; }},
        {"version", [](auto& s) { ++s.header().version; }},
        {"mode", [](auto& s) { s.header().mode = 3; }},
        {"longer than the file", [](auto& s) { s.header().segment_bytes += 1; }},
        {"cut", [](auto& s) { EXPECT_EQ(truncate(s.path().c_str(), 8192), 0); }},
        {"cut in the header", [](auto& s) { EXPECT_EQ(truncate(s.path().c_str(), 100), 0); }},
        {"empty", [](auto& s) { EXPECT_EQ(truncate(s.path().c_str(), 0), 0); }},
        {"small entries", [](auto& s) { s.header().thread_entry_bytes = 16; }},
        {"far threads", [](auto& s) { s.header().thread_offset = ~std::uint64_t{7}; }},
        {"many threads", [](auto& s) { s.header().thread_count = ~0u; }},
        {"ring words", [](auto& s) { s.header().ring_words = 100; }},
        {"far rings", [](auto& s) { s.header().ring_data_offset = s.header().segment_bytes - 8; }},
        {"page size", [](auto& s) { s.header().page_bytes = 4096; }},
        {"many pages", [](auto& s) { s.header().page_count_max = 1 << 23; }},
        {"processes", [](auto& s) { s.header().process_count = 0; }},
    };
    for (const auto& [name, act] : ways) {
        test_segment segment({.mode = ALLOT_MODE_FULL});
        act(segment);
        const outcome ended = run(segment.path(), {"malloc"});
        EXPECT_TRUE(ended.exited_with(0)) << name << ended.status;
        EXPECT_EQ(ended.out, "") << name;
        const bool header_is_there = std::string(name) != "cut in the header" && std::string(name) != "empty";
        EXPECT_EQ(header_is_there ? segment.header().process_serial : 0, 0u) << name;
    }
}

// Bounded by how often the program slept, not by the clock.
TEST(harm, a_dead_consumer_hangs_nobody) {
    test_segment segment({.mode = ALLOT_MODE_FULL, .ring_words = 1024});
    const outcome ended = run(segment.path(), {"events", "300000"});
    EXPECT_TRUE(ended.exited_with(0));
    EXPECT_LE(std::atoi(ended.out.c_str()), 150);
    const seen_process p = segment.only_process();
    EXPECT_GE(p.counters.allocations, 300000u);
    EXPECT_GT(p.counters.dropped_events, 500000u);
    segment.start_consumer(); // what got in is whole
    segment.stop_consumer();
    EXPECT_EQ(segment.events().size() + p.counters.dropped_events, p.counters.allocations + p.counters.frees);
}

TEST(harm, a_recording_that_ended_counts_nothing_and_waits_for_nobody) {
    test_segment segment({.mode = ALLOT_MODE_FULL, .ring_words = 1024});
    segment.header().stop = 1;
    const outcome ended = run(segment.path(), {"events", "300000"});
    EXPECT_TRUE(ended.exited_with(0));
    EXPECT_LE(std::atoi(ended.out.c_str()), 5);
    EXPECT_TRUE(segment.processes().empty());
}

TEST(harm, no_system_call_is_new_after_the_start) {
    for (const std::uint32_t mode : {ALLOT_MODE_COUNT, ALLOT_MODE_FULL}) {
        test_segment segment({.mode = mode});
        const outcome ended = run(segment, {"seccomp"});
        if (ended.exited_with(77)) GTEST_SKIP() << "no seccomp here";
        EXPECT_TRUE(ended.exited_with(0)) << ended.status;
        EXPECT_GE(segment.only_process().counters.frees, 40000u);
        EXPECT_EQ(segment.only_process().entry.exit_known, 1u);
    }
}

TEST(harm, an_allocator_preloaded_behind_is_observed) {
    if (access(ALLOT_TEST_JEMALLOC, R_OK) != 0) GTEST_SKIP() << "no jemalloc here";
    for (const std::uint32_t mode : {ALLOT_MODE_COUNT, ALLOT_MODE_FULL}) {
        const run_options behind{.preload_after = {ALLOT_TEST_JEMALLOC}};
        const allot_wire_counters added = added_by({"malloc"}, {.mode = mode}, behind);
        EXPECT_EQ(added.allocations, 1000u);
        EXPECT_EQ(added.frees, 1000u);
        EXPECT_EQ(added.allocated_bytes, 999u * 500);
        EXPECT_EQ(added_by({"calloc"}, {.mode = mode}, behind).allocated_bytes, 70u);
        EXPECT_EQ(added_by({"shortage"}, {.mode = mode}, behind).frees, 1u);
    }
    test_segment idle({}), segment({});
    run(idle, {"peak", "0000"}, {.preload_after = {ALLOT_TEST_JEMALLOC}});
    const outcome ended = run(segment, {"peak", "4000"}, {.preload_after = {ALLOT_TEST_JEMALLOC}});
    EXPECT_EQ(segment.only_process().entry.live_basis, ALLOT_BASIS_USABLE);
    EXPECT_EQ(segment.only_process().peak_live_bytes - idle.only_process().live_bytes, std::stoll(ended.out));
}

class own_operator_new : public testing::TestWithParam<const char*> {};

TEST_P(own_operator_new, of_an_allocator_is_told) {
    if (access(GetParam(), R_OK) != 0) GTEST_SKIP() << "no " << GetParam() << " here";
    test_segment plain({}), with({});
    run(plain, {"nothing"});
    run(with, {"nothing"}, {.preload_after = {GetParam()}});
    EXPECT_EQ(plain.only_process().entry.own_operator_new, 0u); // libstdc++'s calls malloc
    EXPECT_EQ(with.only_process().entry.own_operator_new, 1u);
}

#define ALLOT_LIBRARY(name) "/usr/lib/x86_64-linux-gnu/lib" name ".so"
INSTANTIATE_TEST_SUITE_P(all, own_operator_new,
                         testing::Values(ALLOT_TEST_JEMALLOC, ALLOT_LIBRARY("tcmalloc_minimal") ".4",
                                         ALLOT_LIBRARY("mimalloc") ".2"));

TEST(harm, calls_before_our_constructor_are_counted) {
    for (const std::uint32_t mode : {ALLOT_MODE_COUNT, ALLOT_MODE_FULL}) {
        test_segment without({.mode = mode}), with({.mode = mode});
        run(without, {"nothing"});
        EXPECT_TRUE(run(with, {"nothing"}, {.preload_after = {ALLOT_TEST_EARLY}}).exited_with(0));
        EXPECT_EQ(with.only_process().counters.allocations - without.only_process().counters.allocations,
                  100u);
        EXPECT_EQ(with.only_process().counters.allocated_bytes -
                      without.only_process().counters.allocated_bytes,
                  1100u);
    }
}

TEST(harm, a_program_with_its_own_malloc_is_said_to_be_one) {
    test_segment segment({});
    EXPECT_TRUE(run(segment, {"x"}, {.program = ALLOT_TEST_OWN_MALLOC}).exited_with(98));
    const seen_process p = segment.only_process();
    EXPECT_EQ(p.entry.reason, ALLOT_REASON_OWN_MALLOC);
    EXPECT_EQ(p.counters.allocations, 0u);
    EXPECT_EQ(p.entry.exit_code, 98);
}

TEST(harm, a_program_at_a_fixed_address_that_takes_mallocs_address_is_observed) {
    test_segment segment({});
    EXPECT_TRUE(run(segment, {"x"}, {.program = ALLOT_TEST_FIXED_ADDRESS}).exited_with(0));
    EXPECT_EQ(segment.only_process().entry.reason, ALLOT_REASON_NONE);
    EXPECT_GE(segment.only_process().counters.frees, 10u);
}

TEST(harm, a_sanitized_program_is_said_to_be_one) {
    test_segment segment({});
    const outcome ended = run(segment, {"x"},
                              {.program = ALLOT_TEST_SANITIZED,
                               .environment = {"ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0"}});
    EXPECT_TRUE(ended.exited_with(0)) << ended.status << ended.out;
    EXPECT_EQ(segment.only_process().entry.reason, ALLOT_REASON_SANITIZER);
}

TEST(harm, a_program_may_ask_for_its_own_totals) {
    for (const std::uint32_t mode : {ALLOT_MODE_COUNT, ALLOT_MODE_FULL}) {
        test_segment segment({.mode = mode});
        const outcome ended = run(segment, {"x"}, {.program = ALLOT_TEST_CLIENT});
        EXPECT_TRUE(ended.exited_with(static_cast<int>(mode))) << ended.status << ended.out;
    }
    EXPECT_TRUE(run("/nowhere", {"x"}, {.program = ALLOT_TEST_CLIENT}).exited_with(0));
    EXPECT_TRUE(run("", {"x"}, {.preload = false, .program = ALLOT_TEST_CLIENT}).exited_with(50));
}

} // namespace
} // namespace allot::test
