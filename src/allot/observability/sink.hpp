// sink: where finished bytes go.
//
// The writers of recordings and reports take one, so that a test writes to memory and the tool to a file. Use
// it for output that is made once, front to back; do not use it per event: `write` is a virtual call and may
// be a system call. Writers that fill sinks gather their bytes first.
// Owns: memory_sink its bytes, file_sink its temporary file. Threads: one at a time. Cost: one write a call.
//
//     memory_sink bytes;
//     if (auto done = write_recording(numbers, bytes); !done) return done.error();
//     use(bytes.bytes());
#pragma once

#include <allot/core/result.hpp>
#include <allot/platform/whole_file.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace allot {

class sink {
public:
    virtual ~sink() = default;

    // Takes all of `bytes` or answers why not; after a failure what arrived is unspecified.
    virtual result<void> write(std::span<const std::byte> bytes) = 0;
};

class memory_sink final : public sink {
public:
    result<void> write(std::span<const std::byte> bytes) override {
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
        return {};
    }
    std::span<const std::byte> bytes() const noexcept { return bytes_; }

private:
    std::vector<std::byte> bytes_;
};

// A file that appears under its name whole or not at all: what is written goes to a temporary file beside it,
// and `commit` puts that in the place of `path`. Dropped without commit it leaves nothing behind.
class file_sink final : public sink {
public:
    static result<file_sink> create(const std::string& path);

    result<void> write(std::span<const std::byte> bytes) override { return file_.write(bytes); }
    result<void> commit() { return file_.commit(); }

private:
    explicit file_sink(replacing_file file) : file_(std::move(file)) {}
    replacing_file file_;
};

} // namespace allot
