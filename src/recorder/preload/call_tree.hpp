// call_tree: from the running thread's stack to its node in the segment.
//
// Use it in full mode, guarded against re-entry by the caller (thread_block::inside): what is new takes a
// lock. Recursion is folded once a process has very many nodes: a frame that is its own ancestor leads back
// to that one. Threads: any; look-ups wait for nobody. Cost: the stack cache's, and one look-up for each new
// frame.
#pragma once

#include <recorder/preload/state.hpp>

#pragma GCC visibility push(hidden)

namespace allot::recorder {

inline constexpr std::uint64_t nodes_before_folding = 1'000'000; // of a process
inline constexpr std::uint64_t nodes_max = std::uint64_t{3} << 20;

// The node of the stack outwards of `frame`, a hook's __builtin_frame_address(0). Counts short and dropped
// stacks.
[[gnu::always_inline]] inline std::uint32_t node_of_stack(thread_block& mine, const void* frame) noexcept;

// The same, after a capture that found new frames, or a stack that does not end well.
std::uint32_t node_of_new_stack(thread_block& mine, captured_stack now) noexcept;

std::uint32_t node_of_stack(thread_block& mine, const void* frame) noexcept {
    const std::uint32_t generation = __atomic_load_n(&ALLOT_FIXED.process->node_generation, __ATOMIC_ACQUIRE);
    if (generation != mine.node_generation) [[unlikely]] {
        mine.stacks.forget();
        mine.node_generation = generation;
    }
    const captured_stack now = mine.stacks.capture(rules, frame, mine.bounds);
    if (now.unchanged == now.count && now.end == stack_end::complete) [[likely]]
        return mine.stacks.payload(now.count - 1);
    return node_of_new_stack(mine, now);
}

// Around the real dlclose: forgets rules, nodes and modules of what was unloaded.
int close_library(void* handle) noexcept;

} // namespace allot::recorder

#pragma GCC visibility pop
