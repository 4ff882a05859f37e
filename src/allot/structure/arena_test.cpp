#include <allot/structure/arena.hpp>

#include <gtest/gtest.h>

#include <allot/source/buffer_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/source/null_source.hpp>
#include <array>
#include <cstring>
#include <memory_resource>
#include <string>
#include <vector>

namespace allot {
namespace {

struct node {
    int value = 0;
    node* next = nullptr;
};

// ---- usage

TEST(arena, serves_a_request_and_keeps_its_chunks_for_the_next) {
    arena request({.name = "request", .chunk_bytes_min = kibibytes(16)});
    node* head = request.make<node>(node{.value = 1});
    std::string_view line = request.copy("GET /index.html");
    std::span<int> row = request.make_span<int>(100);
    {
        arena::scope step(request);
        std::pmr::vector<int> numbers(1000, 7, &request);
    } // the bytes of numbers are free again
    EXPECT_EQ(request.usage().live_count, 3u);
    EXPECT_EQ(head->value, 1);
    EXPECT_EQ(line, "GET /index.html");
    EXPECT_EQ(row[99], 0);
    const std::uint64_t held = request.usage().held_bytes;
    request.reset(); // all is dead, every chunk is kept for the next request
    EXPECT_EQ(request.usage().live_count, 0u);
    EXPECT_EQ(request.usage().held_bytes, held);
    EXPECT_EQ(request.reset_count(), 1u);
    request.check();
}

} // namespace
} // namespace allot
