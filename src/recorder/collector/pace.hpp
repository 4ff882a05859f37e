// pace: how long the collector may sleep until its next look.
//
// Use it in the collector, after each look. In full mode a ring must be read before it is full, or its writer
// waits: the sleep aims at a quarter of the fullest ring, judged by how fast it filled last, so that a look finds
// many events at once. Where nothing happens sleeps grow; a program that starts to allocate after a long rest may
// then wait once for idle_full_ns at most. In count mode there is nothing to read but who comes and goes.
// Threads: one. Cost: a few instructions.
//
//     pace sleep(recording_mode::full);
//     sleep.looked({.now_ns = 1'000'000, .fill = 16}); // a 64th of a ring since the look before
//     sleep.rest_ns();                                 // 1'000'000: nothing in it calls for haste
//     sleep.looked({.now_ns = 2'000'000, .fill = 512, .given = true});
//     sleep.rest_ns();                                 // 0: look again at once
#pragma once

#include <algorithm>
#include <allot/observability/snapshot.hpp>
#include <cstdint>

namespace allot::recorder {

class pace {
public:
    static constexpr std::uint64_t soon_ns = 200'000;
    static constexpr std::uint64_t filling_max_ns = 1'000'000; // the fastest writer fills half a ring in it
    static constexpr std::uint64_t idle_full_ns = 4'000'000;
    static constexpr std::uint64_t idle_count_ns = 20'000'000; // the heart must beat every 50 ms
    static constexpr std::uint32_t whole_ring = 1024;

    struct look {
        std::uint64_t now_ns = 0;
        std::uint32_t fill = 0; // of the fullest ring before it was read, in parts of whole_ring, rounded up
        bool given = false;     // events were taken
        bool changed = false;   // processes or threads came or went
    };

    explicit pace(recording_mode mode) noexcept : counts_only_(mode == recording_mode::count) {}

    void looked(const look& seen) noexcept {
        const std::uint64_t since_ns = seen.now_ns - last_ns_;
        last_ns_ = seen.now_ns;
        if (counts_only_) {
            rest_ns_ =
                seen.changed ? filling_max_ns : std::min(std::max(rest_ns_, soon_ns) * 2, idle_count_ns);
            return;
        }
        constexpr std::uint32_t aim = whole_ring / 4;
        if (seen.fill >= aim)
            rest_ns_ = seen.given ? 0 : soon_ns; // held up by a thread in the middle of a hook
        else if (seen.fill != 0)
            rest_ns_ = std::min(std::max(since_ns, soon_ns) * aim / seen.fill, filling_max_ns);
        else if (seen.changed)
            rest_ns_ = soon_ns;
        else
            rest_ns_ = std::min(std::max(rest_ns_, soon_ns) * 9 / 8, idle_full_ns);
    }

    std::uint64_t rest_ns() const noexcept { return rest_ns_; }

private:
    bool counts_only_;
    std::uint64_t last_ns_ = 0;
    std::uint64_t rest_ns_ = 0;
};

} // namespace allot::recorder
