#include <allot/core/saved_bytes.hpp>
#include <allot/platform/file_store.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace allot {
namespace {

namespace fs = std::filesystem;

class file_store_test : public ::testing::Test {
protected:
    // In memory, where there is a file system of that kind: who is killed loses nothing that the system has, and a
    // thousand syncs of a disk would take a minute.
    void SetUp() override {
        const fs::path memory = "/dev/shm";
        const fs::path parent = fs::is_directory(memory) ? memory : fs::temp_directory_path();
        std::string name = (parent / "allot_file_store_XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder = name;
    }
    void TearDown() override { fs::remove_all(folder); }
    std::size_t file_count() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
    }
    std::string content() const {
        std::ifstream file(folder + "/numbers", std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    file_store open(const file_store_options& options = {}) const {
        result<file_store> file = file_store::open(folder + "/numbers", options);
        EXPECT_TRUE(file) << file.error().text();
        return std::move(*file);
    }

    std::string folder;
};

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// Usage.

TEST_F(file_store_test, keeps_bytes_at_offsets_and_replaces_them_whole) {
    const auto bytes = bytes_of("four");
    result<file_store> file = file_store::open(folder + "/numbers");
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write_at(100, bytes));
    ASSERT_TRUE(file->sync());
    std::byte back[4];
    EXPECT_TRUE(file->read_at(100, back).value() == 4 && file->size().value() == 104);
    EXPECT_TRUE(file->replace(bytes) && file->size().value() == 4); // never half of it
    EXPECT_EQ(content(), "four");
    EXPECT_EQ(file_count(), 1);
}

// Edges.

TEST_F(file_store_test, reads_a_gap_as_zero_and_nothing_beyond_the_end) {
    file_store file = open();
    std::array<std::byte, 8> into{};
    EXPECT_EQ(*file.read_at(0, into), 0);
    ASSERT_TRUE(file.write_at(4, bytes_of("x")));
    into.fill(std::byte{1});
    EXPECT_EQ(*file.read_at(3, into), 2);
    EXPECT_EQ(into[0], std::byte{0});
    EXPECT_EQ(into[1], std::byte{'x'});
    EXPECT_EQ(*file.read_at(~std::uint64_t{0} - 3, into), 0);
    const result<void> far = file.write_at(~std::uint64_t{0} - 3, into);
    ASSERT_FALSE(far);
    EXPECT_NE(far.error().text().find("File too large"), std::string::npos);
    ASSERT_TRUE(file.discard_from(2));
    EXPECT_EQ(*file.size(), 2);
    ASSERT_TRUE(file.discard_from(100));
    EXPECT_EQ(*file.size(), 2);
}

TEST_F(file_store_test, keeps_the_mode_of_the_file_that_it_replaces) {
    file_store file = open();
    struct stat status;
    ASSERT_EQ(::stat(file.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600);
    ASSERT_EQ(::chmod(file.path().c_str(), 0640), 0);
    ASSERT_TRUE(file.replace(bytes_of("new")));
    ASSERT_EQ(::stat(file.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0640);
}

TEST_F(file_store_test, goes_on_in_the_file_that_it_put_in_place) {
    file_store file = open();
    ASSERT_TRUE(file.replace(bytes_of("new content")));
    ASSERT_TRUE(file.write_at(0, bytes_of("NEW")));
    EXPECT_EQ(content(), "NEW content");
    file_store other = std::move(file);
    ASSERT_TRUE(other.replace(bytes_of("again")));
    EXPECT_EQ(content(), "again");
}

TEST_F(file_store_test, names_what_it_cannot_open) {
    const auto why = [](const result<file_store>& opened) { return opened ? "" : opened.error().text(); };
    EXPECT_EQ(why(file_store::open(folder + "/missing", {.create = false})),
              folder + "/missing: open: No such file or directory");
    EXPECT_EQ(why(file_store::open(folder + "/no/file")),
              folder + "/no/file: open its folder: No such file or directory");
    EXPECT_NE(why(file_store::open(folder)), "");
    ASSERT_EQ(::mkfifo((folder + "/pipe").c_str(), 0600), 0);
    EXPECT_EQ(why(file_store::open(folder + "/pipe")), folder + "/pipe: is no regular file");
}

TEST_F(file_store_test, is_not_inherited_by_a_program_that_is_started) {
    std::size_t before = 0;
    for (int i = 0; i != 256; ++i) before += ::fcntl(i, F_GETFD) == FD_CLOEXEC;
    file_store file = open();
    ASSERT_TRUE(file.replace(bytes_of("x")));
    std::size_t after = 0;
    for (int i = 0; i != 256; ++i) after += ::fcntl(i, F_GETFD) == FD_CLOEXEC;
    EXPECT_EQ(after, before + 2); // the file and its folder
}

TEST_F(file_store_test, is_open_once_where_it_is_exclusive) {
    file_store first = open({.exclusive = true});
    const auto second = file_store::open(folder + "/numbers", {.exclusive = true});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().text(), folder + "/numbers: another has it open");
    ASSERT_TRUE(first.replace(bytes_of("x"))); // the lock goes with the name
    EXPECT_FALSE(file_store::open(folder + "/numbers", {.exclusive = true}));
    EXPECT_TRUE(file_store::open(folder + "/numbers")); // who only reads need not ask
    {
        const file_store gone = std::move(first);
    }
    EXPECT_TRUE(file_store::open(folder + "/numbers", {.exclusive = true}));
}

TEST_F(file_store_test, removes_what_a_dead_process_left_and_leaves_what_a_living_one_writes) {
    std::ofstream(folder + "/numbers.new-abcdef") << "half of it";
    std::ofstream(folder + "/numbers.new-zzzzzz") << "being written";
    std::ofstream(folder + "/numbers.new-longer.name") << "not ours";
    std::ofstream(folder + "/others.new-abcdef") << "of another file";
    const int living = ::open((folder + "/numbers.new-zzzzzz").c_str(), O_RDWR);
    ASSERT_EQ(::flock(living, LOCK_EX), 0);
    (void)open();
    EXPECT_FALSE(fs::exists(folder + "/numbers.new-abcdef"));
    EXPECT_TRUE(fs::exists(folder + "/numbers.new-zzzzzz"));
    EXPECT_TRUE(fs::exists(folder + "/numbers.new-longer.name"));
    EXPECT_TRUE(fs::exists(folder + "/others.new-abcdef"));
    ::close(living);
}

// Shortage.

class limited_file_size {
public:
    explicit limited_file_size(rlim_t bytes) {
        ::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &old_);
        const rlimit now{bytes, old_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &now);
    }
    ~limited_file_size() { ::setrlimit(RLIMIT_FSIZE, &old_); }

private:
    rlimit old_{};
};

TEST_F(file_store_test, keeps_the_old_content_and_no_second_file_where_there_is_no_room) {
    file_store file = open();
    ASSERT_TRUE(file.replace(bytes_of("old content")));
    const std::string large(20'000, 'x');
    {
        const limited_file_size limit(8192);
        const result<void> full = file.replace(bytes_of(large));
        ASSERT_FALSE(full);
        EXPECT_EQ(full.error().text(),
                  file.path() + ": write its successor 20000 bytes at 0: File too large");
        EXPECT_EQ(content(), "old content");
        EXPECT_EQ(file_count(), 1);
        const result<void> part = file.write_at(8000, bytes_of(large)); // takes 192, then no more
        ASSERT_FALSE(part);
        EXPECT_EQ(part.error().text(), file.path() + ": write 20000 bytes at 8000: File too large");
    }
    ASSERT_TRUE(file.replace(bytes_of(large)));
    EXPECT_EQ(content(), large);
}

TEST_F(file_store_test, keeps_the_old_content_where_the_folder_takes_no_file) {
    file_store file = open();
    ASSERT_TRUE(file.replace(bytes_of("old")));
    ASSERT_EQ(::rename(folder.c_str(), (folder + "-moved").c_str()), 0); // found by its descriptor
    EXPECT_TRUE(file.replace(bytes_of("new")));
    fs::remove_all(folder + "-moved");
    const result<void> gone = file.replace(bytes_of("newer"));
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().text(), file.path() + ": create a file beside it: No such file or directory");
    std::byte back[3];
    EXPECT_EQ(*file.read_at(0, back), 3);
    EXPECT_EQ(back[2], std::byte{'w'});
}

// Crashes.

constexpr saved_form form{.kind = {'T', 'E', 'S', 'T'}};
constexpr std::size_t version_bytes = 50'000;

// Saves versions of itself until it is killed. The child takes no memory: that was done before the fork.
[[noreturn]] void save_for_ever(file_store& store, std::span<std::byte> whole) noexcept {
    for (unsigned version = 0;; ++version) {
        std::ranges::fill(whole.subspan(saved_header_bytes), static_cast<std::byte>('a' + version % 2));
        seal_saved(whole, form);
        if (!store.replace(whole)) ::_exit(1);
    }
}

// A thousand kills at random moments: the file always has one of the versions, whole.
TEST_F(file_store_test, holds_the_old_or_the_new_whoever_is_killed_when) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::vector<std::byte> whole(saved_header_bytes + version_bytes, std::byte{'a'});
    seal_saved(whole, form);
    ASSERT_TRUE(open().replace(whole));
    std::size_t seen[2] = {};
    std::size_t left_over = 0;
    for (int kill_count = 0; kill_count != 1000; ++kill_count) {
        file_store store = open();
        const pid_t child = ::fork();
        if (child == 0) save_for_ever(store, whole);
        ::usleep(static_cast<useconds_t>(random() % 4000));
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
        left_over += file_count() - 1;
        file_store after = open(); // removes what the child left
        ASSERT_EQ(file_count(), 1);
        std::vector<std::byte> found(whole.size() + 1);
        ASSERT_EQ(*after.read_at(0, found), whole.size());
        const std::byte version = found[saved_header_bytes];
        ASSERT_TRUE(version == std::byte{'a'} || version == std::byte{'b'});
        std::ranges::fill(std::span(whole).subspan(saved_header_bytes), version);
        seal_saved(whole, form);
        ASSERT_TRUE(std::equal(whole.begin(), whole.end(), found.begin()));
        ++seen[version == std::byte{'b'}];
    }
    EXPECT_GT(seen[0], 100);
    EXPECT_GT(seen[1], 100);
    EXPECT_GT(left_over, 10); // some were killed in the middle of it
}

} // namespace
} // namespace allot
