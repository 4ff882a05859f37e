// consumer_watch: waits for a full ring to be read, and gives up on a reader that does not live.
//
// Use one per process, for all its rings, and a `patience` for each wait. The danger is a hang: the reader may be
// killed, stopped or stuck while a thread of the observed program waits in malloc. So each sleep is short, and when
// one thread has slept so many times without a beat of the reader's heart nobody waits any more, until the heart
// beats again. A thread counts its own sleeps only: many that sleep at once would make a moment look like an age.
// Signals that cut sleeps short are counted too. All zero is the start of both. Threads: any, a patience is one
// thread's. Cost: system calls; only called when a ring is full.
//
//     consumer_watch::patience mine{};
//     while (!out.make_room())
//         if (!watch.wait(mine, header, &ring->tail, seen_tail)) return drop();
#pragma once

#include <allot/platform/threads.hpp>
#include <cstdint>
#include <recorder/wire.h>

namespace allot::recorder {

class consumer_watch {
public:
    static constexpr std::uint64_t sleep_ns = 20'000'000;
    static constexpr std::uint32_t sleeps_max = 100; // 2 s without a heartbeat
    static constexpr std::uint32_t interruptions_max =
        64; // a signal or refused sleep counts as this part of a sleep

    struct patience {
        std::uint64_t beat;
        std::uint32_t used; // since that beat, in interruptions
    };

    // Sleeps a little until *tail changes. False: do not wait, the reader is gone or the recording has ended.
    bool wait(patience& mine, const allot_wire_header* header, const std::uint64_t* tail,
              std::uint64_t seen_tail) noexcept {
        if (__atomic_load_n(&header->stop, __ATOMIC_RELAXED) != 0) return false;
        const std::uint64_t beat = __atomic_load_n(&header->heartbeat, __ATOMIC_RELAXED);
        if (__atomic_load_n(&given_up_at_, __ATOMIC_RELAXED) == beat + 1) return false;
        if (beat != mine.beat) mine = {beat, 0};
        if (mine.used >= sleeps_max * interruptions_max) {
            __atomic_store_n(&given_up_at_, beat + 1, __ATOMIC_RELAXED);
            return false;
        }
        // The futex is the low half of the word.
        const auto answer =
            futex_wait(reinterpret_cast<const std::uint32_t*>(tail), static_cast<std::uint32_t>(seen_tail),
                       sleep_ns, futex_scope::process_shared);
        if (answer == futex_answer::refused)
            for (int i = 0; i < 10000; ++i) spin_pause();
        if (answer != futex_answer::changed)
            mine.used += answer == futex_answer::timed_out ? interruptions_max : 1;
        return true;
    }

private:
    std::uint64_t given_up_at_; // the beat that none followed, plus 1; 0: never
};

} // namespace allot::recorder
