// call_tree_builder: puts the contexts of a snapshot into one tree of functions.
//
// The work behind make_call_tree; use that. Lives for one tree.
// Threads: thread-compatible.
#pragma once

#include <allot/analysis/contexts.hpp>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace allot::detail {

class call_tree_builder {
public:
    call_tree_builder(const snapshot& shot, debug_info& names, const tree_options& options); // all borrowed

    call_tree build();

private:
    struct function {
        std::string name;
        std::string file;
        bool wrapper = false;
    };
    // A node's parent stands before it.
    struct node {
        std::uint32_t parent = none;
        std::uint32_t function = none;
        std::uint64_t own_value = 0;
        std::uint64_t value = 0;
        std::uint64_t allocations = 0;
        bool recursive = false;
    };
    // Where a stack ends: with all its frames, and without the wrappers at its inner end (none: all were
    // wrappers).
    struct place {
        std::uint32_t last = none;
        std::uint32_t shown = none;
    };

    std::uint32_t add_function(std::string name, std::string file);
    std::uint32_t function_of(const source_frame& source, code_address address);
    std::uint32_t callee(std::uint32_t caller, std::uint32_t function);
    place walk(place from, code_address address);
    place outermost(const context_node& context);
    void add_contexts();
    void add_up();
    void write(call_tree& tree) const;

    const snapshot& shot_; // borrowed
    debug_info& names_;    // borrowed
    tree_options options_;
    std::vector<function> functions_;
    std::unordered_map<std::string, std::uint32_t> by_name_;
    std::unordered_map<const source_frame*, std::uint32_t> by_source_; // one for each address and inlining
    std::unordered_map<std::uint64_t, std::uint32_t> callees_;         // caller << 32 | function
    std::vector<node> nodes_;  // [0] stands above the outermost frames
    std::uint32_t cut_ = none; // the node of stacks that are cut
};

} // namespace allot::detail
