#include <algorithm>
#include <allot/core/checks.hpp>
#include <allot/governance/listed_source.hpp>
#include <allot/source/default_source.hpp>
#include <bit>
#include <cstring>
#include <new>

// Order: a list, and the links of the headers in it, belong to the slot's mutex; a block tells its slot, so
// that any thread can take it out. The mutexes are the process's own, one per slot, and so whole at a fork.

namespace allot {

// Ends where the block begins. `what` is size, alignment and slot in one word, 0 when the block is dead: what
// comes back with another layout, or twice, does not match.
struct alignas(std::max_align_t) listed_source::header {
    header* previous;
    header* next;
    listed_source* owner;
    std::uint64_t what;

    static std::uint64_t pack(layout given, std::uint32_t slot) noexcept {
        return given.size << 16 | static_cast<std::uint64_t>(std::countr_zero(given.align)) << 8 | slot;
    }
    std::uint32_t slot() const noexcept { return what & 0xff; }
    layout given() const noexcept {
        return {.size = what >> 16, .align = std::size_t{1} << (what >> 8 & 0x3f)};
    }

    // The block with its header, as upstream sees it: the header in the last bytes before the block.
    static std::size_t offset_for(std::size_t align) noexcept { return std::max(align, sizeof(header)); }
    static layout with_header(layout block) noexcept {
        return {.size = block.size + offset_for(block.align),
                .align = std::max(block.align, alignof(header))};
    }
    char* block() noexcept { return reinterpret_cast<char*>(this + 1); }
    void* begin() noexcept { return block() - offset_for(given().align); }
};
static_assert(detail::thread_slot_count <= 0xff);

listed_source::listed_source(listed_source_options wanted) noexcept
    : upstream_(wanted.upstream ? *wanted.upstream : default_source()), name_(wanted.name) {
    static_assert(sizeof(header) == 32);
}

listed_source::~listed_source() { give_back_all(); }

std::size_t listed_source::give_back_all() noexcept {
    std::size_t count = 0;
    for (header*& first : lists_)
        while (header* const gone = first) {
            first = gone->next;
            const layout whole = header::with_header(gone->given());
            void* const begin = gone->begin();
            gone->what = 0;
            upstream_.deallocate(begin, whole);
            ++count;
        }
    return count;
}

listed_source::header& listed_source::header_of(const void* address) noexcept {
    return static_cast<header*>(const_cast<void*>(address))[-1];
}

listed_source* listed_source::owner_of(const void* address) noexcept { return header_of(address).owner; }

void* listed_source::link(void* begin, layout wanted) noexcept {
    char* const address = static_cast<char*>(begin) + header::offset_for(wanted.align);
    const std::uint32_t slot = detail::take_thread_slot();
    auto* const added = new (address - sizeof(header))
        header{.previous = nullptr, .next = nullptr, .owner = this, .what = header::pack(wanted, slot)};
    const light_mutex::guard hold(detail::slot_mutex(slot));
    added->next = lists_[slot];
    if (added->next) added->next->previous = added;
    lists_[slot] = added;
    return address;
}

void listed_source::unlink(header& gone) noexcept {
    const light_mutex::guard hold(detail::slot_mutex(gone.slot()));
    (gone.previous ? gone.previous->next : lists_[gone.slot()]) = gone.next;
    if (gone.next) gone.next->previous = gone.previous;
}

void* listed_source::do_try_allocate(layout wanted) noexcept {
    constexpr std::size_t size_max = std::size_t{1} << 47; // what a header can say, and a process can address
    void* const begin =
        wanted.size < size_max ? upstream_.try_allocate(header::with_header(wanted)) : refuse(wanted);
    if (begin) return link(begin, wanted);
    refused_count_.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
}

void* listed_source::refuse(layout wanted) noexcept {
    note_refusal({.who = name_, .kind = "listed_source", .asked = wanted});
    return nullptr;
}

void listed_source::check(const header& block, const void* address, layout given) const noexcept {
    ALLOT_CHECK(block.slot() <= detail::thread_slot_count && block.what == header::pack(given, block.slot()),
                "listed_source '", name_.view(), "': block ", address, " of ", given.size,
                " bytes is not a live block");
    ALLOT_CHECK(block.owner == this, "listed_source '", name_.view(), "': block ", address, " of ",
                given.size, " bytes belongs to '", block.owner->name_.view(), "'");
}

void listed_source::do_give_back(void* address, layout given) noexcept {
    header& gone = header_of(address);
    check(gone, address, given);
    gone.owner->unlink(gone);
    void* const begin = gone.begin();
    gone.what = 0;
    upstream_.deallocate(begin, header::with_header(given));
}

void* listed_source::do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept {
    if (!upstream_.traits().moves || new_size >> 47 != 0)
        return memory_source::do_try_reallocate(address, given, new_size);
    header& moving = header_of(address);
    check(moving, address, given);
    unlink(moving);
    void* const begin = moving.begin();
    const std::size_t offset = header::offset_for(given.align);
    void* const moved = upstream_.try_reallocate(begin, header::with_header(given), new_size + offset);
    if (moved) return link(moved, {new_size, given.align});
    refused_count_.fetch_add(1, std::memory_order_relaxed);
    link(begin, given);
    return nullptr;
}

source_traits listed_source::do_traits() const noexcept {
    const source_traits below = upstream_.traits();
    return {
        .thread_safe = below.thread_safe, .zeroed = below.zeroed, .bulk_free = true, .moves = below.moves};
}

source_description listed_source::do_describe() const noexcept {
    return {.name = name_,
            .kind = "listed_source",
            .upstream = &upstream_,
            .usage = {.refused_count = refused_count_.load(std::memory_order_relaxed)}};
}

} // namespace allot
