// ring_producer: writes one ring's events, as recorder/wire.h lays them out.
//
// Use one per claimed ring; the collector is its only reader. Who shares a ring among threads locks around
// it. The danger: one producer, so a signal handler on the same thread must not write while it interrupted a
// write (the caller's busy flag sees to that). Words are written first and `head` is stored last, with
// release: who is killed in between has written nothing. The room that is left is known without a look at the
// reader's line, until it is used up. Borrows the ring header, its words and what it waits with. Cost: 8–12
// instructions an event.
//
//     ring_producer out;
//     out.open(header, words, ring_words, first_stamp);
//     if (!out.has_room() && !out.make_room()) ++dropped;
//     else out.allocate(ALLOT_EVENT_ALLOCATE, stamp, address, size, node);
#pragma once

#include <cstddef>
#include <cstdint>
#include <recorder/wire.h>

namespace allot::recorder {

class ring_producer {
public:
    // The most that one event takes: a stamp, padding and three words, and then some.
    static constexpr std::uint64_t event_words_max = 8;

    // Goes on at the ring's head, wherever an earlier producer left it.
    void open(allot_wire_ring* ring, std::uint64_t* words, std::uint64_t word_count,
              std::uint64_t stamp) noexcept {
        ring_ = ring;
        words_ = words;
        count_ = word_count;
        head_ = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
        limit_ = head_;
        stamp_ = stamp;
    }
    void close() noexcept { ring_ = nullptr, limit_ = head_ = 0; }
    bool is_open() const noexcept { return ring_ != nullptr; }
    allot_wire_ring* ring() const noexcept { return ring_; }
    std::uint64_t last_stamp() const noexcept { return stamp_; }

    // True: the next event fits, whatever it is.
    bool has_room() const noexcept { return head_ + event_words_max <= limit_; }

    // Looks how far the reader has come. False: the ring is full.
    bool make_room() noexcept {
        limit_ = __atomic_load_n(&ring_->tail, __ATOMIC_ACQUIRE) + count_;
        return has_room();
    }

    // Expects: has_room().
    void free(allot_wire_event kind, std::uint64_t stamp, const void* address) noexcept {
        std::uint64_t difference = stamp - stamp_;
        if (difference >> 16 != 0) [[unlikely]]
            difference = write_stamp(stamp);
        stamp_ = stamp;
        words_[head_ & (count_ - 1)] = first_word(kind, difference, address);
        publish(1);
    }

    // Expects: has_room(), node < 2^26.
    void allocate(allot_wire_event kind, std::uint64_t stamp, const void* address, std::uint64_t size,
                  std::uint32_t node) noexcept {
        std::uint64_t difference = stamp - stamp_;
        const std::uint64_t left = count_ - (head_ & (count_ - 1));
        if (difference >> 16 != 0 || left < 4 || size >= ALLOT_WIRE_SIZE_FIELD) [[unlikely]]
            return allocate_unusual(kind, stamp, address, size, node);
        stamp_ = stamp;
        std::uint64_t* at = words_ + (head_ & (count_ - 1));
        at[0] = first_word(kind, difference, address);
        at[1] = std::uint64_t{node} << ALLOT_WIRE_SIZE_BITS | size;
        publish(2);
    }

private:
    static std::uint64_t first_word(allot_wire_event kind, std::uint64_t difference,
                                    const void* address) noexcept {
        return static_cast<std::uint64_t>(kind) << 60 | difference << 44 |
               ((reinterpret_cast<std::uint64_t>(address) >> 3) & ALLOT_WIRE_ADDRESS_FIELD);
    }
    void publish(std::uint64_t words) noexcept {
        head_ += words;
        __atomic_store_n(&ring_->head, head_, __ATOMIC_RELEASE);
    }
    // A difference of zero counts from the stamp word. It is published with the event after it.
    std::uint64_t write_stamp(std::uint64_t stamp) noexcept {
        words_[head_++ & (count_ - 1)] =
            std::uint64_t{ALLOT_EVENT_STAMP} << 60 | (stamp & ((std::uint64_t{1} << 60) - 1));
        return 0;
    }
    // After a pause of the thread, at the ring's end, or for a block of 256 GiB and more.
    [[gnu::noinline, gnu::cold]] void allocate_unusual(allot_wire_event kind, std::uint64_t stamp,
                                                       const void* address, std::uint64_t size,
                                                       std::uint32_t node) noexcept {
        std::uint64_t difference = stamp - stamp_;
        if (difference >> 16 != 0) difference = write_stamp(stamp);
        stamp_ = stamp;
        const bool wide = size >= ALLOT_WIRE_SIZE_FIELD;
        const std::uint64_t needed = wide ? 3 : 2;
        while (count_ - (head_ & (count_ - 1)) < needed)
            words_[head_++ & (count_ - 1)] = 0; // ALLOT_EVENT_PAD
        std::uint64_t* at = words_ + (head_ & (count_ - 1));
        at[0] = first_word(kind, difference, address);
        at[1] = std::uint64_t{node} << ALLOT_WIRE_SIZE_BITS | (wide ? ALLOT_WIRE_SIZE_FIELD : size);
        if (wide) at[2] = size;
        publish(needed);
    }

    // ring_->tail ≤ head_ ≤ limit_ ≤ ring_->tail + count_
    allot_wire_ring* ring_; // borrowed, null: closed
    std::uint64_t* words_;  // borrowed
    std::uint64_t count_;   // a power of two
    std::uint64_t head_;
    std::uint64_t limit_;
    std::uint64_t stamp_; // of the last event
};

} // namespace allot::recorder
