// merger: the events of several rings in the order of their stamps, as far as that order is certain.
//
// A ring with unread events says itself what comes next. A ring without any may hold the others up: it gets
// events later that are stamped up to now. Its `horizon` is what it can no longer come before; the collector
// raises that when it sees the writing thread outside of its hooks. So with one active ring nothing is held
// up, and of several only what a thread in the middle of a hook may still precede. A producer must not wait
// for that: a ring more than half full is copied to own memory, and when too much lies there (bytes_max)
// events are given on in the order at hand. What then comes too late is counted by the receiver. Ends of
// processes take their place in the order too.
// Borrows the rings' words. Threads: one. Cost: about 3 ns an event beside its receiver, linear in active
// rings at each change from one ring to another.
//
//     merger merge(256 << 20);
//     merge.open(0, words, word_count, base_stamp, tail);
//     merge[0].reader.extend(head);
//     merge[0].horizon = now;
//     merge.run(now, receiver); // receiver.take(0, event, is_late) for each event up to now
//     tail = merge[0].reader.read();
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <recorder/collector/ring_reader.hpp>
#include <vector>

namespace allot::recorder {

class merger {
public:
    struct source {
        ring_reader reader;
        bool open = false;
        std::uint64_t horizon = 0; // no event to come is stamped before it
    };
    static constexpr std::uint64_t for_ever = ~std::uint64_t{0};

    explicit merger(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

    // A producer begins in this ring. Its events are stamped base_stamp or later.
    void open(std::uint32_t ring, const std::uint64_t* words, std::uint64_t word_count,
              std::uint64_t base_stamp, std::uint64_t tail) {
        while (sources_.size() <= ring) sources_.push_back({ring_reader(nullptr, 1)});
        source& opened = sources_[ring];
        if (!opened.open) {
            corrupt_before_ += opened.reader.corrupt();
            opened.reader = ring_reader(words, word_count);
        }
        opened.reader.begin(base_stamp, tail);
        if (!opened.open) active_.push_back(ring);
        opened.open = true;
        opened.horizon = base_stamp;
    }
    // Expects: all its events were given on.
    void close(std::uint32_t ring) {
        sources_[ring].open = false;
        std::erase(active_, ring);
    }
    bool is_open(std::uint32_t ring) const noexcept { return ring < sources_.size() && sources_[ring].open; }
    source& operator[](std::uint32_t ring) noexcept { return sources_[ring]; }

    // A process is gone since `stamp`: receiver.ended(process) comes when all events stamped up to it have.
    void end_process(std::uint32_t process, std::uint64_t stamp) {
        ends_.push_back({stamp, process});
        std::sort(ends_.begin(), ends_.end(), [](const end& a, const end& b) { return a.stamp > b.stamp; });
    }
    bool ends_waiting() const noexcept { return !ends_.empty(); }

    // Gives on what is certain among the events stamped up to `limit`; for_ever: all there is. Answers how
    // many.
    template <class Receiver>
    std::size_t run(std::uint64_t limit, Receiver&& receiver);

    // Makes room in rings that are more than half full.
    void relieve() {
        held_bytes_ = 0;
        for (std::uint32_t ring : active_) {
            ring_reader& reader = sources_[ring].reader;
            if (reader.waiting_words() * 2 > reader.word_count()) reader.hold();
            held_bytes_ += reader.held_bytes();
        }
    }

    // Before this nothing more comes, unless as late.
    std::uint64_t merged() const noexcept { return merged_; }
    std::size_t held_bytes() const noexcept { return held_bytes_; }
    std::uint64_t corrupt() const noexcept {
        std::uint64_t sum = corrupt_before_;
        for (const source& each : sources_) sum += each.reader.corrupt();
        return sum;
    }

private:
    struct end {
        std::uint64_t stamp;
        std::uint32_t process;
    };

    // The source to read from next and up to which stamp; null when the order is not certain beyond what was
    // read.
    source* choose(std::uint64_t limit, bool certain, std::uint64_t& until) {
        source* first = nullptr;
        std::uint64_t first_stamp = for_ever, others = for_ever;
        for (std::uint32_t ring : active_) {
            source& each = sources_[ring];
            const ring_event* next = each.reader.peek();
            if (next == nullptr) {
                if (certain) others = std::min(others, each.horizon);
            } else if (first == nullptr || next->stamp < first_stamp) {
                if (first != nullptr) others = std::min(others, first_stamp);
                first = &each;
                first_stamp = next->stamp;
            } else {
                others = std::min(others, next->stamp);
            }
        }
        until = std::min(limit, others);
        return first != nullptr && first_stamp <= until ? first : nullptr;
    }

    std::vector<source> sources_;       // by ring
    std::vector<std::uint32_t> active_; // rings that are open
    std::vector<end> ends_;             // latest first
    std::size_t bytes_max_;
    std::size_t held_bytes_ = 0;
    std::uint64_t merged_ = 0;
    std::uint64_t corrupt_before_ = 0;
};

template <class Receiver>
std::size_t merger::run(std::uint64_t limit, Receiver&& receiver) {
    std::size_t given = 0;
    for (;;) {
        // Order is given up only while more is held than allowed.
        const bool short_of_memory = held_bytes_ > bytes_max_;
        const bool certain = !short_of_memory && limit != for_ever; // at the end nothing more comes
        std::uint64_t until = 0;
        source* from = choose(limit, certain, until);
        const std::uint64_t end_stamp = ends_.empty() ? for_ever : ends_.back().stamp;
        if (from != nullptr && from->reader.peek()->stamp <= end_stamp) {
            const auto ring = static_cast<std::uint32_t>(from - sources_.data());
            const std::size_t held_before = from->reader.held_bytes();
            const std::uint64_t last = std::min(until, end_stamp);
            std::size_t quantum = short_of_memory ? 4096 : ~std::size_t{0};
            for (const ring_event* next = from->reader.peek();
                 next != nullptr && next->stamp <= last && quantum != 0;
                 next = from->reader.peek(), --quantum) {
                const bool late = next->stamp < merged_;
                if (!late) merged_ = next->stamp;
                if (std::uint64_t ahead = 0; from->reader.look_ahead(ahead)) receiver.prefetch(ring, ahead);
                receiver.take(ring, *next, late);
                from->reader.pop();
                if ((++given & 4095) == 0) receiver.progress(ring);
            }
            held_bytes_ -= std::min(held_bytes_, held_before - from->reader.held_bytes());
            continue;
        }
        // No event before the next end can come any more?
        if (end_stamp == for_ever || end_stamp > limit) return given;
        const bool held_up = std::any_of(active_.begin(), active_.end(), [&](std::uint32_t ring) {
            source& each = sources_[ring];
            const ring_event* next = each.reader.peek();
            return next != nullptr ? next->stamp <= end_stamp : certain && each.horizon < end_stamp;
        });
        if (held_up) return given;
        const std::uint32_t process = ends_.back().process;
        ends_.pop_back();
        receiver.ended(process);
    }
}

} // namespace allot::recorder
