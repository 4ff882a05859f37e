// bulk_observer: who must learn that many blocks died at once, without a deallocate for each.
//
// A decorator above an arena (one that counts each object) implements it and is named in the arena's options;
// when the arena resets, rewinds or dies, it says what went. A decorator below an arena needs none: it sees
// the chunks come back.
// Owns nothing; borrowed, and outlives the structure or is taken from it first.
// Threads: called by the thread that resets, before the memory is used again.
//
//     class counting : public memory_source, public bulk_observer { … };
//     counting books(upstream);
//     books.bulk_freed({.live_bytes = 96, .live_count = 3});
#pragma once

#include <cstdint>

namespace allot {

struct bulk_free {
    std::uint64_t live_bytes = 0; // requested bytes of the blocks that died
    std::uint64_t live_count = 0;
};

class bulk_observer {
public:
    virtual void bulk_freed(bulk_free gone) noexcept = 0;

protected:
    ~bulk_observer() = default;
};

} // namespace allot
