#include <allot/platform/whole_file.hpp>

#include <allot/core/contract.hpp>

#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

namespace allot {
namespace {

error failed(const std::string& path, std::string_view doing) {
    return system_error(errno).during(doing).during(path);
}

result<void> write_all(int descriptor, std::span<const std::byte> bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t taken = ::write(descriptor, bytes.data(), bytes.size());
        if (taken < 0) {
            if (errno == EINTR) continue;
            return failed(path, "cannot write");
        }
        bytes = bytes.subspan(static_cast<std::size_t>(taken));
    }
    return {};
}

result<std::vector<std::byte>> read_all(int descriptor, const std::string& path) {
    struct stat status{};
    if (::fstat(descriptor, &status) != 0) return failed(path, "cannot read");
    std::vector<std::byte> bytes;
    if (S_ISREG(status.st_mode)) bytes.reserve(static_cast<std::size_t>(status.st_size));
    std::array<std::byte, 1 << 16> piece;
    for (;;) {
        const ssize_t got = ::read(descriptor, piece.data(), piece.size());
        if (got == 0) return bytes;
        if (got < 0) {
            if (errno == EINTR) continue;
            return failed(path, "cannot read");
        }
        bytes.insert(bytes.end(), piece.begin(), piece.begin() + got);
    }
}

} // namespace

result<std::vector<std::byte>> read_whole_file(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return failed(path, "cannot open");
    auto bytes = read_all(descriptor, path);
    ::close(descriptor);
    return bytes;
}

result<replacing_file> replacing_file::create(std::string path) {
    std::string temporary = path + ".XXXXXX"; // mkostemp makes it with mode 0600
    const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
    if (descriptor < 0) return failed(path, "cannot create");
    return replacing_file(std::move(path), std::move(temporary), descriptor);
}

replacing_file::replacing_file(std::string path, std::string temporary, int descriptor) noexcept
    : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

replacing_file::replacing_file(replacing_file&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

replacing_file& replacing_file::operator=(replacing_file&& other) noexcept {
    if (this == &other) return *this;
    drop();
    path_ = std::move(other.path_);
    temporary_ = std::move(other.temporary_);
    descriptor_ = std::exchange(other.descriptor_, -1);
    return *this;
}

replacing_file::~replacing_file() { drop(); }

void replacing_file::drop() noexcept {
    if (descriptor_ < 0) return;
    ::close(std::exchange(descriptor_, -1));
    ::unlink(temporary_.c_str());
}

result<void> replacing_file::write(std::span<const std::byte> bytes) {
    ALLOT_EXPECT(descriptor_ >= 0, "replacing_file: write after commit");
    return write_all(descriptor_, bytes, path_);
}

result<void> replacing_file::commit() {
    ALLOT_EXPECT(descriptor_ >= 0, "replacing_file: commit after commit");
    // Without the fsync a crash of the machine may leave the new name on an empty file.
    if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS) return failed(path_, "cannot write");
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return failed(path_, "cannot put in place");
    ::close(std::exchange(descriptor_, -1));
    return {};
}

result<void> write_file_atomically(const std::string& path, std::span<const std::byte> bytes) {
    auto file = replacing_file::create(path);
    if (!file) return file.error();
    if (auto done = file->write(bytes); !done) return done.error();
    return file->commit();
}

} // namespace allot
