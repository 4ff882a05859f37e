// reclaimable: what holds memory that it could do without, and gives it back when asked.
//
// A budget or the application asks before it refuses. `concurrent`: reclaim() may be called from any thread
// and works at once. `deferred`: it only notes an atomic wish and answers 0; the owner honours the wish at
// its next slow path, for its memory may be touched by its own thread alone.
// Reclaim cannot hang: it takes no lock of the user's, allocates nothing, stops at the deadline.
// Threads: as above.
//
//     std::uint64_t freed = cache.reclaim({.wanted_bytes = mebibytes(4), .deadline_ns = monotonic_ns() + 1'000'000});
#pragma once

#include <cstdint>

namespace allot {

enum class reclaim_manner : std::uint8_t { concurrent, deferred };

struct reclaim_request {
    std::uint64_t wanted_bytes = 0;
    std::uint64_t deadline_ns = static_cast<std::uint64_t>(-1); // on platform's monotonic clock
};

class reclaimable {
public:
    virtual reclaim_manner manner() const noexcept = 0;
    // How many bytes went upstream; 0 of a deferred one.
    virtual std::uint64_t reclaim(reclaim_request wish) noexcept = 0;

protected:
    ~reclaimable() = default;
};

} // namespace allot
