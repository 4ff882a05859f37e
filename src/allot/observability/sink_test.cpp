#include <allot/observability/sink.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(sink, in_memory_holds_all_that_was_written) {
    allot::memory_sink sink;
    EXPECT_TRUE(sink.bytes().empty());
    ASSERT_TRUE(sink.write(bytes_of("one ")));
    ASSERT_TRUE(sink.write({}));
    ASSERT_TRUE(sink.write(bytes_of("two")));
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(sink.bytes().data()), sink.bytes().size()),
              "one two");
}

TEST(sink, to_a_file_shows_nothing_before_its_commit) {
    std::string folder = (std::filesystem::temp_directory_path() / "allot_sink_XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    const std::string path = folder + "/out";
    {
        auto sink = allot::file_sink::create(path);
        ASSERT_TRUE(sink);
        ASSERT_TRUE(sink->write(bytes_of("text")));
        EXPECT_FALSE(std::filesystem::exists(path));
        ASSERT_TRUE(sink->commit());
    }
    EXPECT_EQ(std::filesystem::file_size(path), 4u);
    std::filesystem::remove_all(folder);
}

TEST(sink, to_a_folder_that_is_not_there_fails_with_the_path) {
    auto sink = allot::file_sink::create("/no/such/folder/out");
    ASSERT_FALSE(sink);
    EXPECT_EQ(sink.error().text(), "/no/such/folder/out: cannot create: No such file or directory");
}

} // namespace
