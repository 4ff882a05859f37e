// contexts: the stacks of a snapshot with their names: one by one, as a merged call tree, and as folded
// lines.
//
// Use it to show who called whom. For ranked lists without callers use tables.
// Owns what it returns, except names, which live in the `debug_info`.
// Threads: thread-compatible, as debug_info is.
// Cost: a stack about 50 ns a frame once its names are known; a tree O(nodes); folded lines O(contexts ×
// depth).
//
//     allot::debug_info names(shot.modules);
//     for (const allot::table_row& row : allot::make_table(shot, allot::group_by::context,
//     allot::sort_by::peak, 5))
//         for (const allot::stack_frame& frame : allot::frames_of(shot, row.index, names).frames)
//             std::cout << frame_name(shot, frame) << '\n';
#pragma once

#include <allot/analysis/debug_info.hpp>
#include <allot/analysis/tables.hpp>
#include <allot/observability/snapshot.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace allot {

enum class wrapper_view : std::uint8_t { hidden, shown };

struct stack_frame {
    code_address address;
    const source_frame* source = nullptr; // never null after frames_of; borrowed from debug_info
};

struct stack {
    std::vector<stack_frame> frames; // innermost first; inlined functions are frames of their own
    bool complete = true;            // reaches its thread's root
};

// The function's name, or "libfoo.so+0x1234" where it has none.
std::string frame_name(const snapshot& shot, const stack_frame& frame);

// The stack of shot.contexts[context]. Hidden wrappers are those at the innermost end (a wrapper further out
// is kept: it is a part of the program's story); a stack of nothing but wrappers is kept whole.
stack frames_of(const snapshot& shot, std::uint32_t context, debug_info& names,
                wrapper_view wrappers = wrapper_view::hidden);

// One function in one place of the call tree. Recursion is folded: a function that calls itself, directly or
// through others, comes back to its node, so that a path names a function once and no sum counts a byte
// twice.
struct tree_node {
    std::uint32_t depth = 0;     // 0: an outermost frame; the parent is the nearest row above with depth - 1
    std::string function;        // as frame_name gives it
    std::string file;            // of the function's first frame met; may be empty
    std::uint64_t value = 0;     // in the tree's metric, with everything below it
    std::uint64_t own_value = 0; // of contexts that end here
    std::uint64_t allocations = 0; // with everything below it
    bool recursive = false;
    std::uint32_t elided_count = 0; // children left out because they are below the share …
    std::uint64_t elided_value = 0; // … and their sum: value == own_value + Σ shown children + elided_value
};

struct tree_options {
    sort_by metric = sort_by::peak;
    double least_share = 0.01; // of the total: smaller branches are left out; 0 shows all with a value
    wrapper_view wrappers = wrapper_view::hidden;
};

struct call_tree {
    std::vector<tree_node> rows;  // depth first, from the outermost frames inwards, largest child first
    std::uint64_t total = 0;      // sum of all contexts == Σ rows of depth 0 + elided_value
    std::uint64_t unrecorded = 0; // of the snapshot's totals, but without a stack (dropped)
    std::uint32_t elided_count = 0;
    std::uint64_t elided_value = 0;
};

call_tree make_call_tree(const snapshot& shot, debug_info& names, const tree_options& options = {});

struct folded_options {
    sort_by metric = sort_by::peak;
    wrapper_view wrappers = wrapper_view::hidden;
};

// One call per context with a value, in the snapshot's order: "outermost;…;innermost" and the value, as
// flame-graph viewers read them ("stack value"). `;` and line breaks in names are replaced. A stack that is
// cut begins with
// "[cut]"; what has no stack comes last as "[no stack]", so that the values add up to the snapshot's total.
void for_each_folded(const snapshot& shot, debug_info& names, const folded_options& options,
                     const std::function<void(std::string_view stack, std::uint64_t value)>& line);

} // namespace allot
