#include <allot/core/poison.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/operation_context.hpp>

namespace allot {

// Stands directly before a block of the main allocator.
struct operation_context::header {
    header* older;
    header* newer;
    std::size_t size; // of the block, as it is now
    std::size_t align;

    std::byte* address() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

operation_context::operation_context(const operation_context_options& options) noexcept
    : name_(options.name),
      arena_(options.from),
      upstream_(options.upstream ? *options.upstream : default_source()),
      caller_(nullptr) {
    if (arena_) scope_.emplace(*arena_);
}

operation_context::operation_context(const operation_context_options& options,
                                     operation_context& caller) noexcept
    : name_(options.name),
      arena_(options.from ? options.from : caller.arena_),
      upstream_(options.upstream ? *options.upstream : caller.upstream_),
      caller_(&caller) {
    for (operation_context* each = caller_; each; each = each->caller_) {
        ++each->open_callees_;
        if (each->arena_ == arena_) ++each->arena_takers_;
    }
    if (arena_) scope_.emplace(*arena_);
}

operation_context::~operation_context() {
    check_can_end("end");
    end_blocks();
    scope_.reset();
    for (operation_context* each = caller_; each; each = each->caller_) {
        --each->open_callees_;
        if (each->arena_ == arena_) --each->arena_takers_;
    }
}

void operation_context::reset() noexcept {
    check_can_end("reset");
    end_blocks();
    if (scope_) {
        scope_.reset();
        scope_.emplace(*arena_);
    }
    ++reset_count_;
}

// The header, and before it what makes the block aligned.
std::size_t operation_context::front_bytes(std::size_t align) noexcept {
    return align_up(sizeof(header), align);
}

bool operation_context::try_with_header(layout inner, layout& outer) noexcept {
    const std::size_t align = std::max(inner.align, alignof(std::max_align_t));
    std::size_t front = 0;
    if (!checked_align_up(sizeof(header), align, front)) return false;
    outer.align = align;
    return checked_add(inner.size, front, outer.size) && is_valid(outer);
}

bool operation_context::is_from_main(const void* address) const noexcept {
    return fallback_.live_count() != 0 && (!arena_ || !arena_->owns(address));
}

void* operation_context::do_try_allocate(layout wanted) noexcept {
    if (!arena_ || arena_takers_ != 0) return fall_back(wanted);
    void* const block = arena_->try_allocate(wanted);
    if (!block) return fall_back(wanted);
    all_.allocated(wanted.size, wanted.size);
    return block;
}

void* operation_context::fall_back(layout wanted) noexcept {
    layout outer;
    std::byte* room = nullptr;
    if (try_with_header(wanted, outer)) {
        room = static_cast<std::byte*>(upstream_.try_allocate(outer));
    } else {
        note_refusal({.who = name_, .kind = "operation_context", .asked = wanted});
    }
    if (!room) {
        all_.refused();
        return nullptr;
    }
    std::byte* const block = room + (outer.size - wanted.size);
    auto* const made = ::new (block - sizeof(header))
        header{.older = newest_, .newer = nullptr, .size = wanted.size, .align = outer.align};
    if (newest_) newest_->newer = made;
    newest_ = made;
    all_.allocated(wanted.size, outer.size);
    fallback_.allocated(wanted.size, outer.size);
    return block;
}

void operation_context::forget(header& gone) noexcept {
    (gone.newer ? gone.newer->older : newest_) = gone.older;
    if (gone.older) gone.older->newer = gone.newer;
    const std::size_t front = front_bytes(gone.align);
    const layout outer{front + gone.size, gone.align};
    all_.given_back(gone.size, outer.size);
    fallback_.given_back(gone.size, outer.size);
    upstream_.deallocate(gone.address() - front, outer);
}

operation_context::header& operation_context::checked_header(void* address, layout given) const noexcept {
    header& it = *(static_cast<header*>(address) - 1);
    const bool linked = (it.newer ? it.newer->older : newest_) == &it && it.size == given.size;
    ALLOT_CHECK(linked, "operation_context '", name_.view(), "': ", static_cast<const void*>(address), " (",
                given.size, " bytes) is not a live block of this operation");
    return it;
}

void operation_context::do_give_back(void* address, layout given) noexcept {
    if (is_from_main(address)) return forget(checked_header(address, given));
    ALLOT_CHECK(arena_, "operation_context '", name_.view(), "': ", static_cast<const void*>(address), " (",
                given.size, " bytes) is not a live block of this operation");
    arena_->deallocate(address, given);
    all_.given_back(given.size, given.size);
}

bool operation_context::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    if (!is_from_main(address)) {
        if (!arena_ || !arena_->try_resize(address, given, new_size)) return false;
        all_.resized(given.size, given.size, new_size, new_size);
        return true;
    }
    header& it = checked_header(address, given);
    const std::size_t front = front_bytes(it.align);
    const layout outer{front + it.size, it.align};
    std::size_t new_outer = 0;
    if (!checked_add(front, new_size, new_outer)) return false;
    if (!upstream_.try_resize(it.address() - front, outer, new_outer)) return false;
    all_.resized(it.size, outer.size, new_size, new_outer);
    fallback_.resized(it.size, outer.size, new_size, new_outer);
    it.size = new_size;
    return true;
}

void operation_context::check_can_end(const char* what) const noexcept {
    ALLOT_CHECK(open_callees_ == 0, "operation_context '", name_.view(), "': ", what, " with ", open_callees_,
                " open contexts of callees");
}

// The arena's blocks end with its scope.
void operation_context::end_blocks() noexcept {
    while (newest_) forget(*newest_);
    all_.ended(all_.live_bytes(), all_.live_count(), all_.live_bytes());
}

source_description operation_context::do_describe() const noexcept {
    const memory_source* const first = arena_ ? static_cast<const memory_source*>(arena_) : &upstream_;
    return {.name = name_, .kind = "operation_context", .upstream = first, .usage = all_.read()};
}

void operation_context::check() const noexcept {
    std::uint64_t bytes = 0;
    std::uint64_t count = 0;
    const header* newer = nullptr;
    for (const header* each = newest_; each; newer = each, each = each->older) {
        ALLOT_EXPECT(each->newer == newer, "operation_context '", name_.view(), "': check: a broken list");
        bytes += each->size;
        ++count;
    }
    ALLOT_EXPECT(bytes == fallback_.live_bytes() && count == fallback_.live_count() &&
                     bytes <= all_.live_bytes() && count <= all_.live_count(),
                 "operation_context '", name_.view(), "': check: ", count, " blocks of ", bytes,
                 " bytes in the list, ", fallback_.live_count(), " of ", fallback_.live_bytes(),
                 " in the books");
}

} // namespace allot
