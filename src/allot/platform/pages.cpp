#include <allot/core/contract.hpp>
#include <allot/platform/pages.hpp>
#include <cerrno>

#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#    define ALLOT_HAS_TSAN 1
#elif defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define ALLOT_HAS_TSAN 1
#    endif
#endif
#ifdef ALLOT_HAS_TSAN
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace allot {
namespace {

// The kernel orders who leaves an address before who gets it next. ThreadSanitizer sees that for mmap and
// munmap, and knows nothing of mremap: it took the next owner's accesses for races with the last one's.
void* remap(block range, std::size_t new_size, int flags, void* target = nullptr) noexcept {
#ifdef ALLOT_HAS_TSAN
    static char order;
    __tsan_release(&order);
#endif
    void* const moved = ::mremap(range.address, range.size, new_size, flags, target);
#ifdef ALLOT_HAS_TSAN
    __tsan_acquire(&order);
#endif
    return moved;
}

void expect_whole_pages(block range) noexcept {
    const std::size_t page = page_size();
    ALLOT_EXPECT(range.size != 0 && is_aligned(range.address, page) && is_aligned(range.size, page),
                 "pages: ", range.address, " with ", range.size, " bytes is no range of whole pages of ",
                 page);
}

// MAP_NORESERVE: addresses alone must not count against the commit limit.
constexpr int without_memory = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
constexpr int with_memory = MAP_PRIVATE | MAP_ANONYMOUS;

block map_aligned(layout wanted, int protection, int flags) noexcept {
    const std::size_t page = page_size();
    const std::size_t align = wanted.align < page ? page : wanted.align;
    std::size_t size = 0, padded = 0;
    if (!checked_align_up(wanted.size, page, size) || !checked_add(size, align - page, padded)) return {};
    void* address = ::mmap(nullptr, size, protection, flags, -1, 0);
    if (address == MAP_FAILED) return {};
    if (is_aligned(address, align)) return {address, size};
    // Not so by luck, as it mostly is behind another one of this alignment: map more, and what lies before
    // and after the aligned part goes back.
    ::munmap(address, size);
    address = ::mmap(nullptr, padded, protection, flags, -1, 0);
    if (address == MAP_FAILED) return {};
    auto* const mapped = static_cast<std::byte*>(address);
    const auto start = reinterpret_cast<std::uintptr_t>(mapped);
    const std::size_t before = align_up(start, std::uintptr_t{align}) - start;
    const std::size_t after = padded - before - size;
    if (before != 0) release_pages({mapped, before});
    if (after != 0) release_pages({mapped + before + size, after});
    return {mapped + before, size};
}

} // namespace

std::size_t page_size() noexcept {
    static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

block try_reserve_pages(layout wanted) noexcept {
    ALLOT_EXPECT(is_valid(wanted), "pages: reserve of ", wanted.size, " bytes aligned to ", wanted.align);
    return map_aligned(wanted, PROT_NONE, without_memory);
}

block try_map_pages(layout wanted) noexcept {
    ALLOT_EXPECT(is_valid(wanted), "pages: map of ", wanted.size, " bytes aligned to ", wanted.align);
    return map_aligned(wanted, PROT_READ | PROT_WRITE, with_memory);
}

bool try_commit_pages(block range) noexcept { return try_protect_pages(range, page_access::read_write); }

void decommit_pages(block range) noexcept {
    expect_whole_pages(range);
    // A fresh mapping in place rather than madvise: it also takes the range off the commit charge.
    void* address = ::mmap(range.address, range.size, PROT_NONE, without_memory | MAP_FIXED, -1, 0);
    if (address == MAP_FAILED) {
        // Too many mappings to cut out a part: the memory still goes, only the access stays.
        ::madvise(range.address, range.size, MADV_DONTNEED);
    }
}

bool try_protect_pages(block range, page_access access) noexcept {
    expect_whole_pages(range);
    int protection = PROT_NONE;
    if (access == page_access::read) protection = PROT_READ;
    if (access == page_access::read_write) protection = PROT_READ | PROT_WRITE;
    return ::mprotect(range.address, range.size, protection) == 0;
}

bool try_extend_pages(block range, std::size_t new_size) noexcept {
    expect_whole_pages(range);
    expect_whole_pages({range.address, new_size});
    return remap(range, new_size, 0) != MAP_FAILED;
}

block try_move_pages(block range, layout wanted) noexcept {
    expect_whole_pages(range);
    expect_whole_pages({range.address, wanted.size});
    if (wanted.align <= page_size()) {
        void* const moved = remap(range, wanted.size, MREMAP_MAYMOVE);
        return moved == MAP_FAILED ? block{} : block{moved, wanted.size};
    }
    // The system knows no alignment here: reserve an aligned range and move onto it.
    const block target = map_aligned(wanted, PROT_NONE, without_memory);
    if (!target) return {};
    void* const moved = remap(range, wanted.size, MREMAP_MAYMOVE | MREMAP_FIXED, target.address);
    if (moved != MAP_FAILED) return target;
    release_pages(target);
    return {};
}

void advise_huge_pages(block range) noexcept {
    expect_whole_pages(range);
    ::madvise(range.address, range.size, MADV_HUGEPAGE);
}

void release_pages(block range) noexcept {
    expect_whole_pages(range);
    if (::munmap(range.address, range.size) == 0) return;
    // Cutting a part out of a mapping makes two of it, and their number is limited.
    ALLOT_EXPECT(errno == ENOMEM, "pages: release of ", range.address, " with ", range.size,
                 " bytes was refused");
    ::madvise(range.address, range.size, MADV_DONTNEED);
}

} // namespace allot
