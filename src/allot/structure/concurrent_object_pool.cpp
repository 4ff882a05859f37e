#include <algorithm>
#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_object_pool.hpp>

namespace allot::detail {
namespace {

constexpr const char* kind = "concurrent_object_pool";

// Small where the limits are, so that what lies in other threads' magazines is a small part of them.
std::uint32_t magazine_items_of(const concurrent_object_pool_options& how) noexcept {
    const std::uint64_t limit = std::min(how.kept_count_max, how.out_count_max);
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(limit / 16, 1, 60));
}

} // namespace

concurrent_objects::concurrent_objects(const concurrent_object_pool_options& options, const allot::name& who,
                                       layout node) noexcept
    : kept_count_max_(options.kept_count_max),
      out_count_max_(options.out_count_max),
      observer_(options.observer),
      cache_(options.upstream ? *options.upstream : default_source(),
             {.magazine_items = magazine_items_of(options), .kept_count_max = options.kept_count_max}),
      slots_({.name = who, .slot = node, .upstream = options.upstream}) {}

void* concurrent_objects::try_new_slot(layout object) noexcept {
    std::uint64_t now = existing_.load(std::memory_order_relaxed);
    do {
        if (now >= out_count_max_) {
            refused_.fetch_add(1, std::memory_order_relaxed);
            note_object_limit(kind, name(), object, out_count_max_, now);
            return nullptr;
        }
    } while (!existing_.compare_exchange_weak(now, now + 1, std::memory_order_relaxed));
    void* slot = nullptr;
    {
        const fork_mutex::guard hold(mutex_);
        slot = slots_.try_allocate();
    }
    if (!slot) {
        existing_.fetch_sub(1, std::memory_order_relaxed);
        refused_.fetch_add(1, std::memory_order_relaxed);
    }
    return slot;
}

void concurrent_objects::give_slot_back(void* slot) noexcept {
    {
        const fork_mutex::guard hold(mutex_);
        slots_.deallocate(slot);
    }
    existing_.fetch_sub(1, std::memory_order_relaxed);
}

std::uint64_t concurrent_objects::trim_slots() noexcept {
    const fork_mutex::guard hold(mutex_);
    return slots_.trim();
}

void concurrent_objects::tell_out(std::size_t object_size) noexcept {
    if (const std::uint64_t out = existing_.load(std::memory_order_relaxed); out != 0)
        tell_objects_out(kind, name(), observer_, out, object_size);
}

object_counts concurrent_objects::counts() const noexcept {
    const magazine_cache::numbers in_cache = cache_.read();
    const std::uint64_t existing = existing_.load(std::memory_order_relaxed);
    object_counts now{.created = created.load(std::memory_order_relaxed),
                      .missed = missed.load(std::memory_order_relaxed),
                      .discarded = discarded.load(std::memory_order_relaxed),
                      .taken = taken.load(std::memory_order_relaxed),
                      .given = given.load(std::memory_order_relaxed),
                      .refused = refused_.load(std::memory_order_relaxed),
                      .kept = in_cache.kept};
    now.acquired = in_cache.taken + now.missed;
    // While others work these may be read in the middle of a step: no difference below zero.
    now.out = existing > now.kept ? existing - now.kept : 0;
    const std::uint64_t away = now.out + now.taken;
    now.returned = now.acquired > away ? now.acquired - away : 0;
    return now;
}

allot::usage concurrent_objects::usage() const noexcept {
    const object_counts objects = counts();
    const std::uint64_t size = slots_.slot().size;
    allot::usage now;
    {
        const fork_mutex::guard hold(mutex_);
        now = slots_.usage();
    }
    now.live_count = objects.out;
    now.live_bytes = objects.out * size;
    now.total_count = objects.acquired;
    now.total_bytes = objects.acquired * size;
    now.refused_count = objects.refused;
    now.held_bytes += cache_.held_bytes();
    now.slack_bytes += cache_.held_bytes(); // magazines
    now.free_bytes += objects.kept * size;
    now.early_bytes_max = cache_.early_count_max() * size;
    if (out_count_max_ != usage::unlimited) now.limit_bytes = out_count_max_ * size;
    return now;
}

void concurrent_objects::check() const noexcept {
    cache_.check();
    const fork_mutex::guard hold(mutex_);
    slots_.check();
    const std::uint64_t existing = existing_.load(std::memory_order_relaxed);
    const std::uint64_t kept = cache_.read().kept;
    ALLOT_EXPECT(existing <= out_count_max_ && kept <= kept_count_max_ && kept <= existing &&
                     slots_.usage().live_count == existing,
                 kind, " '", name().view(), "': ", existing, " objects, ", kept, " kept");
    ALLOT_EXPECT(created + given == existing + discarded + taken, kind, " '", name().view(),
                 "': its counts do not close");
}

} // namespace allot::detail
