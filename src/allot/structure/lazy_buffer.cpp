#include <allot/source/default_source.hpp>
#include <allot/structure/lazy_buffer.hpp>
#include <cstring>

namespace allot {

lazy_buffer::lazy_buffer(const lazy_buffer_options& options) noexcept
    : source_(options.source ? *options.source : default_source()),
      layout_{options.bytes.size + (options.bytes.size == 0), options.bytes.align},
      zeroed_(options.zeroed) {}

std::byte* lazy_buffer::make() noexcept {
    const light_mutex::guard hold(mutex_);
    if (std::byte* const made = data_.load(std::memory_order_relaxed)) return made;
    auto* const made = static_cast<std::byte*>(source_.try_allocate(layout_));
    if (!made) return nullptr;
    if (zeroed_ && !source_.traits().zeroed) std::memset(made, 0, layout_.size);
    data_.store(made, std::memory_order_release);
    return made;
}

void lazy_buffer::release() noexcept {
    source_.deallocate(data_.exchange(nullptr, std::memory_order_acquire), layout_);
}

} // namespace allot
