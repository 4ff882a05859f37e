#include <algorithm>
#include <allot/core/client_report.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/tiered_pool.hpp>
#include <charconv>

namespace allot {
namespace {

constexpr const char* kind = "tiered_pool";
constexpr std::size_t slot_bytes_max = (std::size_t{1} << 28) - 16;
constexpr std::size_t align_max = 4096;

} // namespace

tiered_pool::tiered_pool(const tiered_pool_options& options) noexcept
    : name_(options.name),
      upstream_(options.upstream ? *options.upstream : default_source()),
      observer_(options.observer),
      promotes_(options.promotes),
      warn_percent_(options.warn_percent) {
    for (tier_state& each : tiers_) each.pool = this;
    set_tiers(options.tiers);
    take_block();
}

void tiered_pool::set_tiers(std::span<const size_tier> tiers) noexcept {
    std::size_t before = 0;
    for (const size_tier& each : tiers) {
        const bool fits = each.slot_bytes % 16 == 0 && each.slot_bytes > before && each.slot_count != 0 &&
                          each.slot_bytes <= slot_bytes_max && each.slot_count < tier_state::live &&
                          tier_count_ != detail::size_tier_count_max;
        ALLOT_EXPECT(fits, "tiered_pool '", name_.view(), "': a tier of ", each.slot_bytes,
                     " bytes after one of ", before, " (multiples of 16, in order, up to 16 of them)");
        before = each.slot_bytes;
        tier_state& tier = tiers_[tier_count_++];
        tier.slot_bytes = static_cast<std::uint32_t>(each.slot_bytes);
        tier.align = static_cast<std::uint32_t>(
            std::min(std::size_t{1} << std::countr_zero(each.slot_bytes), align_max));
        tier.slot_count = each.slot_count;
        tier.reciprocal = ~std::uint64_t{0} / each.slot_bytes + 1;
        arm(tier);
        slot_bytes_sum_ += tier.bytes();
        slot_count_sum_ += tier.slot_count;
    }
    for (unsigned width = 0; width != 65; ++width) { // the smallest size of that width
        const std::size_t smallest = width < 2 ? 1 : (std::size_t{1} << (width - 1)) + 1;
        while (first_[width] != tier_count_ && tiers_[first_[width]].slot_bytes < smallest) ++first_[width];
    }
}

// The largest slots come first, so that powers of two need no padding; the states come last.
layout tiered_pool::block_layout() const noexcept {
    std::size_t size = 0;
    std::size_t align = 16;
    for (std::size_t i = tier_count_; i-- != 0;) {
        const std::size_t own_align = tiers_[i].align;
        size = align_up(size, own_align) + tiers_[i].bytes();
        align = std::max(align, own_align);
    }
    return {size + slot_count_sum_ * sizeof(std::uint32_t), align};
}

void tiered_pool::take_block() noexcept {
    const layout whole = block_layout();
    block_ = tier_count_ == 0 ? nullptr : upstream_.try_allocate(whole);
    if (!block_) {
        for (tier_state& each : tiers_) each.slot_count = 0;
        std::ranges::fill(first_, std::uint8_t{0});
        tier_count_ = 0;
        slot_bytes_sum_ = slot_count_sum_ = 0;
        return;
    }
    held_bytes_ = upstream_.good_size(whole);
    auto* const begin = static_cast<std::byte*>(block_);
    std::size_t offset = 0;
    for (std::size_t i = tier_count_; i-- != 0;) {
        tier_state& tier = tiers_[i];
        offset = align_up<std::size_t>(offset, tier.align);
        tier.base = begin + offset;
        offset += tier.bytes();
        // Poisoned, not filled: no slot is touched before it is handed out.
        if constexpr (poisons) detail::mark_dead(tier.base, tier.bytes(), false);
    }
    std::byte* at = begin + offset;
    for (std::size_t i = 0; i != tier_count_; ++i) {
        tiers_[i].states = reinterpret_cast<std::uint32_t*>(at);
        at += tiers_[i].slot_count * sizeof(std::uint32_t);
    }
    tell_client(held_bytes_);
}

tiered_pool::~tiered_pool() {
    if (!block_) return;
    for (std::size_t i = 0; observer_ && i != tier_count_; ++i) {
        const tier_state& each = tiers_[i];
        if (each.live_count() == 0) continue;
        observer_->observe({.what = event::type::unbalanced,
                            .who = tier_name(each),
                            .kind = kind,
                            .bytes = each.live_bytes(),
                            .count = each.live_count()});
    }
    const layout whole = block_layout();
    mark_live(block_, whole.size);
    upstream_.deallocate(block_, whole);
    tell_client(0);
}

bool tiered_pool::cut(tier_state& from) noexcept {
    const std::uint64_t number = from.cut_count.load();
    if (number == from.slot_count) return false;
    from.cut_count.store(number + 1);
    from.states[number] = tier_state::live;
    taken_ = from.base + number * from.slot_bytes;
    return true;
}

tiered_pool::tier_state* tiered_pool::take_elsewhere(std::size_t at, layout wanted) noexcept {
    if (!is_power_of_two(wanted.align)) (void)memory_source::try_allocate(wanted); // fatal
    while (at != tier_count_ && tiers_[at].align < wanted.align) ++at;
    for (std::size_t i = at; i != tier_count_ && (promotes_ || i == at); ++i) {
        if (tiers_[i].align < wanted.align || !take_from(tiers_[i], wanted.size)) continue;
        if (i != at) tiers_[at].promoted_count.add(1);
        return &tiers_[i];
    }
    refuse(at == tier_count_ ? nullptr : &tiers_[at], wanted);
    return nullptr;
}

// A size that no tier has is told with the largest that there is.
void tiered_pool::refuse(const tier_state* tier, layout wanted) noexcept {
    refused_count_.add(1);
    if (!tier) {
        note_refusal(
            {.who = name_, .kind = kind, .asked = wanted, .limit_bytes = size_max(), .live_bytes = 0});
        return;
    }
    const_cast<tier_state*>(tier)->refused_count.add(1);
    note_refusal({.who = tier_name(*tier),
                  .kind = kind,
                  .asked = wanted,
                  .limit_bytes = tier->bytes(),
                  .live_bytes = tier->live_count() * tier->slot_bytes});
}

void tiered_pool::arm(tier_state& tier) const noexcept {
    tier.quiet_from = 0;
    if (warn_percent_ != 0) tier.quiet_count = (std::uint64_t{tier.slot_count} * warn_percent_ + 99) / 100;
}

// Once for each time that the mark is passed: a new warning needs a fall by an eighth below the mark.
void tiered_pool::warn(tier_state& tier, std::uint64_t live_count) noexcept {
    if (tier.quiet_from != 0) { // it fell, and rises again
        arm(tier);
        if (live_count < tier.quiet_count) return;
    }
    const std::uint64_t mark = tier.quiet_count;
    tier.quiet_from = mark - mark / 8 + 1;     // seen with the slot that is taken next
    tier.quiet_count = std::uint64_t{1} << 63; // what is below quiet_from wraps to more
    if (!observer_) return;
    observer_->observe({.what = event::type::filling,
                        .who = tier_name(tier),
                        .kind = kind,
                        .count = live_count,
                        .live_bytes = live_count * tier.slot_bytes,
                        .limit_bytes = tier.bytes()});
}

allot::name tiered_pool::tier_name(const tier_state& tier) const noexcept {
    char digits[16];
    const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, tier.slot_bytes);
    const auto digit_count = static_cast<std::size_t>(end.ptr - digits);
    char text[name::length_max];
    const std::string_view own = name_.view().substr(0, name::length_max - 1 - digit_count);
    char* at = std::ranges::copy(own, text).out;
    *at++ = '/';
    at = std::copy(digits, end.ptr, at);
    return std::string_view(text, static_cast<std::size_t>(at - text));
}

tiered_pool::tier_state* tiered_pool::find(const void* address) noexcept {
    for (std::size_t i = 0; i != tier_count_; ++i) {
        const auto offset =
            reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(tiers_[i].base);
        if (offset < tiers_[i].bytes()) return &tiers_[i];
    }
    return nullptr;
}

bool tiered_pool::owns(const void* block) const noexcept {
    return is_live(const_cast<tiered_pool*>(this)->find(block), block);
}

bool tiered_pool::surrounds(const void* place) const noexcept {
    return const_cast<tiered_pool*>(this)->find(place) != nullptr;
}

bool tiered_pool::try_give_back(void* block, layout given) noexcept {
    given.size += given.size == 0;
    tier_state* const home = find(block);
    if (!is_live(home, block) || !fits(*home, given)) return false;
    give(*home, block, given.size);
    return true;
}

void tiered_pool::fatal_give_back(const tier_state* home, const void* block, layout given) const noexcept {
    const auto say = [this](auto... parts) { fatal({"tiered_pool '", name_.view(), "': ", parts...}); };
    if (!home) say(block, " is no slot of this pool");
    const auto offset = static_cast<std::uint64_t>(static_cast<const std::byte*>(block) - home->base);
    const std::uint64_t number = home->slot_number(offset);
    const void* const slot = home->base + number * home->slot_bytes;
    if (number >= home->cut_count.load()) say(block, " is no slot of this pool");
    if (slot != block) say(block, " lies ", offset - number * home->slot_bytes, " bytes into slot ", slot);
    if (home->states[number] != tier_state::live) say("slot ", slot, " given back twice");
    say("a block of ", given.size, " bytes (aligned to ", given.align, ") does not fit slot ", slot, " of ",
        home->slot_bytes, " bytes");
    __builtin_unreachable();
}

bool tiered_pool::do_try_resize(void* block, layout given, std::size_t new_size) noexcept {
    tier_state* const home = find_near(block, given.size);
    if constexpr (checks != check_level::off) expect_live(home, block, given);
    if (new_size > home->slot_bytes) return false;
    resized(*home, given.size, new_size);
    if constexpr (poisons) {
        const std::size_t end = align_up(new_size, std::size_t{8});
        allot::mark_live(block, new_size);
        if (new_size < given.size) mark_dead(static_cast<std::byte*>(block) + end, home->slot_bytes - end);
    }
    return true;
}

std::size_t tiered_pool::do_good_size(layout wanted) const noexcept {
    std::size_t at = tier_of(wanted.size);
    while (at != tier_count_ && tiers_[at].align < wanted.align) ++at;
    return at == tier_count_ ? wanted.size : tiers_[at].slot_bytes;
}

size_tier_numbers tiered_pool::numbers(std::size_t index) const noexcept {
    ALLOT_EXPECT(index < tier_count_, "tiered_pool '", name_.view(), "': tier ", index, " of ", tier_count_);
    const tier_state& tier = tiers_[index];
    const std::uint64_t live_count = tier.live_count();
    return {.name = tier_name(tier),
            .slot_bytes = tier.slot_bytes,
            .slot_count = tier.slot_count,
            .live_count = live_count,
            .peak_live_count = tier.cut_count.load(), // a slot is cut only while none is free
            .total_count = tier.taken_count.load(),
            .live_bytes = tier.live_bytes(),
            .promoted_count = tier.promoted_count.load(),
            .refused_count = tier.refused_count.load()};
}

allot::usage tiered_pool::usage() const noexcept {
    allot::usage all{.refused_count = refused_count_.load(),
                     .held_bytes = held_bytes_,
                     .peak_held_bytes = held_bytes_,
                     .held_count = block_ ? 1u : 0u,
                     .limit_bytes = slot_bytes_sum_};
    for (std::size_t i = 0; i != tier_count_; ++i) {
        const std::uint64_t live_count = tiers_[i].live_count();
        all.live_bytes += tiers_[i].live_bytes();
        all.live_count += live_count;
        all.peak_live_bytes += tiers_[i].cut_count.load() * tiers_[i].slot_bytes;
        all.total_bytes += tiers_[i].taken_bytes.load();
        all.total_count += tiers_[i].taken_count.load();
        all.free_bytes += (tiers_[i].slot_count - live_count) * tiers_[i].slot_bytes;
    }
    const std::uint64_t used =
        all.live_bytes + all.free_bytes; // another thread may read between two additions
    all.slack_bytes = held_bytes_ > used ? held_bytes_ - used : 0;
    return all;
}

source_description tiered_pool::do_describe() const noexcept {
    source_description told{.name = name_, .kind = kind, .upstream = &upstream_, .usage = usage()};
    told.usage.behind_bytes_max = size_max();
    return told;
}

void tiered_pool::check() const noexcept {
    for (std::size_t i = 0; i != tier_count_; ++i) {
        const tier_state& tier = tiers_[i];
        const std::uint64_t cut_count = tier.cut_count.load();
        std::uint64_t free_count = 0;
        for (std::uint32_t at = tier.free; at != tier_state::none; at = tier.states[at]) {
            ALLOT_EXPECT(at < cut_count && free_count < cut_count, "tiered_pool '", name_.view(),
                         "': the free slots of ", tier.slot_bytes, " bytes are no list");
            ++free_count;
        }
        const auto live_count =
            static_cast<std::uint64_t>(std::count(tier.states, tier.states + cut_count, tier_state::live));
        ALLOT_EXPECT(live_count == tier.live_count() && live_count + free_count == cut_count, "tiered_pool '",
                     name_.view(), "': ", live_count, " slots of ", tier.slot_bytes, " bytes live, ",
                     free_count, " are free, of ", cut_count);
        ALLOT_EXPECT(tier.live_bytes() <= live_count * tier.slot_bytes, "tiered_pool '", name_.view(),
                     "': ", tier.live_bytes(), " bytes live in ", live_count, " slots of ", tier.slot_bytes);
    }
}

void tiered_pool::tell_client(std::uint64_t held_bytes) noexcept {
    report_to_client(
        client_id_,
        {.kind = kind, .who = name_, .held_bytes = held_bytes, .held_count = held_bytes != 0 ? 1u : 0u});
}

} // namespace allot
