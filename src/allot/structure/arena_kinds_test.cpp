#include <allot/structure/arena_kinds.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>

#include <gtest/gtest.h>

#include <allot/source/default_source.hpp>

namespace allot {
namespace {

void take(arena& from, std::uint64_t bytes, std::size_t size = 100) {
    for (std::uint64_t i = 0; i < bytes; i += size) (void)from.allocate(size);
}

TEST(arena_kinds, leaves_no_large_arena_behind_a_large_request) {
    arena request(request_arena({.limit_bytes = mebibytes(4)}));
    (void)request.allocate(mebibytes(3));
    request.reset();
    EXPECT_TRUE(request.usage().held_bytes <= mebibytes(1) && request.name().view() == "request");
    take(request, mebibytes(3)); // in chunks of the kind's sizes
    request.reset();
    EXPECT_LE(request.usage().held_bytes, mebibytes(1));
    EXPECT_GT(request.usage().held_bytes, kibibytes(500)) << "what fits is kept";
    EXPECT_THROW(take(request, mebibytes(5)), out_of_memory);
}

TEST(arena_kinds, keeps_what_each_kind_may_keep) {
    const struct {
        arena_options how;
        const char* name;
        std::uint64_t kept_max, kept_min;
    } kinds[] = {{request_arena(), "request", mebibytes(1), kibibytes(500)},
                 {parse_arena(), "parse", mebibytes(8), mebibytes(4)},
                 {graph_arena(), "graph", mebibytes(100), mebibytes(20)},
                 {module_arena(), "module", kibibytes(4), 0}};
    for (const auto& kind : kinds) {
        auditing_source below(default_source());
        arena_options how = kind.how;
        how.upstream = &below;
        arena one(how);
        EXPECT_EQ(one.name().view(), kind.name);
        take(one, 1);
        EXPECT_LE(one.usage().held_bytes, how.chunk_bytes_min) << kind.name;
        take(one, mebibytes(20));
        one.reset();
        EXPECT_LE(below.live_bytes(), kind.kept_max) << kind.name;
        EXPECT_GE(below.live_bytes(), kind.kept_min) << kind.name;
        one.check();
    }
}

TEST(arena_kinds, asks_nothing_for_the_second_request) {
    for (const auto kind : {request_arena, parse_arena, graph_arena}) {
        failing_source upstream(default_source());
        arena one(kind({.name = "mine", .upstream = &upstream}));
        EXPECT_EQ(one.name().view(), "mine");
        take(one, kibibytes(600));
        one.reset();
        upstream.plan({.at = 1, .lasting = true});
        take(one, kibibytes(600));
    }
}

} // namespace
} // namespace allot
