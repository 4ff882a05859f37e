// block_counters: what a source counts of its blocks, in two forms: of one owner, and of many threads.
//
// For sources inside this library. Owned: one thread writes, any reads; a relaxed load and store, no
// read-modify-write. Shared: any thread writes; for sources whose every call is a system call, since all
// threads meet on these words.
// Owns nothing.
// Threads: as above. read() from any thread: each number is right by itself; together they are exact when no
// call runs.
// Cost: owned about 8 instructions a call, shared 5 atomic additions.
//
//     detail::shared_block_counters counters;
//     counters.allocated(100, 4096);
//     assert(counters.read().slack_bytes == 3996);
#pragma once

#include <allot/core/usage.hpp>
#include <atomic>
#include <cstdint>

namespace allot::detail {

// Written by one thread, read by any.
class owned_counter {
public:
    std::uint64_t load() const noexcept { return value_.load(std::memory_order_relaxed); }
    void store(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
    std::uint64_t add(std::uint64_t delta) noexcept { // wraps: a negative delta subtracts
        const std::uint64_t now = load() + delta;
        store(now);
        return now;
    }
    void raise(std::uint64_t at_least) noexcept {
        if (load() < at_least) store(at_least);
    }

private:
    std::atomic<std::uint64_t> value_ = 0;
};

// Written by any thread.
class shared_counter {
public:
    std::uint64_t load() const noexcept { return value_.load(std::memory_order_relaxed); }
    std::uint64_t add(std::uint64_t delta) noexcept {
        return value_.fetch_add(delta, std::memory_order_relaxed) + delta;
    }
    void raise(std::uint64_t at_least) noexcept {
        std::uint64_t now = load();
        while (now < at_least && !value_.compare_exchange_weak(now, at_least, std::memory_order_relaxed)) {
        }
    }

private:
    std::atomic<std::uint64_t> value_ = 0;
};

template <class Counter>
class block_counters {
public:
    // Every block takes `held` bytes of what pays for it, `size` of which were asked for.
    void allocated(std::uint64_t size, std::uint64_t held) noexcept {
        total_bytes_.add(size);
        total_count_.add(1);
        live_count_.add(1);
        change(size, held);
    }
    void given_back(std::uint64_t size, std::uint64_t held) noexcept {
        live_count_.add(minus(1));
        change(minus(size), minus(held));
    }
    // A block got another size. What it grew by counts as handed out.
    void resized(std::uint64_t size, std::uint64_t held, std::uint64_t new_size,
                 std::uint64_t new_held) noexcept {
        if (new_size > size) total_bytes_.add(new_size - size);
        change(new_size - size, new_held - held);
    }
    // Several at once.
    void ended(std::uint64_t size, std::uint64_t count, std::uint64_t held) noexcept {
        live_count_.add(minus(count));
        change(minus(size), minus(held));
    }
    void refused() noexcept { refused_count_.add(1); }

    std::uint64_t live_bytes() const noexcept { return live_bytes_.load(); }
    std::uint64_t live_count() const noexcept { return live_count_.load(); }

    usage read() const noexcept {
        usage now{.live_bytes = live_bytes_.load(),
                  .live_count = live_count_.load(),
                  .peak_live_bytes = peak_live_bytes_.load(),
                  .total_bytes = total_bytes_.load(),
                  .total_count = total_count_.load(),
                  .refused_count = refused_count_.load(),
                  .held_bytes = held_bytes_.load(),
                  .peak_held_bytes = peak_held_bytes_.load()};
        now.held_count = now.live_count;
        // Another thread may have been between two additions.
        now.slack_bytes = now.held_bytes > now.live_bytes ? now.held_bytes - now.live_bytes : 0;
        return now;
    }

private:
    static constexpr std::uint64_t minus(std::uint64_t value) noexcept { return 0 - value; }
    void change(std::uint64_t size, std::uint64_t held) noexcept {
        peak_held_bytes_.raise(held_bytes_.add(held));
        peak_live_bytes_.raise(live_bytes_.add(size));
    }

    Counter live_bytes_, live_count_, peak_live_bytes_, total_bytes_, total_count_, refused_count_,
        held_bytes_, peak_held_bytes_;
};

using owned_block_counters = block_counters<owned_counter>;
using shared_block_counters = block_counters<shared_counter>;

} // namespace allot::detail
