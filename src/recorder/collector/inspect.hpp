// inspect: looks at the file that exec would run, and says whether the preload library can observe it.
//
// Use it before a program starts, so that an unobservable one is said up front and never shows as a silent, empty
// report. It judges the file alone: what the program starts in its turn is judged by the preload library there.
// Owns its text, borrows nothing after the call. Threads: any, each call by itself. Cost: one open and a few
// reads, about 0.1 ms; programs that define malloc themselves have their symbol table read as well.
//
//     const auto seen = allot::recorder::inspect_program("ls", "/usr/bin:/bin");
//     if (!seen.observed) {
//         say(seen.name + " is " + seen.reason); // "… is statically linked"
//     }
#pragma once

#include <string>
#include <string_view>

namespace allot::recorder {

struct inspection {
    std::string name;     // the program as it was named, or the interpreter that a `#!` line led to
    std::string file;     // what exec would run; empty where nothing was found (exec says why)
    bool observed = true; // false: the reason says why the preload library sees nothing, or not all
    bool preload = true;  // false: preloading would disturb the program, so it is left out
    std::string reason;   // completes "NAME is …"; empty where observed
};

// Expects: path_list as in $PATH; nullptr stands for the system's default.
inspection inspect_program(std::string_view program, const char* path_list);

// The file that execvp would run for this name, or empty. A name with a slash is taken as it is.
std::string find_program(std::string_view program, const char* path_list);

} // namespace allot::recorder
