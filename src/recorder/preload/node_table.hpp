// node_table: which node of the call tree stands for (caller's node, return address).
//
// Use it beside a page_chain, which holds the nodes themselves. Look-ups take no lock; insert and clear are
// made under one lock of the caller's. The danger: a look-up may run while the table grows or is cleared. So
// a table that was replaced is never given back, an entry is published by its id last, and the one table that
// is used again after a clear carries an edition that a look-up compares before it believes what it read. All
// zero is an empty table. Memory comes from the system in steps of twice the size, at 16 bytes an entry.
// Cost: a look-up that hits is about 12 instructions and one cache line.
//
//     std::uint32_t id = nodes.find(return_address, parent);
//     if (id == 0) nodes.insert(return_address, parent, id = new_node()); // under the lock
#pragma once

#include <cstddef>
#include <cstdint>

namespace allot::recorder {

class node_table {
public:
    // 0: not there.
    std::uint32_t find(std::uint64_t return_address, std::uint32_t parent) const noexcept {
        const table* in = __atomic_load_n(&current_, __ATOMIC_ACQUIRE);
        if (in == nullptr) [[unlikely]]
            return 0;
        const std::uint32_t edition = __atomic_load_n(&in->edition, __ATOMIC_ACQUIRE);
        const std::uint64_t mask = (std::uint64_t{1} << in->bits) - 1;
        for (std::uint64_t i = hash(return_address, parent) >> (64 - in->bits);; i = (i + 1) & mask) {
            const entry& e = in->entries()[i];
            const std::uint32_t id = __atomic_load_n(&e.id, __ATOMIC_ACQUIRE);
            if (id == 0) return 0;
            if (__atomic_load_n(&e.return_address, __ATOMIC_ACQUIRE) != return_address ||
                __atomic_load_n(&e.parent, __ATOMIC_ACQUIRE) != parent)
                continue;
            return __atomic_load_n(&in->edition, __ATOMIC_RELAXED) == edition ? id : 0;
        }
    }

    // Expects: the pair is absent, id is not 0. False: no memory to grow, and nothing is remembered.
    bool insert(std::uint64_t return_address, std::uint32_t parent, std::uint32_t id) noexcept;

    // Forgets all.
    void clear() noexcept;

    std::uint64_t size() const noexcept { return current_ == nullptr ? 0 : current_->used; }

private:
    struct entry {
        std::uint64_t return_address;
        std::uint32_t parent;
        std::uint32_t id; // 0: free. Stored last
    };
    struct alignas(64) table {
        std::uint32_t bits;
        std::uint32_t edition; // goes up when the table is emptied for another use
        std::uint64_t used;    // ≤ 3/4 of 2^bits, so that every search ends
        entry* entries() noexcept { return reinterpret_cast<entry*>(this + 1); }
        const entry* entries() const noexcept { return reinterpret_cast<const entry*>(this + 1); }
    };
    static constexpr std::uint32_t bits_first = 12;

    static std::uint64_t hash(std::uint64_t return_address, std::uint32_t parent) noexcept {
        return (return_address ^ std::uint64_t{parent} * 0x9E37'79B1'85EB'CA87u) * 0x9E37'79B9'7F4A'7C15u;
    }
    static table* make(std::uint32_t bits) noexcept;
    static void put(table& in, std::uint64_t return_address, std::uint32_t parent, std::uint32_t id) noexcept;
    bool grow() noexcept;

    table* current_;
    table* spare_; // the table before the last clear, if it was a small one
};

} // namespace allot::recorder
