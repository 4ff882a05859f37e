#include <cli/render/tree.hpp>

#include <cli/render/numbers.hpp>
#include <cli/render/words.hpp>

#include <allot/analysis/contexts.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <vector>

namespace allot::cli {
namespace {

constexpr std::size_t columns_max = 100;
constexpr std::size_t indentation_max = 36; // deeper branches stay there

bool is_count(sort_by metric) { return metric == sort_by::count || metric == sort_by::temporary; }

std::string value_text(std::uint64_t value, sort_by metric) {
    return is_count(metric) ? count_text(value) : bytes_text(value);
}

// Shown children of each row; a chain is a row with one child that holds nearly all of it.
std::vector<std::uint32_t> child_counts(const std::vector<tree_node>& rows) {
    std::vector<std::uint32_t> counts(rows.size());
    std::vector<std::size_t> path;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        path.resize(std::min<std::size_t>(rows[i].depth, path.size()));
        if (!path.empty()) {
            ++counts[path.back()];
        }
        path.push_back(i);
    }
    return counts;
}

} // namespace

void write_call_tree(const snapshot& shot, debug_info& names, const report_options& options, output& out,
                     bool colour) {
    const call_tree tree = make_call_tree(
        shot, names, {.metric = options.sort, .least_share = 0.01, .wrappers = options.wrappers});
    if (tree.rows.empty()) {
        return;
    }
    const std::string title = "Call tree, from the outermost function inwards (branches below 1 % left out)";
    out.write(fmt::format("\n{}\n", colour ? "\x1b[1m" + title + "\x1b[0m" : title));
    out.write(fmt::format("{}   share  function\n", right(is_count(options.sort) ? "count" : "bytes", 11)));
    const std::vector<std::uint32_t> children = child_counts(tree.rows);
    std::vector<std::size_t> indentation; // of each depth on the way to this row
    std::vector<bool> branches;           // whether the row of that depth has several children
    for (std::size_t i = 0; i < tree.rows.size(); ++i) {
        const tree_node& node = tree.rows[i];
        const std::size_t depth = std::min<std::size_t>(node.depth, indentation.size());
        const bool chained = depth > 0 && !branches[depth - 1];
        const std::size_t above = depth == 0 ? 0 : indentation[depth - 1];
        const std::size_t here = depth == 0 || chained ? above : std::min(above + 2, indentation_max);
        indentation.resize(depth);
        branches.resize(depth);
        indentation.push_back(here);
        branches.push_back(children[i] + (node.elided_count > 0 ? 1 : 0) > 1);
        std::string row = fmt::format("{}{}  {}", right(value_text(node.value, options.sort), 11),
                                      right(share_text(node.value, tree.total), 8), std::string(here, ' '));
        const std::string remark = node.recursive ? " (recursive)" : "";
        std::string file = node.file.empty() ? "" : "  " + fit(clean(base_name(node.file)), 24);
        const std::size_t room = columns_max - width(row) - width(remark);
        file = width(file) + 20 > room ? "" : file;
        row += fit_function(clean(node.function), room - width(file)) + remark + file;
        out.write(row);
        out.put('\n');
    }
    if (tree.elided_count > 0) {
        out.write(fmt::format("{}{}  {}\n", right(value_text(tree.elided_value, options.sort), 11),
                              right(share_text(tree.elided_value, tree.total), 8),
                              counted(tree.elided_count, "smaller branch", "smaller branches")));
    }
    if (tree.unrecorded > 0) {
        out.write(fmt::format("{}{}  without a call stack\n",
                              right(value_text(tree.unrecorded, options.sort), 11), right("", 8)));
    }
}

} // namespace allot::cli
