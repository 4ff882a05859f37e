#include <recorder/preload/call_tree.hpp>

#include <recorder/preload/attach.hpp>
#include <recorder/preload/counters.hpp>

// Nodes are written to shared pages before their ids get into a ring. The lock is taken by guarded hooks and
// by dlclose (guarded likewise), so that no signal handler can wait for a lock that its own thread holds. A
// child forked while another thread held it finds it wiped.

namespace allot::recorder {
namespace {

// An ancestor of `parent`, or itself, with this return address; 0: none.
std::uint32_t same_frame_outwards(const segment_view& segment, std::uint32_t parent,
                                  std::uint64_t return_address) noexcept {
    while (parent >= ALLOT_NODE_FIRST) {
        const allot_wire_node* node = segment.node(parent);
        if (node->return_address == return_address) return parent;
        parent = node->parent;
    }
    return 0;
}

std::uint32_t module_of(process_state& process, std::uint64_t return_address) noexcept {
    const std::uint64_t call = return_address - 1;
    if (const std::uint32_t id = process.modules.find(call)) return id;
    const allot_wire_record* executable = executable_record();
    return process.modules.add(call, reinterpret_cast<const char*>(executable + 1),
                               executable->bytes - sizeof *executable, ALLOT_FIXED.segment,
                               &process.entry->blob_page_first, process.serial, process.blob_pages);
}

[[gnu::noinline, gnu::cold]] std::uint32_t add_child(process_state& process, std::uint32_t parent,
                                                     std::uint64_t return_address) noexcept {
    hook_mutex::guard hold(process.tree_lock);
    if (const std::uint32_t id = process.nodes.find(return_address, parent)) return id;
    if (process.nodes.size() >= nodes_max) return ALLOT_NODE_DROPPED;
    if (process.nodes.size() >= nodes_before_folding)
        if (const std::uint32_t id = same_frame_outwards(ALLOT_FIXED.segment, parent, return_address)) {
            __atomic_add_fetch(&process.entry->folded_stacks, 1, __ATOMIC_RELAXED);
            process.nodes.insert(return_address, parent, id);
            return id;
        }
    const allot_wire_node node{return_address, parent, module_of(process, return_address)};
    const std::uint32_t id = process.node_pages.add_node(ALLOT_FIXED.segment, &process.entry->node_page_first,
                                                         process.serial, node);
    if (id == 0) return ALLOT_NODE_DROPPED;
    process.nodes.insert(return_address, parent, id);
    return id;
}

std::uint32_t child(process_state& process, std::uint32_t parent, std::uint64_t return_address) noexcept {
    if (parent == ALLOT_NODE_DROPPED) [[unlikely]]
        return parent;
    if (const std::uint32_t id = process.nodes.find(return_address, parent)) [[likely]]
        return id;
    return add_child(process, parent, return_address);
}

// The dynamic linker's first function, which runs constructors, has no unwind table; but its frame lies at
// the very end of the main thread's stack, so there is nothing further out.
[[gnu::noinline, gnu::cold]] bool reached_the_end(const stack_cache& stacks, stack_bounds bounds) noexcept {
    constexpr std::uintptr_t slack = 64 + 16; // see bounds_of_main_stack; alignment
    return bounds.high == ALLOT_FIXED.main_stack.high && stacks.stack_pointer(0) >= bounds.high - slack;
}

} // namespace

std::uint32_t node_of_new_stack(thread_block& mine, captured_stack now) noexcept {
    process_state& process = *ALLOT_FIXED.process;
    stack_cache& stacks = mine.stacks;
    const bool complete = now.end == stack_end::complete ||
                          (now.end == stack_end::no_rule && reached_the_end(stacks, mine.bounds));
    std::uint32_t node = complete ? ALLOT_NODE_ROOT : ALLOT_NODE_UNKNOWN;
    if (now.unchanged != 0) node = stacks.payload(now.unchanged - 1);
    for (std::uint32_t i = now.unchanged; i != now.count; ++i)
        stacks.set_payload(i, node = child(process, node, stacks.return_address(i)));
    if (!complete) [[unlikely]]
        add_one(mine.entry->counters.short_stacks);
    if (node == ALLOT_NODE_DROPPED) [[unlikely]] {
        add_one(mine.entry->counters.dropped_stacks);
        stacks.forget(); // there may be room next time
    }
    return node;
}

int close_library(void* handle) noexcept {
    process_state* process = ALLOT_FIXED.mode == ALLOT_MODE_FULL ? ensure_process() : nullptr;
    if (process == nullptr) return ALLOT_FIXED.real_dlclose(handle);
    rules.begin_unload();
    const int answer = ALLOT_FIXED.real_dlclose(handle);
    if (answer == 0) {
        const slow_path guard(*process);
        hook_mutex::guard hold(process->tree_lock);
        if (process->modules.retain_loaded()) {
            process->nodes.clear();
            __atomic_add_fetch(&process->node_generation, 1, __ATOMIC_RELEASE);
        }
    }
    rules.end_unload();
    return answer;
}

} // namespace allot::recorder
