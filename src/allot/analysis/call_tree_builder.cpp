#include <allot/analysis/call_tree_builder.hpp>

#include <allot/analysis/sites.hpp>

#include <algorithm>

namespace allot::detail {

call_tree_builder::call_tree_builder(const snapshot& shot, debug_info& names, const tree_options& options)
    : shot_(shot), names_(names), options_(options), nodes_(1) {}

call_tree call_tree_builder::build() {
    add_contexts();
    add_up();
    call_tree tree;
    tree.total = nodes_[0].value;
    write(tree);
    return tree;
}

std::uint32_t call_tree_builder::add_function(std::string name, std::string file) {
    const auto [found, added] = by_name_.try_emplace(name, static_cast<std::uint32_t>(functions_.size()));
    if (added) {
        const bool wrapper = is_allocator_wrapper(name);
        functions_.push_back({std::move(name), std::move(file), wrapper});
    }
    return found->second;
}

std::uint32_t call_tree_builder::function_of(const source_frame& source, code_address address) {
    const auto [found, added] = by_source_.try_emplace(&source, none);
    if (added) found->second = add_function(frame_name(shot_, {address, &source}), source.file);
    return found->second;
}

std::uint32_t call_tree_builder::callee(std::uint32_t caller, std::uint32_t function) {
    const auto [found, added] = callees_.try_emplace(std::uint64_t{caller} << 32 | function, none);
    if (!added) return found->second;
    for (std::uint32_t above = caller; above != 0; above = nodes_[above].parent) {
        if (nodes_[above].function != function) continue;
        nodes_[above].recursive = true;
        return found->second = above;
    }
    found->second = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back({.parent = caller, .function = function});
    return found->second;
}

call_tree_builder::place call_tree_builder::walk(place from, code_address address) {
    const std::vector<source_frame>& frames = names_.frames(address);
    for (auto source = frames.rbegin(); source != frames.rend(); ++source) {
        const std::uint32_t function = function_of(*source, address);
        from.last = callee(from.last, function);
        if (!functions_[function].wrapper) from.shown = from.last;
    }
    return from;
}

call_tree_builder::place call_tree_builder::outermost(const context_node& context) {
    if (context.parent == context_node::root) return {.last = 0};
    if (cut_ == none) cut_ = callee(0, add_function("[cut]", ""));
    return {.last = cut_};
}

void call_tree_builder::add_contexts() {
    std::vector<place> places(shot_.contexts.size());
    for (std::uint32_t i = 0; i < places.size(); ++i) {
        const context_node& context = shot_.contexts[i];
        places[i] = walk(context.parent < i ? places[context.parent] : outermost(context), context.address);
        const std::uint64_t value = sort_value(context.numbers, options_.metric);
        const bool whole = options_.wrappers == wrapper_view::shown || places[i].shown == none;
        node& at = nodes_[whole ? places[i].last : places[i].shown];
        at.own_value += value;
        at.allocations += context.numbers.allocations;
    }
}

void call_tree_builder::add_up() {
    for (std::uint32_t i = static_cast<std::uint32_t>(nodes_.size()); i-- > 0;) {
        nodes_[i].value += nodes_[i].own_value;
        if (i == 0) break;
        nodes_[nodes_[i].parent].value += nodes_[i].value;
        nodes_[nodes_[i].parent].allocations += nodes_[i].allocations;
    }
}

void call_tree_builder::write(call_tree& tree) const {
    const double least = options_.least_share * static_cast<double>(tree.total);
    std::vector<std::vector<std::uint32_t>> children(nodes_.size());
    for (std::uint32_t i = 1; i < nodes_.size(); ++i)
        if (nodes_[i].value > 0) children[nodes_[i].parent].push_back(i);

    struct open_node {
        std::uint32_t index, depth;
    };
    std::vector<open_node> open; // a stack: a tree may be deeper than a thread's
    const auto expand = [&](std::uint32_t index, std::uint32_t depth, std::uint32_t& count,
                            std::uint64_t& sum) {
        auto& mine = children[index];
        const auto small = std::partition(mine.begin(), mine.end(), [&](std::uint32_t child) {
            return static_cast<double>(nodes_[child].value) >= least;
        });
        count = static_cast<std::uint32_t>(mine.end() - small);
        std::for_each(small, mine.end(), [&](std::uint32_t child) { sum += nodes_[child].value; });
        mine.erase(small, mine.end());
        std::ranges::sort(mine, [&](std::uint32_t a, std::uint32_t b) {
            if (nodes_[a].value != nodes_[b].value) return nodes_[a].value < nodes_[b].value;
            return functions_[nodes_[a].function].name > functions_[nodes_[b].function].name;
        });
        for (const std::uint32_t child : mine) open.push_back({child, depth}); // the largest comes off first
    };
    expand(0, 0, tree.elided_count, tree.elided_value);
    while (!open.empty()) {
        const auto [index, depth] = open.back();
        open.pop_back();
        const node& from = nodes_[index];
        const function& called = functions_[from.function];
        tree_node row{.depth = depth,
                      .function = called.name,
                      .file = called.file,
                      .value = from.value,
                      .own_value = from.own_value,
                      .allocations = from.allocations,
                      .recursive = from.recursive};
        expand(index, depth + 1, row.elided_count, row.elided_value);
        tree.rows.push_back(std::move(row));
    }
}

} // namespace allot::detail
