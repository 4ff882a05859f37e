// names: how allot writes a place in the code, a process and its end for people.
//
// Use these in every text that people read, so that the summary and the report name things alike.
// Owns what it returns. Threads: as debug_info. Cost: that of the names behind them.
//
//     place_text(shot, frame, 40) == "sqlite3BtreeInsert  btree.c:9123";
//     exit_text({process_exit::kind::signal, SIGSEGV}) == "killed by SIGSEGV";
#pragma once

#include <allot/analysis/debug_info.hpp>
#include <allot/observability/snapshot.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace allot::cli {

// "file.c:12", or the module's name where there is no line; empty where neither is known.
std::string location_text(const snapshot& shot, const source_frame& frame, code_address address);

// Function and location within `columns`; the function gives way first.
std::string place_text(const snapshot& shot, const source_frame& frame, code_address address,
                       std::size_t columns);

std::string exit_text(const process_exit& exit);

// How the program that was named ended: after an exec it is the end of what it became.
process_exit end_of_program(const snapshot& shot);

// Processes, where each exec has made a row of its own.
std::uint64_t process_count(const snapshot& shot);

// The command line for people, cleaned and cut to `columns`, the program without its folder; the executable
// where no command is known.
std::string command_text(const process_row& process, std::size_t columns);

// The program's name without folders.
std::string program_name(const process_row& process);

} // namespace allot::cli
