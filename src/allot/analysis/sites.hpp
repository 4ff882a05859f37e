// sites: which functions only pass memory on, so that the site of an allocation is the code that wanted it.
//
// Use `is_allocator_wrapper` on the names of frames, in a report.
// Use `wrapper_functions` while recording, when only addresses are known: it reads a module's symbol tables
// once (no debug information) and remembers where its wrappers stand. Do not use either to decide what is
// counted: they only move a cost outwards to the caller. The list of wrappers, with a reason for each
// group, is wrapper_names.hpp. A container's members are wrappers too: a vector grows because somebody
// fills it.
// Owns its address ranges (16 bytes a wrapper).
// Threads: thread-compatible.
// Cost: `is_allocator_wrapper` 0.2 to 4 µs; `contains` 0.12 µs, and at the first question about a module
// about 1 µs a symbol (libc 4 ms, cc1plus 28 ms).
//
//     is_allocator_wrapper("operator new(unsigned long)") && is_allocator_wrapper("_Znwm");
//     is_allocator_wrapper("std::vector<int>::push_back(int&&)");
//     !is_allocator_wrapper("parse(std::vector<int>&)");
//     allot::wrapper_functions wrappers;
//     wrappers.contains(module, return_address_offset);
#pragma once

#include <allot/analysis/debug_info.hpp>
#include <allot/observability/snapshot.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace allot {

// The name may be a linker symbol or demangled.
bool is_allocator_wrapper(std::string_view function);

class wrapper_functions {
public:
    wrapper_functions();
    wrapper_functions(wrapper_functions&&) noexcept;
    wrapper_functions& operator=(wrapper_functions&&) noexcept;
    ~wrapper_functions();

    // Whether the return address (an ELF virtual address in the module) lies in an allocator wrapper. Modules
    // are told apart by path and build id; one that is gone, changed or unreadable has no wrappers.
    bool contains(const module_row& module, std::uint64_t offset);

private:
    struct state;
    std::unique_ptr<state> state_;
};

// The frame that names a site or an innermost address: the innermost of its inlined frames that is no
// wrapper; if all are, the outermost of them. Valid for the life of `names`.
const source_frame& site_frame(debug_info& names, code_address address);

// Why sites have no names, for the foot of a report: one phrase for each file that holds sites but gives none
// ("libfoo.so changed since the recording …"), the one with the most bytes at the peak first.
std::vector<std::string> missing_names(const snapshot& shot, debug_info& names);

} // namespace allot
