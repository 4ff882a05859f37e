#include <allot/core/checks.hpp>
#include <allot/core/poison.hpp>
#include <allot/source/buffer_source.hpp>

namespace allot {

buffer_source::buffer_source(std::span<std::byte> buffer, buffer_source_options how) noexcept
    : name_(how.name), buffer_(buffer) {
    mark_dead(buffer_.data(), buffer_.size());
}

buffer_source::~buffer_source() { mark_live(buffer_.data(), buffer_.size()); }

bool buffer_source::owns(const void* address) const noexcept {
    // Of unrelated pointers only the integers may be compared.
    return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(buffer_.data()) <
           buffer_.size();
}

void* buffer_source::do_try_allocate(layout wanted) noexcept {
    const auto start = reinterpret_cast<std::uintptr_t>(buffer_.data());
    std::uintptr_t begin = 0, end = 0;
    if (!checked_align_up(start + used_.load(), std::uintptr_t{wanted.align}, begin) ||
        !checked_add(begin, std::uintptr_t{wanted.size}, end) || end - start > buffer_.size()) {
        counters_.refused();
        note_refusal({.who = name_,
                      .kind = "buffer_source",
                      .asked = wanted,
                      .limit_bytes = buffer_.size(),
                      .live_bytes = counters_.live_bytes()});
        return nullptr;
    }
    used_.store(end - start);
    counters_.allocated(wanted.size, wanted.size);
    std::byte* const address = buffer_.data() + (begin - start);
    mark_fresh(address, wanted.size);
    return address;
}

void buffer_source::do_give_back(void* address, layout given) noexcept {
    const std::size_t offset = offset_of(address, given);
    mark_dead(address, given.size);
    counters_.given_back(given.size, given.size);
    if (counters_.live_count() == 0) {
        used_.store(0);
    } else if (offset + given.size == used_.load()) {
        used_.store(offset);
    }
}

bool buffer_source::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    const std::size_t offset = offset_of(address, given);
    const bool newest = offset + given.size == used_.load();
    if (new_size > given.size && (!newest || new_size > buffer_.size() - offset)) return false;
    auto* const bytes = static_cast<std::byte*>(address);
    if (new_size < given.size) mark_dead(bytes + new_size, given.size - new_size);
    if (new_size > given.size) mark_fresh(bytes + given.size, new_size - given.size);
    if (newest) used_.store(offset + new_size);
    counters_.resized(given.size, given.size, new_size, new_size);
    return true;
}

source_traits buffer_source::do_traits() const noexcept { return {.bulk_free = true}; }

source_description buffer_source::do_describe() const noexcept {
    return {.name = name_, .kind = "buffer_source", .usage = usage()};
}

usage buffer_source::usage() const noexcept {
    allot::usage now = counters_.read();
    const std::uint64_t used = used_.load();
    now.held_bytes = now.peak_held_bytes = now.limit_bytes = buffer_.size();
    now.held_count = 1;
    now.slack_bytes = used > now.live_bytes ? used - now.live_bytes : 0; // another thread may look in between
    now.free_bytes = now.held_bytes - now.live_bytes - now.slack_bytes;
    return now;
}

void buffer_source::check() const noexcept {
    const allot::usage now = usage();
    ALLOT_EXPECT(now.live_bytes <= used_.load() && used_.load() <= buffer_.size() &&
                     (now.live_count != 0 || used_.load() == 0) &&
                     now.live_bytes + now.slack_bytes + now.free_bytes == now.held_bytes,
                 "buffer_source '", name_.view(), "': ", now.live_bytes, " bytes are live in ", used_.load(),
                 " used of ", buffer_.size());
}

std::size_t buffer_source::offset_of(const void* address, layout given) const noexcept {
    const std::size_t offset =
        reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(buffer_.data());
    ALLOT_CHECK(offset < used_.load() && given.size <= used_.load() - offset, "buffer_source '", name_.view(),
                "': ", address, " with ", given.size, " bytes is not a block of it");
    return offset;
}

} // namespace allot
