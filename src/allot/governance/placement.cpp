#include <allot/governance/placement.hpp>

#include <allot/core/checks.hpp>
#include <allot/source/default_source.hpp>
#include <iterator>

namespace allot {
namespace {

bool fits_pool(layout wanted, const placement_class& kind) noexcept {
    return kind.pool && wanted.size <= kind.pool_slot.size && wanted.align <= kind.pool_slot.align;
}

} // namespace

placement::placement(const placement_options& wanted) noexcept
    : name_(wanted.name),
      inline_buffer_(wanted.inline_buffer, {.name = wanted.name}),
      has_buffer_(!wanted.inline_buffer.empty()),
      arena_(wanted.arena),
      heap_(wanted.heap ? *wanted.heap : default_source()),
      inline_bytes_max_(wanted.inline_bytes_max),
      arena_bytes_max_(wanted.arena_bytes_max) {}

placement::~placement() {
    const std::uint64_t left = inline_buffer_.usage().live_count;
    ALLOT_CHECK(left == 0, "placement '", name_.view(), "': died with ", left,
                " live blocks in its inline buffer");
}

// Only what was said to end with the call: a small block of an unknown life may outlive the frame.
bool placement::goes_inline(layout wanted, const placement_class& kind) const noexcept {
    return has_buffer_ && kind.lives == lifetime::call && wanted.size < inline_bytes_max_;
}

placement_decision placement::decide_by_class(layout wanted, const placement_class& kind) const noexcept {
    if (kind.lives == lifetime::call) {
        if (!arena_) return {home::heap, placement_reason::no_home};
        return {wanted.size < arena_bytes_max_ ? home::arena : home::heap, placement_reason::size};
    }
    const bool ends_with_scope = kind.lives == lifetime::operation;
    if (ends_with_scope && arena_) return {home::arena, placement_reason::lifetime};
    if (fits_pool(wanted, kind)) return {home::pool, placement_reason::churn};
    return {home::heap, ends_with_scope ? placement_reason::no_home : placement_reason::lifetime};
}

placement_decision placement::decide(layout wanted, const placement_class& kind) const noexcept {
    if (goes_inline(wanted, kind)) return {home::inline_buffer, placement_reason::size};
    return decide_by_class(wanted, kind);
}

placed_block placement::try_allocate(layout wanted, const placement_class& kind) noexcept {
    wanted.size += wanted.size == 0;
    const bool wants_inline = goes_inline(wanted, kind);
    if (wants_inline) {
        if (void* const address = inline_buffer_.try_allocate(wanted)) {
            count({home::inline_buffer, placement_reason::size});
            return {address, wanted, &inline_buffer_};
        }
    }
    placement_decision made = decide_by_class(wanted, kind);
    if (wants_inline) made.why = placement_reason::no_room;
    memory_source& from = source_of(made.home, kind);
    void* const address = from.try_allocate(wanted);
    if (address) count(made);
    return {address, wanted, &from};
}

void placement::deallocate(const placed_block& gone) noexcept {
    if (gone) gone.owner->deallocate(gone.address, gone.shape);
}

memory_source& placement::source_of(home where, const placement_class& kind) noexcept {
    switch (where) {
    case home::inline_buffer: return inline_buffer_;
    case home::arena: return *arena_;
    case home::pool: return *kind.pool;
    case home::heap: break;
    }
    return heap_;
}

memory_source* placement::owner_of(const void* address, layout given, const placement_class& kind) noexcept {
    if (!inline_buffer_.owns(address)) return &source_of(decide_by_class(given, kind).home, kind);
    return goes_inline(given, kind) ? &inline_buffer_ : nullptr;
}

void placement::count(placement_decision made) noexcept {
    homes_[static_cast<std::size_t>(made.home)].add(1);
    reasons_[static_cast<std::size_t>(made.why)].add(1);
}

placement_counts placement::counts() const noexcept {
    placement_counts now;
    for (std::size_t i = 0; i < std::size(homes_); ++i) now.homes[i] = homes_[i].load();
    for (std::size_t i = 0; i < std::size(reasons_); ++i) now.reasons[i] = reasons_[i].load();
    return now;
}

allot::usage placed_source::usage() const noexcept { return {.refused_count = refused_count_.load()}; }

void* placed_source::do_try_allocate(layout wanted) noexcept {
    const placed_block got = where_.try_allocate(wanted, kind_);
    if (!got) refused_count_.add(1);
    return got.address;
}

void placed_source::do_give_back(void* address, layout given) noexcept {
    memory_source* const owner = where_.owner_of(address, given, kind_);
    ALLOT_CHECK(owner, "placement '", where_.name_.view(), "': ", address, " (", given.size,
                " bytes) was not placed as a block of this class");
    if (owner) owner->deallocate(address, given); // else level off, and the bytes stay in the buffer
}

// Only where the block's home is that of its new layout, too: from its layout it must be found again.
bool placed_source::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    memory_source* const owner = where_.owner_of(address, given, kind_);
    if (!owner || owner != where_.owner_of(address, {new_size, given.align}, kind_)) return false;
    return owner->try_resize(address, given, new_size);
}

source_description placed_source::do_describe() const noexcept {
    return {.name = where_.name_, .kind = "placed_source", .upstream = &where_.heap_, .usage = usage()};
}

} // namespace allot
