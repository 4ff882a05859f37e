#include <allot/core/client.h>
#include <allot/core/client_report.hpp>

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace {

// The look-up is cached for good, so each case runs in a child process of its own, by EXPECT_EXIT.
allot_client_v1& load_recorder() {
    void* library = dlopen(CLIENT_TEST_RECORDER, RTLD_NOW | RTLD_GLOBAL);
    if (!library) {
        std::fprintf(stderr, "%s\n", dlerror());
        std::_Exit(3);
    }
    return *static_cast<allot_client_v1*>(dlsym(library, ALLOT_CLIENT_SYMBOL));
}

void print_allocations() {
    const allot_client_v1* client = allot_client_find();
    allot_client_totals totals = {};
    totals.size = sizeof totals;
    if (client && client->process_totals(&totals) == 0)
        std::fprintf(stderr, "%llu allocations\n", static_cast<unsigned long long>(totals.allocations));
    std::_Exit(client ? client->mode() : 9);
}

TEST(client, tells_a_program_its_own_counts_under_the_recorder) {
    EXPECT_EXIT((load_recorder(), print_allocations()), testing::ExitedWithCode(ALLOT_CLIENT_FULL),
                "^12 allocations\n$");
}

TEST(client, finds_nothing_without_the_recorder) {
    EXPECT_EXIT(print_allocations(), testing::ExitedWithCode(9), "^$");
}

void find_twice_with_a_recorder_between() {
    const bool before = allot_client_find();
    load_recorder();
    std::_Exit(before ? 1 : allot_client_find() ? 2 : 0);
}

TEST(client, asks_the_dynamic_linker_once) {
    EXPECT_EXIT(find_twice_with_a_recorder_between(), testing::ExitedWithCode(0), "");
}

void find_with(uint32_t version, uint32_t size) {
    allot_client_v1& recorder = load_recorder();
    recorder.version = version;
    recorder.size = size;
    std::_Exit(allot_client_find() == &recorder ? 1 : 0);
}

TEST(client, takes_a_recorder_that_knows_more_and_refuses_what_it_cannot_read) {
    EXPECT_EXIT(find_with(1, sizeof(allot_client_v1) + 8), testing::ExitedWithCode(1), "");
    EXPECT_EXIT(find_with(2, sizeof(allot_client_v1)), testing::ExitedWithCode(0), "");
    EXPECT_EXIT(find_with(1, ALLOT_CLIENT_V1_SIZE_MIN), testing::ExitedWithCode(1), "");
    EXPECT_EXIT(find_with(1, ALLOT_CLIENT_V1_SIZE_MIN - 8), testing::ExitedWithCode(0), "");
}

void report_with(uint32_t size, bool has_the_call) {
    allot_client_v1& recorder = load_recorder();
    recorder.size = size;
    if (!has_the_call) recorder.report_source = nullptr;
    allot_client_source self = {};
    self.size = sizeof self;
    self.kind = "arena";
    self.name = "request";
    const int answer = allot_client_report_source(&self);
    std::_Exit(answer == 0 ? static_cast<int>(self.id) : 90);
}

TEST(client, reports_a_source_to_a_recorder_that_takes_reports_and_to_no_other) {
    EXPECT_EXIT(report_with(sizeof(allot_client_v1), true), testing::ExitedWithCode(1),
                "^report 1 arena 'request' 0 bytes in 0\n$");
    EXPECT_EXIT(report_with(ALLOT_CLIENT_V1_SIZE_MIN, true), testing::ExitedWithCode(90), "^$");
    EXPECT_EXIT(report_with(sizeof(allot_client_v1), false), testing::ExitedWithCode(90), "^$");
}

void report_twice() {
    (void)load_recorder();
    std::uint64_t id = 0;
    allot::report_to_client(id, {.kind = "arena", .who = "request", .held_bytes = 4096, .held_count = 2});
    allot::report_to_client(id, {.kind = "arena", .who = "request"});
    std::_Exit(static_cast<int>(id));
}

TEST(client, reports_under_one_id_from_the_first_report_on) {
    EXPECT_EXIT(report_twice(), testing::ExitedWithCode(1),
                "^report 1 arena 'request' 4096 bytes in 2\nreport 1 arena 'request' 0 bytes in 0\n$");
}

} // namespace
