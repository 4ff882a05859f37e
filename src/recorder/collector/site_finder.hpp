// site_finder, process_inspector: what the collector asks of whoever knows symbols and executables.
//
// The collector counts; it reads no debug information and no ELF files. Implement these where both are at
// hand (the command line does, over analysis) and pass them in. Without them frames[0] is the site, and a
// program that did not load the recorder is said to be just that.
// Threads: called on the collector's thread only. Cost: is_allocator_wrapper is asked once for each distinct
// address that an allocation came from, and for the callers of those that are wrappers; answers are kept.
//
//     struct by_name : site_finder {
//         bool is_allocator_wrapper(const module_row& module, std::uint64_t offset) override {
//             return module.path == "/usr/lib/libglib-2.0.so.0" && names_.at(offset) == "g_malloc";
//         }
//     };
#pragma once

#include <allot/observability/snapshot.hpp>
#include <cstdint>
#include <string>

namespace allot::recorder {

class site_finder {
public:
    virtual ~site_finder() = default;
    // Whether the function around this return address only passes allocations on (operator new, xmalloc,
    // g_malloc), so that its caller is the one to name. `module` has path and build id, no numbers; for code
    // without a file its path is empty and `offset` is the address.
    virtual bool is_allocator_wrapper(const module_row& module, std::uint64_t offset) = 0;
};

class process_inspector {
public:
    virtual ~process_inspector() = default;
    // Why this executable is not observed, in plain words ("statically linked"). `executable` may be empty:
    // not readable. Called for a program that replaced an observed one, or was started as the root, and did
    // not attach.
    virtual std::string reason_not_observed(const std::string& executable) = 0;
};

} // namespace allot::recorder
