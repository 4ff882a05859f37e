#include <recorder/collector/live_table.hpp>

#include <algorithm>
#include <sys/mman.h>

namespace allot::recorder {
namespace {

void* map_zeroed(std::size_t bytes) {
    void* memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? nullptr : memory;
}

constexpr std::size_t first_chunk_pages = 16;
constexpr std::size_t chunk_pages_max = 2048; // 8 MiB: growth stays a small part of what is there

} // namespace

live_table::page** live_table::new_page(std::uint64_t address) noexcept {
    if (address >> 47 != 0) return nullptr;
    if (directory_ == nullptr) {
        directory_ = static_cast<page***>(map_zeroed(2 * regions * sizeof(page**)));
        if (directory_ == nullptr) return nullptr;
    }
    page**& region = directory_[(address >> 3 & 1) * regions + (address >> 32)];
    if (region == nullptr) region = static_cast<page**>(map_zeroed(region_pages * sizeof(page*)));
    if (region == nullptr) return nullptr;

    page* fresh = free_;
    if (fresh != nullptr) {
        free_ = fresh->next_free;
    } else {
        if (chunks_.empty() || chunks_.back().second == chunk_pages_) {
            const std::size_t wanted =
                chunks_.empty() ? first_chunk_pages : std::min(chunk_pages_ * 2, chunk_pages_max);
            void* memory = map_zeroed(wanted * sizeof(page));
            if (memory == nullptr) return nullptr;
            if (wanted ==
                chunk_pages_max) // a large heap is met in any order: fewer misses in the address translation
                (void)::madvise(memory, wanted * sizeof(page), MADV_HUGEPAGE);
            chunks_.emplace_back(static_cast<page*>(memory), 0);
            chunk_pages_ = wanted;
        }
        fresh = chunks_.back().first + chunks_.back().second++;
        memory_bytes_ += sizeof(page);
    }
    fresh->address = address & ~std::uint64_t{4095};
    fresh->plane = static_cast<std::uint32_t>(address >> 3 & 1);
    fresh->home = region + (address >> 12 & (region_pages - 1));
    *fresh->home = fresh;
    return fresh->home;
}

void live_table::clear() noexcept {
    std::size_t capacity = first_chunk_pages;
    for (const auto& [first, taken] : chunks_) {
        ::munmap(first, capacity * sizeof(page));
        capacity = std::min(capacity * 2, chunk_pages_max);
    }
    chunks_.clear();
    if (directory_ != nullptr) {
        for (std::size_t index = 0; index < 2 * regions; ++index)
            if (directory_[index] != nullptr) ::munmap(directory_[index], region_pages * sizeof(page*));
        ::munmap(directory_, 2 * regions * sizeof(page**));
        directory_ = nullptr;
    }
    free_ = nullptr;
    count_ = memory_bytes_ = chunk_pages_ = 0;
}

bool live_table::check() const {
    std::size_t counted = 0;
    bool good = true;
    for (const auto& [first, taken] : chunks_)
        for (const page* at = first; at != first + taken; ++at) {
            const auto live =
                std::count_if(at->entries, at->entries + slots, [](const slot& s) { return s.mark != 0; });
            good = good && static_cast<std::size_t>(live) == at->live && (live == 0 || *at->home == at);
            counted += static_cast<std::size_t>(live);
        }
    return good && counted == count_;
}

} // namespace allot::recorder
