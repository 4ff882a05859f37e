#include <recorder/collector/inspect.hpp>

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace allot::recorder {
namespace {

// A folder of its own for each test, with small programs in it.
class inspect : public testing::Test {
protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "inspect.XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    void TearDown() override { ASSERT_EQ(std::system(("rm -rf '" + folder_ + "'").c_str()), 0); }

    std::string file(const std::string& name, const std::string& bytes, mode_t mode = 0755) {
        const std::string path = folder_ + "/" + name;
        std::ofstream(path, std::ios::binary) << bytes;
        EXPECT_EQ(chmod(path.c_str(), mode), 0);
        return path;
    }
    // A program that the test suite's own compiler makes; empty where it can't (no static libc, no 32 bits).
    std::string compiled(const std::string& name, const std::string& flags, const std::string& code) {
        const std::string path = folder_ + "/" + name;
        file(name + ".c", code);
        const std::string command =
            std::string(ALLOT_TEST_CC) + " -o " + path + " " + path + ".c " + flags + " >/dev/null 2>&1";
        return std::system(command.c_str()) == 0 ? path : std::string();
    }
    std::string folder_;
};

constexpr const char* empty_program = "int main(void) { return 0; }\n";

TEST_F(inspect, a_usual_program_is_observed_and_found_on_the_path) {
    const inspection seen = inspect_program("ls", "/usr/bin:/bin");
    EXPECT_TRUE(seen.observed) << seen.reason;
    EXPECT_TRUE(seen.preload);
    EXPECT_EQ(seen.file, "/usr/bin/ls");
}

TEST_F(inspect, the_path_is_searched_as_exec_does) {
    const std::string path = file("prog", "#!/bin/sh\n");
    file("other", "no permission", 0644);
    EXPECT_EQ(find_program("prog", ("/nowhere:" + folder_).c_str()), path);
    EXPECT_EQ(find_program("other", folder_.c_str()), "");
    EXPECT_EQ(find_program("", folder_.c_str()), "");
    EXPECT_EQ(find_program("a/b", folder_.c_str()), "a/b");
    EXPECT_EQ(find_program("ls", nullptr), "/bin/ls");
    ASSERT_EQ(mkdir((folder_ + "/dir").c_str(), 0755), 0);
    EXPECT_EQ(find_program("dir", folder_.c_str()), "");
}

TEST_F(inspect, a_script_is_judged_by_its_interpreter_also_over_several_steps) {
    const std::string inner = file("inner", "#! /bin/sh -e\n");
    const std::string outer = file("outer", "#!" + inner + " x\n");
    EXPECT_EQ(inspect_program(outer, nullptr).name, "/bin/sh");
    EXPECT_TRUE(inspect_program(outer, nullptr).observed);
    const std::string itself = file("loop", "#!" + folder_ + "/loop\n");
    EXPECT_TRUE(inspect_program(itself, nullptr).observed); // exec says what is wrong
}

TEST_F(inspect, a_static_program_is_said_to_be_one) {
    for (const char* flags : {"-static", "-static-pie"}) {
        const std::string path = compiled("still", flags, empty_program);
        ASSERT_FALSE(path.empty()) << flags;
        const inspection seen = inspect_program(path, nullptr);
        EXPECT_FALSE(seen.observed);
        EXPECT_TRUE(seen.preload); // what it starts may be observed
        EXPECT_EQ(seen.reason, "statically linked") << flags;
    }
}

TEST_F(inspect, the_loader_itself_is_not_taken_for_a_static_program) {
    EXPECT_TRUE(inspect_program("/lib64/ld-linux-x86-64.so.2", nullptr).observed);
}

TEST_F(inspect, a_sanitized_program_is_left_alone) {
    for (const char* flags :
         {"-fsanitize=address", "-fsanitize=address -static-libasan", "-fsanitize=thread"}) {
        const std::string path = compiled("sane", flags, empty_program);
        if (path.empty()) {
            continue; // this compiler has no such runtime
        }
        const inspection seen = inspect_program(path, nullptr);
        EXPECT_FALSE(seen.observed) << flags;
        EXPECT_FALSE(seen.preload) << flags;
        EXPECT_NE(seen.reason.find("Sanitizer"), std::string::npos) << flags << ": " << seen.reason;
    }
}

TEST_F(inspect, a_malloc_of_its_own_is_seen) {
    const std::string path = compiled("own", "-rdynamic",
                                      "#include <stddef.h>\nvoid* malloc(size_t n) { return (void*)n; }\n"
                                      "int main(void) { return 0; }\n");
    ASSERT_FALSE(path.empty());
    EXPECT_EQ(inspect_program(path, nullptr).reason, "built with a malloc of its own");
}

TEST_F(inspect, a_go_program_is_seen_by_its_build_id) {
    const std::string path =
        compiled("go", "",
                 "__attribute__((section(\".note.go.buildid\"), used)) static const char id[] = \"x\";\n"
                 "int main(void) { return 0; }\n");
    ASSERT_FALSE(path.empty());
    const inspection seen = inspect_program(path, nullptr);
    EXPECT_FALSE(seen.observed);
    EXPECT_NE(seen.reason.find("Go program"), std::string::npos);
}

TEST_F(inspect, another_processor_word_size_and_c_library_are_seen) {
    std::ifstream own("/proc/self/exe", std::ios::binary);
    std::string bytes(64 * 1024, '\0'); // the headers are enough
    own.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    std::string arm = bytes;
    arm[18] = static_cast<char>(183); // e_machine
    EXPECT_EQ(inspect_program(file("arm", arm), nullptr).reason, "built for another processor (AArch64)");
    EXPECT_FALSE(inspect_program(file("arm", arm), nullptr).preload);
    std::string small = bytes;
    small[18] = 3; // EM_386
    EXPECT_EQ(inspect_program(file("small", small), nullptr).reason, "a 32-bit program");
    std::string musl = bytes;
    const auto place = musl.find("ld-linux-x86-64.so.2");
    ASSERT_NE(place, std::string::npos);
    musl.replace(place, 20, "ld-musl-x86_64.so.1\0", 20);
    EXPECT_EQ(inspect_program(file("musl", musl), nullptr).reason,
              "linked to another C library (ld-musl-x86_64.so.1)");
}

TEST_F(inspect, a_program_that_changes_the_user_is_seen) {
    if (getuid() != 0) {
        GTEST_SKIP() << "needs root, to give a file away";
    }
    const std::string path = compiled("raised", "", empty_program);
    ASSERT_FALSE(path.empty());
    ASSERT_EQ(chown(path.c_str(), 65534, 65534), 0);
    ASSERT_EQ(chmod(path.c_str(), 04755), 0);
    EXPECT_NE(inspect_program(path, nullptr).reason.find("set-user-ID"), std::string::npos);
    ASSERT_EQ(chmod(path.c_str(), 02755), 0);
    EXPECT_NE(inspect_program(path, nullptr).reason.find("set-group-ID"), std::string::npos);
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
    EXPECT_TRUE(inspect_program(path, nullptr).observed);
}

TEST_F(inspect, damaged_files_are_left_to_exec) {
    for (const char* bytes : {"", "\x7F",
                              "\x7F"
                              "ELF",
                              "\x7F"
                              "ELF\2\1\1",
                              "text\n", "#!", "#!\n", "#! \t\n"}) {
        EXPECT_TRUE(inspect_program(file("odd", bytes), nullptr).observed);
    }
    std::ifstream own("/proc/self/exe", std::ios::binary);
    std::string bytes(4096, '\0');
    own.read(bytes.data(), 4096);
    for (std::size_t cut = 16; cut < bytes.size(); cut += 97) {
        static_cast<void>(inspect_program(file("cut", bytes.substr(0, cut)), nullptr)); // must not crash
    }
}

} // namespace
} // namespace allot::recorder
