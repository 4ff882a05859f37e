#include <allot/core/contract.hpp>
#include <allot/platform/pages.hpp>

#include <sys/mman.h>
#include <unistd.h>

namespace allot {
namespace {

void expect_whole_pages(block range) noexcept {
    const std::size_t page = page_size();
    ALLOT_EXPECT(range.size != 0 && is_aligned(range.address, page) && is_aligned(range.size, page),
                 "pages: ", range.address, " with ", range.size, " bytes is no range of whole pages of ",
                 page);
}

std::byte* map_without_access(std::size_t size) noexcept {
    // MAP_NORESERVE: addresses alone must not count against the commit limit.
    void* address = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return address == MAP_FAILED ? nullptr : static_cast<std::byte*>(address);
}

} // namespace

std::size_t page_size() noexcept {
    static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

block try_reserve_pages(layout wanted) noexcept {
    ALLOT_EXPECT(is_valid(wanted), "pages: reserve of ", wanted.size, " bytes aligned to ", wanted.align);
    const std::size_t page = page_size();
    const std::size_t align = wanted.align < page ? page : wanted.align;
    std::size_t size = 0, padded = 0;
    if (!checked_align_up(wanted.size, page, size) || !checked_add(size, align - page, padded)) return {};
    std::byte* const mapped = map_without_access(padded);
    if (!mapped) return {};
    // What lies before and after the aligned part goes back.
    const auto start = reinterpret_cast<std::uintptr_t>(mapped);
    const std::size_t before = align_up(start, std::uintptr_t{align}) - start;
    const std::size_t after = padded - before - size;
    if (before != 0) ::munmap(mapped, before);
    if (after != 0) ::munmap(mapped + before + size, after);
    return {mapped + before, size};
}

bool try_commit_pages(block range) noexcept { return try_protect_pages(range, page_access::read_write); }

void decommit_pages(block range) noexcept {
    expect_whole_pages(range);
    // A fresh mapping in place rather than madvise: it also takes the range off the commit charge.
    void* address = ::mmap(range.address, range.size, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
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

void release_pages(block range) noexcept {
    expect_whole_pages(range);
    ALLOT_EXPECT(::munmap(range.address, range.size) == 0, "pages: release of ", range.address, " with ",
                 range.size, " bytes was refused");
}

} // namespace allot
