// memory_source: what hands out raw blocks and takes them back; everything in allot takes its memory from one.
//
// A memory_source is a std::pmr::memory_resource, so that every std::pmr container takes one; a foreign
// resource comes in through pmr_source. Use it as a reference in whatever needs memory. Derive from it to write
// a source or a decorator: two functions are a source, the others have defaults. For objects rather than
// blocks take a structure (arena, pool).
// Owns: what the derived class says. Upstream outlives downstream; references are borrowed and never null.
// Threads: as traits().thread_safe says; describe() may be called from any thread at any time.
// Cost: a virtual call over the derived class's own; concrete classes offer the same calls without it.
//
// Grants are exact: a block is as large as the layout asked, and is given back with that very layout. What it
// costs upstream is good_size(layout): pure, monotone, idempotent for the life of the source, so that a refund
// equals its charge. Who wants the slack asks try_allocate_at_least.
// A size of 0 becomes 1 in the calls below, once, so that no do_… ever sees it.
//
//     void* row = source.try_allocate({.size = 100, .align = 64});
//     if (!row) return last_refusal();
//     if (!source.try_resize(row, {100, 64}, 120)) …;       // still 100 bytes
//     source.deallocate(row, {.size = 100, .align = 64});
//     std::pmr::vector<int> numbers(&source);
#pragma once

#include <allot/core/layout.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/core/usage.hpp>
#include <memory_resource>

namespace allot {

struct source_traits {
    bool thread_safe = false; // any call from any thread at any time
    bool zeroed = false;      // a fresh block reads as zero
    bool bulk_free = false;   // its blocks need not be given back: they go when the source resets or dies
    bool moves = false;       // try_reallocate can move a block without touching its bytes
    friend constexpr bool operator==(source_traits, source_traits) = default;
};

class memory_source;

// What a snapshot walks.
struct source_description {
    allot::name name = {};
    const char* kind = "";                   // the type's name; a string that lives for ever
    const memory_source* upstream = nullptr; // the first, where there are several; nullptr at the bottom
    allot::usage usage = {};
};

class memory_source : public std::pmr::memory_resource {
public:
    memory_source() = default;
    memory_source(const memory_source&) = delete;
    memory_source& operator=(const memory_source&) = delete;
    ~memory_source() override; // out of line: the one place of the vtable

    // Expects of every layout: align is a power of two. A size that no address space holds is refused.

    // nullptr on shortage: then last_refusal() says why.
    [[nodiscard]] void* try_allocate(layout wanted) noexcept {
        wanted.size += wanted.size == 0;
        return is_valid(wanted) ? do_try_allocate(wanted) : refuse_invalid(wanted);
    }
    // A block of wanted.size or more, to be given back with the size that it has; empty on shortage.
    [[nodiscard]] block try_allocate_at_least(layout wanted) noexcept {
        wanted.size += wanted.size == 0;
        return is_valid(wanted) ? do_try_allocate_at_least(wanted) : block{refuse_invalid(wanted), 0};
    }
    // Throws: out_of_memory.
    [[nodiscard]] void* allocate(layout wanted) { return do_allocate(wanted.size, wanted.align); }
    using std::pmr::memory_resource::allocate;

    // Expects: a block of this source that lives, with the layout that it has now. nullptr is allowed.
    void deallocate(void* address, layout given) noexcept {
        given.size += given.size == 0;
        if (address) do_give_back(address, given);
    }
    using std::pmr::memory_resource::deallocate;

    // In place: true, and the block's layout is {new_size, align} from now on; or false and nothing changed.
    [[nodiscard]] bool try_resize(void* address, layout given, std::size_t new_size) noexcept {
        given.size += given.size == 0;
        new_size += new_size == 0;
        return is_valid({new_size, given.align}) && do_try_resize(address, given, new_size);
    }
    // The block's new address, its first min(old, new) bytes kept; nullptr, and the old block lives on.
    [[nodiscard]] void* try_reallocate(void* address, layout given, std::size_t new_size) noexcept {
        given.size += given.size == 0;
        const layout wanted{new_size + (new_size == 0), given.align};
        return is_valid(wanted) ? do_try_reallocate(address, given, wanted.size) : refuse_invalid(wanted);
    }

    // What a block of this layout takes from whoever pays for it; ≥ size. Never refuses: a layout that no
    // address space holds costs its own size.
    std::size_t good_size(layout wanted) const noexcept {
        wanted.size += wanted.size == 0;
        return is_valid(wanted) ? do_good_size(wanted) : wanted.size;
    }
    source_traits traits() const noexcept { return do_traits(); }
    source_description describe() const noexcept { return do_describe(); }

protected:
    // What a derived class says. Every layout is valid here, every address is one of its own blocks.
    // Whoever refuses by its own decision calls note_refusal(); whoever passes a refusal on does not.
    virtual void* do_try_allocate(layout wanted) noexcept = 0;
    virtual void do_give_back(void* address, layout given) noexcept = 0;
    // Default: try_allocate of good_size.
    virtual block do_try_allocate_at_least(layout wanted) noexcept;
    // Default: false.
    virtual bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept;
    // Default: try_resize, else allocate, copy, give back.
    virtual void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept;
    // Default: wanted.size.
    virtual std::size_t do_good_size(layout wanted) const noexcept;
    // Default: none.
    virtual source_traits do_traits() const noexcept;
    // Default: kind "memory_source" and no numbers.
    virtual source_description do_describe() const noexcept;

private:
    // What std::pmr calls, by way of the calls above: a second virtual call. A final class whose own allocate
    // and deallocate cost less than that may override these two with them; every law stays: a size of 0 is 1,
    // nullptr may be given back, a shortage throws out_of_memory, a bad alignment is fatal.
    void* do_allocate(std::size_t bytes, std::size_t align) override;
    void do_deallocate(void* address, std::size_t bytes, std::size_t align) override;
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept final { return this == &other; }

    [[gnu::cold]] void* refuse_invalid(layout wanted) noexcept; // notes it; a bad alignment is fatal
};

} // namespace allot
