// whole_file: files that are read in one go, and written whole or not at all.
//
// Use it for results that somebody may read at any time (a recording, a report) and for inputs of moderate
// size; do not use it for logs or for files that grow or are shared: use mapped_file.
// Owns: replacing_file its descriptor (closed on exec) and its temporary file, which goes when the object
// does without `commit`.
// Threads: one at a time. Cost: one system call a write, one fsync at the commit.
//
//     auto file = replacing_file::create("numbers.allot");
//     if (!file) return file.error();
//     if (auto done = file->write(bytes); !done) return done.error();
//     if (auto done = file->commit(); !done) return done.error();
//     return read_whole_file("numbers.allot"); // the same bytes
#pragma once

#include <allot/core/result.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace allot {

// A regular file or a pipe, to its end. The error begins with the path.
result<std::vector<std::byte>> read_whole_file(const std::string& path);

// Bytes go to a temporary file in the folder of `path`, readable by its owner only; `commit` makes them
// durable and puts the file in the place of `path`, in one step.
class replacing_file {
public:
    static result<replacing_file> create(std::string path);

    replacing_file(replacing_file&& other) noexcept;
    replacing_file& operator=(replacing_file&& other) noexcept;
    ~replacing_file();

    result<void> write(std::span<const std::byte> bytes);
    result<void> commit(); // Expects: nothing was committed before. Invalidates: the object writes no more.

private:
    replacing_file(std::string path, std::string temporary, int descriptor) noexcept;
    void drop() noexcept;

    std::string path_;
    std::string temporary_;
    int descriptor_ = -1; // -1: committed or moved from
};

// All of it in one call: the file at `path` afterwards holds exactly `bytes`, or is as it was.
result<void> write_file_atomically(const std::string& path, std::span<const std::byte> bytes);

} // namespace allot
