#include <algorithm>
#include <allot/core/client_report.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/buffer_pool.hpp>
#include <utility>

namespace allot {

using detail::buffer_head;
using detail::unknown_tenant;

buffer_pool::buffer_pool(const buffer_pool_options& options) noexcept
    : name_(options.name),
      upstream_(options.upstream ? *options.upstream : default_source()),
      observer_(options.observer),
      limit_bytes_(options.limit_bytes),
      coloured_(options.coloured) {
    ALLOT_EXPECT(detail::are_valid(options.tiers), "buffer_pool '", name_.view(),
                 "': tiers must grow, in multiples of 64 bytes, and be 1 to 8");
    sizes_ = detail::buffer_tier_sizes(options.tiers);
    for (const buffer_tier& how : options.tiers) {
        tier_state& to = tiers_[tier_count_++];
        to.size = how.size;
        to.how = how;
        to.may_be_hot.store(to.wants_hot(), std::memory_order_relaxed);
    }
}

buffer_pool::~buffer_pool() {
    trim(0);
    const allot::usage now = usage();
    if (observer_ && now.live_count != 0) {
        observer_->observe({.what = event::type::unbalanced,
                            .who = name_,
                            .kind = "buffer_pool",
                            .bytes = now.live_bytes,
                            .count = now.live_count});
    }
}

buffer buffer_pool::acquire(const buffer_wish& wish) {
    buffer made = try_acquire(wish);
    if (made.capacity() == 0) throw_out_of_memory();
    return made;
}

void* buffer_pool::take_other(std::size_t at, layout wanted, std::uint64_t tenant) noexcept {
    if (at == tier_count_) return allocate_outsized(wanted, tenant);
    tier_state& from = tiers_[at];
    if (from.out_count() >= from.how.out_count_max)
        return refuse({from.size, detail::buffer_align}, from.how.out_count_max * from.size,
                      from.out_count() * from.size);
    if (!from.kept) return take_new(at, tenant);
    --from.kept_count;
    return hand_out(from, std::exchange(from.kept, from.kept->next), tenant);
}

void* buffer_pool::take_new(std::size_t at, std::uint64_t tenant) noexcept {
    tier_state& from = tiers_[at];
    honour_wish();
    buffer_head* const head = make(at);
    if (!head) return nullptr;
    ++from.acquired_count;
    publish();
    void* const data = head->data();
    mark_fresh(data, from.size);
    if (tenant != 0) detail::pass_on_buffer(head, from.size, tenant);
    if constexpr (poisons) detail::mark_dead(head, sizeof *head, false);
    return data;
}

buffer_head* buffer_pool::make(std::size_t at) noexcept {
    tier_state& of = tiers_[at];
    const layout wanted = detail::buffer_block_layout(of.size, coloured_);
    const auto try_make = [&]() -> buffer_head* {
        return fits_limit(wanted) ? detail::make_buffer(upstream_, of.size, coloured_ ? &colours_ : nullptr)
                                  : nullptr;
    };
    buffer_head* head = try_make();
    if (!head && trim(0) != 0) head = try_make();
    if (!head) {
        if (!fits_limit(wanted)) return static_cast<buffer_head*>(refuse(wanted, limit_bytes_, held_bytes_));
        ++refused_count_;
        publish();
        return nullptr;
    }
    head->owner = this;
    head->tier = static_cast<std::uint32_t>(at);
    ++of.made_count;
    of.peak_count = std::max(of.peak_count, of.made_count - of.disposed_count);
    hold(head->block_size);
    return head;
}

void buffer_pool::dispose(std::size_t at, buffer_head* head) noexcept {
    tier_state& of = tiers_[at];
    ++of.disposed_count;
    held_bytes_ -= head->block_size;
    detail::dispose_buffer(upstream_, head, of.size, coloured_ ? &colours_ : nullptr);
}

void buffer_pool::keep_other(std::size_t at, void* data, layout given) noexcept {
    if (at == tier_count_) return deallocate_outsized(data, given);
    tier_state& to = tiers_[at];
    buffer_head* const head = buffer_head::of(data);
    if constexpr (poisons) allot::mark_live(head, sizeof *head);
    const bool wished = to.is_wanted_back.load(std::memory_order_relaxed);
    if (wished || to.all_kept_count() >= to.how.kept_count_max) {
        dispose(at, head);
        if (wished) honour_wish();
        publish();
        return;
    }
    detail::mark_buffer_kept(head, to.size);
    buffer_head* const older =
        to.hot ? std::exchange(to.hot, head) : head; // the newest is hot, where one may be
    older->next = to.kept;
    to.kept = older;
    ++to.kept_count;
}

void buffer_pool::honour_wish() noexcept {
    bool wished = false;
    for (std::size_t at = 0; at != tier_count_; ++at) {
        tier_state& each = tiers_[at];
        if (!each.is_wanted_back.load(std::memory_order_relaxed)) continue;
        each.is_wanted_back.store(false, std::memory_order_relaxed);
        each.may_be_hot.store(each.wants_hot(), std::memory_order_relaxed);
        wished = true;
    }
    if (wished) trim(0);
}

// Each tier has the wish, so that whichever is used next notices; two stores that come late cost a slower path only.
std::uint64_t buffer_pool::reclaim(reclaim_request) noexcept {
    for (std::size_t at = 0; at != tier_count_; ++at) {
        tiers_[at].is_wanted_back.store(true, std::memory_order_relaxed);
        tiers_[at].may_be_hot.store(false, std::memory_order_relaxed);
    }
    return 0;
}

std::uint64_t buffer_pool::kept_bytes() const noexcept {
    std::uint64_t sum = 0;
    for (const tier_state& each : tiers_) sum += each.all_kept_count() * each.size;
    return sum;
}

std::uint64_t buffer_pool::trim(std::uint64_t kept_bytes_max) noexcept {
    const std::uint64_t before = held_bytes_;
    std::uint64_t kept = kept_bytes();
    for (std::size_t at = tier_count_; at-- != 0 && kept > kept_bytes_max;) {
        tier_state& from = tiers_[at];
        for (; from.kept && kept > kept_bytes_max; kept -= from.size) {
            --from.kept_count;
            dispose(at, std::exchange(from.kept, from.kept->next));
        }
        if (from.hot && kept > kept_bytes_max) {
            dispose(at, std::exchange(from.hot, nullptr));
            kept -= from.size;
        }
    }
    if (held_bytes_ != before) publish();
    return before - held_bytes_;
}

bool buffer_pool::fits_limit(layout more) const noexcept {
    return upstream_.good_size(more) <= limit_bytes_ - held_bytes_;
}

void buffer_pool::hold(std::uint64_t more) noexcept {
    held_bytes_ += more;
    peak_held_bytes_ = std::max(peak_held_bytes_, held_bytes_);
}

void* buffer_pool::refuse(layout wanted, std::uint64_t limit, std::uint64_t live) noexcept {
    ++refused_count_;
    publish();
    note_refusal(
        {.who = name_, .kind = "buffer_pool", .asked = wanted, .limit_bytes = limit, .live_bytes = live});
    return nullptr;
}

void* buffer_pool::allocate_outsized(layout wanted, std::uint64_t tenant) noexcept {
    wanted.size += wanted.size == 0;
    honour_wish();
    if (!is_valid(wanted)) return memory_source::try_allocate(wanted); // which refuses it
    void* data = fits_limit(wanted) ? upstream_.try_allocate(wanted) : nullptr;
    if (!data && trim(0) != 0 && fits_limit(wanted)) data = upstream_.try_allocate(wanted);
    if (!data) {
        if (!fits_limit(wanted)) return refuse(wanted, limit_bytes_, held_bytes_);
        ++refused_count_;
        publish();
        return nullptr;
    }
    const std::uint64_t held = upstream_.good_size(wanted);
    hold(held);
    outsized_held_bytes_ += held;
    outsized_live_bytes_ += wanted.size;
    outsized_peak_bytes_ = std::max(outsized_peak_bytes_, outsized_live_bytes_);
    outsized_total_bytes_ += wanted.size;
    ++outsized_live_count_;
    ++outsized_total_count_;
    if (tenant != 0 && !upstream_.traits().zeroed) std::memset(data, 0, wanted.size);
    publish();
    return data;
}

void buffer_pool::deallocate_outsized(void* data, layout given) noexcept {
    if (!data) return;
    given.size += given.size == 0;
    const std::uint64_t held = upstream_.good_size(given);
    held_bytes_ -= held;
    outsized_held_bytes_ -= held;
    outsized_live_bytes_ -= given.size;
    --outsized_live_count_;
    if (has_tenants_) std::memset(data, 0, given.size); // nobody noted whose it was
    upstream_.deallocate(data, given);
    publish();
}

// An outsized block is resized by moving only: the books stay simple.
bool buffer_pool::do_try_resize(void*, layout given, std::size_t new_size) noexcept {
    const std::size_t at = tier_of(given);
    return at != tier_count_ && at == tier_of({new_size, given.align});
}

void* buffer_pool::do_try_reallocate(void* data, layout given, std::size_t new_size) noexcept {
    if (buffer_pool::do_try_resize(data, given, new_size)) return data;
    const std::size_t at = tier_of(given);
    std::uint64_t tenant = has_tenants_ ? unknown_tenant : 0; // nobody noted whose an outsized block is
    if (at != tier_count_) tenant = detail::tenant_of_buffer(data);
    const layout wanted{new_size, given.align};
    void* const moved = take(tier_of(wanted), wanted, tenant);
    if (!moved) return nullptr;
    const std::size_t kept = std::min(given.size, new_size);
    if (tenant == unknown_tenant) // no two of these are the same tenant
        std::memset(static_cast<std::byte*>(moved) + kept, 0, new_size - kept);
    std::memcpy(moved, data, kept);
    buffer_pool::deallocate(data, given);
    return moved;
}

std::size_t buffer_pool::do_good_size(layout wanted) const noexcept {
    const std::size_t at = tier_of(wanted);
    return at != tier_count_ ? tiers_[at].size : upstream_.good_size(wanted);
}

void buffer_pool::publish() noexcept {
    const allot::usage now = usage();
    const bool tell = published_.held.load() != now.held_bytes;
    published_.live_bytes.store(now.live_bytes);
    published_.live_count.store(now.live_count);
    published_.peak_live.store(now.peak_live_bytes);
    published_.total_bytes.store(now.total_bytes);
    published_.total_count.store(now.total_count);
    published_.refused.store(now.refused_count);
    published_.held.store(now.held_bytes);
    published_.peak_held.store(now.peak_held_bytes);
    published_.held_count.store(now.held_count);
    published_.free.store(now.free_bytes);
    if (tell) tell_client();
}

void buffer_pool::tell_client() noexcept {
    report_to_client(client_id_, {.kind = "buffer_pool",
                                  .who = name_,
                                  .held_bytes = held_bytes_,
                                  .held_count = published_.held_count.load()});
}

buffer_tier_statistics buffer_pool::statistics(std::size_t index) const noexcept {
    const tier_state& of = tiers_[index];
    return {.acquired_count = of.acquired_count,
            .returned_count = of.acquired_count - of.out_count(),
            .made_count = of.made_count,
            .disposed_count = of.disposed_count};
}

allot::usage buffer_pool::usage() const noexcept {
    allot::usage now{.live_bytes = outsized_live_bytes_,
                     .live_count = outsized_live_count_,
                     .peak_live_bytes = outsized_peak_bytes_,
                     .total_bytes = outsized_total_bytes_,
                     .total_count = outsized_total_count_,
                     .refused_count = refused_count_,
                     .held_bytes = held_bytes_,
                     .peak_held_bytes = peak_held_bytes_,
                     .held_count = outsized_live_count_,
                     .free_bytes = kept_bytes(),
                     .limit_bytes = limit_bytes_};
    for (const tier_state& each : tiers_) {
        now.live_bytes += each.out_count() * each.size;
        now.live_count += each.out_count();
        now.peak_live_bytes += each.peak_count * each.size;
        now.total_bytes += each.acquired_count * each.size;
        now.total_count += each.acquired_count;
        now.held_count += each.made_count - each.disposed_count;
    }
    now.slack_bytes = now.held_bytes - now.live_bytes - now.free_bytes;
    return now;
}

source_description buffer_pool::do_describe() const noexcept {
    allot::usage now{.live_bytes = published_.live_bytes.load(),
                     .live_count = published_.live_count.load(),
                     .peak_live_bytes = published_.peak_live.load(),
                     .total_bytes = published_.total_bytes.load(),
                     .total_count = published_.total_count.load(),
                     .refused_count = published_.refused.load(),
                     .held_bytes = published_.held.load(),
                     .peak_held_bytes = published_.peak_held.load(),
                     .held_count = published_.held_count.load(),
                     .free_bytes = published_.free.load(),
                     .limit_bytes = limit_bytes_};
    const std::uint64_t used = now.live_bytes + now.free_bytes; // another thread may be in publish()
    now.slack_bytes = now.held_bytes > used ? now.held_bytes - used : 0;
    now.behind_bytes_max = used;
    return {.name = name_, .kind = "buffer_pool", .upstream = &upstream_, .usage = now};
}

void buffer_pool::check() const noexcept {
    const auto expect = [this](bool holds, const char* what) {
        ALLOT_EXPECT(holds, "buffer_pool '", name_.view(), "': check: ", what);
    };
    std::uint64_t held = outsized_held_bytes_;
    for (const tier_state& each : tiers_) {
        std::uint64_t kept = each.hot ? 1 : 0;
        expect(!each.hot || each.hot->owner == this, "the hot buffer is another pool's");
        for (const buffer_head* head = each.kept; head; head = head->next) {
            expect(head->owner == this && &tiers_[head->tier] == &each,
                   "a kept buffer of another tier or pool");
            ++kept;
        }
        expect(kept == each.all_kept_count(), "other buffers are kept than the books say");
        expect(kept <= each.made_count - each.disposed_count, "more buffers are kept than there are");
        expect(each.out_count() <= each.acquired_count, "more buffers are out than were acquired");
        expect(kept <= each.how.kept_count_max, "more buffers are kept than may be");
        expect(each.out_count() <= each.how.out_count_max, "more buffers are out than may be");
        held += (kept + each.out_count()) * each.size;
    }
    expect(held <= held_bytes_ && held_bytes_ <= limit_bytes_, "held bytes are wrong");
}

void buffer_pool::fatal_written(const void* data) const noexcept {
    fatal({"buffer_pool '", name_.view(), "': buffer ", data, " was written to after it was given back"});
}

void buffer_pool::fatal_give(std::size_t at, const void* data) const noexcept {
    const buffer_head* const head = buffer_head::of(data);
    if (head->owner != this || head->tier >= tier_count_)
        fatal({"buffer_pool '", name_.view(), "': ", data, " is no buffer of this pool"});
    if (head->state != detail::buffer_state::out)
        fatal({"buffer_pool '", name_.view(), "': buffer ", data, " given back twice"});
    fatal({"buffer_pool '", name_.view(), "': buffer ", data, " of ", tiers_[head->tier].size,
           " bytes is given back with ", tiers_[at].size, " bytes"});
}

} // namespace allot
