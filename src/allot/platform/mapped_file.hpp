// mapped_file, shared_file: a file as memory: one to read, one to fill while others write into it too.
//
// Use mapped_file to read a file whole or in places. Use shared_file for a file that several processes write
// through memory: its apparent size is fixed at the start and costs nothing, and ranges are backed before
// they are used. For writing a file from front to back use a stream.
// Own their mapping and descriptor (close-on-exec).
// Threads: const calls from any; back() and sync() too.
// Cost: system calls only. Reading a mapping beyond the end of a file that was cut meanwhile, or writing an
// unbacked part when the disk is full, kills the process with SIGBUS: that is what back() is for.
//
//     auto made = shared_file::create_new("/tmp/x.partial", {.apparent_bytes = gibibytes(1)});
//     if (!made || !made->back(0, kibibytes(64))) return error("no segment");
//     std::memcpy(made->data(), "ALLOTSEG", 8);
//     result<mapped_file> same = mapped_file::open("/tmp/x.partial");
//     // same->bytes()[0] == std::byte{'A'}
#pragma once

#include <allot/core/result.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace allot {

class mapped_file {
public:
    // A regular file; an empty one has no bytes. The error names the path and the reason.
    static result<mapped_file> open(const std::string& path);

    mapped_file(mapped_file&& other) noexcept;
    mapped_file& operator=(mapped_file&& other) noexcept;
    ~mapped_file();

    std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

private:
    mapped_file(const std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}

    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

struct shared_file_options {
    std::size_t apparent_bytes = 0; // at least 1
    bool replace = false;           // true: an existing file makes way for a new one; false: it is an error
};

class shared_file {
public:
    // Mode 0600. Nothing is backed yet. When a later step fails, the new file is removed again.
    static result<shared_file> create_new(const std::string& path, shared_file_options options);

    shared_file(shared_file&& other) noexcept;
    shared_file& operator=(shared_file&& other) noexcept;
    ~shared_file(); // unmaps and closes; the file stays

    std::byte* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    const std::string& path() const noexcept { return path_; }

    // Makes the file system set the bytes of the range aside (zeroes where nothing was written), so that
    // touching them cannot fail: "No space left on device" comes here. Backing a part twice is harmless.
    // Expects: the range lies in the file.
    result<void> back(std::size_t offset, std::size_t size) const;

    // Waits until the written bytes are on the device.
    result<void> sync() const;

private:
    shared_file(std::string path, int descriptor, std::byte* data, std::size_t size) noexcept
        : path_(std::move(path)), descriptor_(descriptor), data_(data), size_(size) {}

    std::string path_;
    int descriptor_ = -1;
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

// Puts `from` in the place of `to` in one step: a reader sees the old file or the new one, nothing between.
// Both must lie in one file system.
result<void> replace_file(const std::string& from, const std::string& to);

// The same, but an existing `to` is an error and stays.
result<void> rename_to_new(const std::string& from, const std::string& to);

// A file that is not there is no error.
result<void> remove_file(const std::string& path);

} // namespace allot
