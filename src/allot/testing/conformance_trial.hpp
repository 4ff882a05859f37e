// conformance_trial: one run of one conformance law: the subject, what was taken from it, and what it did
// wrong.
//
// Use it to write a law of your own for check_law (source_conformance.hpp).
// Borrows the subject. marked_blocks gives its blocks back.
// Threads: one at a time.
//
//     void keeps_small_blocks(conformance_trial& trial) {
//         marked_blocks blocks(trial);
//         if (void* const address = trial.take({8, 8})) blocks.add(address, {8, 8});
//         trial.expect(trial.subject.describe().usage.live_count == blocks.size(), "counts no small blocks");
//     }
//     auto findings = check_law({"keeps_small_blocks", keeps_small_blocks}, source);
#pragma once

#include <algorithm>
#include <allot/testing/source_conformance.hpp>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace allot {

class conformance_trial {
public:
    conformance_trial(memory_source& tested, const conformance_limits& within)
        : subject(tested), limits(within) {}

    void found(std::string sentence) {
        constexpr std::size_t findings_max = 20;
        if (findings.size() < findings_max) findings.push_back(std::move(sentence));
    }
    void expect(bool holds, const char* sentence) {
        if (!holds) found(sentence);
    }
    void expect(bool holds, const char* sentence, layout about) {
        if (!holds)
            found(std::string(sentence) + ": " + std::to_string(about.size) + " bytes aligned to " +
                  std::to_string(about.align));
    }

    // Whether the limits promise that such a block is served now; counts it as taken.
    bool is_promised(layout wanted) {
        wanted.size += wanted.size == 0;
        if (wanted.size > limits.size_max || wanted.align > limits.align_max) return false;
        const std::uint64_t cost = subject.good_size(wanted) + wanted.align;
        if (taken_bytes + cost > limits.bytes_max) return false;
        taken_bytes += cost;
        return true;
    }
    // A block that was promised, checked; nullptr when it was not promised or not served.
    void* take(layout wanted) {
        if (!is_promised(wanted)) return nullptr;
        void* const address = subject.try_allocate(wanted);
        expect(address, "refused a block within its limits", wanted);
        expect(is_aligned(address, wanted.align), "gave a misaligned block", wanted);
        return address;
    }
    static bool is_aligned(const void* address, std::size_t align) {
        return reinterpret_cast<std::uintptr_t>(address) % align == 0;
    }

    memory_source& subject;
    const conformance_limits limits;
    std::uint64_t taken_bytes = 0;
    std::vector<std::string> findings;
};

// A block with a content of its own, by which damage and overlap are seen.
struct marked_block {
    void* address;
    layout given;
    unsigned char mark;

    void fill() const { std::memset(address, mark, given.size); }
    bool is_intact(std::size_t size) const {
        const auto* bytes = static_cast<const unsigned char*>(address);
        return std::all_of(bytes, bytes + size, [this](unsigned char byte) { return byte == mark; });
    }
    bool is_intact() const { return is_intact(given.size); }
};

class marked_blocks {
public:
    explicit marked_blocks(conformance_trial& trial) : trial_(trial) {}
    ~marked_blocks() {
        while (!blocks_.empty()) give_back(blocks_.size() - 1);
    }
    void add(void* address, layout given) {
        blocks_.push_back({address, given, static_cast<unsigned char>(++count_ % 251 + 1)});
        blocks_.back().fill();
    }
    void give_back(std::size_t index) {
        const marked_block block = blocks_[index];
        trial_.expect(block.is_intact(), "a block's bytes changed while it lived", block.given);
        trial_.subject.deallocate(block.address, block.given);
        forget(index);
    }
    // Somebody else gave it back.
    void forget(std::size_t index) {
        blocks_[index] = blocks_.back();
        blocks_.pop_back();
    }
    std::uint64_t live_bytes() const {
        std::uint64_t sum = 0;
        for (const marked_block& block : blocks_) sum += block.given.size;
        return sum;
    }
    std::size_t size() const { return blocks_.size(); }
    marked_block& operator[](std::size_t index) { return blocks_[index]; }

private:
    conformance_trial& trial_;
    std::vector<marked_block> blocks_;
    unsigned count_ = 0;
};

} // namespace allot
