// default_source: the source that takes the place of one not given: a cache of chunks over malloc, "default".
//
// Use it as the last resort of an options struct; a program that wants numbers or limits gives its own
// source.
// A chunk_cache_source that keeps 512 KiB at most, 256 KiB for each thread, over malloc; blocks of 2 MiB or
// more that are aligned to as much, which is how an arena asks for its large chunks, come from the system as
// huge pages where it has them.
// It is made at the first call and never destroyed, so that objects of static storage may use it to the very
// end; what it keeps goes back to malloc when the program ends.
// Threads: any.
// Cost: a test of the guard variables; then that of chunk_cache_source for chunks, and of malloc_source and
// another virtual call for all else.
//
//     memory_source& upstream = wanted ? *wanted : default_source();
#pragma once

#include <allot/core/memory_source.hpp>

namespace allot {

memory_source& default_source() noexcept;

} // namespace allot
