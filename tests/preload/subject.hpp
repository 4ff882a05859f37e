// The scenarios of the observed program, by name.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace subject {

struct scenario {
    const char* name;
    int (*act)(char** arguments);
};

extern const scenario process_scenarios[]; // forks, threads, signals: subject_processes.cpp
extern const std::size_t process_scenario_count;

} // namespace subject
