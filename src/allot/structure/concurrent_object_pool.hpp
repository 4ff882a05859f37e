// concurrent_object_pool: object_pool for many threads: objects that come back clean, on whichever thread.
//
// Use it where threads hand objects to each other, or share one stock. Where each thread can have its own
// take object_pool, which also follows its demand.
// A thread takes and gives back from magazines of its own (magazine.hpp), which cross threads whole. An
// object may come back on another thread than it went out on, and after that one has ended.
// Owns its objects, which lie in slots of an upstream that must be thread_safe. Borrows upstream and
// observer. Outlives its handles.
// Threads: any call from any thread; construction, destruction and check() need quiet. The care's functions
// are called from all threads, at once, and outside of any lock: a factory may use the same pool.
// Cost: acquire and give back of a string together 3.3 ns, no atomic read-modify-write; making
// and discarding takes a lock. Counting costs nothing: counts are derived where magazines change hands.
//
// Limits hold exactly: never more than out_count_max are out, nor more than kept_count_max kept. An
// acquisition may be refused early, while so many are kept in the magazines of other running threads:
// early_count_max(); magazines are made small where the limits are. Likewise an object may be discarded while
// so much room is left.
//
// Fatal, at level on and full:
//     concurrent_object_pool 'NAME': ADDRESS is no object that is out
//     concurrent_object_pool 'NAME': died with N objects out        [an observer is told before that]
//
//     concurrent_object_pool<std::vector<int>> lists({.name = "lists"});
//     pooled<std::vector<int>> list = lists.acquire();
//     list->assign(100, 7);
//     std::thread([away = std::move(list)] { assert(away->size() == 100); }).join(); // comes back there
//     assert(lists.acquire()->capacity() == 100);
//     assert(lists.counts().created == 1 && lists.counts().hit_rate() == 0.5);
#pragma once

#include <allot/core/checks.hpp>
#include <allot/structure/magazine.hpp>
#include <allot/structure/object_pool_parts.hpp>
#include <allot/structure/pool.hpp>
#include <allot/structure/pooled.hpp>
#include <allot/structure/typed_pool.hpp>
#include <atomic>

namespace allot {

struct concurrent_object_pool_options {
    allot::name name = {};             // without one: the type's
    memory_source* upstream = nullptr; // default_source(); must be thread_safe
    std::uint64_t kept_count_max = 1024;
    std::uint64_t out_count_max = usage::unlimited; // and of all objects, out and kept together
    allot::observer* observer = nullptr;            // is told when the pool dies with objects out
};

namespace detail {

// What of a concurrent_object_pool does not depend on the type: who keeps, who may be made, and where slots
// lie.
class concurrent_objects {
public:
    concurrent_objects(const concurrent_object_pool_options& options, const allot::name& who,
                       layout node) noexcept;

    magazine_cache& cache() noexcept { return cache_; }
    const magazine_cache& cache() const noexcept { return cache_; }
    const allot::name& name() const noexcept { return slots_.name(); }

    // A slot that counts as an object; nullptr on shortage.
    void* try_new_slot(layout object) noexcept;
    void give_slot_back(void* slot) noexcept;
    std::uint64_t trim_slots() noexcept;
    void tell_out(std::size_t object_size) noexcept;

    object_counts counts() const noexcept;
    allot::usage usage() const noexcept;
    void check() const noexcept; // needs quiet

    std::atomic<std::uint64_t> created = 0, missed = 0, discarded = 0, taken = 0, given = 0;

private:
    // existing == kept + out <= out_count_max. It changes only where an object is made or destroyed, so the
    // limit costs nothing where one goes out and comes back.
    std::atomic<std::uint64_t> existing_ = 0;
    std::atomic<std::uint64_t> refused_ = 0;
    const std::uint64_t kept_count_max_;
    const std::uint64_t out_count_max_;
    allot::observer* const observer_; // borrowed
    magazine_cache cache_;
    mutable fork_mutex mutex_; // guards slots_
    pool slots_;
};

} // namespace detail

template <class T, class Care = object_care<T>>
class concurrent_object_pool : detail::object_home<T> {
public:
    // Makes nothing yet.
    explicit concurrent_object_pool(const concurrent_object_pool_options& options = {}, Care care = {})
        : care_(std::move(care)),
          all_(options, options.name.view().empty() ? allot::name(detail::type_name<T>()) : options.name,
               layout_of<node>()) {}
    // Objects that are out are a leak, as in object_pool.
    ~concurrent_object_pool() {
        all_.cache().drain([this](void* each) { discard(static_cast<node*>(each)); },
                           detail::magazine_reach::all);
        all_.tell_out(sizeof(T));
    }
    concurrent_object_pool(const concurrent_object_pool&) = delete;
    concurrent_object_pool& operator=(const concurrent_object_pool&) = delete;

    // Throws: out_of_memory, also at out_count_max; and what the care's make() throws.
    pooled<T> acquire() {
        pooled<T> handle = try_acquire();
        if (!handle) [[unlikely]]
            throw_out_of_memory();
        return handle;
    }
    // Empty on shortage, with last_refusal(). What make() throws goes through, and the books are as before.
    pooled<T> try_acquire() {
        void* const kept = all_.cache().try_take();
        if (!kept) [[unlikely]]
            return pooled<T>(*this, make_new());
        return pooled<T>(*this, hand_out(static_cast<node*>(kept)));
    }

    // An object from elsewhere becomes the pool's: cleaned, and kept. False, where it is not worth keeping or
    // has no room; the value may have been cleaned then. Throws: what moving a T throws.
    bool give(T&& value)
        requires std::move_constructible<T>;
    // Makes so many and keeps them; within the limits. False: fewer could be had.
    bool try_reserve(std::uint64_t count);
    // Destroys what is kept, but for what lies in other running threads' magazines, and gives slabs without
    // an object upstream. Returns their bytes.
    std::uint64_t trim() noexcept {
        all_.cache().drain([this](void* each) { discard(static_cast<node*>(each)); });
        return all_.trim_slots();
    }

    // Exact while no other thread is inside a call.
    object_counts counts() const noexcept { return all_.counts(); }
    // The objects' slots, as object_pool's. early_bytes_max is early_count_max() in bytes.
    allot::usage usage() const noexcept { return all_.usage(); }
    std::uint64_t early_count_max() const noexcept { return all_.cache().early_count_max(); }
    const allot::name& name() const noexcept { return all_.name(); }
    // Aborts where an invariant does not hold.
    void check() const noexcept { all_.check(); }

private:
    using node = detail::object_node<T>;

    // Gives a slot back unless it came to life.
    struct birth {
        detail::concurrent_objects& in;
        void* slot;
        ~birth() {
            if (slot) in.give_slot_back(slot);
        }
    };

    std::uintptr_t out_mark() const noexcept { return reinterpret_cast<std::uintptr_t>(this); }
    T* hand_out(node* from) noexcept {
        from->mark_used();
        if constexpr (checks != check_level::off)
            std::atomic_ref(from->link).store(out_mark(), std::memory_order_relaxed);
        return from->object();
    }
    // Two threads that give one object back at the same moment may both pass; a later one never does.
    node* expect_out(T* object) const noexcept {
        node* const from = node::of(object);
        if constexpr (checks != check_level::off) {
            if (std::atomic_ref(from->link).load(std::memory_order_relaxed) != out_mark()) [[unlikely]]
                detail::fatal_not_out("concurrent_object_pool", name(), object);
        }
        return from;
    }
    bool try_keep(node* clean) noexcept {
        if constexpr (checks != check_level::off)
            std::atomic_ref(clean->link).store(node::kept, std::memory_order_relaxed);
        clean->mark_kept();
        return all_.cache().try_put(clean);
    }

    void take_back(T* object) noexcept final {
        node* const from = expect_out(object);
        if (!worth_keeping(*object) || !try_keep(from)) [[unlikely]]
            discard(from);
    }
    void note_taken(T* object) noexcept final {
        destroy(expect_out(object));
        all_.taken.fetch_add(1, std::memory_order_relaxed);
    }
    bool worth_keeping(T& used) const noexcept { return detail::keeps_it_clean(care_, used); }

    // Counts as created. nullptr on shortage.
    [[gnu::noinline]] node* make() {
        void* const slot = all_.try_new_slot(layout_of<T>());
        if (!slot) return nullptr;
        birth guard{all_, slot};
        node* const made = ::new (slot) node;
        ::new (static_cast<void*>(made->bytes)) T(care_.make()); // which may use this pool
        guard.slot = nullptr;
        all_.created.fetch_add(1, std::memory_order_relaxed);
        return made;
    }
    [[gnu::noinline]] T* make_new() {
        node* const made = make();
        if (!made) return nullptr;
        all_.missed.fetch_add(1, std::memory_order_relaxed);
        return hand_out(made);
    }
    void destroy(node* away) noexcept {
        away->mark_used();
        away->link = node::gone;
        away->object()->~T();
        all_.give_slot_back(away);
    }
    [[gnu::noinline]] void discard(node* away) noexcept {
        destroy(away);
        all_.discarded.fetch_add(1, std::memory_order_relaxed);
    }

    [[no_unique_address]] const Care care_;
    detail::concurrent_objects all_;
};

template <class T, class Care>
bool concurrent_object_pool<T, Care>::give(T&& value)
    requires std::move_constructible<T>
{
    if (!worth_keeping(value)) return false;
    void* const slot = all_.try_new_slot(layout_of<T>());
    if (!slot) return false;
    birth guard{all_, slot};
    node* const made = ::new (slot) node;
    ::new (static_cast<void*>(made->bytes)) T(std::move(value));
    guard.slot = nullptr;
    all_.given.fetch_add(1, std::memory_order_relaxed);
    if (try_keep(made)) return true;
    made->mark_used();
    value = std::move(*made->object());
    discard(made);
    return false;
}

template <class T, class Care>
bool concurrent_object_pool<T, Care>::try_reserve(std::uint64_t count) {
    for (; count != 0; --count) {
        node* const made = make();
        if (!made) return false;
        if (!try_keep(made)) {
            discard(made);
            return false;
        }
    }
    return true;
}

} // namespace allot
