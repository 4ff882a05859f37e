// Compiled several times: ALLOT_SHAPES names the function that gives out this set.
#include "shapes.hpp"

#include <alloca.h>

#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace {

using shapes::visitor;

volatile unsigned char sink;

[[gnu::noinline]] void touch(void* memory, std::size_t size) {
    std::memset(memory, 1, size);
    sink = static_cast<unsigned char*>(memory)[size / 2];
}

[[gnu::noinline]] void plain(visitor visit, int depth) {
    visit();
    if (depth != 0) plain(visit, depth - 1);
    visit();
    sink = 0;
}

// Many values alive over the calls: every callee-saved register is pushed, rbp among them.
[[gnu::noinline]] long many_registers(visitor visit, int depth, long a, long b, long c, long d, long e) {
    visit();
    const long inner = depth != 0 ? many_registers(visit, depth - 1, b + 1, c + 2, d + 3, e + 4, a + 5) : 0;
    visit();
    return inner + a * b + c * d + e;
}
void registers(visitor visit, int depth) {
    sink = static_cast<unsigned char>(many_registers(visit, depth, 1, 2, 3, 4, 5));
}

[[gnu::noinline]] void variable(visitor visit, int depth) {
    auto* memory = static_cast<unsigned char*>(alloca(static_cast<std::size_t>(16 + depth * 24)));
    touch(memory, 16);
    visit();
    if (depth != 0) variable(visit, depth - 1);
    visit();
    touch(memory, 16);
}

// Alignment beyond the ABI's: the frame is realigned, and with a variable part its caller's is found through a word.
[[gnu::noinline]] void aligned(visitor visit, int depth) {
    alignas(64) unsigned char memory[64];
    touch(memory, sizeof memory);
    visit();
    if (depth != 0) aligned(visit, depth - 1);
    visit();
    touch(memory, sizeof memory);
}

[[gnu::noinline]] void aligned_variable(visitor visit, int depth, int a, int b, int c, int d, int e,
                                        int on_stack) {
    alignas(64) unsigned char memory[64];
    auto* more = static_cast<unsigned char*>(alloca(static_cast<std::size_t>(16 + depth * 40)));
    touch(memory, sizeof memory);
    touch(more, 16);
    visit();
    if (depth != 0) aligned_variable(visit, depth - 1, b, c, d, e, a, on_stack + 1);
    visit();
    touch(memory, static_cast<std::size_t>(1 + on_stack % 60));
    touch(more, 16);
}
void aligned_and_variable(visitor visit, int depth) { aligned_variable(visit, depth, 1, 2, 3, 4, 5, 6); }

[[gnu::noinline]] void big(visitor visit, int depth) {
    unsigned char memory[20'000];
    touch(memory, sizeof memory);
    visit();
    if (depth != 0) big(visit, depth - 1);
    visit();
    touch(memory, sizeof memory);
}

// The call is the function's last instruction: the return address belongs to whatever follows.
[[gnu::noinline, noreturn]] void leave(visitor visit) {
    visit();
    throw std::runtime_error("on");
}
[[gnu::noinline, noreturn]] void hand_over(visitor visit) {
    unsigned char memory[40];
    touch(memory, sizeof memory);
    leave(visit);
}
[[gnu::noinline]] void never_returns(visitor visit, int depth) {
    try {
        visit();
        if (depth != 0) never_returns(visit, depth - 1);
        if (depth % 2 == 0) hand_over(visit);
        leave(visit);
    } catch (const std::runtime_error&) {
        visit();
    }
}

std::jmp_buf back;
[[gnu::noinline]] void jump(visitor visit, int depth) {
    visit();
    if (depth > 0)
        jump(visit, depth - 1);
    else if (depth == 0)
        std::longjmp(back, 1);
    sink = 0;
}
[[gnu::noinline]] void jumps(visitor visit, int depth) {
    if (setjmp(back) == 0) jump(visit, depth);
    visit();
    plain(visit, depth);
}

[[gnu::noinline]] void mixed(visitor visit, int depth) {
    plain(visit, depth % 3);
    aligned_and_variable(visit, depth % 4);
    variable(visit, depth % 3);
    if (depth != 0) mixed(visit, depth - 1);
    registers(visit, depth % 3);
    never_returns(visit, depth % 3);
    visit();
    sink = 0;
}

} // namespace

std::vector<shapes::named_shape> shapes::ALLOT_SHAPES() {
    return {{"plain", plain},
            {"registers", registers},
            {"variable", variable},
            {"aligned", aligned},
            {"aligned_and_variable", aligned_and_variable},
            {"big", big},
            {"never_returns", never_returns},
            {"jumps", jumps},
            {"mixed", mixed}};
}
