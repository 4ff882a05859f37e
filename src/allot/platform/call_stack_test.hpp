// Takes a stack twice: with stack_cache, and with libgcc's _Unwind_Backtrace, which reads the same tables by other
// code and remembers nothing. For tests only: call_stack_test and tests/stacks.
#pragma once

#include <allot/platform/call_stack.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include <sys/mman.h>
#include <unwind.h>

namespace stack_test {

inline const allot::unwind_rules& rules() {
    alignas(64) static std::uint64_t table[2 << 14];
    static allot::unwind_rules all;
    static const bool once = (all.use(table, 1 << 14), true);
    return once ? all : all;
}

struct unmap {
    void operator()(allot::stack_cache* at) const { munmap(at, sizeof(allot::stack_cache)); }
};
using cache_pointer = std::unique_ptr<allot::stack_cache, unmap>;

inline cache_pointer new_cache() {
    void* pages =
        mmap(nullptr, sizeof(allot::stack_cache), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return cache_pointer(static_cast<allot::stack_cache*>(pages));
}

inline _Unwind_Reason_Code note_frame(_Unwind_Context* context, void* into) {
    int is_interrupted = 0;
    const std::uint64_t at = _Unwind_GetIPInfo(context, &is_interrupted);
    static_cast<std::vector<std::uint64_t>*>(into)->push_back(at + (is_interrupted != 0 ? 1 : 0));
    return _URC_NO_REASON;
}

struct taken {
    allot::captured_stack shape{};
    std::vector<std::uint64_t> ours;   // innermost first
    std::vector<std::uint64_t> oracle; // the same, if the two agree
};

// Takes its caller's stack.
[[gnu::noinline]] inline taken take(allot::stack_cache& cache,
                                    allot::stack_bounds bounds = allot::current_thread_bounds()) {
    taken out;
    out.shape = cache.capture(rules(), __builtin_frame_address(0), bounds);
    for (std::uint32_t i = out.shape.count; i-- != 0;) out.ours.push_back(cache.return_address(i));
    _Unwind_Backtrace(note_frame, &out.oracle);
    const auto caller = reinterpret_cast<std::uint64_t>(__builtin_return_address(0));
    auto first = out.oracle.begin();
    while (first != out.oracle.end() && *first != caller) ++first;
    out.oracle.erase(out.oracle.begin(), first);
    if (!out.oracle.empty() && out.oracle.back() == 0) out.oracle.pop_back(); // its sign for the end
    return out;
}

inline void expect_right(const taken& now) {
    EXPECT_EQ(now.shape.end, allot::stack_end::complete);
    EXPECT_EQ(now.ours, now.oracle);
}

} // namespace stack_test
