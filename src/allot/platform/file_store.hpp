// file_store: a byte_store in a file.
//
// Use it below what pages out or saves: a cold_store, saved_bytes. For a file that is only read take mapped_file;
// to write one from front to back, in steps, whole_file.
// Owns: the descriptors of the file and of its folder (close-on-exec). The file stays when it ends.
// replace() writes a new file beside the old, NAME.new-XXXXXX, syncs it, puts it in the old one's place and syncs
// the folder. When a step fails, the old content stays and the new file goes. One that a dead process left behind
// goes when the file is opened next: the living hold a lock on theirs.
// Errors begin with the path: "/data/memory.cold: write 4096 bytes at 8192: No space left on device".
// Threads: reads may run together; everything else alone.
// Cost: system calls; nothing is allocated after opening. replace() syncs twice.
//
//     result<file_store> file = file_store::open(folder + "/numbers");
//     if (!file) return file.error();
//     if (auto done = file->write_at(100, bytes); !done) return done.error();
//     if (auto done = file->sync(); !done) return done.error();
//     std::byte back[4];
//     assert(file->read_at(100, back).value() == 4 && file->size().value() == 104);
//     assert(file->replace(bytes) && file->size().value() == 4); // never half of it
#pragma once

#include <allot/core/byte_store.hpp>
#include <string>

namespace allot {

struct file_store_options {
    bool create = true; // a missing file is made, readable by its owner only; false: it is an error
    // An error where another exclusive one, in any process, has the file open. What two write at once is lost.
    bool exclusive = false;
};

class file_store final : public byte_store {
public:
    // A regular file. Removes what dead processes left of their replace().
    static result<file_store> open(const std::string& path, const file_store_options& options = {});

    file_store(file_store&& other) noexcept;
    file_store& operator=(file_store&& other) noexcept;
    ~file_store();

    result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) noexcept override;
    result<void> write_at(std::uint64_t offset, std::span<const std::byte> from) noexcept override;
    result<void> sync() noexcept override;
    result<void> replace(std::span<const std::byte> whole) noexcept override;
    result<void> discard_from(std::uint64_t offset) noexcept override;

    result<std::uint64_t> size() noexcept;
    const std::string& path() const noexcept { return path_; }

private:
    file_store(std::string path, bool exclusive) noexcept;
    result<void> open_file(bool create);
    void remove_stale();
    int create_temporary() noexcept; // open, locked and named temporary_; -1 with errno
    error failed(const char* doing, std::uint64_t size, std::uint64_t offset) const noexcept;
    error failed(const char* doing) const noexcept;

    std::string path_;
    std::string name_;      // in its folder
    std::string temporary_; // of the last replace(), in the folder; its size never changes
    int folder_ = -1;
    int file_ = -1; // -1: moved from
    bool exclusive_ = false;
};

} // namespace allot
