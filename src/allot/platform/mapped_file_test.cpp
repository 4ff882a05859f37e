#include <allot/core/bytes.hpp>
#include <allot/platform/mapped_file.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace {

using namespace allot;
namespace fs = std::filesystem;

class mapped_file_test : public testing::Test {
protected:
    mapped_file_test() {
        std::string pattern = testing::TempDir() + "allot_mapped_file_XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
    }
    ~mapped_file_test() override { fs::remove_all(folder_); }

    std::string path(std::string_view name) const { return folder_ + "/" + std::string(name); }
    void write(std::string_view name, std::string_view text) const { std::ofstream(path(name)) << text; }
    static std::string_view text_of(const mapped_file& file) {
        return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
    }
    std::string read(std::string_view name) const {
        const auto file = mapped_file::open(path(name));
        return file ? std::string(text_of(*file)) : file.error().text();
    }

private:
    std::string folder_;
};
using shared_file_test = mapped_file_test;
using file_names_test = mapped_file_test;

TEST_F(shared_file_test, is_filled_through_memory_and_read_by_another_mapping) {
    auto made = shared_file::create_new(path("x.partial"), {.apparent_bytes = gibibytes(1)});
    ASSERT_TRUE(made && made->back(0, kibibytes(64)));
    std::memcpy(made->data(), "ALLOTSEG", 8);
    result<mapped_file> same = mapped_file::open(path("x.partial"));
    ASSERT_TRUE(same) << same.error().text();
    EXPECT_EQ(same->bytes()[0], std::byte{'A'});
    made->data()[0] = std::byte{'B'};
    EXPECT_EQ(same->bytes()[0], std::byte{'B'});
    EXPECT_TRUE(made->sync());
}

TEST_F(mapped_file_test, holds_the_bytes_of_a_file_and_survives_its_name) {
    write("a", "some text");
    auto file = mapped_file::open(path("a"));
    ASSERT_TRUE(file);
    ASSERT_TRUE(remove_file(path("a")));
    mapped_file moved = std::move(*file);
    EXPECT_EQ(text_of(moved), "some text");
    EXPECT_TRUE(file->bytes().empty());
    write("b", "other");
    moved = std::move(*mapped_file::open(path("b")));
    EXPECT_EQ(text_of(moved), "other");
}

TEST_F(mapped_file_test, of_an_empty_file_has_no_bytes) {
    write("empty", "");
    const auto file = mapped_file::open(path("empty"));
    ASSERT_TRUE(file) << file.error().text();
    EXPECT_TRUE(file->bytes().empty());
}

TEST_F(mapped_file_test, says_why_a_path_cannot_be_mapped) {
    EXPECT_EQ(mapped_file::open(path("none")).error().text(),
              "opening " + path("none") + ": No such file or directory");
    EXPECT_EQ(mapped_file::open(path("")).error().text(), "opening " + path("") + ": is a directory");
    ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
    EXPECT_EQ(mapped_file::open(path("pipe")).error().text(),
              "opening " + path("pipe") + ": is no regular file");
}

TEST_F(shared_file_test, takes_disk_only_for_the_ranges_it_backs) {
    auto made = shared_file::create_new(path("x"), {.apparent_bytes = gibibytes(4)});
    ASSERT_TRUE(made);
    const auto disk_bytes = [&] {
        struct stat status{};
        EXPECT_EQ(::stat(path("x").c_str(), &status), 0);
        EXPECT_EQ(status.st_size, 4ll << 30);
        return static_cast<std::size_t>(status.st_blocks) * 512;
    };
    EXPECT_LT(disk_bytes(), kibibytes(64));
    ASSERT_TRUE(made->back(gibibytes(3), mebibytes(1)));
    EXPECT_GE(disk_bytes(), mebibytes(1));
    EXPECT_LT(disk_bytes(), mebibytes(2));
    made->data()[gibibytes(3)] = std::byte{7};
    ASSERT_TRUE(made->back(gibibytes(3), mebibytes(1))); // again: keeps what is there
    EXPECT_EQ(made->data()[gibibytes(3)], std::byte{7});
    EXPECT_TRUE(made->back(gibibytes(4), 0));
}

TEST_F(shared_file_test, is_for_its_owner_alone_and_not_inherited) {
    const mode_t mask = ::umask(0);
    auto made = shared_file::create_new(path("x"), {.apparent_bytes = 1});
    ::umask(mask);
    ASSERT_TRUE(made);
    struct stat status{};
    ASSERT_EQ(::stat(path("x").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600u);
    int found = 0;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
        std::error_code gone; // the iterator's own descriptor may be
        if (fs::read_symlink(entry.path(), gone) != fs::canonical(path("x"))) continue;
        ++found;
        EXPECT_EQ(::fcntl(std::stoi(entry.path().filename()), F_GETFD), FD_CLOEXEC);
    }
    EXPECT_EQ(found, 1);
}

TEST_F(shared_file_test, leaves_an_existing_file_alone_unless_told) {
    write("x", "precious");
    EXPECT_EQ(shared_file::create_new(path("x"), {.apparent_bytes = 10}).error().text(),
              "creating " + path("x") + ": File exists");
    EXPECT_EQ(read("x"), "precious");
    const auto old = mapped_file::open(path("x"));
    auto made = shared_file::create_new(path("x"), {.apparent_bytes = 3, .replace = true});
    ASSERT_TRUE(made && made->back(0, 3));
    std::memcpy(made->data(), "new", 3);
    EXPECT_EQ(read("x"), "new");
    EXPECT_EQ(text_of(*old), "precious");
}

TEST_F(shared_file_test, does_not_follow_a_link_when_it_replaces) {
    write("target", "precious");
    fs::create_symlink(path("target"), path("x"));
    EXPECT_FALSE(shared_file::create_new(path("x"), {.apparent_bytes = 3}));
    EXPECT_TRUE(shared_file::create_new(path("x"), {.apparent_bytes = 3, .replace = true}));
    EXPECT_EQ(read("target"), "precious");
}

TEST_F(shared_file_test, leaves_no_file_behind_when_it_cannot_be_made) {
    const auto made = shared_file::create_new(path("x"), {.apparent_bytes = std::size_t{1} << 62});
    ASSERT_FALSE(made);
    EXPECT_TRUE(made.error().text().starts_with("sizing " + path("x") + ": ")) << made.error().text();
    EXPECT_FALSE(fs::exists(path("x")));
    EXPECT_EQ(shared_file::create_new(path("no/x"), {.apparent_bytes = 1}).error().text(),
              "creating " + path("no/x") + ": No such file or directory");
}

// Writing to an unbacked page of a full file system would be SIGBUS in the observed program.
TEST(shared_file, says_that_the_device_is_full_when_it_backs_a_range) {
    struct statvfs device{};
    if (::statvfs("/dev/shm", &device) != 0 || device.f_blocks == 0)
        GTEST_SKIP() << "no bounded /dev/shm here";
    const std::size_t device_bytes = std::size_t{device.f_blocks} * device.f_frsize;
    const std::string path = "/dev/shm/allot_shared_file_test." + std::to_string(::getpid());
    auto made = shared_file::create_new(path, {.apparent_bytes = 2 * device_bytes});
    ASSERT_TRUE(made) << made.error().text();
    ASSERT_TRUE(remove_file(path));
    const std::size_t too_much = device_bytes + mebibytes(1);
    EXPECT_EQ(made->back(0, too_much).error().text(),
              "backing " + std::to_string(too_much) + " bytes of " + path + ": No space left on device");
    EXPECT_TRUE(made->back(0, kibibytes(64))); // the refusal took nothing
    made->data()[kibibytes(64) - 1] = std::byte{1};
}

TEST_F(shared_file_test, dies_when_a_range_outside_is_backed) {
    auto made = shared_file::create_new(path("x"), {.apparent_bytes = 100});
    ASSERT_TRUE(made);
    EXPECT_DEATH((void)made->back(90, 11), "^allot: fatal: shared_file: backing 11 bytes at 90 of 100\n$");
    EXPECT_DEATH((void)made->back(90, SIZE_MAX), "^allot: fatal: shared_file: backing ");
    EXPECT_DEATH((void)shared_file::create_new(path("y"), {}),
                 "^allot: fatal: shared_file: no bytes asked for\n$");
}

TEST_F(shared_file_test, moves_its_mapping) {
    auto made = shared_file::create_new(path("x"), {.apparent_bytes = 4096});
    ASSERT_TRUE(made && made->back(0, 4096));
    std::byte* const data = made->data();
    shared_file moved = std::move(*made);
    EXPECT_EQ(moved.data(), data);
    EXPECT_EQ(made->data(), nullptr);
    moved = std::move(*shared_file::create_new(path("y"), {.apparent_bytes = 8192}));
    EXPECT_EQ(moved.size(), 8192u);
    EXPECT_TRUE(moved.back(0, 8192));
    moved.data()[8191] = std::byte{1};
}

TEST_F(file_names_test, replace_what_was_there_or_refuse_to) {
    write("from", "new");
    write("to", "old");
    EXPECT_EQ(rename_to_new(path("from"), path("to")).error().text(),
              "renaming " + path("from") + " to " + path("to") + ": File exists");
    EXPECT_EQ(read("to"), "old");
    EXPECT_TRUE(replace_file(path("from"), path("to")));
    EXPECT_EQ(read("to"), "new");
    EXPECT_FALSE(fs::exists(path("from")));
    EXPECT_TRUE(rename_to_new(path("to"), path("third")));
    EXPECT_EQ(read("third"), "new");
    EXPECT_EQ(replace_file(path("none"), path("to")).error().what(), "No such file or directory");
}

TEST_F(file_names_test, may_be_removed_twice) {
    write("x", "");
    EXPECT_TRUE(remove_file(path("x")));
    EXPECT_TRUE(remove_file(path("x")));
    EXPECT_FALSE(fs::exists(path("x")));
    EXPECT_FALSE(remove_file(path("")));
}

} // namespace
