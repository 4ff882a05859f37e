// tree_stack: what a walk through a tree remembers of the levels above, in place of recursion.
//
// For the document layer alone. The first 32 levels lie in the stack itself; deeper ones in blocks of 4 KiB from a
// source, one kept in reserve, so that a walk up and down over the edge of a block does not ask again and again.
// Owns its blocks, borrows the source.
// Threads: compatible.
//
//     tree_stack<place> above(source);
//     if (!above.try_push(here)) return shortage;
//     here = above.pop();
#pragma once

#include <allot/core/memory_source.hpp>
#include <cstddef>
#include <memory>
#include <type_traits>

namespace allot::detail {

template <class T>
class tree_stack {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 8);

public:
    static constexpr std::size_t near_max = 32;
    static constexpr std::size_t block_bytes = 4096;
    static constexpr std::size_t per_block = (block_bytes - 16) / sizeof(T);

    explicit tree_stack(memory_source& source) noexcept : source_(&source) {}
    tree_stack(const tree_stack&) = delete;
    tree_stack& operator=(const tree_stack&) = delete;
    ~tree_stack() {
        clear();
        if (reserve_) source_->deallocate(reserve_, {block_bytes, 8});
    }

    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool try_push(const T& item) noexcept {
        if (size_ < near_max) {
            near_[size_++] = item;
            return true;
        }
        const std::size_t at = (size_ - near_max) % per_block;
        if (at == 0 && !add_block()) return false;
        std::construct_at(items(newest_) + at, item);
        ++size_;
        return true;
    }
    // Expects: !empty().
    T& top() noexcept {
        return size_ <= near_max ? near_[size_ - 1] : items(newest_)[(size_ - 1 - near_max) % per_block];
    }
    T pop() noexcept {
        const T item = top();
        --size_;
        if (size_ >= near_max && (size_ - near_max) % per_block == 0) drop_block();
        return item;
    }
    void clear() noexcept {
        while (newest_) drop_block();
        size_ = 0;
    }

private:
    struct block {
        block* older;
    };
    static T* items(block* of) noexcept {
        return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(of) + 16);
    }
    bool add_block() noexcept {
        void* memory = reserve_ ? reserve_ : source_->try_allocate({block_bytes, 8});
        reserve_ = nullptr;
        if (!memory) return false;
        newest_ = ::new (memory) block{newest_};
        return true;
    }
    void drop_block() noexcept {
        block* gone = newest_;
        newest_ = gone->older;
        if (reserve_)
            source_->deallocate(gone, {block_bytes, 8});
        else
            reserve_ = gone;
    }

    memory_source* source_;
    std::size_t size_ = 0;
    block* newest_ = nullptr;
    void* reserve_ = nullptr;
    T near_[near_max];
};

} // namespace allot::detail
