// A C++ program whose every allocation has a size of its own and a mark that says where it must be found:
//   site N: f    the site of the N bytes is this line of f
//   frame N: f   this line of f is on the stack of the N bytes
//   stack N: …   the innermost functions of that stack, in this order
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace story {

// Keeps blocks alive, and the compiler from removing them.
void* volatile kept[64];
int kept_count;
void keep(void* block) { kept[kept_count++] = block; }

struct record {
    char bytes[2000];
};

[[gnu::noinline]] void make_record() {
    keep(new record); // site 2000: story::make_record
}

[[gnu::always_inline]] inline void innermost() {
    keep(std::malloc(2001)); // site 2001: story::innermost
}
[[gnu::always_inline]] inline void middle() {
    innermost(); // frame 2001: story::middle
}
[[gnu::noinline]] void outer() {
    middle(); // frame 2001: story::outer; stack 2001: story::innermost < story::middle < story::outer
    asm volatile("");
}

// The container's own functions are wrappers: the site is who fills it.
[[gnu::noinline]] void fill() {
    static std::vector<int> numbers;
    numbers.reserve(501); // site 2004: story::fill
    static std::string text;
    text.assign(2004, 'x'); // site 2005: story::fill
    asm volatile("");       // else the call above is a jump, and this function is not on the stack
}

[[gnu::noinline]] void grow(std::vector<char>& bytes) {
    bytes.resize(2006); // site 2006: story::grow
    asm volatile("");
}

namespace {
struct local {
    char bytes[2007];
};
} // namespace

// A type without linkage: its templates have no linkage names.
[[gnu::noinline]] void own_type() {
    keep(new local);                  // site 2007: story::own_type
    static std::vector<local> locals; // 4 × 2007
    locals.reserve(4);                // site 8028: story::own_type
}

template <class T, int Count>
[[gnu::noinline]] void templated() {
    keep(new T[Count]); // site 2008: story::templated
}

[[gnu::noinline]] void with_lambda() {
    const auto inside = [](std::size_t size) __attribute__((noinline)) {
        keep(std::malloc(size)); // site 2009: story::with_lambda::{lambda(unsigned long)#1}::operator()
        asm volatile("");
    };
    inside(2009); // frame 2009: story::with_lambda
    asm volatile("");
}

class counted {
public:
    static void* operator new(std::size_t size) {
        return std::malloc(size); // frame 2010: story::counted::operator new
    }
    static void operator delete(void* block) { std::free(block); }
    char bytes[2010];
};

[[gnu::noinline]] void own_operator_new() {
    keep(new counted); // site 2010: story::own_operator_new
}

[[gnu::noinline]] void shared() {
    struct big {
        char bytes[2011 - 2 * sizeof(void*) - 1 + 6]; // with its reference counts 2016
    };
    static std::shared_ptr<big> one;
    one = std::make_shared<big>(); // site 2016: story::shared
}

[[gnu::noinline]] void recursive(int depth) {
    if (depth == 0)
        keep(std::malloc(2012)); // site 2012: story::recursive
    else
        recursive(depth - 1); // frame 2012: story::recursive
    asm volatile("");
}

[[gnu::noinline]] void in_handler() {
    try {
        throw std::runtime_error("to be caught");
    } catch (const std::exception&) {
        keep(std::malloc(2013)); // site 2013: story::in_handler
    }
}

[[gnu::noinline]] void in_thread() {
    std::thread([] {
        keep(std::malloc(2014)); // site 2014: story::in_thread::{lambda}::operator()
        asm volatile("");
    }).join();
}

} // namespace story

int main() {
    story::make_record(); // frame 2000: main
    story::outer();       // frame 2001: main
    story::fill();
    static std::vector<char> bytes;
    story::grow(bytes); // frame 2006: main
    story::own_type();
    story::templated<char[1004], 2>();
    story::with_lambda();
    story::own_operator_new();
    story::shared();
    story::recursive(20);
    story::in_handler();
    story::in_thread();
}
