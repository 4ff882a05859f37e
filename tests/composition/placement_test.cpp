// A placement over the real arena, pool and tagged heap of one operation: each home's own numbers say what came to it.
#include <allot/governance/placement.hpp>
#include <allot/governance/tagged_heap.hpp>
#include <allot/structure/arena.hpp>
#include <allot/structure/pool.hpp>

#include <array>
#include <gtest/gtest.h>
#include <memory_resource>
#include <string>
#include <vector>

namespace allot {
namespace {

struct node {
    node* next;
    char name[56];
};

// A merge: lines that are compared and forgotten, entries of the tree that is being made, nodes that come and go in a
// cache, names that stay. Their blocks are of 122 to 134 bytes but for the nodes.
TEST(placement_over_structures, each_kind_of_block_lives_in_its_home) {
    arena tree({.name = "merge"});
    pool nodes({.name = "nodes", .slot = layout_of<node>()});
    tagged_heap heap({.name = "app"});
    std::array<std::byte, 1024> bytes;
    {
        placement merge(
            {.name = "merge", .inline_buffer = bytes, .arena = &tree, .heap = &heap.source(tags::general)});
        placed_source lines(merge, {.lives = lifetime::call});
        placed_source entries(merge, {.lives = lifetime::operation});
        placed_source cache(merge, {.lives = lifetime::session, .pool = &nodes, .pool_slot = nodes.slot()});
        placed_source names(merge, {.lives = lifetime::process});
        for (std::size_t size = 122; size <= 134; ++size) {
            std::pmr::vector<char> line(size, 'l', &lines);
            static_cast<void>(entries.allocate(size, 1)); // ends with the arena
            names.deallocate(names.allocate(size, 1), size, 1);
            void* const kept = cache.allocate(sizeof(node), alignof(node));
            cache.deallocate(kept, sizeof(node), alignof(node));
        }
        EXPECT_EQ(merge.counts().of(home::inline_buffer), 13u);
        std::pmr::vector<char> grown(&lines); // out of the buffer, through the arena, into the heap
        for (int i = 0; i < 200'000; ++i) grown.push_back('g');
        EXPECT_GE(heap.usage(tags::general).live_bytes, 200'000u);
    }
    EXPECT_EQ(tree.usage().live_count, 13u);
    EXPECT_EQ(nodes.usage().total_count, 13u);
    EXPECT_EQ(nodes.usage().held_count, 1u); // one slot, over and over
    EXPECT_EQ(heap.usage(tags::general).live_bytes, 0u);
    tree.reset();
}

} // namespace
} // namespace allot
