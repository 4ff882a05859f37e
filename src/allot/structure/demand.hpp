// demand: how many of a thing a user really needs, learned from how many were live, so that a pool can follow
// it.
//
// Use it beside a pool of whatever: note() each operation's live count (or a fair sample of them), and keep
// target() in all, live and spare together. object_pool and its siblings do so with `.follows_demand = true`.
// It pays where need comes in bursts: on the traces of demand_trace_test.cpp such a pool holds 0.62 to 0.94
// of the best fixed size at a hit rate of 95 % and more. Where live counts only drift slowly, a few kept ones
// (a small kept_count_max) do better. Where the need is known, a fixed number is simpler. It has no clock: a
// window is a number of operations, so the same operations always give the same answer, and an idle pool
// keeps what it has until it is used or trimmed. Rules:
// - a window's need is the 99th percentile of its live counts, from 64 buckets as wide as the counts require
//   (a 32nd of the largest, of this window or the one before; a bucket answers with its upper end);
// - growth at once: a miss raises the target to what is live, and a window's end to its need;
// - giving back slowly: only after a second window in turn that needs less, and then half of the difference.
// Owns nothing. Threads: a value. 288 bytes.
// Cost: note() 8 instructions, a window's end about 150.
//
//     demand need({.window_count = 100});
//     for (int i = 0; i != 100; ++i) need.note(7);
//     assert(need.target() == 7);
//     for (int i = 0; i != 300; ++i) need.note(1);
//     assert(need.target() < 7 && need.target() >= 1); // on its way down
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace allot {

struct demand_options {
    std::uint32_t window_count = 128; // notes in a window, at least 1
    std::uint64_t target = 0;         // to begin with
};

class demand {
public:
    constexpr explicit demand(const demand_options& options = {}) noexcept
        : target_(options.target),
          window_count_(options.window_count == 0 ? 1 : options.window_count),
          left_count_(window_count_) {}

    // So many are live now. True: this ended a window, and target() may have changed.
    constexpr bool note(std::uint64_t live) noexcept {
        std::uint64_t bucket = live >> width_log2_;
        if (bucket >= bucket_count) [[unlikely]]
            bucket = widen(live);
        ++buckets_[bucket];
        if (--left_count_ != 0) [[likely]]
            return false;
        end_window();
        return true;
    }
    // One had to be made, and now so many are live.
    constexpr void note_miss(std::uint64_t live) noexcept {
        if (live > target_) target_ = live;
    }

    // How many should exist, live or kept ready.
    constexpr std::uint64_t target() const noexcept { return target_; }
    // The last whole window's 99th percentile; 0 before its end.
    constexpr std::uint64_t need() const noexcept { return need_; }

private:
    static constexpr std::uint32_t bucket_bits = 6;
    static constexpr std::size_t bucket_count = std::size_t{1} << bucket_bits;

    constexpr std::uint64_t widen(std::uint64_t live) noexcept {
        while (live >> width_log2_ >= bucket_count) {
            ++width_log2_;
            for (std::size_t i = 0; i != bucket_count / 2; ++i) {
                buckets_[i] = buckets_[2 * i] + buckets_[2 * i + 1]; // reads only what is not yet written
            }
            for (std::size_t i = bucket_count / 2; i != bucket_count; ++i) buckets_[i] = 0;
        }
        return live >> width_log2_;
    }

    constexpr void end_window() noexcept {
        const std::uint32_t above_max = window_count_ / 100;
        std::uint32_t above = 0;
        std::size_t at = bucket_count - 1;
        while (buckets_[at] == 0) --at; // a window has notes
        const std::uint64_t highest = (at << width_log2_);
        while (above + buckets_[at] <= above_max) above += buckets_[at--];
        need_ = ((at + 1) << width_log2_) - 1;
        if (need_ >= target_) {
            target_ = need_;
            calm_ = false;
        } else {
            if (calm_) target_ -= (target_ - need_ + 1) / 2;
            calm_ = true;
        }
        const auto bits = static_cast<std::uint32_t>(std::bit_width(highest));
        width_log2_ =
            bits > bucket_bits ? bits - bucket_bits : 0; // as fine as this window's counts would allow
        for (std::uint32_t& each : buckets_) each = 0;
        left_count_ = window_count_;
    }

    std::uint64_t target_;
    std::uint64_t need_ = 0;
    std::uint32_t window_count_;
    std::uint32_t left_count_;
    std::uint32_t width_log2_ = 0;
    bool calm_ = false; // the last window needed less than the target
    std::uint32_t buckets_[bucket_count] = {};
};

} // namespace allot
