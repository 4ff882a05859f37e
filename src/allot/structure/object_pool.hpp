// object_pool: objects that come back clean and are handed out again, with what they hold.
//
// Use it for objects that are dear to make because they hold memory or state: buffers, parsers, containers.
// For cheap ones take typed_pool, which constructs and destroys; across threads concurrent_object_pool; for
// ready ones (strings, byte vectors, hash maps) ready_pools.
// An object is made by its care (pooled.hpp), cleaned when it comes back, and then kept or, where the care or
// a limit says so, discarded. The last one to come back is the next to go out.
// Owns its objects, which lie in slots of an upstream; what an object allocates for itself is its own affair.
// Borrows upstream and observer. Outlives its handles.
// Threads: compatible (one thread at a time).
// Cost: acquire and give back of a string together 40 instructions and 2 ns, an eighth of making and
// destroying one of 256 bytes; several out at once, where the list of kept ones is used, 9. 8 bytes an
// object.
//
// Fatal, at level on and full:
//     object_pool 'NAME': ADDRESS is no object that is out
//     object_pool 'NAME': died with N objects out                   [an observer is told before that]
//
//     object_pool<std::vector<int>> lists({.name = "lists", .kept_count_max = 8});
//     const void* storage = nullptr;
//     {
//         pooled<std::vector<int>> list = lists.acquire();
//         list->assign(100, 7);
//         storage = list->data();
//     } // comes back clean
//     pooled<std::vector<int>> again = lists.acquire();
//     assert(again->empty() && again->capacity() == 100 && again->data() == storage);
//     assert(lists.counts().hit_rate() == 0.5);
#pragma once

#include <allot/core/checks.hpp>
#include <allot/structure/demand.hpp>
#include <allot/structure/object_pool_parts.hpp>
#include <allot/structure/pool.hpp>
#include <allot/structure/pooled.hpp>
#include <allot/structure/typed_pool.hpp>

namespace allot {

template <class T, class Care = object_care<T>>
class object_pool : detail::object_home<T> {
public:
    // Makes nothing yet.
    explicit object_pool(const object_pool_options& options = {}, Care care = {})
        : target_count_(options.follows_demand ? 0 : usage::unlimited),
          kept_count_max_(options.kept_count_max),
          look_mask_(options.follows_demand ? look_interval - 1 : usage::unlimited),
          care_(std::move(care)),
          out_count_max_(options.out_count_max),
          observer_(options.observer),
          slots_(slots_of(options)) {}
    // Objects that are out are a leak: the observer is told, and at level on it is fatal, since their handles
    // would come back to a pool that is no more.
    ~object_pool() {
        trim();
        if (existing_count_ != 0)
            detail::tell_objects_out("object_pool", name(), observer_, existing_count_, sizeof(T));
    }
    object_pool(const object_pool&) = delete;
    object_pool& operator=(const object_pool&) = delete;

    // Throws: out_of_memory, also at out_count_max; and what the care's make() throws.
    pooled<T> acquire() {
        pooled<T> handle = try_acquire();
        if (!handle) [[unlikely]]
            throw_out_of_memory();
        return handle;
    }
    // Empty on shortage, with last_refusal(). What make() throws goes through, and the books are as before.
    pooled<T> try_acquire() {
        node* const from = newest_;
        if (!from) [[unlikely]]
            return pooled<T>(*this, acquire_older());
        newest_ = nullptr;
        if ((++acquired_count_ & look_mask_) == 0) [[unlikely]]
            look();
        return pooled<T>(*this, hand_out(from));
    }

    // An object from elsewhere becomes the pool's: cleaned, and kept. False, where it is not worth keeping or
    // has no room; the value is then as it was, unless the cleaner or the move threw. Throws: what moving a T
    // throws.
    bool give(T&& value)
        requires std::move_constructible<T>;
    // So many kept ready, made now; within the limits. False: fewer could be had.
    bool try_reserve(std::uint64_t kept_count);
    // Destroys what is kept beyond so many, and gives slabs without an object upstream. Returns their bytes.
    std::uint64_t trim(std::uint64_t kept_count = 0) noexcept {
        if (newest_) push(std::exchange(newest_, nullptr));
        while (listed_count_ > kept_count) discard(pop());
        return slots_.trim();
    }

    // Exact.
    object_counts counts() const noexcept;
    // The objects' slots; live are those that are out, free are also those that are kept. What objects
    // allocate for themselves is not here.
    allot::usage usage() const noexcept;
    // What it goes by when it follows its demand: demand().target() is for objects kept and out together.
    const allot::demand& demand() const noexcept { return demand_; }
    const allot::name& name() const noexcept { return slots_.name(); }
    // Aborts where an invariant does not hold. Cost: O(slots).
    void check() const noexcept;

private:
    using node = detail::object_node<T>;
    static constexpr std::uint64_t look_interval = 16; // acquisitions between two looks at the demand

    // Gives a slot back, and takes an object out of the count, unless it came to life.
    struct birth {
        object_pool& in;
        void* slot;
        ~birth() {
            if (!slot) return;
            --in.existing_count_;
            in.slots_.deallocate(slot);
        }
    };

    static pool_options slots_of(const object_pool_options& how) noexcept {
        return {.name = how.name.view().empty() ? allot::name(detail::type_name<T>()) : how.name,
                .slot = layout_of<node>(),
                .upstream = how.upstream};
    }
    std::uintptr_t out_mark() const noexcept { return reinterpret_cast<std::uintptr_t>(this); }
    std::uint64_t kept_count() const noexcept { return listed_count_ + (newest_ != nullptr); }
    std::uint64_t out_count() const noexcept { return existing_count_ - kept_count(); }

    T* hand_out(node* from) noexcept {
        from->mark_used();
        if constexpr (checks != check_level::off) from->link = out_mark();
        return from->object();
    }
    node* pop() noexcept {
        node* const from = listed_;
        listed_ = reinterpret_cast<node*>(from->link);
        --listed_count_;
        return from;
    }
    void push(node* clean) noexcept {
        clean->link = reinterpret_cast<std::uintptr_t>(listed_);
        listed_ = clean;
        ++listed_count_;
    }
    // For one more than newest_.
    bool has_room() const noexcept {
        return listed_count_ < kept_count_max_ && existing_count_ <= target_count_;
    }
    // Expects: has_room().
    void keep(node* clean) noexcept {
        if constexpr (checks != check_level::off) clean->link = node::kept;
        clean->mark_kept();
        if (newest_) [[unlikely]] {
            push(std::exchange(newest_, clean));
            if (listed_count_ == kept_count_max_) discard(pop()); // the older ones are as good
        } else
            newest_ = clean;
    }
    node* expect_out(T* object) const noexcept {
        node* const from = node::of(object);
        if constexpr (checks != check_level::off) {
            if (from->link != out_mark()) [[unlikely]]
                detail::fatal_not_out("object_pool", name(), object);
        }
        return from;
    }

    void take_back(T* object) noexcept final {
        node* const from = expect_out(object);
        // The room is asked for last: a cleaner may give objects back, too.
        if (worth_keeping(*object) && has_room()) [[likely]]
            keep(from);
        else
            discard(from);
    }
    void note_taken(T* object) noexcept final {
        destroy(expect_out(object));
        ++taken_count_;
    }
    bool worth_keeping(T& used) const noexcept { return detail::keeps_it_clean(care_, used); }

    void* new_slot() noexcept; // counted as existing; nullptr on shortage
    [[gnu::noinline]] T* acquire_older();
    T* make_new(); // counted as acquired
    [[gnu::noinline]] void discard(node* away) noexcept;
    void destroy(node* away) noexcept;
    [[gnu::noinline]] void look() noexcept;

    // existing == kept + out <= out_count_max_. While any is kept one may go out, so that acquiring asks for
    // the limit only where it makes a new one; and existing changes only there and where one is destroyed.
    // One object that goes and comes in turn is always newest_: then neither the list nor its count is
    // written, each of which a processor would have to wait for.
    node* newest_ = nullptr;
    node* listed_ = nullptr; // a stack: the older ones
    std::uint64_t listed_count_ = 0;
    std::uint64_t acquired_count_ = 0;
    std::uint64_t existing_count_ = 0;
    std::uint64_t target_count_; // of existing
    std::uint64_t kept_count_max_;
    std::uint64_t look_mask_; // look() when acquired_count_ has none of these bits
    [[no_unique_address]] const Care care_;

    const std::uint64_t out_count_max_;
    allot::observer* const observer_; // borrowed
    std::uint64_t missed_count_ = 0, created_count_ = 0, discarded_count_ = 0, taken_count_ = 0,
                  given_count_ = 0, refused_count_ = 0;
    allot::demand demand_;
    pool slots_;
};

} // namespace allot

#include <allot/structure/object_pool_inline.hpp>
