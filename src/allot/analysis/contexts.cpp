#include <allot/analysis/contexts.hpp>

#include <allot/analysis/call_tree_builder.hpp>
#include <allot/analysis/sites.hpp>
#include <allot/core/contract.hpp>

#include <algorithm>

namespace allot {
namespace {

// `;` ends a frame in the folded form and a line break ends a line; a name may hold both.
void append_folded_name(std::string& line, std::string_view name) {
    if (!line.empty()) line += ';';
    for (const char c : name) line += c == ';' ? ':' : static_cast<unsigned char>(c) < ' ' ? ' ' : c;
}

std::uint64_t beyond(std::uint64_t total, std::uint64_t part) { return total > part ? total - part : 0; }

} // namespace

std::string frame_name(const snapshot& shot, const stack_frame& frame) {
    if (frame.source != nullptr && !frame.source->function.empty()) return frame.source->function;
    return module_and_offset(shot.modules, frame.address);
}

stack frames_of(const snapshot& shot, std::uint32_t context, debug_info& names, wrapper_view wrappers) {
    ALLOT_EXPECT(context < shot.contexts.size(), "frames_of: no such context");
    stack made;
    std::uint32_t node = context;
    while (node < shot.contexts.size()) {
        const context_node& at = shot.contexts[node];
        for (const source_frame& source : names.frames(at.address))
            made.frames.push_back({at.address, &source});
        if (at.parent != context_node::root && at.parent >= node)
            break; // a parent stands before its children
        node = at.parent;
    }
    made.complete = node == context_node::root;
    if (wrappers == wrapper_view::shown) return made;
    const auto outside = std::ranges::find_if(
        made.frames, [](const stack_frame& frame) { return !is_allocator_wrapper(frame.source->function); });
    if (outside != made.frames.end()) made.frames.erase(made.frames.begin(), outside);
    return made;
}

call_tree make_call_tree(const snapshot& shot, debug_info& names, const tree_options& options) {
    detail::call_tree_builder builder(shot, names, options);
    call_tree made = builder.build();
    made.unrecorded = beyond(sort_total(shot, options.metric), made.total);
    return made;
}

void for_each_folded(const snapshot& shot, debug_info& names, const folded_options& options,
                     const std::function<void(std::string_view stack, std::uint64_t value)>& line) {
    std::uint64_t sum = 0;
    std::string text;
    for (std::uint32_t i = 0; i < shot.contexts.size(); ++i) {
        const std::uint64_t value = sort_value(shot.contexts[i].numbers, options.metric);
        if (value == 0) continue;
        const stack frames = frames_of(shot, i, names, options.wrappers);
        text.clear();
        if (!frames.complete) text = "[cut]";
        for (auto frame = frames.frames.rbegin(); frame != frames.frames.rend(); ++frame)
            append_folded_name(text, frame_name(shot, *frame));
        line(text, value);
        sum += value;
    }
    if (const std::uint64_t rest = beyond(sort_total(shot, options.metric), sum); rest > 0)
        line("[no stack]", rest);
}

} // namespace allot
