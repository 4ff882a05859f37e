// process_memory: what the kernel says of a process's memory: resident bytes now and at most, and its
// mappings.
//
// Use it to show the heap beside the whole process. Do not use it in a hot path or in an observed program: it
// opens files under /proc and allocates. Of a process that has ended read wait4's rusage instead.
// Owns what it returns.
// Threads: any.
// Cost: reading status some 30 µs, maps some 2 µs a line.
//
//     result<process_memory> self = read_process_memory();
//     if (self) std::printf("%llu bytes resident\n", (unsigned long long)self->resident_bytes);
#pragma once

#include <allot/core/result.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace allot {

inline constexpr int this_process = 0;

// As exact as the kernel's counting in batches: some 64 pages a processor.
struct process_memory {
    std::uint64_t resident_bytes = 0;      // VmRSS
    std::uint64_t resident_bytes_peak = 0; // VmHWM, since the last exec
};

result<process_memory> read_process_memory(int pid = this_process);
// `text` as in /proc/<pid>/status. A kernel thread or zombie has no memory: an error.
result<process_memory> parse_process_status(std::string_view text);

struct memory_mapping {
    std::uint64_t start = 0; // addresses [start, end)
    std::uint64_t end = 0;
    std::uint64_t offset = 0; // of start in the file
    bool readable = false;
    bool writable = false;
    bool executable = false;
    bool shared = false;
    std::string path; // as the kernel writes it: a file, "[heap]", empty; a deleted file ends in " (deleted)"
};

// In the order of the addresses, as the kernel gives them.
result<std::vector<memory_mapping>> read_memory_mappings(int pid = this_process);
// `text` as in /proc/<pid>/maps. The error names the line.
result<std::vector<memory_mapping>> parse_memory_mappings(std::string_view text);

} // namespace allot
