#include <algorithm>
#include <allot/core/checks.hpp>
#include <allot/core/memory_source.hpp>
#include <cstring>

namespace allot {

memory_source::~memory_source() = default;

block memory_source::do_try_allocate_at_least(layout wanted) noexcept {
    wanted.size = do_good_size(wanted);
    void* const address = do_try_allocate(wanted);
    return {address, address ? wanted.size : 0};
}

bool memory_source::do_try_resize(void*, layout, std::size_t) noexcept { return false; }

void* memory_source::do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept {
    if (do_try_resize(address, given, new_size)) return address;
    void* const moved = do_try_allocate({new_size, given.align});
    if (!moved) return nullptr;
    std::memcpy(moved, address, std::min(given.size, new_size));
    do_give_back(address, given);
    return moved;
}

std::size_t memory_source::do_good_size(layout wanted) const noexcept { return wanted.size; }

source_traits memory_source::do_traits() const noexcept { return {}; }

source_description memory_source::do_describe() const noexcept { return {.kind = "memory_source"}; }

namespace {

// Out of line, so that do_allocate, which every pmr container calls, needs no stack frame for it.
[[noreturn, gnu::cold, gnu::noinline]] void throw_shortage(const memory_source& source, layout wanted,
                                                           std::uint64_t noted_before) {
    // A source that forgot to note its refusal must not speak with another's words.
    if (refusals_noted() == noted_before) {
        const source_description self = source.describe();
        note_refusal({.who = self.name, .kind = self.kind, .asked = wanted});
    }
    throw_out_of_memory();
}

} // namespace

void* memory_source::do_allocate(std::size_t bytes, std::size_t align) {
    const layout wanted{bytes, align};
    const std::uint64_t noted = refusals_noted();
    void* const address = try_allocate(wanted);
    if (!address) [[unlikely]]
        throw_shortage(*this, wanted, noted);
    return address;
}

void memory_source::do_deallocate(void* address, std::size_t bytes, std::size_t align) {
    deallocate(address, layout{bytes, align});
}

void* memory_source::refuse_invalid(layout wanted) noexcept {
    ALLOT_EXPECT(is_power_of_two(wanted.align), "memory_source: an alignment of ", wanted.align,
                 " is not a power of two");
    const source_description self = describe();
    note_refusal({.who = self.name, .kind = self.kind, .asked = wanted});
    return nullptr;
}

} // namespace allot
