#include <algorithm>
#include <allot/core/client.h>
#include <allot/core/client_report.hpp>
#include <allot/platform/clock.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_buffer_pool.hpp>

namespace allot {

using detail::buffer_head;
using detail::unknown_tenant;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;

// Two magazines of a thread are out of the others' reach: small ones where few buffers are kept.
std::uint32_t magazine_items_of(const buffer_tier& how) noexcept {
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(how.kept_count_max / 8, 1, 62));
}

} // namespace

concurrent_buffer_pool::concurrent_buffer_pool(const buffer_pool_options& options) noexcept
    : name_(options.name),
      upstream_(options.upstream ? *options.upstream : default_source()),
      observer_(options.observer),
      limit_bytes_(options.limit_bytes),
      coloured_(options.coloured) {
    ALLOT_EXPECT(upstream_.traits().thread_safe, "concurrent_buffer_pool '", name_.view(),
                 "': its upstream is not thread_safe");
    ALLOT_EXPECT(detail::are_valid(options.tiers), "concurrent_buffer_pool '", name_.view(),
                 "': tiers must grow, in multiples of 64 bytes, and be 1 to 8");
    sizes_ = detail::buffer_tier_sizes(options.tiers);
    for (const buffer_tier& how : options.tiers) {
        tier_state& to = tiers_[tier_count_++];
        to.size = how.size;
        to.out_count_max = how.out_count_max;
        to.how = how;
        to.cache.emplace(upstream_, detail::magazine_options{.magazine_items = magazine_items_of(how),
                                                             .kept_count_max = how.kept_count_max});
    }
}

concurrent_buffer_pool::~concurrent_buffer_pool() {
    for (std::size_t at = 0; at != tier_count_; ++at)
        tiers_[at].cache->drain([&](void* item) { dispose(at, static_cast<buffer_head*>(item)); },
                                detail::magazine_reach::all);
    const allot::usage now = usage();
    if (observer_ && now.live_count != 0) {
        observer_->observe({.what = event::type::unbalanced,
                            .who = name_,
                            .kind = "concurrent_buffer_pool",
                            .bytes = now.live_bytes,
                            .count = now.live_count});
    }
}

buffer concurrent_buffer_pool::try_acquire(const buffer_wish& wish) noexcept {
    if (wish.tenant != 0) has_tenants_.store(true, relaxed);
    const layout wanted{wish.bytes + (wish.bytes == 0), detail::buffer_align};
    const std::size_t at = tier_of(wanted);
    const bool outsized = at == tier_count_;
    void* const data = outsized ? allocate_outsized(wanted, wish.tenant) : take(at, wish.tenant);
    if (!data) return buffer(*this, detail::buffer_align);
    return buffer::adopt({.address = data,
                          .block = {outsized ? wanted.size : tiers_[at].size, detail::buffer_align},
                          .size = 0,
                          .source = this});
}

buffer concurrent_buffer_pool::acquire(const buffer_wish& wish) {
    buffer made = try_acquire(wish);
    if (made.capacity() == 0) throw_out_of_memory();
    return made;
}

// Compares and exchanges rather than adds: a thread that is refused must not have counted, not even for a moment, for
// it would refuse another one too early.
bool concurrent_buffer_pool::count_out(tier_state& of) noexcept {
    std::uint64_t now = of.out_count.load(relaxed);
    while (now < of.out_count_max)
        if (of.out_count.compare_exchange_weak(now, now + 1, relaxed)) return true;
    refuse({of.size, detail::buffer_align}, of.out_count_max * of.size, now * of.size);
    return false;
}

void* concurrent_buffer_pool::take_new(std::size_t at, std::uint64_t tenant) noexcept {
    tier_state& from = tiers_[at];
    buffer_head* const head = make(at);
    if (!head) {
        if (from.out_count_max != usage::unlimited) from.out_count.fetch_sub(1, relaxed);
        return nullptr;
    }
    void* const data = head->data();
    mark_fresh(data, from.size);
    if (tenant != 0) detail::pass_on_buffer(head, from.size, tenant);
    if constexpr (poisons) detail::mark_dead(head, sizeof *head, false);
    return data;
}

buffer_head* concurrent_buffer_pool::make(std::size_t at) noexcept {
    tier_state& of = tiers_[at];
    const std::uint64_t charge = upstream_.good_size(detail::buffer_block_layout(of.size, coloured_));
    bool within = false;
    const auto try_make = [&]() -> buffer_head* {
        within = try_hold(charge);
        buffer_head* const made =
            within ? detail::make_buffer(upstream_, of.size, coloured_ ? &colours_ : nullptr) : nullptr;
        if (within && !made) let_go(charge);
        return made;
    };
    buffer_head* head = try_make();
    if (!head && trim(0) != 0) head = try_make();
    if (!head) {
        if (!within)
            return static_cast<buffer_head*>(
                refuse({of.size, detail::buffer_align}, limit_bytes_, held_bytes_.load(relaxed)));
        refused_count_.add(1);
        return nullptr;
    }
    head->owner = this;
    head->tier = static_cast<std::uint32_t>(at);
    of.peak_count.raise(of.made_count.add(1) - of.disposed_count.load());
    tell_client();
    return head;
}

void concurrent_buffer_pool::dispose(std::size_t at, buffer_head* head) noexcept {
    tier_state& of = tiers_[at];
    detail::dispose_buffer(upstream_, head, of.size, coloured_ ? &colours_ : nullptr);
    let_go(upstream_.good_size(detail::buffer_block_layout(of.size, coloured_))); // not before it is gone
    of.disposed_count.add(1);
    tell_client();
}

bool concurrent_buffer_pool::try_hold(std::uint64_t more) noexcept {
    std::uint64_t now = held_bytes_.load(relaxed);
    do {
        if (more > limit_bytes_ - now) return false;
    } while (!held_bytes_.compare_exchange_weak(now, now + more, relaxed));
    peak_held_bytes_.raise(now + more);
    return true;
}

void concurrent_buffer_pool::let_go(std::uint64_t less) noexcept { held_bytes_.fetch_sub(less, relaxed); }

// Buffers of one tier go upstream until so many bytes are gone, as far as they are within reach and the
// deadline allows.
std::uint64_t concurrent_buffer_pool::empty_tier(std::size_t at, std::uint64_t bytes,
                                                 std::uint64_t deadline_ns) noexcept {
    tier_state& of = tiers_[at];
    detail::magazine* const all = of.cache->detach(detail::magazine_reach::quiet_threads, deadline_ns);
    std::uint64_t gone = 0;
    for (detail::magazine* each = all; each; each = each->next) {
        for (std::uint32_t left = each->count(); left != 0 && gone < bytes; --left) {
            if (deadline_ns != detail::magazine_cache::no_deadline && monotonic_ns() > deadline_ns)
                bytes = gone;
            if (gone >= bytes) break;
            each->add(0 - std::uint64_t{1});
            dispose(at, static_cast<buffer_head*>(each->items()[left - 1]));
            gone += of.size;
        }
    }
    of.cache->attach(all);
    if (gone != 0) of.cache->trim(of.cache->read().kept);
    return gone;
}

std::uint64_t concurrent_buffer_pool::trim(std::uint64_t kept_bytes_max) noexcept {
    std::uint64_t kept = 0;
    for (std::size_t at = 0; at != tier_count_; ++at) kept += tiers_[at].cache->read().kept * tiers_[at].size;
    std::uint64_t gone = 0;
    for (std::size_t at = tier_count_; at-- != 0 && kept > kept_bytes_max + gone;)
        gone += empty_tier(at, kept - kept_bytes_max - gone, detail::magazine_cache::no_deadline);
    return gone;
}

std::uint64_t concurrent_buffer_pool::reclaim(reclaim_request wish) noexcept {
    std::uint64_t gone = 0;
    for (std::size_t at = tier_count_; at-- != 0 && gone < wish.wanted_bytes;)
        gone += empty_tier(at, wish.wanted_bytes - gone, wish.deadline_ns);
    return gone;
}

void* concurrent_buffer_pool::refuse(layout wanted, std::uint64_t limit, std::uint64_t live) noexcept {
    refused_count_.add(1);
    note_refusal({.who = name_,
                  .kind = "concurrent_buffer_pool",
                  .asked = wanted,
                  .limit_bytes = limit,
                  .live_bytes = live});
    return nullptr;
}

void* concurrent_buffer_pool::allocate_outsized(layout wanted, std::uint64_t tenant) noexcept {
    wanted.size += wanted.size == 0;
    if (!is_valid(wanted)) return memory_source::try_allocate(wanted); // which refuses it
    const std::uint64_t held = upstream_.good_size(wanted);
    const bool within = try_hold(held) || (trim(0) != 0 && try_hold(held));
    if (!within) return refuse(wanted, limit_bytes_, held_bytes_.load(relaxed));
    void* data = upstream_.try_allocate(wanted);
    if (!data && trim(0) != 0) data = upstream_.try_allocate(wanted);
    if (!data) {
        let_go(held);
        refused_count_.add(1);
        return nullptr;
    }
    outsized_.allocated(wanted.size, held);
    if (tenant != 0 && !upstream_.traits().zeroed) std::memset(data, 0, wanted.size);
    tell_client();
    return data;
}

void concurrent_buffer_pool::deallocate_outsized(void* data, layout given) noexcept {
    if (!data) return;
    given.size += given.size == 0;
    const std::uint64_t held = upstream_.good_size(given);
    outsized_.given_back(given.size, held);
    if (has_tenants_.load(relaxed)) std::memset(data, 0, given.size); // nobody noted whose it was
    upstream_.deallocate(data, given);
    let_go(held); // not before it is gone
    tell_client();
}

// An outsized block is resized by moving only: the books stay simple.
bool concurrent_buffer_pool::do_try_resize(void*, layout given, std::size_t new_size) noexcept {
    const std::size_t at = tier_of(given);
    return at != tier_count_ && at == tier_of({new_size, given.align});
}

void* concurrent_buffer_pool::do_try_reallocate(void* data, layout given, std::size_t new_size) noexcept {
    if (concurrent_buffer_pool::do_try_resize(data, given, new_size)) return data;
    const std::size_t at = tier_of(given);
    std::uint64_t tenant = has_tenants_.load(relaxed) ? unknown_tenant : 0;
    if (at != tier_count_) tenant = detail::tenant_of_buffer(data);
    const std::size_t next = tier_of({new_size, given.align});
    void* const moved =
        next == tier_count_ ? allocate_outsized({new_size, given.align}, tenant) : take(next, tenant);
    if (!moved) return nullptr;
    const std::size_t kept = std::min(given.size, new_size);
    if (tenant == unknown_tenant) // no two of these are the same tenant
        std::memset(static_cast<std::byte*>(moved) + kept, 0, new_size - kept);
    std::memcpy(moved, data, kept);
    concurrent_buffer_pool::deallocate(data, given);
    return moved;
}

std::size_t concurrent_buffer_pool::do_good_size(layout wanted) const noexcept {
    const std::size_t at = tier_of(wanted);
    return at != tier_count_ ? tiers_[at].size : upstream_.good_size(wanted);
}

void concurrent_buffer_pool::tell_client() noexcept {
    if (!allot_client_find()) return; // no lock where nobody listens
    const allot::usage now = usage();
    const detail::fork_mutex::guard hold(client_mutex_);
    report_to_client(
        client_id_,
        {.kind = "buffer_pool", .who = name_, .held_bytes = now.held_bytes, .held_count = now.held_count});
}

} // namespace allot
