#include <allot/core/bytes.hpp>
#include <allot/core/contract.hpp>
#include <allot/platform/mapped_file.hpp>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace allot {
namespace {

class owned_descriptor {
public:
    explicit owned_descriptor(int number) noexcept : number_(number) {}
    ~owned_descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    owned_descriptor(const owned_descriptor&) = delete;
    owned_descriptor& operator=(const owned_descriptor&) = delete;
    int number() const noexcept { return number_; }
    int give_up() noexcept { return std::exchange(number_, -1); }

private:
    int number_;
};

error errno_during(std::string_view what, const std::string& path) {
    return system_error(errno).during(std::string(what) + " " + path);
}

} // namespace

result<mapped_file> mapped_file::open(const std::string& path) {
    // Without O_NONBLOCK the open of a pipe would wait for a writer.
    const owned_descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status;
    if (file.number() < 0 || ::fstat(file.number(), &status) != 0) return errno_during("opening", path);
    if (!S_ISREG(status.st_mode)) {
        const char* reason = S_ISDIR(status.st_mode) ? "is a directory" : "is no regular file";
        return error(reason).during("opening " + path);
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0) return mapped_file(nullptr, 0); // the system maps no empty range
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.number(), 0);
    if (data == MAP_FAILED) return errno_during("mapping", path);
    return mapped_file(static_cast<const std::byte*>(data), size);
}

mapped_file::mapped_file(mapped_file&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

mapped_file& mapped_file::operator=(mapped_file&& other) noexcept {
    mapped_file taken(std::move(other));
    std::swap(data_, taken.data_);
    std::swap(size_, taken.size_);
    return *this;
}

mapped_file::~mapped_file() {
    if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

result<shared_file> shared_file::create_new(const std::string& path, shared_file_options options) {
    ALLOT_EXPECT(options.apparent_bytes != 0, "shared_file: no bytes asked for");
    // An old file is not emptied but unlinked: others may have it mapped, and a link must not be followed.
    if (options.replace && ::unlink(path.c_str()) != 0 && errno != ENOENT)
        return errno_during("replacing", path);
    owned_descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.number() < 0) return errno_during("creating", path);
    void* data = MAP_FAILED;
    if (::ftruncate(file.number(), static_cast<off_t>(options.apparent_bytes)) == 0)
        data = ::mmap(nullptr, options.apparent_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.number(), 0);
    if (data == MAP_FAILED) {
        const error failure = errno_during("sizing", path);
        ::unlink(path.c_str());
        return failure;
    }
    return shared_file(path, file.give_up(), static_cast<std::byte*>(data), options.apparent_bytes);
}

shared_file::shared_file(shared_file&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

shared_file& shared_file::operator=(shared_file&& other) noexcept {
    shared_file taken(std::move(other));
    path_.swap(taken.path_);
    std::swap(descriptor_, taken.descriptor_);
    std::swap(data_, taken.data_);
    std::swap(size_, taken.size_);
    return *this;
}

shared_file::~shared_file() {
    if (data_) ::munmap(data_, size_);
    if (descriptor_ >= 0) ::close(descriptor_);
}

result<void> shared_file::back(std::size_t offset, std::size_t size) const {
    std::size_t end = 0;
    ALLOT_EXPECT(checked_add(offset, size, end) && end <= size_, "shared_file: backing ", size, " bytes at ",
                 offset, " of ", size_);
    if (size == 0) return {};
    int number = 0;
    do { // tmpfs gives up, having backed nothing, when a signal comes
        number = ::posix_fallocate(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(size));
    } while (number == EINTR);
    if (number == 0) return {};
    return system_error(number).during("backing " + std::to_string(size) + " bytes of " + path_);
}

result<void> shared_file::sync() const {
    if (::fdatasync(descriptor_) == 0) return {};
    return errno_during("syncing", path_);
}

result<void> replace_file(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return errno_during("renaming " + from + " to", to);
}

result<void> rename_to_new(const std::string& from, const std::string& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
    if (errno != EINVAL) return errno_during("renaming " + from + " to", to);
    // A file system without that: a second name that must be new, then the first one goes.
    if (::link(from.c_str(), to.c_str()) != 0) return errno_during("renaming " + from + " to", to);
    return remove_file(from);
}

result<void> remove_file(const std::string& path) {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    return errno_during("removing", path);
}

} // namespace allot
