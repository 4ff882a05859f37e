// default_source: the source that takes the place of one not given: a malloc_source named "default".
//
// Use it as the last resort of an options struct; a program that wants numbers or limits gives its own
// source.
// Owns nothing. It is made at the first call and never destroyed, so that objects of static storage may use
// it to the very end.
// Threads: any.
// Cost: a test of the guard variable, then what malloc_source costs.
//
//     memory_source& upstream = wanted ? *wanted : default_source();
#pragma once

#include <allot/core/memory_source.hpp>

namespace allot {

memory_source& default_source() noexcept;

} // namespace allot
