#include <recorder/preload/node_table.hpp>

#include <recorder/preload/kernel.hpp>

// Tables are never unmapped: a look-up of another thread may still walk one. All but the last together are no
// larger than the last.

namespace allot::recorder {

node_table::table* node_table::make(std::uint32_t bits) noexcept {
    auto* made = static_cast<table*>(kernel::map(sizeof(table) + (sizeof(entry) << bits)));
    if (made != nullptr) made->bits = bits;
    return made;
}

void node_table::put(table& in, std::uint64_t return_address, std::uint32_t parent,
                     std::uint32_t id) noexcept {
    const std::uint64_t mask = (std::uint64_t{1} << in.bits) - 1;
    std::uint64_t i = hash(return_address, parent) >> (64 - in.bits);
    while (in.entries()[i].id != 0) i = (i + 1) & mask;
    entry& e = in.entries()[i];
    __atomic_store_n(&e.return_address, return_address, __ATOMIC_RELAXED);
    __atomic_store_n(&e.parent, parent, __ATOMIC_RELAXED);
    __atomic_store_n(&e.id, id, __ATOMIC_RELEASE);
    ++in.used;
}

bool node_table::grow() noexcept {
    const std::uint32_t bits = current_ == nullptr ? bits_first : current_->bits + 1;
    table* larger = make(bits);
    if (larger == nullptr) return false;
    if (current_ != nullptr)
        for (std::uint64_t i = 0; i >> current_->bits == 0; ++i) {
            const entry& e = current_->entries()[i];
            if (e.id != 0) put(*larger, e.return_address, e.parent, e.id);
        }
    __atomic_store_n(&current_, larger, __ATOMIC_RELEASE);
    return true;
}

bool node_table::insert(std::uint64_t return_address, std::uint32_t parent, std::uint32_t id) noexcept {
    if (current_ == nullptr || current_->used >= (std::uint64_t{3} << current_->bits) / 4)
        if (!grow()) return false;
    put(*current_, return_address, parent, id);
    return true;
}

void node_table::clear() noexcept {
    if (current_ == nullptr || current_->used == 0) return;
    table* next = spare_;
    if (next != nullptr) {
        __atomic_store_n(&next->edition, next->edition + 1, __ATOMIC_RELEASE);
        for (std::uint64_t i = 0; i >> next->bits == 0; ++i)
            __atomic_store_n(&next->entries()[i].id, 0, __ATOMIC_RELEASE);
        next->used = 0;
    }
    spare_ = current_;
    __atomic_store_n(&current_, next, __ATOMIC_RELEASE);
}

} // namespace allot::recorder
