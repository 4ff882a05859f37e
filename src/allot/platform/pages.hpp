// pages: address space and the memory behind it, from the operating system, in whole pages.
//
// Use it under something that reserves much and fills it piece by piece. For single objects use an allocator:
// each call here is a system call (some microseconds, and a fault per 4 KiB page when first touched).
// Owns nothing: who reserves must release.
// Threads: any, on ranges that do not overlap. `try_…` answer empty or false when the system refuses; a range
// that is no whole number of pages is a bug (fatal).
//
//     block range = try_reserve_pages({.size = mebibytes(64), .align = mebibytes(2)});
//     block first{range.address, mebibytes(1)};
//     if (!range || !try_commit_pages(first)) return shortage();
//     std::memset(first.address, 1, first.size);
//     decommit_pages(first); // the memory goes back, the addresses stay
//     release_pages(range);
#pragma once

#include <allot/core/layout.hpp>
#include <cstdint>

namespace allot {

enum class page_access : std::uint8_t { none, read, read_write };

std::size_t page_size() noexcept;

// Addresses without access and without memory. The size is rounded up to pages, an alignment above a page is
// kept. Expects: is_valid(wanted).
block try_reserve_pages(layout wanted) noexcept;

// The same, readable and writable at once: one call where reserving and committing are two.
block try_map_pages(layout wanted) noexcept;

// All below expect: address and size are multiples of page_size(), inside one reservation or mapping.

// Makes the range readable and writable; memory comes, zeroed, with the first touch of each page.
[[nodiscard]] bool try_commit_pages(block range) noexcept;

// Gives the memory back and takes the access away; committing again yields zeroes.
void decommit_pages(block range) noexcept;

// False when the system refuses (it may: a change can split a mapping, and their number is limited).
[[nodiscard]] bool try_protect_pages(block range, page_access access) noexcept;

// Makes a whole mapping longer where it lies; false when something lies behind it. new_size in whole pages.
[[nodiscard]] bool try_extend_pages(block range, std::size_t new_size) noexcept;

// Moves a whole mapping to where wanted.size bytes, in whole pages, fit: its pages change their address, no
// byte is copied. What is new reads as zero. Empty when there is no room: the old mapping is as it was.
block try_move_pages(block range, layout wanted) noexcept;

// Asks for huge pages where the range covers whole ones. The system may have none; nothing else changes.
void advise_huge_pages(block range) noexcept;

// Gives memory and addresses back. A part of a reservation may go alone. Where that would take more mappings
// than the system allows a process, the memory goes and the addresses stay taken.
void release_pages(block range) noexcept;

} // namespace allot
