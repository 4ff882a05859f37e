#include <allot/platform/file_store.hpp>

#include <cerrno>
#include <cstdio>
#include <limits>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace allot {
namespace {

constexpr std::string_view temporary_mark = ".new-";
constexpr std::size_t random_count = 6; // characters after it
constexpr int temporary_attempts_max = 100;

// What the system takes as an offset.
bool is_in_file(std::uint64_t offset, std::size_t size) noexcept {
    constexpr auto last = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
    return offset <= last && size <= last - offset;
}

// False with errno. A write of nothing that is no error would repeat for ever: it counts as a full device.
bool write_all(int file, std::uint64_t offset, std::span<const std::byte> from) noexcept {
    while (!from.empty()) {
        const ssize_t taken = ::pwrite(file, from.data(), from.size(), static_cast<off_t>(offset));
        if (taken < 0 && errno == EINTR) continue;
        if (taken == 0) errno = ENOSPC;
        if (taken <= 0) return false;
        from = from.subspan(static_cast<std::size_t>(taken));
        offset += static_cast<std::uint64_t>(taken);
    }
    return true;
}

bool is_same_file(int file, int folder, const char* name) noexcept {
    struct stat open_one, named;
    return ::fstat(file, &open_one) == 0 && ::fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

void close_if_open(int& descriptor) noexcept {
    if (descriptor >= 0) ::close(std::exchange(descriptor, -1));
}

} // namespace

file_store::file_store(std::string path, bool exclusive) noexcept
    : path_(std::move(path)), exclusive_(exclusive) {}

file_store::file_store(file_store&& other) noexcept
    : path_(std::move(other.path_)),
      name_(std::move(other.name_)),
      temporary_(std::move(other.temporary_)),
      folder_(std::exchange(other.folder_, -1)),
      file_(std::exchange(other.file_, -1)),
      exclusive_(other.exclusive_) {}

file_store& file_store::operator=(file_store&& other) noexcept {
    file_store taken(std::move(other));
    path_.swap(taken.path_);
    name_.swap(taken.name_);
    temporary_.swap(taken.temporary_);
    std::swap(folder_, taken.folder_);
    std::swap(file_, taken.file_);
    std::swap(exclusive_, taken.exclusive_);
    return *this;
}

file_store::~file_store() {
    close_if_open(file_);
    close_if_open(folder_);
}

result<file_store> file_store::open(const std::string& path, const file_store_options& options) {
    file_store store(path, options.exclusive);
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    store.name_ = slash == std::string::npos ? path : path.substr(slash + 1);
    store.temporary_ = store.name_ + std::string(temporary_mark) + std::string(random_count, 'X');
    store.folder_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store.folder_ < 0) return store.failed("open its folder");
    if (auto done = store.open_file(options.create); !done) return done.error();
    store.remove_stale();
    return store;
}

result<void> file_store::open_file(bool create) {
    for (;;) {
        // Without O_NONBLOCK the open of a pipe would wait for the other end.
        const int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK | (create ? O_CREAT : 0);
        file_ = ::openat(folder_, name_.c_str(), flags, 0600);
        struct stat status;
        if (file_ < 0 || ::fstat(file_, &status) != 0) return failed("open");
        if (!S_ISREG(status.st_mode)) return error("is no regular file").during(path_);
        if (!exclusive_) return {};
        if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK) return error("another has it open").during(path_);
            return failed("lock");
        }
        // Its owner may have put another in its place before it let go of the lock.
        if (is_same_file(file_, folder_, name_.c_str())) return {};
        close_if_open(file_);
    }
}

// A file that cannot be looked at, or that its maker has locked, stays: it is not needed, and does no harm.
void file_store::remove_stale() {
    const int listed = ::openat(folder_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (listed < 0) return;
    DIR* const names = ::fdopendir(listed);
    if (!names) {
        ::close(listed);
        return;
    }
    const std::string prefix = name_ + std::string(temporary_mark);
    while (const dirent* entry = ::readdir(names)) {
        const std::string_view name = entry->d_name;
        if (!name.starts_with(prefix) || name.size() != temporary_.size()) continue;
        int left = ::openat(folder_, entry->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        if (left >= 0 && ::flock(left, LOCK_EX | LOCK_NB) == 0) ::unlinkat(folder_, entry->d_name, 0);
        close_if_open(left);
    }
    ::closedir(names);
}

int file_store::create_temporary() noexcept {
    static constexpr char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
    for (int attempt = 0; attempt != temporary_attempts_max; ++attempt) {
        std::uint32_t random = 0;
        if (::getentropy(&random, sizeof random) != 0) return -1;
        for (std::size_t i = 0; i != random_count; ++i, random >>= 5)
            temporary_[temporary_.size() - random_count + i] = letters[random % 32];
        int file = ::openat(folder_, temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (file < 0 && errno != EEXIST && errno != EINTR) return -1;
        if (file < 0) continue;
        // Before the lock, whoever opens the same store just now may take it for a dead one's, and remove it.
        if (::flock(file, LOCK_EX | LOCK_NB) == 0 && is_same_file(file, folder_, temporary_.c_str()))
            return file;
        close_if_open(file);
        ::unlinkat(folder_, temporary_.c_str(), 0);
    }
    errno = EEXIST;
    return -1;
}

result<std::size_t> file_store::read_at(std::uint64_t offset, std::span<std::byte> into) noexcept {
    if (!is_in_file(offset, into.size())) return std::size_t{0};
    std::size_t done = 0;
    while (done != into.size()) {
        const ssize_t got =
            ::pread(file_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed("read", into.size(), offset);
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

result<void> file_store::write_at(std::uint64_t offset, std::span<const std::byte> from) noexcept {
    const bool fits = is_in_file(offset, from.size());
    if (!fits) errno = EFBIG;
    if (!fits || !write_all(file_, offset, from)) return failed("write", from.size(), offset);
    return {};
}

result<void> file_store::sync() noexcept {
    if (::fdatasync(file_) != 0) return failed("sync");
    return {};
}

result<void> file_store::replace(std::span<const std::byte> whole) noexcept {
    int next = create_temporary();
    if (next < 0) return failed("create a file beside it");
    const char* doing = nullptr;
    struct stat old;
    // Whoever could read the old one can read the new.
    if (::fstat(file_, &old) != 0 || ::fchmod(next, old.st_mode & 07777) != 0)
        doing = "set the mode of its successor";
    else if (!write_all(next, 0, whole))
        doing = "write its successor";
    else if (::fsync(next) != 0)
        doing = "sync its successor";
    else if (::renameat(folder_, temporary_.c_str(), folder_, name_.c_str()) != 0)
        doing = "put its successor in its place";
    if (doing) {
        const error failure = failed(doing, whole.size(), 0);
        ::unlinkat(folder_, temporary_.c_str(), 0);
        close_if_open(next);
        return failure;
    }
    std::swap(file_, next); // the lock that kept the temporary is the store's from here on
    close_if_open(next);
    if (!exclusive_) ::flock(file_, LOCK_UN);
    if (::fsync(folder_) != 0) return failed("sync its folder");
    return {};
}

result<void> file_store::discard_from(std::uint64_t offset) noexcept {
    const result<std::uint64_t> bytes = size();
    if (!bytes) return bytes.error();
    if (offset < *bytes && ::ftruncate(file_, static_cast<off_t>(offset)) != 0) return failed("shorten");
    return {};
}

result<std::uint64_t> file_store::size() noexcept {
    struct stat status;
    if (::fstat(file_, &status) != 0) return failed("look at");
    return static_cast<std::uint64_t>(status.st_size);
}

error file_store::failed(const char* doing) const noexcept {
    return system_error(errno).during(doing).during(path_);
}

error file_store::failed(const char* doing, std::uint64_t size, std::uint64_t offset) const noexcept {
    const error reason = system_error(errno);
    char text[96]; // nothing is allocated here: the ring of errors copies it
    std::snprintf(text, sizeof text, "%s %llu bytes at %llu", doing, static_cast<unsigned long long>(size),
                  static_cast<unsigned long long>(offset));
    return error(reason).during(text).during(path_);
}

} // namespace allot
