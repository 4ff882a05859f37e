// ring_reader: the events of one ring, decoded one after another.
//
// Use it on the reading side of a ring as wire.h describes it; merger puts the events of several in order. It
// reads no further than the head it was told, takes nothing on trust and never fails: where words make no
// sense it counts that and goes on at the head.
// Borrows the ring's words; owns what hold() copied. Threads: one; the producer may write beyond the head
// meanwhile.
// Cost: about 2 ns an event; hold() copies words once.
//
//     ring_reader reader(words, word_count);
//     reader.begin(base_stamp, tail);
//     reader.extend(head);
//     for (; const ring_event* next = reader.peek(); reader.pop()) use(next->address, next->stamp);
//     tail = reader.read();
#pragma once

#include <cstddef>
#include <cstdint>
#include <recorder/wire.h>
#include <vector>

namespace allot::recorder {

struct ring_event {
    std::uint64_t stamp = 0;
    std::uint64_t address = 0;
    std::uint64_t size = 0; // allocations only, like node
    std::uint32_t node = 0;
    std::uint32_t kind = ALLOT_EVENT_PAD; // never PAD or STAMP in a peeked event
};

class ring_reader {
public:
    // Expects: word_count is a power of two.
    ring_reader(const std::uint64_t* words, std::uint64_t word_count) noexcept
        : words_(words), word_count_(word_count) {}

    // A producer begins: differences count from base_stamp, the first word is at `tail`.
    void begin(std::uint64_t base_stamp, std::uint64_t tail) noexcept {
        stamp_ = base_stamp & stamp_mask;
        at_ = head_ = tail;
        held_.clear();
        held_at_ = 0;
        ready_ = false;
    }

    // Words up to `head` may be read. One that no producer can have written is corrupt and skips to it.
    void extend(std::uint64_t head) noexcept {
        if (head - at_ > word_count_) {
            ++corrupt_;
            at_ = head;
        }
        head_ = head;
    }

    // The next event, or null when all were popped.
    const ring_event* peek() noexcept { return ready_ || decode() ? &event_ : nullptr; }
    // Expects: peek() was not null.
    void pop() noexcept { ready_ = false; }

    // The address of an event a few events ahead, to load what it will need; none when there is none, or the
    // word there is not an event's first.
    bool look_ahead(std::uint64_t& address) const noexcept {
        constexpr std::uint64_t words_ahead = 12;
        if (head_ - at_ <= words_ahead) return false;
        const std::uint64_t word = words_[(at_ + words_ahead) & (word_count_ - 1)];
        address = (word & ALLOT_WIRE_ADDRESS_FIELD) << 3;
        return word >> 60 != ALLOT_EVENT_PAD && word >> 60 < ALLOT_EVENT_STAMP;
    }

    // Up to where the ring's words are no longer needed. A peeked event counts as read: it was copied.
    std::uint64_t read() const noexcept { return at_; }
    std::uint64_t word_count() const noexcept { return word_count_; }
    std::uint64_t waiting_words() const noexcept { return head_ - at_; } // still in the ring

    // Copies what waits in the ring into own memory, so that the producer gets its room back.
    void hold();
    std::size_t held_bytes() const noexcept { return (held_.size() - held_at_) * sizeof(std::uint64_t); }

    // Events to come are not stamped before this.
    std::uint64_t stamp() const noexcept { return stamp_; }
    std::uint64_t corrupt() const noexcept { return corrupt_; }

private:
    static constexpr std::uint64_t stamp_mask = (1ull << 60) - 1;

    bool decode() noexcept {
        if (held_at_ != held_.size()) [[unlikely]] {
            if (decode_from(held_.data(), ~0ull, held_at_, held_.size())) return true;
            held_.clear();
            held_at_ = 0;
        }
        return decode_from(words_, word_count_ - 1, at_, head_);
    }

    template <class Position>
    bool decode_from(const std::uint64_t* words, std::uint64_t mask, Position& at, Position end) noexcept {
        while (at != end) {
            const std::uint64_t word = words[at & mask];
            const auto kind = static_cast<std::uint32_t>(word >> 60);
            if (kind == ALLOT_EVENT_PAD || kind == ALLOT_EVENT_STAMP) [[unlikely]] {
                if (kind == ALLOT_EVENT_STAMP && (word & stamp_mask) > stamp_) stamp_ = word & stamp_mask;
                ++at;
                continue;
            }
            if (kind > ALLOT_EVENT_STAMP) [[unlikely]]
                return skip(at, end);
            std::uint64_t size = 0;
            std::uint32_t node = 0;
            Position used = 1;
            if (kind == ALLOT_EVENT_ALLOCATE || kind == ALLOT_EVENT_REALLOCATE_ALLOCATE) {
                if (end - at < 2) [[unlikely]]
                    return skip(at, end);
                const std::uint64_t second = words[(at + 1) & mask];
                node = static_cast<std::uint32_t>(second >> ALLOT_WIRE_SIZE_BITS);
                size = second & ALLOT_WIRE_SIZE_FIELD;
                used = 2;
                if (size == ALLOT_WIRE_SIZE_FIELD) [[unlikely]] {
                    if (end - at < 3) return skip(at, end);
                    size = words[(at + 2) & mask];
                    used = 3;
                }
            }
            stamp_ = (stamp_ + (word >> 44 & 0xffff)) & stamp_mask;
            event_ = {stamp_, (word & ALLOT_WIRE_ADDRESS_FIELD) << 3, size, node, kind};
            at += used;
            return ready_ = true;
        }
        return false;
    }

    template <class Position>
    bool skip(Position& at, Position end) noexcept {
        ++corrupt_;
        at = end;
        return false;
    }

    const std::uint64_t* words_; // borrowed
    std::uint64_t word_count_;
    std::uint64_t at_ = 0, head_ = 0;
    std::uint64_t stamp_ = 0;
    ring_event event_;
    bool ready_ = false;              // event_ was decoded and not popped
    std::vector<std::uint64_t> held_; // comes before what is in the ring
    std::size_t held_at_ = 0;
    std::uint64_t corrupt_ = 0;
};

inline void ring_reader::hold() {
    if (held_at_ > held_.size() / 2) { // so that copying down stays linear over all calls
        held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(held_at_));
        held_at_ = 0;
    }
    held_.reserve(held_.size() + (head_ - at_));
    for (; at_ != head_; ++at_) held_.push_back(words_[at_ & (word_count_ - 1)]);
}

} // namespace allot::recorder
