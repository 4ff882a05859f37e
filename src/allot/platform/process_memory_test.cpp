#include <allot/core/bytes.hpp>
#include <allot/platform/pages.hpp>
#include <allot/platform/process_memory.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <climits>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace allot;

TEST(process_memory, tells_what_is_resident_now_and_was_at_most) {
    result<process_memory> self = read_process_memory();
    ASSERT_TRUE(self) << self.error().text();
    EXPECT_GT(self->resident_bytes, kibibytes(256));
    EXPECT_GE(self->resident_bytes_peak, self->resident_bytes);
}

TEST(process_memory, grows_with_the_pages_touched_and_keeps_the_peak) {
    const result<process_memory> before = read_process_memory();
    block range = try_reserve_pages({.size = mebibytes(32)});
    ASSERT_TRUE(before && range && try_commit_pages(range));
    std::memset(range.address, 1, range.size);
    const result<process_memory> during = read_process_memory();
    release_pages(range);
    const result<process_memory> after = read_process_memory();
    ASSERT_TRUE(during && after);
    EXPECT_GE(during->resident_bytes, before->resident_bytes + mebibytes(31));
    EXPECT_LT(after->resident_bytes, during->resident_bytes - mebibytes(31));
    // The kernel counts in batches per processor, so the two readings may differ a little.
    EXPECT_GE(after->resident_bytes_peak, during->resident_bytes - mebibytes(1));
}

TEST(process_memory, of_another_process_ends_with_it) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    EXPECT_GT(read_process_memory(child)->resident_bytes, 0u);
    EXPECT_FALSE(read_memory_mappings(child)->empty());
    ::kill(child, SIGKILL);
    siginfo_t info;
    ::waitid(P_PID, static_cast<id_t>(child), &info,
             WEXITED | WNOWAIT); // now a zombie: still there, without memory
    const std::string place = "/proc/" + std::to_string(child);
    EXPECT_EQ(read_process_memory(child).error().text(), place + "/status: says nothing of resident memory");
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(read_process_memory(child).error().text(), place + "/status: No such file or directory");
    EXPECT_EQ(read_memory_mappings(child).error().text(), place + "/maps: No such file or directory");
}

TEST(process_status, is_read_by_the_names_of_its_lines) {
    const auto found = parse_process_status("Name:\tVmRSS: 7 kB\nVmPeak:\t  9999 kB\nVmHWM:\t    5678 kB\n"
                                            "VmRSS:\t    1234 kB\nRssAnon:\t     400 kB\n");
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_EQ(found->resident_bytes, 1234u * 1024);
    EXPECT_EQ(found->resident_bytes_peak, 5678u * 1024);
}

TEST(process_status, is_refused_when_it_is_something_else) {
    EXPECT_FALSE(parse_process_status(""));
    EXPECT_FALSE(parse_process_status("VmRSS:\t 5 kB\n"));
    EXPECT_FALSE(parse_process_status("VmHWM:\t 5 kB\n"));
    for (const std::string line : {"VmRSS:", "VmRSS:\tkB", "VmRSS:\t5 MB", "VmRSS:\t-5 kB", "VmRSS:\t5 kB x",
                                   "VmRSS:\t99999999999999999999 kB", "VmRSS:\t18446744073709551615 kB"})
        EXPECT_EQ(parse_process_status("VmHWM:\t5 kB\n" + line).error().text(),
                  "not an amount of memory: " + line);
}

TEST(memory_mappings, show_where_code_and_data_of_this_process_lie) {
    const auto mappings = read_memory_mappings();
    ASSERT_TRUE(mappings) << mappings.error().text();
    const auto holding = [&](const void* pointer) {
        const auto address = reinterpret_cast<std::uint64_t>(pointer);
        return *std::ranges::find_if(
            *mappings, [&](const memory_mapping& at) { return at.start <= address && address < at.end; });
    };
    static int data = 1;
    const memory_mapping code = holding(reinterpret_cast<const void*>(&parse_process_status));
    EXPECT_TRUE(code.readable && code.executable && !code.writable && !code.shared);
    EXPECT_EQ(code.path, std::filesystem::read_symlink("/proc/self/exe"));
    EXPECT_TRUE(holding(&data).writable);
    EXPECT_FALSE(holding(&data).executable);
    EXPECT_TRUE(std::ranges::is_sorted(*mappings, {}, &memory_mapping::start));
}

TEST(memory_mappings, keep_each_field_and_blanks_in_paths) {
    const auto found = parse_memory_mappings(
        "55d0c8a00000-55d0c8a21000 r-xp 00002000 fe:01 1234567                    /opt/a program (deleted)\n"
        "7f0000000000-7f0000001000 rw-s 00000000 00:05 9 /dev/zero\n"
        "7f0000002000-7f0000003000 ---p 00000000 00:00 0 \n"
        "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]");
    ASSERT_TRUE(found) << found.error().text();
    ASSERT_EQ(found->size(), 4u);
    const memory_mapping& program = found->front();
    EXPECT_EQ(program.start, 0x55d0c8a00000u);
    EXPECT_EQ(program.end, 0x55d0c8a21000u);
    EXPECT_EQ(program.offset, 0x2000u);
    EXPECT_TRUE(program.readable && !program.writable && program.executable && !program.shared);
    EXPECT_EQ(program.path, "/opt/a program (deleted)");
    EXPECT_TRUE((*found)[1].readable && (*found)[1].writable && !(*found)[1].executable &&
                (*found)[1].shared);
    EXPECT_EQ((*found)[1].path, "/dev/zero");
    EXPECT_FALSE((*found)[2].readable || (*found)[2].writable || (*found)[2].executable);
    EXPECT_EQ((*found)[2].path, "");
    EXPECT_EQ(found->back().end, 0xffffffffff601000u);
    EXPECT_TRUE(parse_memory_mappings("")->empty());
}

TEST(memory_mappings, are_refused_with_the_line_that_is_wrong) {
    const std::string good = "1000-2000 r--p 00000000 00:00 0 \n";
    for (const std::string line :
         {"", "x", "1000", "1000-", "2000-1000 r--p 0 00:00 0", "1000-2000", "1000-2000 r--p",
          "1000-2000 r--p 0", "1000-2000 r--p 0 00", "1000-2000 r--p 0 00:00",
          "10000000000000000-2 r--p 0 00:00 0", "1000-2000r--p 0 00:00 0"})
        EXPECT_EQ(parse_memory_mappings(good + line + "\n" + good).error().text(),
                  "line 2: not a mapping: " + line);
}

} // namespace
