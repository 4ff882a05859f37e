// listed_source: a decorator that keeps a list of its blocks, so that all of them can be given back at once.
//
// It makes the end of a scope possible over a source that frees block by block, as malloc does. Where the
// memory may come in chunks, an arena does that without a byte per block. It is what malloc_factory makes.
// Owns the blocks that are out: they go back with it. Borrows upstream.
// Threads: thread_safe if upstream is; give_back_all() needs quiet.
// Cost: 32 bytes per block before its first byte (for an alignment above 32: one alignment), which upstream
// sees as part of the block and good_size does not; a list of its own for each thread under a lock of its
// own, which only a free in another thread meets. 1.1 KiB.
// Fatal (level on): `allot: fatal: listed_source 'x': block 0x… of 100 bytes belongs to 'y'`, and
// `… of 100 bytes is not a live block` for a second free, another layout or a foreign block.
//
//     listed_source parser({.name = "parser", .upstream = &source});
//     void* block = parser.allocate(layout{.size = 100});
//     assert(listed_source::owner_of(block) == &parser);
//     assert(parser.give_back_all() == 1);
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/platform/thread_slots.hpp>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace allot {

struct listed_source_options {
    allot::name name = "listed_source";
    memory_source* upstream = nullptr; // nullptr: default_source()
};

class listed_source final : public memory_source {
public:
    explicit listed_source(listed_source_options wanted) noexcept;
    ~listed_source() override;

    // How many blocks went. Invalidates: all of them.
    std::size_t give_back_all() noexcept;

    // Whose the block is. Expects: a live block of some listed_source.
    static listed_source* owner_of(const void* address) noexcept;
    const allot::name& name() const noexcept { return name_; }

private:
    struct header;

    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept override;
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override;

    static header& header_of(const void* address) noexcept;
    void check(const header& block, const void* address, layout given) const noexcept;
    void* link(void* begin, layout wanted) noexcept; // the block's address
    void unlink(header& gone) noexcept;
    void* refuse(layout wanted) noexcept;

    memory_source& upstream_;
    allot::name name_;
    std::atomic<std::uint64_t> refused_count_ = 0;
    header* lists_[detail::thread_slot_count + 1] = {}; // of the blocks that a slot's threads got
};

} // namespace allot
