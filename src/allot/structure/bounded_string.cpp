#include <algorithm>
#include <allot/structure/bounded_string.hpp>
#include <functional>
#include <utility>

namespace allot {

bounded_string& bounded_string::operator=(bounded_string&& other) noexcept {
    if (this == &other) return *this;
    release();
    home_ = other.home_;
    data_ = other.data_;
    size_ = other.size_;
    capacity_ = other.capacity_;
    other.forget();
    return *this;
}

// The old slot lives until all is copied: `more` may lie in it (B41).
void bounded_string::enter(detail::tier_state& home, std::size_t kept, std::string_view more) noexcept {
    auto* const data = static_cast<char*>(home.pool->taken_);
    mark_live(data, home.slot_bytes);
    if (kept != 0) std::memcpy(data, data_, kept);
    if (!more.empty()) std::memcpy(data + kept, more.data(), more.size());
    const std::size_t size = kept + more.size();
    data[size] = '\0';
    release();
    home_ = &home;
    data_ = data;
    size_ = static_cast<std::uint32_t>(size);
    capacity_ = home.slot_bytes - 1;
}

bool bounded_string::replace(std::size_t kept, std::string_view more) noexcept {
    const std::size_t size = kept + more.size(); // wraps where no text can be so long
    if (size < kept || size + 1 == 0) [[unlikely]]
        return refuse(~std::size_t{0});
    detail::tier_state* const home = pool().take({.size = size + 1, .align = 1});
    if (!home) return false;
    enter(*home, kept, more);
    return true;
}

bool bounded_string::move_to(std::size_t capacity) noexcept {
    if (capacity + 1 == 0) return refuse(capacity);
    detail::tier_state* const home = pool().take({.size = capacity + 1, .align = 1});
    if (!home) return false;
    enter(*home, size_, {});
    tiered_pool::resized(*home, capacity + 1, size_ + std::size_t{1}); // what is used of it
    return true;
}

bool bounded_string::refuse(std::size_t bytes) noexcept {
    pool().refuse(nullptr, {.size = bytes, .align = 1});
    return false;
}

bool bounded_string::try_set(std::string_view text) noexcept {
    if (text.size() > capacity_) return replace(0, text);
    if (capacity_ == 0) return true;
    if (!text.empty()) std::memmove(data_, text.data(), text.size());
    become(text.size());
    return true;
}

// Behind the end first, which cares for its own text, and then to its place.
bool bounded_string::try_insert(std::size_t position, std::string_view more) noexcept {
    ALLOT_EXPECT(position <= size_, "bounded_string: position ", position, " of ", size_, " characters");
    const std::size_t old_size = size_;
    if (!try_append(more)) return false;
    std::rotate(data_ + position, data_ + old_size, data_ + size_);
    return true;
}

bool bounded_string::try_resize(std::size_t size, char fill) noexcept {
    const std::size_t old_size = size_;
    if (size <= old_size) {
        truncate(size);
        return true;
    }
    if (!try_reserve(size)) return false;
    std::memset(data_ + old_size, fill, size - old_size);
    become(size);
    return true;
}

bool bounded_string::try_shrink() noexcept {
    if (size_ == 0) {
        release();
        return true;
    }
    detail::tier_state& best = pool().tiers_[pool().tier_of(size_ + std::size_t{1})];
    if (&best == home_) return true;
    if (!pool().take_from(best, size_ + std::size_t{1})) return false;
    enter(best, size_, {});
    return true;
}

void bounded_string::erase(std::size_t position, std::size_t count) noexcept {
    ALLOT_EXPECT(position <= size_, "bounded_string: position ", position, " of ", size_, " characters");
    count = std::min(count, size_ - position);
    if (count == 0) return;
    std::memmove(data_ + position, data_ + position + count, size_ - position - count);
    become(size_ - count);
}

void bounded_string::truncate(std::size_t size) noexcept {
    ALLOT_EXPECT(size <= size_, "bounded_string: truncate to ", size, " of ", size_, " characters");
    if (size != size_) become(size);
}

} // namespace allot
