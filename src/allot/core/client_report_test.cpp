#include <allot/core/client_report.hpp>

#include <gtest/gtest.h>

namespace {

using namespace allot;

// What a recorder gets: client_test.
TEST(client_report, changes_nothing_where_nobody_listens) {
    std::uint64_t id = 0;
    report_to_client(id, {.kind = "arena", .who = "request", .held_bytes = 65536, .held_count = 1});
    EXPECT_EQ(id, 0u);
    id = 7;
    report_to_client(id, {.kind = "arena", .who = "request"});
    EXPECT_EQ(id, 7u);
}

} // namespace
