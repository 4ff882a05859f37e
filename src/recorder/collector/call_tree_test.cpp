#include <recorder/collector/call_tree.hpp>

#include <gtest/gtest.h>
#include <map>
#include <recorder/collector/testing/small_tables.hpp>

namespace allot::recorder {
namespace {

struct fixture : testing::small_tables {
    explicit fixture(std::uint32_t contexts_max = 1u << 12) : small_tables(contexts_max) {
        all->processes.add({.serial = 1});
        all->processes.add({.serial = 2});
    }
    // As a process would: pages in the order of their use.
    std::uint32_t node(std::uint64_t address, std::uint32_t parent, std::uint32_t module = 0,
                       std::uint64_t serial = 1) {
        std::uint32_t& at = next[serial];
        if (at % 512 == 0) {
            at = ++pages * 512 + 1;
            file->page(pages)->process_serial = serial;
        }
        *const_cast<allot_wire_node*>(file->node(at)) = {address, parent, module};
        return at++;
    }
    const node_record& frame(std::uint32_t row) { return all->nodes[all->row_rests[row].node]; }
    std::map<std::uint64_t, std::uint32_t> next;
    std::uint32_t pages = 0;
};

TEST(call_tree, gives_the_same_frames_of_two_processes_one_row) { // the header's example, with two
    fixture f;
    call_tree tree(*f.file, *f.all, nullptr);
    tree.add_module(
        0, {.record = {}, .id = 1, .build_id_bytes = 0, .start = 0x1000, .end = 0x2000, .bias = 0x1000},
        "/usr/bin/jq", {});
    tree.add_module(
        1, {.record = {}, .id = 3, .build_id_bytes = 0, .start = 0x7000, .end = 0x8000, .bias = 0x7000},
        "/usr/bin/jq", {});
    const std::uint32_t first = tree.row_of(0, f.node(0x1020, f.node(0x1010, ALLOT_NODE_ROOT, 1), 1));
    const std::uint32_t other = tree.row_of(1, f.node(0x7020, f.node(0x7010, ALLOT_NODE_ROOT, 3, 2), 3, 2));
    EXPECT_EQ(first, other);
    EXPECT_EQ(f.frame(first).offset, 0x20u);
    EXPECT_EQ(f.all->nodes[f.frame(first).parent].offset, 0x10u);
    EXPECT_EQ(f.all->nodes[f.frame(first).parent].parent, context_node::root);
}

TEST(call_tree, keeps_cut_stacks_apart_from_complete_ones) {
    fixture f;
    call_tree tree(*f.file, *f.all, nullptr);
    const std::uint32_t complete = tree.row_of(0, f.node(0x10, ALLOT_NODE_ROOT));
    const std::uint32_t cut = tree.row_of(0, f.node(0x10, ALLOT_NODE_UNKNOWN));
    EXPECT_NE(complete, cut);
    EXPECT_EQ(f.frame(cut).parent, context_node::cut);
}

TEST(call_tree, counts_unknown_dropped_and_impossible_stacks_in_row_0) {
    fixture f;
    call_tree tree(*f.file, *f.all, nullptr);
    const std::uint32_t of_other = f.node(0x10, ALLOT_NODE_ROOT, 0, 2);
    std::uint32_t loop = f.node(0x10, ALLOT_NODE_ROOT);
    const_cast<allot_wire_node*>(f.file->node(loop))->parent = loop;
    for (std::uint32_t id : {0u, 1u, 2u, 511u, 512u, ~0u, 4096u * 512, of_other, loop})
        EXPECT_EQ(tree.row_of(0, id), 0u) << id;
    EXPECT_EQ(f.frame(0).parent, context_node::cut);
}

TEST(call_tree, names_the_innermost_frame_that_is_no_wrapper_and_asks_once) {
    struct finder : site_finder {
        bool is_allocator_wrapper(const module_row&, std::uint64_t offset) override {
            ++asked[offset];
            return offset < 100;
        }
        std::map<std::uint64_t, int> asked;
    } wrappers;
    fixture f;
    call_tree tree(*f.file, *f.all, &wrappers);
    auto site = [&](std::uint32_t node) {
        return f.all->sites[f.all->rows[tree.row_of(0, node)].site].offset;
    };
    const std::uint32_t main = f.node(500, ALLOT_NODE_ROOT);
    EXPECT_EQ(site(f.node(10, f.node(20, main))), 500u);
    EXPECT_EQ(site(f.node(10, f.node(600, main))), 600u);
    EXPECT_EQ(site(f.node(10, f.node(20, ALLOT_NODE_ROOT))), 20u); // nothing but wrappers: the outermost
    EXPECT_EQ(site(f.node(10, ALLOT_NODE_UNKNOWN)), 10u);
    for (const auto& [offset, times] : wrappers.asked) EXPECT_EQ(times, 1) << offset;
}

TEST(call_tree, forgets_the_nodes_of_a_page_that_goes_to_another_process) {
    fixture f;
    call_tree tree(*f.file, *f.all, nullptr);
    const std::uint32_t id = f.node(0x10, ALLOT_NODE_ROOT);
    const std::uint32_t before = tree.row_of(0, id);
    tree.forget_page(id / 512);
    f.file->page(id / 512)->process_serial = 2;
    const_cast<allot_wire_node*>(f.file->node(id))->return_address = 0x99;
    EXPECT_NE(tree.row_of(1, id), before);
    EXPECT_EQ(f.frame(tree.row_of(1, id)).offset, 0x99u);
}

TEST(call_tree, holds_a_million_contexts_in_bounded_memory_and_the_rest_as_unknown) {
    constexpr std::uint32_t room = 1'000'000;
    fixture f(room);
    call_tree tree(*f.file, *f.all, nullptr);
    std::uint32_t unknown = 0;
    for (std::uint64_t i = 0; i < room + 1000; ++i)
        unknown += tree.row_of(0, f.node(0x1000 + i, ALLOT_NODE_ROOT)) == 0;
    EXPECT_EQ(unknown, 1001u); // one node is that of the unknown stack
    EXPECT_EQ(f.all->head().contexts_lost, 1001u);
    EXPECT_EQ(f.all->nodes.count(), room);
}

TEST(call_tree, maps_deep_stacks_without_recursion) {
    fixture f(1u << 17);
    call_tree tree(*f.file, *f.all, nullptr);
    std::uint32_t node = ALLOT_NODE_ROOT;
    for (std::uint64_t i = 0; i < 60'000; ++i) node = f.node(i, node);
    EXPECT_NE(tree.row_of(0, node), 0u);
    EXPECT_EQ(f.all->nodes.count(), 60'001u);
}

} // namespace
} // namespace allot::recorder
