#include <allot/platform/clock.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/arena_pool.hpp>
#include <allot/structure/usage_sum.hpp>
#include <memory>
#include <type_traits>

namespace allot {

using guard = detail::fork_mutex::guard;

struct arena_pool::node {
    arena it; // first: a handle's pointer is the node's
    node* next_kept = nullptr;
    node* next = nullptr;
    node* previous = nullptr;
};

arena_pool::node* arena_pool::of(arena* it) noexcept {
    // Not offsetof: an arena has bases, and so a node is not of standard layout.
    return reinterpret_cast<node*>(it);
}

arena_pool::arena_pool(const arena_pool_options& options) noexcept
    : options_(options), upstream_(options.upstream ? *options.upstream : default_source()) {
    ALLOT_EXPECT(upstream_.traits().thread_safe, "arena_pool '", options.name.view(),
                 "': its upstream is not thread_safe");
}

arena_pool::~arena_pool() {
    trim();
    if (counts_.out != 0)
        detail::tell_objects_out("arena_pool", options_.name, options_.observer, counts_.out, sizeof(arena));
}

pooled<arena> arena_pool::try_acquire() noexcept {
    {
        const guard hold(mutex_);
        if (counts_.out >= options_.out_count_max) {
            ++counts_.refused;
            detail::note_object_limit("arena_pool", options_.name, layout_of<node>(), options_.out_count_max,
                                      counts_.out);
            return {};
        }
        ++counts_.out; // before anything is made, so that the limit is exact
        if (node* const found = try_unlink_kept(0)) {
            ++counts_.acquired;
            return pooled<arena>(*this, &found->it);
        }
    }
    node* const made = try_make();
    const guard hold(mutex_);
    if (!made) {
        --counts_.out;
        ++counts_.refused;
        return {};
    }
    ++counts_.created;
    ++counts_.acquired;
    ++counts_.missed;
    made->next = all_;
    if (all_) all_->previous = made;
    all_ = made;
    return pooled<arena>(*this, &made->it);
}

arena_pool::node* arena_pool::try_make() noexcept {
    void* const room = upstream_.try_allocate(layout_of<node>());
    if (!room) return nullptr;
    return ::new (room) node{.it = arena({.name = options_.name,
                                          .upstream = &upstream_,
                                          .chunk_bytes_min = options_.chunk_bytes_min,
                                          .chunk_bytes_max = options_.chunk_bytes_max,
                                          .huge_pages = options_.huge_pages,
                                          .limit_bytes = options_.limit_bytes,
                                          .retain_bytes_max = options_.retain_bytes_max})};
}

// Ends what lives in it before anything else: that may run destructors, and those may come here.
void arena_pool::take_back(arena* used) noexcept {
    used->reset();
    node* const back = of(used);
    {
        const guard hold(mutex_);
        ++counts_.returned;
        --counts_.out;
        if (counts_.kept < options_.kept_count_max) {
            ++counts_.kept;
            back->next_kept = kept_;
            kept_ = back;
            return;
        }
        ++counts_.discarded;
        unlink(back);
    }
    discard(back);
}

void arena_pool::note_taken(arena* emptied) noexcept {
    {
        const guard hold(mutex_);
        ++counts_.taken;
        --counts_.out;
        unlink(of(emptied));
    }
    discard(of(emptied));
}

arena_pool::node* arena_pool::try_unlink_kept(std::uint64_t but) noexcept {
    if (counts_.kept <= but) return nullptr;
    node* const found = kept_;
    kept_ = found->next_kept;
    --counts_.kept;
    return found;
}

void arena_pool::unlink(node* gone) noexcept {
    (gone->previous ? gone->previous->next : all_) = gone->next;
    if (gone->next) gone->next->previous = gone->previous;
}

std::uint64_t arena_pool::discard(node* gone) noexcept {
    const std::uint64_t bytes = gone->it.usage().held_bytes + sizeof(node);
    std::destroy_at(gone);
    upstream_.deallocate(gone, layout_of<node>());
    return bytes;
}

std::uint64_t arena_pool::trim(std::uint64_t kept_count) noexcept {
    std::uint64_t freed = 0;
    for (;;) {
        node* found = nullptr;
        {
            const guard hold(mutex_);
            found = try_unlink_kept(kept_count);
            if (!found) return freed;
            ++counts_.discarded;
            unlink(found);
        }
        freed += discard(found);
    }
}

std::uint64_t arena_pool::reclaim(reclaim_request wish) noexcept {
    std::uint64_t freed = 0;
    while (freed < wish.wanted_bytes && monotonic_ns() < wish.deadline_ns) {
        node* found = nullptr;
        {
            const guard hold(mutex_);
            found = try_unlink_kept(0);
            if (!found) break;
            ++counts_.discarded;
            unlink(found);
        }
        freed += discard(found);
    }
    return freed;
}

object_counts arena_pool::counts() const noexcept {
    const guard hold(mutex_);
    return counts_;
}

usage arena_pool::usage() const noexcept {
    const guard hold(mutex_);
    allot::usage sum;
    for (const node* each = all_; each; each = each->next) detail::add_usage(sum, each->it.describe().usage);
    sum.refused_count += counts_.refused;
    return sum;
}

void arena_pool::check() const noexcept {
    const guard hold(mutex_);
    std::uint64_t all = 0;
    std::uint64_t kept = 0;
    for (const node* each = all_; each; each = each->next) ++all;
    for (const node* each = kept_; each; each = each->next_kept) {
        ++kept;
        each->it.check();
        ALLOT_EXPECT(each->it.usage().live_count == 0, "arena_pool '", options_.name.view(),
                     "': check: a kept arena is not empty");
    }
    ALLOT_EXPECT(kept == counts_.kept && all == counts_.kept + counts_.out, "arena_pool '",
                 options_.name.view(), "': check: ", all, " arenas, ", kept, " kept, where the counts say ",
                 counts_.kept + counts_.out, " and ", counts_.kept);
    ALLOT_EXPECT(counts_.created == counts_.out + counts_.kept + counts_.discarded + counts_.taken,
                 "arena_pool '", options_.name.view(), "': check: the counts do not close");
}

} // namespace allot
