#include <allot/analysis/contexts.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace allot;

namespace {

// Modules without a file have no names but their offsets: "app+0x1" stands for a function here.
snapshot small_tree() {
    snapshot shot;
    shot.modules = {{"/no/such/app", {}, {}}};
    const auto add = [&](std::uint32_t parent, std::uint64_t offset, std::uint64_t bytes) {
        context_node node;
        node.parent = parent;
        node.address = {0, offset};
        node.numbers.allocations = bytes > 0;
        node.numbers.allocated_bytes = bytes;
        node.numbers.live_bytes_at_peak = bytes;
        shot.contexts.push_back(node);
        shot.totals.allocated_bytes += bytes;
        shot.totals.peak_live_bytes += bytes;
    };
    add(context_node::root, 1, 0); // 0: 1
    add(0, 2, 100);                // 1: 1 → 2, a context of its own
    add(1, 3, 30);                 // 2: 1 → 2 → 3
    add(0, 4, 5);                  // 3: 1 → 4
    add(0, 5, 4);                  // 4: 1 → 5
    add(context_node::cut, 6, 7);  // 5: … → 6
    return shot;
}

} // namespace
namespace {

std::string path_of(const snapshot& shot, const stack& of) {
    std::string text;
    for (const stack_frame& frame : of.frames) text += (text.empty() ? "" : " ") + frame_name(shot, frame);
    return text;
}

std::vector<std::string> text_of(const call_tree& tree) {
    std::vector<std::string> rows;
    for (const tree_node& row : tree.rows)
        rows.push_back(std::string(row.depth, ' ') + row.function + "=" + std::to_string(row.value) +
                       (row.recursive ? " recursive" : "") +
                       (row.elided_count > 0
                            ? " +" + std::to_string(row.elided_count) + ":" + std::to_string(row.elided_value)
                            : ""));
    return rows;
}

using lines = std::vector<std::string>;

// value == own + shown children + elided, at every node; the outermost rows and what is elided are the total.
void check_sums(const call_tree& tree) {
    std::vector<std::uint64_t> parts(tree.rows.size());
    std::vector<std::size_t> path;
    std::uint64_t outermost = tree.elided_value;
    for (std::size_t i = 0; i < tree.rows.size(); ++i) {
        const tree_node& row = tree.rows[i];
        ASSERT_LE(row.depth, path.size());
        path.resize(row.depth);
        (path.empty() ? outermost : parts[path.back()]) += row.value;
        path.push_back(i);
        parts[i] = row.own_value + row.elided_value;
    }
    EXPECT_EQ(outermost, tree.total);
    for (std::size_t i = 0; i < parts.size(); ++i)
        EXPECT_EQ(parts[i], tree.rows[i].value) << tree.rows[i].function;
}

} // namespace

TEST(contexts, a_table_of_contexts_shows_each_stack_innermost_first) {
    const snapshot shot = small_tree();
    debug_info names(shot.modules);
    std::string text;
    for (const table_row& row : make_table(shot, group_by::context, sort_by::peak, 2))
        for (const stack_frame& frame : frames_of(shot, row.index, names).frames)
            text += frame_name(shot, frame) + '\n';
    EXPECT_EQ(text, "app+0x2\napp+0x1\napp+0x3\napp+0x2\napp+0x1\n");
}

TEST(frames_of, says_whether_the_stack_reaches_its_root) {
    const snapshot shot = small_tree();
    debug_info names(shot.modules);
    EXPECT_TRUE(frames_of(shot, 2, names).complete);
    EXPECT_FALSE(frames_of(shot, 5, names).complete);
    EXPECT_EQ(path_of(shot, frames_of(shot, 5, names)), "app+0x6");
}

TEST(frame_name, is_a_raw_address_outside_any_module) {
    snapshot shot = small_tree();
    shot.modules.push_back({"[vdso]", {}, {}});
    shot.modules.push_back({"", {}, {}});
    EXPECT_EQ(module_and_offset(shot.modules, {none, 0x7f00'0000'1234}), "0x7f0000001234");
    EXPECT_EQ(module_and_offset(shot.modules, {1, 0xa}), "[vdso]+0xa");
    EXPECT_EQ(module_and_offset(shot.modules, {2, 0xa}), "0xa");
    EXPECT_EQ(frame_name(shot, {{0, 0xffff'ffff'ffff'ffff}, nullptr}), "app+0xffffffffffffffff");
}

TEST(make_call_tree, adds_up_from_the_outermost_frames_with_the_largest_child_first) {
    const snapshot shot = small_tree();
    debug_info names(shot.modules);
    const call_tree tree = make_call_tree(shot, names, {.least_share = 0});
    EXPECT_EQ(text_of(tree), (lines{"app+0x1=139", " app+0x2=130", "  app+0x3=30", " app+0x4=5", " app+0x5=4",
                                    "[cut]=7", " app+0x6=7"}));
    EXPECT_EQ(tree.rows[1].own_value, 100u);
    EXPECT_EQ(tree.rows[1].allocations, 2u);
    EXPECT_EQ(tree.total, 146u);
    EXPECT_EQ(tree.unrecorded, 0u);
    check_sums(tree);
}

TEST(make_call_tree, states_the_count_and_the_sum_of_what_it_leaves_out) {
    snapshot shot = small_tree();
    shot.totals.peak_live_bytes += 14; // dropped stacks
    debug_info names(shot.modules);
    const call_tree tree = make_call_tree(shot, names, {.least_share = 0.05});
    EXPECT_EQ(text_of(tree), (lines{"app+0x1=139 +2:9", " app+0x2=130", "  app+0x3=30"}));
    EXPECT_EQ(tree.elided_count, 1u);
    EXPECT_EQ(tree.elided_value, 7u);
    EXPECT_EQ(tree.unrecorded, 14u);
    check_sums(tree);
}

TEST(make_call_tree, folds_recursion_so_that_no_byte_counts_twice) {
    snapshot shot;
    const std::uint64_t stack_offsets[] = {1, 2, 3, 2, 3, 2, 2, 4}; // main a b a b a a leaf
    std::uint32_t parent = context_node::root;
    for (const std::uint64_t offset : stack_offsets) {
        context_node node;
        node.parent = parent;
        node.address = {none, offset};
        node.numbers.allocations = node.numbers.live_bytes_at_peak = 10;
        parent = static_cast<std::uint32_t>(shot.contexts.size());
        shot.contexts.push_back(node);
    }
    shot.totals.peak_live_bytes = 80;
    debug_info names(shot.modules);
    const call_tree tree = make_call_tree(shot, names, {.least_share = 0});
    EXPECT_EQ(text_of(tree), (lines{"0x1=80", " 0x2=70 recursive", "  0x3=20", "  0x4=10"}));
    check_sums(tree);
}

TEST(make_call_tree, keeps_its_sums_on_random_trees) {
    const unsigned seed = std::random_device()();
    std::mt19937 random(seed);
    SCOPED_TRACE("seed " + std::to_string(seed));
    for (int round = 0; round < 50; ++round) {
        snapshot shot;
        std::uint64_t sum = 0;
        for (std::uint32_t i = 0; i < 300; ++i) {
            context_node node;
            const auto pick = static_cast<std::uint32_t>(random() % (i + 2));
            node.parent = pick < i ? pick : pick == i ? context_node::root : context_node::cut;
            node.address = {none, 1 + random() % 20};
            node.numbers.live_bytes_at_peak = random() % 4 == 0 ? 0 : random() % 1000;
            sum += node.numbers.live_bytes_at_peak;
            shot.contexts.push_back(node);
        }
        shot.totals.peak_live_bytes = sum;
        debug_info names(shot.modules);
        const call_tree tree = make_call_tree(shot, names, {.least_share = 0.001 * (round % 10)});
        EXPECT_EQ(tree.total, sum);
        check_sums(tree);
        EXPECT_LE(std::ranges::max(tree.rows, {}, &tree_node::depth).depth, 21u);
    }
}

TEST(make_call_tree, of_an_empty_snapshot_is_empty) {
    const snapshot shot;
    debug_info names(shot.modules);
    EXPECT_TRUE(make_call_tree(shot, names).rows.empty());
}

TEST(for_each_folded, writes_outermost_first_and_adds_up_to_the_total) {
    snapshot shot = small_tree();
    shot.totals.peak_live_bytes += 11; // dropped stacks
    shot.modules[0].path = "/no/such/a;b\nc";
    debug_info names(shot.modules);
    lines folded;
    std::uint64_t sum = 0;
    for_each_folded(shot, names, {}, [&](std::string_view stack, std::uint64_t value) {
        folded.push_back(std::string(stack) + " " + std::to_string(value));
        sum += value;
    });
    EXPECT_EQ(folded,
              (lines{"a:b c+0x1;a:b c+0x2 100", "a:b c+0x1;a:b c+0x2;a:b c+0x3 30", "a:b c+0x1;a:b c+0x4 5",
                     "a:b c+0x1;a:b c+0x5 4", "[cut];a:b c+0x6 7", "[no stack] 11"}));
    EXPECT_EQ(sum, sort_total(shot, sort_by::peak));
}

TEST(for_each_folded, leaves_out_stacks_without_a_value) {
    const snapshot shot = small_tree();
    debug_info names(shot.modules);
    int count = 0;
    for_each_folded(shot, names, {.metric = sort_by::temporary},
                    [&](std::string_view, std::uint64_t) { ++count; });
    EXPECT_EQ(count, 0);
}
