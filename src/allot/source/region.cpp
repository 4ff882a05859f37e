#include <algorithm>
#include <allot/core/checks.hpp>
#include <allot/core/poison.hpp>
#include <allot/platform/pages.hpp>
#include <allot/source/region.hpp>

namespace allot {
namespace {

std::size_t whole_pages(std::size_t size) noexcept { return align_up(size, page_size()); }

std::byte* at(block range, std::size_t offset) noexcept {
    return static_cast<std::byte*>(range.address) + offset;
}

void mark_rest_dead(block pages, std::size_t size) noexcept {
    if (size != pages.size) mark_dead(at(pages, size), pages.size - size);
}

} // namespace

region::region(region_options how) noexcept : name_(how.name) {
    const layout wanted{how.reserved_bytes, how.align};
    if (is_valid(wanted)) range_ = try_reserve_pages(wanted);
}

region::~region() {
    if (!range_) return;
    if (touched_ != 0) mark_live(range_.address, touched_); // what is mapped here next must not look dead
    release_pages(range_);
}

bool region::owns(const void* address) const noexcept {
    return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(range_.address) <
           range_.size;
}

void* region::do_try_allocate(layout wanted) noexcept {
    const auto start = reinterpret_cast<std::uintptr_t>(range_.address);
    std::uintptr_t begin = 0;
    if (checked_align_up(start + used_, std::uintptr_t{wanted.align}, begin) &&
        try_take(begin - start, wanted.size)) {
        const std::size_t held = whole_pages(wanted.size);
        used_ = begin - start + held;
        touched_ = std::max(touched_, used_);
        counters_.allocated(wanted.size, held);
        return at(range_, begin - start);
    }
    counters_.refused();
    note_refusal({.who = name_,
                  .kind = "region",
                  .asked = wanted,
                  .limit_bytes = range_.size,
                  .live_bytes = counters_.live_bytes()});
    return nullptr;
}

bool region::try_take(std::size_t offset, std::size_t size) noexcept {
    const std::size_t held = whole_pages(size);
    if (offset > range_.size || held > range_.size - offset) return false;
    const block taken{at(range_, offset), held};
    if (!try_commit_pages(taken)) return false;
    mark_live(taken.address, held);
    mark_rest_dead(taken, size);
    return true;
}

void region::give_up(std::size_t offset, std::size_t size) noexcept {
    if (size == 0) return;
    const block given{at(range_, offset), size};
    mark_dead(given.address, given.size);
    decommit_pages(given);
}

void region::do_give_back(void* address, layout given) noexcept {
    const std::size_t offset = offset_of(address, given), held = whole_pages(given.size);
    give_up(offset, held);
    counters_.given_back(given.size, held);
    if (counters_.live_count() == 0) {
        used_ = 0;
    } else if (offset + held == used_) {
        used_ = offset;
    }
}

bool region::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    const std::size_t offset = offset_of(address, given);
    const std::size_t held = whole_pages(given.size), new_held = whole_pages(new_size);
    const bool newest = offset + held == used_;
    if (new_held > held && !(newest && try_take(offset + held, new_held - held))) return false;
    if (new_held < held) give_up(offset + new_held, held - new_held);
    const block kept{address, new_held};
    mark_live(kept.address, kept.size);
    mark_rest_dead(kept, new_size);
    if (newest) used_ = offset + new_held;
    touched_ = std::max(touched_, used_);
    counters_.resized(given.size, held, new_size, new_held);
    return true;
}

std::size_t region::do_good_size(layout wanted) const noexcept {
    const layout rounded{whole_pages(wanted.size), wanted.align};
    return is_valid(rounded) ? rounded.size : wanted.size;
}

source_traits region::do_traits() const noexcept { return {.zeroed = true, .bulk_free = true}; }

source_description region::do_describe() const noexcept {
    return {.name = name_, .kind = "region", .usage = usage()};
}

usage region::usage() const noexcept {
    allot::usage now = counters_.read();
    now.limit_bytes = range_.size;
    return now;
}

void region::check() const noexcept {
    const allot::usage now = counters_.read();
    ALLOT_EXPECT(now.live_bytes <= now.held_bytes && now.held_bytes <= used_ && used_ <= touched_ &&
                     touched_ <= range_.size && (now.live_count != 0 || used_ == 0),
                 "region '", name_.view(), "': ", now.live_bytes, " bytes are live, ", now.held_bytes,
                 " committed, ", used_, " used of ", range_.size);
}

std::size_t region::offset_of(const void* address, layout given) const noexcept {
    const std::size_t offset =
        reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(range_.address);
    ALLOT_CHECK(offset < used_ && is_aligned(offset, page_size()) && given.size <= used_ - offset, "region '",
                name_.view(), "': ", address, " with ", given.size, " bytes is not a block of it");
    return offset;
}

} // namespace allot
