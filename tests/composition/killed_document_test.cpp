// A bounded_document that pages out while it is saved to a file, again and again, until its process is killed.
#include <allot/document/bounded_document.hpp>
#include <allot/document/saved_document.hpp>
#include <allot/platform/file_store.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace allot {
namespace {

namespace fs = std::filesystem;

constexpr size_tier tiers[] = {{32, 1024}, {80, 512}, {272, 512}, {1'040, 64}, {4'160, 160}, {16'448, 4}};
constexpr path pageable[] = {"notes"};
constexpr int note_count = 100;

// Of the file and of the pages, in a folder of their own: in memory, where there is a file system of that kind, for
// a thousand syncs of a disk would take a minute, and who is killed loses nothing that the system has.
struct folder {
    folder() {
        const fs::path memory = "/dev/shm";
        where = ((fs::is_directory(memory) ? memory : fs::temp_directory_path()) / "allot_killed_XXXXXX")
                    .string();
        EXPECT_NE(mkdtemp(where.data()), nullptr);
    }
    ~folder() { fs::remove_all(where); }
    file_store open(const char* name) const {
        result<file_store> file = file_store::open(where + name);
        EXPECT_TRUE(file) << file.error().text();
        return std::move(*file);
    }
    std::string where;
};

struct session {
    explicit session(const folder& in)
        : file(in.open("/document")),
          disk(in.open("/pages")),
          pages({.name = "pages",
                 .store = &disk,
                 .hot_bytes_max = 4096,
                 .compressed_bytes_max = 0,
                 .block_bytes_max = 4096}),
          memory({.name = "agent",
                  .tiers = tiers,
                  .keys_bytes_max = kibibytes(24),
                  .pages = &pages,
                  .page_bytes_max = 4096,
                  .pageable = pageable}) {}
    // Every note says the version; some of them are paged out while the document is saved.
    bool become(int version) {
        char text[3100]; // long enough that writing all of them takes its time
        const int size = std::snprintf(text, sizeof text, "version %d, %03000d", version, version);
        const std::string_view note(text, static_cast<std::size_t>(size));
        for (int i = 0; i != note_count; ++i) {
            const std::string at = "notes[" + std::to_string(i) + "].text";
            if (!memory.set_at(std::string_view(at), note)) return false;
        }
        return bool(memory.page_out_cold(12'000)) && memory.numbers().paged_count != 0;
    }
    bool save() { return bool(save_document(file, memory.root())); }

    file_store file, disk;
    cold_store pages;
    bounded_document memory;
};

[[noreturn]] void save_for_ever(const folder& in, int version) {
    session one(in);
    while (one.become(++version) && one.save()) {
    }
    ::_exit(1);
}

// What the file holds: one version, whole.
int version_in(const folder& in) {
    file_store file = in.open("/document");
    document found({.name = "found"});
    const result<void> loaded = load_document(file, found);
    EXPECT_TRUE(loaded) << loaded.error().text();
    if (!loaded) return -1;
    const value notes = found.root()["notes"];
    EXPECT_EQ(notes.size(), note_count);
    for (const value note : notes.children()) EXPECT_EQ(note["text"].as_text(), notes[0]["text"].as_text());
    return std::atoi(std::string(notes[0]["text"].as_text().substr(8)).c_str());
}

TEST(killed_document, is_the_old_or_the_new_one_whole) {
    if (!has_json()) GTEST_SKIP() << "allot was built without JSON";
    const char* const wanted = std::getenv("ALLOT_KILL_COUNT"); // a thousand take a minute
    const int kill_count = wanted ? std::atoi(wanted) : 200;
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const folder in;
    {
        session first(in);
        ASSERT_TRUE(first.become(1) && first.save());
    }
    int version = 1, advanced = 0;
    for (int i = 0; i != kill_count && !::testing::Test::HasFailure(); ++i) {
        const pid_t child = ::fork();
        if (child == 0) save_for_ever(in, version);
        ::usleep(static_cast<useconds_t>(random() % 20'000));
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
        const int now = version_in(in);
        ASSERT_GE(now, version); // what was saved never goes back
        advanced += now != version;
        version = now;
    }
    EXPECT_GT(advanced, kill_count / 10); // some saved before they were killed
}

} // namespace
} // namespace allot
