#include <algorithm>
#include <allot/core/client.h>
#include <allot/source/default_source.hpp>
#include <allot/structure/pool.hpp>
#include <allot/structure/pool_slab.hpp>

namespace allot {
namespace {

using slab = detail::pool_slab;

constexpr std::size_t line_bytes = 64;

constexpr layout slot_layout(const pool_options& options) noexcept {
    std::size_t align = std::max(options.slot.align, alignof(void*));
    if (options.line_aligned) align = std::max(align, line_bytes);
    return {options.slot.size, align};
}

constexpr std::size_t stride_of(layout slot) noexcept {
    return align_up(std::max(slot.size, sizeof(std::uint64_t)), slot.align);
}

} // namespace

pool::pool(const pool_options& options) noexcept
    : stride_(stride_of(slot_layout(options))),
      reciprocal_(static_cast<std::uint64_t>(-1) / stride_ + 1),
      slot_(slot_layout(options)),
      name_(options.name),
      upstream_(options.upstream ? *options.upstream : default_source()),
      observer_(options.observer),
      slot_count_max_(options.slot_count_max),
      limit_bytes_(options.limit_bytes),
      slab_sizes_(options.slabs),
      slab_slot_count_(options.slab_slot_count),
      next_slab_bytes_(options.slabs.bytes_min) {
    std::fill_n(inline_map_, inline_map_size, &detail::no_pool_slab);
    ALLOT_EXPECT(is_valid(options.slot), "pool '", name_.view(), "': a slot of ", options.slot.size,
                 " bytes (aligned to ", options.slot.align, ") cannot be");
}

pool::~pool() {
    if (observer_ && live_count() != 0) {
        observer_->observe({.what = event::type::unbalanced,
                            .who = name_,
                            .kind = "pool",
                            .bytes = live_count() * slot_.size,
                            .count = live_count()});
    }
    release();
}

void* pool::allocate_new() noexcept {
    if constexpr (checks != check_level::off) {
        while (waiting_ != &detail::no_pool_slab) {
            if (waiting_->head != no_slot) return try_allocate();
            waiting_->is_waiting = false;
            waiting_ = waiting_->next_waiting;
        }
    }
    void* const slot = cut();
    if (!slot) ++refused_count_;
    publish();
    return slot;
}

void* pool::cut() noexcept {
    slab* const from = uncut_ ? uncut_ : grow(1);
    if (!from) return nullptr;
    std::byte* const slot = from->base + from->cut * stride_;
    if constexpr (checks != check_level::off) from->links[from->cut] = live_slot;
    ++from->cut;
    if (from->cut == from->count) uncut_ = from->next_uncut;
    ++cut_count_;
    mark_fresh(slot, slot_.size);
    return slot;
}

void pool::deallocate_elsewhere(void* slot) noexcept {
    slab* const home = find(slot);
    if (!home) fatal_foreign(slot);
    const std::uint64_t at = slot_number(slot, *home);
    if (at >= home->cut) fatal_foreign(slot);
    take_back(slot, home, at);
}

void pool::expect_live(const void* slot) const noexcept {
    if constexpr (checks == check_level::off) return;
    const slab* const home = find(slot);
    const std::uint64_t at = home ? slot_number(slot, *home) : 0;
    if (!home || at >= home->cut) fatal_foreign(slot);
    if (home->links[at] != live_slot || slot == newest_) fatal_twice(slot);
}

void pool::settle() noexcept {
    if (!newest_) return;
    if constexpr (checks == check_level::off) {
        allot::mark_live(newest_, sizeof(detail::free_slot));
        free_ = ::new (newest_) detail::free_slot{free_};
        ++entered_count_;
        mark_dead(newest_, stride_);
    } else {
        list_newest();
    }
    newest_ = nullptr;
}

bool pool::is_filled(void* slot) const noexcept {
    constexpr std::byte dead_fill{0xDD};
    mark_live(slot, stride_);
    const auto* const bytes = static_cast<const std::byte*>(slot);
    return std::all_of(bytes, bytes + stride_, [](std::byte each) { return each == dead_fill; });
}

void pool::fatal_twice(const void* slot) const noexcept {
    fatal({"pool '", name_.view(), "': slot ", slot, " given back twice"});
}

void pool::fatal_written(const void* slot) const noexcept {
    fatal({"pool '", name_.view(), "': slot ", slot, " was written to after it was given back"});
}

void pool::fatal_foreign(const void* address) const noexcept {
    const slab* const home = find(address);
    if (!home || !home->contains(address, stride_, home->cut))
        fatal({"pool '", name_.view(), "': ", address, " is no slot of this pool"});
    const auto inside =
        static_cast<std::uint64_t>(static_cast<const std::byte*>(address) - home->base) % stride_;
    fatal({"pool '", name_.view(), "': ", address, " lies ", inside, " bytes into slot ",
           static_cast<const void*>(static_cast<const std::byte*>(address) - inside)});
}

void* pool::refuse(layout wanted) noexcept {
    ++refused_count_;
    publish();
    note_refusal({.who = name_, .kind = "pool", .asked = wanted});
    return nullptr;
}

void pool::note_limit() noexcept {
    const allot::usage now = usage();
    note_refusal({.who = name_,
                  .kind = "pool",
                  .asked = slot_,
                  .limit_bytes = now.limit_bytes,
                  .live_bytes = now.live_bytes});
}

void pool::publish() noexcept {
    const bool tell = published_.held_bytes.load() != held_bytes_;
    published_.live.store(live_count());
    published_.peak.store(peak_count());
    published_.total.store(total_count());
    published_.refused.store(refused_count_);
    published_.capacity.store(capacity_count_);
    published_.held_bytes.store(held_bytes_);
    published_.peak_held_bytes.store(peak_held_bytes_);
    published_.slabs.store(slab_count_);
    if (tell) tell_client();
}

void pool::tell_client() noexcept {
    allot_client_source self{};
    self.size = sizeof self;
    self.id = client_id_;
    self.kind = "pool";
    self.name = name_.c_str();
    self.held_bytes = held_bytes_;
    self.held_count = slab_count_;
    if (allot_client_report_source(&self) == 0) client_id_ = self.id;
}

allot::usage pool::usage_of(const counts& now) const noexcept {
    allot::usage all{.live_bytes = now.live * slot_.size,
                     .live_count = now.live,
                     .peak_live_bytes = now.peak * slot_.size,
                     .total_bytes = now.total * slot_.size,
                     .total_count = now.total,
                     .refused_count = now.refused,
                     .held_bytes = now.held_bytes,
                     .peak_held_bytes = now.peak_held_bytes,
                     .held_count = now.slabs};
    // Another thread may read in the middle of publish(): no difference below zero.
    all.free_bytes = now.capacity > now.live ? (now.capacity - now.live) * slot_.size : 0;
    const std::uint64_t used = all.live_bytes + all.free_bytes;
    all.slack_bytes = now.held_bytes > used ? now.held_bytes - used : 0;
    if (limit_bytes_ != allot::usage::unlimited)
        all.limit_bytes = limit_bytes_;
    else if (slot_count_max_ != allot::usage::unlimited)
        all.limit_bytes = slot_count_max_ * slot_.size;
    return all;
}

allot::usage pool::usage() const noexcept {
    return usage_of({.live = live_count(),
                     .peak = peak_count(),
                     .total = total_count(),
                     .refused = refused_count_,
                     .capacity = capacity_count_,
                     .held_bytes = held_bytes_,
                     .peak_held_bytes = peak_held_bytes_,
                     .slabs = slab_count_});
}

source_description pool::do_describe() const noexcept {
    allot::usage now = usage_of({.live = published_.live.load(),
                                 .peak = published_.peak.load(),
                                 .total = published_.total.load(),
                                 .refused = published_.refused.load(),
                                 .capacity = published_.capacity.load(),
                                 .held_bytes = published_.held_bytes.load(),
                                 .peak_held_bytes = published_.peak_held_bytes.load(),
                                 .slabs = published_.slabs.load()});
    now.behind_bytes_max = now.live_bytes + now.free_bytes;
    return {.name = name_, .kind = "pool", .upstream = &upstream_, .usage = now};
}

void pool::do_give_back(void* slot, layout given) noexcept { pool::deallocate(slot, given); }

bool pool::do_try_resize(void*, layout given, std::size_t new_size) noexcept {
    return fits({new_size, given.align});
}

std::size_t pool::do_good_size(layout wanted) const noexcept {
    return fits(wanted) ? slot_.size : wanted.size;
}

} // namespace allot
