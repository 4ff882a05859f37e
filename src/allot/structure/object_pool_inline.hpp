// object_pool_inline: the slow paths of object_pool, which are templates as it is. Included by
// object_pool.hpp.
#pragma once

#include <allot/structure/object_pool.hpp>

namespace allot {

template <class T, class Care>
void* object_pool<T, Care>::new_slot() noexcept {
    if (existing_count_ >= out_count_max_) {
        ++refused_count_;
        detail::note_object_limit("object_pool", name(), layout_of<T>(), out_count_max_, existing_count_);
        return nullptr;
    }
    void* const slot = slots_.try_allocate();
    ++(slot ? existing_count_ : refused_count_);
    return slot;
}

template <class T, class Care>
T* object_pool<T, Care>::acquire_older() {
    if (!listed_) return make_new();
    node* const from = pop();
    if ((++acquired_count_ & look_mask_) == 0) look();
    return hand_out(from);
}

template <class T, class Care>
T* object_pool<T, Care>::make_new() {
    void* const slot = new_slot();
    if (!slot) return nullptr;
    birth guard{*this, slot};
    node* const made = ::new (slot) node;                    // leaves the bytes alone
    ::new (static_cast<void*>(made->bytes)) T(care_.make()); // which may use this pool
    guard.slot = nullptr;
    ++created_count_;
    ++missed_count_;
    if ((++acquired_count_ & look_mask_) == 0) look();
    if (look_mask_ != usage::unlimited) {
        demand_.note_miss(out_count());
        target_count_ = demand_.target();
    }
    return hand_out(made);
}

template <class T, class Care>
bool object_pool<T, Care>::give(T&& value)
    requires std::move_constructible<T>
{
    const auto fits = [&] {
        return kept_count() < kept_count_max_ && existing_count_ < target_count_ &&
               existing_count_ < out_count_max_;
    };
    if (!fits() || !worth_keeping(value) || !fits()) return false; // a cleaner may use this pool
    void* const slot = new_slot();
    if (!slot) return false;
    birth guard{*this, slot};
    node* const made = ::new (slot) node;
    ::new (static_cast<void*>(made->bytes)) T(std::move(value));
    guard.slot = nullptr;
    ++given_count_;
    keep(made);
    return true;
}

template <class T, class Care>
bool object_pool<T, Care>::try_reserve(std::uint64_t kept_count) {
    while (this->kept_count() < kept_count) {
        if (this->kept_count() >= kept_count_max_) return false;
        void* const slot = new_slot();
        if (!slot) return false;
        birth guard{*this, slot};
        node* const made = ::new (slot) node;
        ::new (static_cast<void*>(made->bytes)) T(care_.make());
        guard.slot = nullptr;
        ++created_count_;
        keep(made);
    }
    return true;
}

template <class T, class Care>
void object_pool<T, Care>::destroy(node* away) noexcept {
    away->mark_used();
    away->link = node::gone;
    away->object()->~T();
    slots_.deallocate(away);
    --existing_count_;
}

template <class T, class Care>
void object_pool<T, Care>::discard(node* away) noexcept {
    destroy(away);
    ++discarded_count_;
}

template <class T, class Care>
void object_pool<T, Care>::look() noexcept {
    if (!demand_.note(out_count())) return;
    target_count_ = demand_.target();
    while (listed_ && existing_count_ > target_count_) discard(pop());
}

template <class T, class Care>
object_counts object_pool<T, Care>::counts() const noexcept {
    const std::uint64_t out = out_count();
    return {.created = created_count_,
            .acquired = acquired_count_,
            .missed = missed_count_,
            .returned = acquired_count_ - out - taken_count_,
            .discarded = discarded_count_,
            .taken = taken_count_,
            .given = given_count_,
            .refused = refused_count_,
            .out = out,
            .kept = kept_count()};
}

template <class T, class Care>
allot::usage object_pool<T, Care>::usage() const noexcept {
    allot::usage now = slots_.usage();
    now.live_count = out_count();
    now.live_bytes = now.live_count * sizeof(node);
    now.free_bytes += kept_count() * sizeof(node);
    now.total_count = acquired_count_;
    now.total_bytes = acquired_count_ * sizeof(node);
    now.refused_count = refused_count_;
    if (out_count_max_ != usage::unlimited) now.limit_bytes = out_count_max_ * sizeof(node);
    return now;
}

template <class T, class Care>
void object_pool<T, Care>::check() const noexcept {
    slots_.check();
    std::uint64_t count = 0;
    for (const node* each = listed_; each; each = reinterpret_cast<const node*>(each->link)) ++count;
    ALLOT_EXPECT(count == listed_count_, "object_pool '", name().view(), "': ", listed_count_,
                 " objects listed, ", count, " in the list");
    ALLOT_EXPECT(kept_count() <= kept_count_max_ && existing_count_ <= out_count_max_ &&
                     slots_.usage().live_count == existing_count_,
                 "object_pool '", name().view(), "': ", existing_count_, " objects, ", kept_count(), " kept");
    ALLOT_EXPECT(created_count_ + given_count_ == existing_count_ + discarded_count_ + taken_count_,
                 "object_pool '", name().view(), "': its counts do not close");
}

} // namespace allot
