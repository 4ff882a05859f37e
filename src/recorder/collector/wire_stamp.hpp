// wire_stamp: now, in the units of the wire's events.
//
// Use it to compare with stamps out of rings. Threads: any. Cost: one instruction, see platform/clock.
#pragma once

#include <allot/platform/clock.hpp>
#include <cstdint>
#include <recorder/wire.h>

namespace allot::recorder {

inline std::uint64_t wire_stamp() noexcept { return stamp() >> ALLOT_WIRE_STAMP_SHIFT; }

} // namespace allot::recorder
