#include <algorithm>
#include <allot/source/default_source.hpp>
#include <allot/structure/buffer.hpp>
#include <cstring>
#include <utility>

namespace allot {

buffer::buffer() noexcept : buffer(default_source()) {}

buffer& buffer::operator=(buffer&& other) noexcept {
    if (this == &other) return *this;
    release();
    source_ = other.source_;
    data_ = other.data_;
    size_ = other.size_;
    capacity_ = other.capacity_;
    align_ = other.align_;
    other.forget();
    return *this;
}

std::byte* buffer::make_room(std::size_t more) noexcept {
    if (more > capacity_ - size_) {
        std::size_t wanted = static_cast<std::size_t>(-1); // which every source refuses
        (void)checked_add(size_, more, wanted);
        if (!grow(wanted)) return nullptr;
    }
    std::byte* const room = data_ + size_;
    mark_fresh(room, more);
    size_ += more;
    return room;
}

bool buffer::try_append(std::span<const std::byte> more) noexcept {
    if (more.empty()) return true;
    // Growth may move the block: bytes of our own are found again by their offset.
    const std::size_t offset =
        reinterpret_cast<std::uintptr_t>(more.data()) - reinterpret_cast<std::uintptr_t>(data_);
    const bool own = offset < size_;
    std::byte* const room = make_room(more.size());
    if (!room) return false;
    std::memcpy(room, own ? data_ + offset : more.data(), more.size());
    return true;
}

std::optional<std::span<std::byte>> buffer::try_extend(std::size_t count) noexcept {
    if (count == 0) return std::span<std::byte>();
    std::byte* const room = make_room(count);
    if (!room) return std::nullopt;
    return std::span(room, count);
}

std::span<std::byte> buffer::extend(std::size_t count) {
    const auto room = try_extend(count);
    need(room.has_value());
    return *room;
}

bool buffer::grow(std::size_t wanted) noexcept {
    // Twice as large where that can be had, else as large as it must be.
    const std::size_t doubled = std::max(wanted, 2 * capacity_); // a capacity is a ptrdiff_t: no overflow
    return resize_block(source_->good_size({doubled, align_})) || (doubled != wanted && resize_block(wanted));
}

bool buffer::resize_block(std::size_t capacity) noexcept {
    if (!data_) {
        data_ = static_cast<std::byte*>(source_->try_allocate({capacity, align_}));
        if (!data_) return false;
    } else {
        mark_live(data_, capacity_); // a source may copy all of it
        const layout held{capacity_, align_};
        void* const moved = source_->try_resize(data_, held, capacity)
                                ? data_
                                : source_->try_reallocate(data_, held, capacity);
        if (!moved) {
            mark_dead(data_ + size_, capacity_ - size_);
            return false;
        }
        data_ = static_cast<std::byte*>(moved);
    }
    capacity_ = capacity;
    mark_dead(data_ + size_, capacity_ - size_);
    return true;
}

bool buffer::try_shrink() noexcept {
    if (size_ == 0) release();
    return capacity_ == size_ || resize_block(size_);
}

bool buffer::try_move_to(memory_source& other) noexcept {
    buffer moved(other, align_);
    if (!moved.try_append(bytes())) return false;
    *this = std::move(moved);
    return true;
}

void buffer::truncate(std::size_t size) noexcept {
    ALLOT_CHECK(size <= size_, "buffer: truncate to ", size, " of ", size_, " bytes");
    if (data_) mark_dead(data_ + size, size_ - size);
    size_ = size;
}

stolen_block buffer::steal() noexcept {
    const stolen_block all{.address = data_, .block = {capacity_, align_}, .size = size_, .source = source_};
    if (data_) mark_live(data_, capacity_);
    forget();
    return all;
}

void buffer::fatal_slice(slice_range wanted) const noexcept {
    fatal({"buffer: a slice of ", wanted.count, " items at ", wanted.start, " is not within ", size_,
           " bytes"});
}

} // namespace allot
