#include <allot/structure/cold_extents.hpp>

#include <algorithm>
#include <cstring>

namespace allot::detail {

bool cold_extents::try_reserve(std::uint64_t extent_count) noexcept {
    const std::uint64_t needed = count_ + extent_count;
    is_short_ = false;
    if (needed <= capacity_) return true;
    const std::uint64_t larger = std::max<std::uint64_t>({needed, capacity_ * 2, 64});
    auto* const next = static_cast<range*>(memory_.take(layout_of(larger)));
    is_short_ = !next;
    if (!next) return false;
    if (count_ != 0) std::memcpy(static_cast<void*>(next), ranges_, count_ * sizeof(range));
    memory_.give(ranges_, layout_of(capacity_));
    ranges_ = next;
    capacity_ = larger;
    return true;
}

void cold_extents::insert(std::uint64_t at, range added) noexcept {
    std::copy_backward(ranges_ + at, ranges_ + count_, ranges_ + count_ + 1);
    ranges_[at] = added;
    ++count_;
}

void cold_extents::remove(std::uint64_t at) noexcept {
    std::copy(ranges_ + at + 1, ranges_ + count_, ranges_ + at);
    --count_;
}

std::uint64_t cold_extents::try_allocate_below(std::uint64_t bytes, std::uint64_t below) noexcept {
    bytes = rounded(bytes);
    if (!make_room()) return none;
    for (std::uint64_t i = 0; i != count_; ++i) {
        range& each = ranges_[i];
        if (each.offset >= below) return none;
        if (each.is_pending || each.bytes < bytes) continue;
        const std::uint64_t found = each.offset;
        each.offset += bytes;
        each.bytes -= bytes;
        if (each.bytes == 0) remove(i);
        ++used_count_;
        return found;
    }
    if (below != none || bytes > end_max_ || end_ > end_max_ - bytes) return none;
    ++used_count_;
    end_ += bytes;
    return end_ - bytes;
}

void cold_extents::merge_with_next(std::uint64_t at) noexcept {
    if (at + 1 >= count_) return;
    range& here = ranges_[at];
    const range next = ranges_[at + 1];
    if (here.end() != next.offset || here.is_pending != next.is_pending) return;
    here.bytes += next.bytes;
    remove(at + 1);
}

void cold_extents::cut_end() noexcept {
    while (count_ != 0 && ranges_[count_ - 1].end() == end_ && !ranges_[count_ - 1].is_pending)
        end_ = ranges_[--count_].offset;
}

void cold_extents::release(std::uint64_t offset, std::uint64_t bytes, bool pending) noexcept {
    const range gone{.offset = offset, .bytes = rounded(bytes), .is_pending = pending};
    const range* const next = std::lower_bound(ranges_, ranges_ + count_, offset,
                                               [](const range& a, std::uint64_t b) { return a.offset < b; });
    const auto at = static_cast<std::uint64_t>(next - ranges_);
    --used_count_;
    insert(at, gone);
    merge_with_next(at);
    if (at != 0) merge_with_next(at - 1);
    cut_end();
}

void cold_extents::commit() noexcept {
    std::uint64_t kept = 0;
    for (std::uint64_t i = 0; i != count_; ++i) {
        range each = ranges_[i];
        each.is_pending = false;
        if (kept != 0 && ranges_[kept - 1].end() == each.offset)
            ranges_[kept - 1].bytes += each.bytes;
        else
            ranges_[kept++] = each;
    }
    count_ = kept;
    cut_end();
}

bool cold_extents::try_append_used(std::uint64_t offset, std::uint64_t bytes) noexcept {
    bytes = rounded(bytes);
    if (offset < end_ || offset % granule_bytes != 0 || bytes > end_max_ || offset > end_max_ - bytes)
        return false;
    if (!try_reserve(used_count_ + 2)) return false;
    if (offset != end_) ranges_[count_++] = {.offset = end_, .bytes = offset - end_, .is_pending = false};
    ++used_count_;
    end_ = offset + bytes;
    return true;
}

void cold_extents::clear() noexcept {
    count_ = used_count_ = 0;
    end_ = first_;
}

std::uint64_t cold_extents::free_bytes() const noexcept {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i != count_; ++i) sum += ranges_[i].bytes;
    return sum;
}

bool cold_extents::is_consistent() const noexcept {
    std::uint64_t at = first_;
    for (std::uint64_t i = 0; i != count_; ++i) {
        const range& each = ranges_[i];
        const bool touches = i != 0 && ranges_[i - 1].end() == each.offset;
        if (each.offset < at || each.bytes == 0 || each.end() > end_) return false;
        if (touches && ranges_[i - 1].is_pending == each.is_pending) return false;
        at = each.end();
    }
    const bool is_cut = count_ == 0 || ranges_[count_ - 1].end() != end_ || ranges_[count_ - 1].is_pending;
    return is_cut && count_ + used_count_ <=
                         std::max<std::uint64_t>(capacity_, count_ + used_count_ * (capacity_ == 0));
}

} // namespace allot::detail
