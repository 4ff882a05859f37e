// byte_store: bytes outside of memory, at offsets: a file, a partition, a test's vector.
//
// What pages out, compresses or saves takes one, so that it can be tested without a disk: platform/file_store is a
// file, testing/memory_store a vector that fails by plan. For whole files that are only read, take
// platform/mapped_file.
// Owns: what the implementation says.
// Threads: reads may run together; a write runs alone.
//
//     if (auto done = store.write_at(offset, page); !done) return std::move(done.error()).during("paging out");
//     result<std::size_t> got = store.read_at(offset, page);  // fewer bytes than asked: the end was reached
#pragma once

#include <allot/core/result.hpp>
#include <cstddef>
#include <cstdint>
#include <span>

namespace allot {

class byte_store {
public:
    // How many bytes were there; 0 beyond the end.
    virtual result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) noexcept = 0;
    // All of them, or an error; the store grows where needed, a gap reads as zero.
    virtual result<void> write_at(std::uint64_t offset, std::span<const std::byte> from) noexcept = 0;
    // What was written before survives a loss of power from here on.
    virtual result<void> sync() noexcept = 0;
    // The whole content at once: after a crash the store holds the old bytes or the new, never a mixture.
    virtual result<void> replace(std::span<const std::byte> whole) noexcept = 0;
    // Nothing from `offset` on is needed any more: a file gets shorter. Default: it stays as it is.
    virtual result<void> discard_from(std::uint64_t offset) noexcept {
        (void)offset;
        return {};
    }

protected:
    ~byte_store() = default;
};

} // namespace allot
