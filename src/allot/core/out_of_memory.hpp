// refusal, out_of_memory: who could not serve a request, and why.
//
// A `try_…` call answers a shortage with an empty value and nothing else; last_refusal() then tells this
// thread who refused, what was asked and how much is there. The throwing form makes its message from it.
// Who writes a source calls note_refusal() where the refusal arises, and nowhere above: it is the innermost
// who knows. Not for bugs: those are contract.hpp.
// Owns nothing: a refusal is plain data of this thread; an out_of_memory carries its text in itself.
// Threads: last_refusal() is the calling thread's own.
// Cost: a refusal copies 88 bytes; nothing is paid where nothing is refused.
//
//     if (void* address = source.try_allocate({.size = 4096}); !address)
//         log(last_refusal().who.view(), last_refusal().live_bytes);
//
//     try { arena.allocate(4096); } catch (const out_of_memory& shortage) { log(shortage.what()); }
//     // allot: out of memory: budget 'session' refused 4096 bytes (aligned to 16): 60000 of 61440 are live
#pragma once

#include <allot/core/layout.hpp>
#include <allot/core/name.hpp>
#include <allot/core/usage.hpp>
#include <cstdint>
#include <new>

namespace allot {

class error; // result.hpp

struct refusal {
    name who = {};         // the source, budget or structure that said no
    const char* kind = ""; // what it is: "budget", "page_source"; a string that lives for ever
    layout asked{.size = 0, .align = 1};
    std::uint64_t limit_bytes = usage::unlimited;
    std::uint64_t live_bytes = 0; // at that moment; 0 where there is no limit
};

// This thread's newest; all empty when there was none.
const refusal& last_refusal() noexcept;
void note_refusal(const refusal& newest) noexcept;
// How many this thread has noted: tells a caller whether a failed call noted its own.
std::uint64_t refusals_noted() noexcept;

class out_of_memory : public std::bad_alloc {
public:
    explicit out_of_memory(const refusal& why) noexcept;
    const char* what() const noexcept override; // out of line: the one place of the vtable
    const refusal& why() const noexcept { return why_; }

private:
    refusal why_;
    char text_[256];
};

// Throws out_of_memory(last_refusal()).
[[noreturn]] void throw_out_of_memory();

// last_refusal() for who answers with a result: "out of memory: budget 'session' refused …". The program's name
// stands not before it, for context of the caller does: error::during().
error shortage_error() noexcept;

} // namespace allot
