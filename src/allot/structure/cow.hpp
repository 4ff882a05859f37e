// cow: a value that copies of it share until one is written to.
//
// Use cow<T> for large values that are passed about and seldom changed, within one thread; share() gives a
// concurrent_cow<T>, which may go to other threads. For one owner take T itself; for text that may be
// borrowed maybe_owned_text. The counting is biased by type: handles of type cow are counted without atomics
// and together hold one of the counted references that concurrent_cow handles hold, so that a value dies with
// its last handle, whichever kind and on whichever thread that is.
// Owns the value with its counts, in one block of a source. Borrows the source, which outlives all handles
// and must be thread_safe where values are shared.
// Threads: cow: all handles of one value on one thread at a time (compatible). concurrent_cow: handles are
// values, any thread may have its own; reading through them is safe, for nobody writes what is shared.
// Cost: a copy and a drop of cow take 12 instructions with the loop around them (level on: 20), of
// concurrent_cow two atomic additions. 24 bytes a value.
//
// Order: a copy is made by who holds a reference, and needs none. A drop releases, so that the last one, and
// who finds itself unique (both acquire), come after all that the others read: then it may be destroyed, or
// written to.
//
// Fatal, at level on and full:
//     cow: the value at ADDRESS is used by handles of two threads; share() it
//     concurrent_cow: source 'NAME' is not thread_safe
//
//     cow<std::vector<int>> first = cow<std::vector<int>>::make(source, 1000, 7);
//     cow<std::vector<int>> second = first;
//     assert(&*first == &*second && !first.unique());
//     second.write()[0] = 8; // copies, since it is shared
//     assert((*first)[0] == 7 && (*second)[0] == 8 && first.unique());
//     concurrent_cow<std::vector<int>> elsewhere = first.share();
//     assert(&*elsewhere == &*first);
#pragma once

#include <allot/core/checks.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/platform/thread_slots.hpp>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <new>
#include <utility>

namespace allot {

template <class T>
class cow;
template <class T>
class concurrent_cow;

namespace detail {

template <class T>
struct cow_block {
    std::uint32_t local = 0;               // handles of type cow; written by their thread
    std::uint32_t thread = 0;              // theirs (thread_slot), for the check; 0: not known
    std::atomic<std::uint64_t> shared = 1; // handles of type concurrent_cow, and 1 where local != 0
    memory_source* source;                 // borrowed
    T value;

    template <class... Arguments>
    explicit cow_block(memory_source& from, Arguments&&... arguments)
        : source(&from), value(std::forward<Arguments>(arguments)...) {}

    bool is_unique() const noexcept { return shared.load(std::memory_order_acquire) == 1; }
    void drop() noexcept {
        // Who finds itself alone stays so: a copy is made by who holds a reference.
        if (is_unique() || shared.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
    }
    void destroy() noexcept {
        memory_source* const from = source;
        this->~cow_block();
        from->deallocate(this, layout_of<cow_block>());
    }

    // nullptr on shortage. What T's constructor throws goes through.
    template <class... Arguments>
    static cow_block* try_make(memory_source& from, Arguments&&... arguments) {
        struct guard {
            memory_source& from;
            void* place;
            ~guard() {
                if (place) from.deallocate(place, layout_of<cow_block>());
            }
        } hold{from, from.try_allocate(layout_of<cow_block>())};
        if (!hold.place) return nullptr;
        auto* const made = ::new (hold.place) cow_block(from, std::forward<Arguments>(arguments)...);
        hold.place = nullptr;
        return made;
    }
};

// This thread's slot; aborts where the value's handles have another's.
[[gnu::cold]] std::uint32_t thread_of_handles(std::uint32_t noted, std::uint32_t local,
                                              const void* value) noexcept;
[[gnu::cold]] void expect_thread_safe(const memory_source& source) noexcept;

// What cow and concurrent_cow (Self) do alike; how they count is theirs.
template <class Self, class T>
class cow_handle {
public:
    // Throws: out_of_memory, and what T's constructor throws. Expects, of a concurrent_cow: a thread_safe source.
    template <class... Arguments>
    static Self make(memory_source& source, Arguments&&... arguments) {
        Self made = Self::try_make(source, std::forward<Arguments>(arguments)...);
        if (!made) throw_out_of_memory();
        return made;
    }

    explicit operator bool() const noexcept { return block_ != nullptr; }
    // All that follow: Expects: not empty.
    const T& operator*() const noexcept { return block_->value; }
    const T* operator->() const noexcept { return &block_->value; }

    // The value, this handle's alone from now on: copied first where others have it, into the same source.
    // Throws: out_of_memory, and what copying a T throws; then nothing has changed.
    // Invalidates: references into the value that were had through this handle.
    T& write()
        requires std::copy_constructible<T>
    {
        T* const own = try_write();
        if (!own) throw_out_of_memory();
        return *own;
    }
    // nullptr on shortage.
    T* try_write()
        requires std::copy_constructible<T>
    {
        if (!static_cast<Self&>(*this).unique()) {
            Self copy = Self::try_make(*block_->source, std::as_const(block_->value));
            if (!copy) return nullptr;
            std::swap(block_, copy.block_);
        }
        return &block_->value;
    }

protected:
    using block = cow_block<T>;

    constexpr cow_handle() noexcept = default; // empty
    explicit cow_handle(block* of) noexcept : block_(of) {}
    cow_handle(cow_handle&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    ~cow_handle() = default;

    block* block_ = nullptr;
};

} // namespace detail

template <class T>
class cow : public detail::cow_handle<cow<T>, T> {
    friend class detail::cow_handle<cow, T>;
    using base = detail::cow_handle<cow, T>;
    using base::block_;
    using typename base::block;

public:
    cow() noexcept = default; // empty, as one that was moved from
    // Empty on shortage.
    template <class... Arguments>
    static cow try_make(memory_source& source, Arguments&&... arguments) {
        return cow(block::try_make(source, std::forward<Arguments>(arguments)...));
    }

    cow(const cow& other) noexcept : base(other.block_) {
        if (!block_) return;
        expect_own_thread();
        ++block_->local;
    }
    cow(cow&&) noexcept = default;
    cow& operator=(cow other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~cow() {
        if (!block_) return;
        expect_own_thread();
        if (--block_->local == 0) block_->drop();
    }

    // Expects: not empty. Whether no other handle of either kind has the value.
    bool unique() const noexcept { return block_->local == 1 && block_->is_unique(); }

    // A handle for other threads. Expects: a thread_safe source.
    concurrent_cow<T> share() const noexcept {
        if constexpr (checks != check_level::off) detail::expect_thread_safe(*block_->source);
        block_->shared.fetch_add(1, std::memory_order_relaxed);
        return concurrent_cow<T>(block_);
    }

private:
    friend class concurrent_cow<T>;

    // Takes over the one reference of a block that no handle of type cow has.
    explicit cow(block* whole) noexcept : base(whole) {
        if (!block_) return;
        block_->local = 1;
        if constexpr (checks != check_level::off) block_->thread = detail::take_thread_slot();
    }
    // A value's only local handle may have moved here from another thread; two of them may not be on two.
    void expect_own_thread() const noexcept {
        if constexpr (checks != check_level::off) {
            if (block_->thread != detail::thread_slot()) [[unlikely]]
                block_->thread = detail::thread_of_handles(block_->thread, block_->local, &block_->value);
        }
    }
};

template <class T>
class concurrent_cow : public detail::cow_handle<concurrent_cow<T>, T> {
    friend class detail::cow_handle<concurrent_cow, T>;
    using base = detail::cow_handle<concurrent_cow, T>;
    using base::block_;
    using typename base::block;

public:
    concurrent_cow() noexcept = default; // empty, as one that was moved from
    // Empty on shortage.
    template <class... Arguments>
    static concurrent_cow try_make(memory_source& source, Arguments&&... arguments) {
        if constexpr (checks != check_level::off) detail::expect_thread_safe(source);
        return concurrent_cow(block::try_make(source, std::forward<Arguments>(arguments)...));
    }

    concurrent_cow(const concurrent_cow& other) noexcept : base(other.block_) {
        if (block_) block_->shared.fetch_add(1, std::memory_order_relaxed);
    }
    concurrent_cow(concurrent_cow&&) noexcept = default;
    concurrent_cow& operator=(concurrent_cow other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~concurrent_cow() {
        if (block_) block_->drop();
    }

    // Expects: not empty. Whether no other handle of either kind has the value. True stays true until this
    // one is copied.
    bool unique() const noexcept { return block_->is_unique(); }

    // The value as this thread's own, to be copied without atomics: this handle is empty then. Empty where
    // others have the value, and nothing has changed.
    cow<T> try_keep() noexcept { return unique() ? cow<T>(std::exchange(block_, nullptr)) : cow<T>(); }

private:
    friend class cow<T>;
    explicit concurrent_cow(block* counted) noexcept : base(counted) {}
};

} // namespace allot
