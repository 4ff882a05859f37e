#include <allot/platform/whole_file.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/stat.h>

namespace {

namespace fs = std::filesystem;

class whole_file : public ::testing::Test {
protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "allot_whole_file_XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    void TearDown() override { fs::remove_all(folder_); }
    std::string path(const char* name) const { return (folder_ / name).string(); }
    std::size_t files() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
    }

    fs::path folder_;
};

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

std::string text_of(const std::vector<std::byte>& bytes) {
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

TEST_F(whole_file, is_read_back_as_it_was_written) {
    auto file = allot::replacing_file::create(path("numbers.allot"));
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write(bytes_of("first ")));
    ASSERT_TRUE(file->write(bytes_of("second")));
    ASSERT_TRUE(file->commit());
    auto again = allot::read_whole_file(path("numbers.allot"));
    ASSERT_TRUE(again);
    EXPECT_EQ(text_of(*again), "first second");
    EXPECT_EQ(files(), 1u);
}

TEST_F(whole_file, stays_as_it_was_when_the_new_one_is_dropped) {
    ASSERT_TRUE(allot::write_file_atomically(path("a"), bytes_of("old")));
    {
        auto file = allot::replacing_file::create(path("a"));
        ASSERT_TRUE(file);
        ASSERT_TRUE(file->write(bytes_of("new")));
        EXPECT_EQ(files(), 2u);
    }
    EXPECT_EQ(text_of(*allot::read_whole_file(path("a"))), "old");
    EXPECT_EQ(files(), 1u);
}

TEST_F(whole_file, is_readable_by_its_owner_only) {
    ASSERT_TRUE(allot::write_file_atomically(path("a"), bytes_of("x")));
    struct stat status{};
    ASSERT_EQ(stat(path("a").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0600u);
}

TEST_F(whole_file, moves_with_its_temporary_file) {
    auto first = allot::replacing_file::create(path("a"));
    auto second = allot::replacing_file::create(path("b"));
    ASSERT_TRUE(first && second);
    ASSERT_TRUE(first->write(bytes_of("of a")));
    *second = std::move(*first);
    EXPECT_EQ(files(), 1u); // the temporary file of b is gone
    ASSERT_TRUE(second->commit());
    EXPECT_EQ(text_of(*allot::read_whole_file(path("a"))), "of a");
}

TEST_F(whole_file, that_is_missing_is_named_in_the_error) {
    auto missing = allot::read_whole_file(path("missing"));
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().text(), path("missing") + ": cannot open: No such file or directory");
    EXPECT_FALSE(allot::replacing_file::create(path("no/such/folder")));
    auto folder = allot::read_whole_file(folder_.string());
    ASSERT_FALSE(folder);
    EXPECT_EQ(folder.error().text(), folder_.string() + ": cannot read: Is a directory");
}

} // namespace
