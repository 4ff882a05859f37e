#include <allot/core/checks.hpp>
#include <allot/core/poison.hpp>
#include <allot/platform/pages.hpp>
#include <allot/source/page_source.hpp>

namespace allot {
namespace {

std::size_t whole_pages(std::size_t size) noexcept { return align_up(size, page_size()); }

// The rest of the last page.
void mark_rest_dead(block pages, std::size_t size) noexcept {
    if (size != pages.size) mark_dead(static_cast<std::byte*>(pages.address) + size, pages.size - size);
}

} // namespace

void* page_source::do_try_allocate(layout wanted) noexcept {
    const block pages = try_map_pages(wanted);
    if (!pages) {
        counters_.refused();
        note_refusal({.who = name_, .kind = "page_source", .asked = wanted});
        return nullptr;
    }
    hand_out(pages, wanted.size);
    counters_.allocated(wanted.size, pages.size);
    return pages.address;
}

void page_source::hand_out(block pages, std::size_t size) noexcept {
    if (pages.size >= huge_bytes_min_) advise_huge_pages(pages);
    mark_rest_dead(pages, size);
}

void page_source::do_give_back(void* address, layout given) noexcept {
    const block pages = pages_of(address, given);
    mark_live(pages.address, pages.size); // what is mapped here next must not look dead
    // First the books: another thread may have these pages as soon as they are released.
    counters_.given_back(given.size, pages.size);
    release_pages(pages);
}

bool page_source::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    const block pages = pages_of(address, given);
    const block wanted{address, whole_pages(new_size)};
    if (wanted.size > pages.size && !try_extend_pages(pages, wanted.size)) return false;
    mark_live(pages.address, pages.size);
    hand_out(wanted, new_size);
    counters_.resized(given.size, pages.size, new_size, wanted.size);
    if (wanted.size < pages.size)
        release_pages({static_cast<std::byte*>(address) + wanted.size, pages.size - wanted.size});
    return true;
}

void* page_source::do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept {
    if (do_try_resize(address, given, new_size)) return address;
    const block pages = pages_of(address, given);
    mark_live(pages.address, pages.size); // now, for afterwards the addresses may be another's
    const block moved = try_move_pages(pages, {whole_pages(new_size), given.align});
    if (!moved) {
        mark_rest_dead(pages, given.size);
        // Pages that are not one mapping cannot move: the bytes can.
        return memory_source::do_try_reallocate(address, given, new_size);
    }
    hand_out(moved, new_size);
    counters_.resized(given.size, pages.size, new_size, moved.size);
    return moved.address;
}

std::size_t page_source::do_good_size(layout wanted) const noexcept {
    const layout rounded{whole_pages(wanted.size), wanted.align};
    return is_valid(rounded) ? rounded.size : wanted.size;
}

source_traits page_source::do_traits() const noexcept {
    return {.thread_safe = true, .zeroed = true, .moves = true};
}

source_description page_source::do_describe() const noexcept {
    return {.name = name_, .kind = "page_source", .usage = usage()};
}

block page_source::pages_of(void* address, layout given) const noexcept {
    ALLOT_CHECK(is_aligned(address, page_size()) && is_aligned(address, given.align), "page_source '",
                name_.view(), "': ", address, " is not the start of a block of whole pages (", given.size,
                " bytes aligned to ", given.align, ")");
    return {address, whole_pages(given.size)};
}

} // namespace allot
