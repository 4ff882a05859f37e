// debug_info: functions, inlined calls, files and lines of return addresses, from the files on disk.
//
// Use it in a report, or after a recording, in the parent: never in the observed program. It asks no
// network: separate debug files are looked for by build id and .gnu_debuglink on this machine only. Names
// are given only for files that are still the recorded ones: their build id is compared first, and a file
// that changed or is gone gives none and says so in `module_detail`.
// Needs libdw; without it every address stays module + offset, and the reason says that allot was built
// without it.
// Owns all it returns.
// Threads: thread-compatible.
// Cost: a new address 3 µs in a file with symbols only, 35 to 70 µs with debug information (its units'
// indices included), a known one 0.05 to 0.5 µs; the first in a module up to 120 ms (libc with its debug
// file). Files are mapped, not read.
//
//     allot::debug_info names(shot.modules);
//     for (const allot::source_frame& frame : names.frames(shot.sites[0].address))
//         std::cout << frame.function << ' ' << frame.file << ':' << frame.line << '\n';
#pragma once

#include <allot/observability/snapshot.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace allot {

// One function at one address. With inlining several stand at the same address.
struct source_frame {
    std::string function; // demangled; empty when unknown
    std::string file;     // empty when unknown
    unsigned line = 0;    // 0 when unknown
    bool inlined = false; // into the next frame of the same address
    friend bool operator==(const source_frame&, const source_frame&) = default;
};

enum class name_detail : std::uint8_t {
    none,      // module + offset only
    functions, // from symbol tables
    lines      // from debug information
};

struct module_detail {
    name_detail detail = name_detail::none;
    std::string reason; // why there is nothing, one plain phrase ("libfoo.so changed since the recording");
                        // else empty
};

class debug_info {
public:
    // Copies paths and build ids; opens a file at the first question about it.
    explicit debug_info(std::span<const module_row> modules);
    debug_info(debug_info&&) noexcept;
    debug_info& operator=(debug_info&&) noexcept;
    ~debug_info();

    // True when built with libdw.
    static bool is_available() noexcept;

    // The frames at a *return address* (it is looked up one byte earlier, inside the call), innermost inlined
    // function first; the last one is the function that really stands there. Never empty: what is unknown has
    // empty names. Valid for the life of this debug_info.
    const std::vector<source_frame>& frames(code_address return_address);

    // What the module's file can tell. Expects: module < the number of modules.
    const module_detail& detail(std::uint32_t module);

private:
    struct state;
    std::unique_ptr<state> state_;
};

// "libfoo.so+0x1234", or "0x7f001234" outside any module: what to show where `function` is empty.
std::string module_and_offset(const std::vector<module_row>& modules, code_address address);

} // namespace allot
