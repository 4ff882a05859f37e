#include <allot/analysis/debug_info.hpp>
#include <allot/analysis/demangle.hpp>
#include <allot/analysis/fixtures/loaded_fixture.hpp>
#include <allot/analysis/sites.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace allot;
namespace fs = std::filesystem;

namespace {

// "innermost<int> inlined.cpp:mark", short names and marks instead of lines: what a reader would check by
// eye.
std::vector<std::string> text_of(const std::vector<source_frame>& frames) {
    std::vector<std::string> rows;
    for (const source_frame& frame : frames)
        rows.push_back(short_function_name(frame.function) + " " + fixture::mark_at(frame.file, frame.line) +
                       (frame.inlined ? " inlined" : ""));
    return rows;
}

using rows = std::vector<std::string>;
const rows three_deep{"fixture::widget::innermost innermost inlined", "fixture::middle middle inlined",
                      "fixture::outer outer"};

// A directory of one test, gone after it.
class debug_info_files : public testing::Test {
protected:
    void SetUp() override {
        if (!debug_info::is_available()) GTEST_SKIP() << "built without libdw";
        fs::create_directories(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }

    static void run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

    // The recorded module, as it stands at another path.
    module_row copied_to(const std::string& path) const { return {path, library_.module().build_id, {}}; }

    fixture::loaded_fixture library_{ALLOT_FIXTURE};
    fs::path folder_ =
        fs::temp_directory_path() /
        (std::string("allot-") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

} // namespace

TEST_F(debug_info_files, names_the_inlined_functions_the_file_and_the_line_of_a_return_address) {
    snapshot shot;
    shot.modules = {library_.module()};
    shot.sites = {{{0, library_.return_address("fixture_outer")}, {}}};

    std::string text;
    debug_info names(shot.modules);
    for (const source_frame& frame : names.frames(shot.sites[0].address))
        text += frame.function + ' ' + fixture::mark_at(frame.file, frame.line) + '\n';
    EXPECT_EQ(text, "void* fixture::widget::innermost<int>(int) innermost\n"
                    "fixture::middle(int) middle\n"
                    "fixture::outer(int) outer\n");
    EXPECT_EQ(text_of(names.frames(shot.sites[0].address)), three_deep);
    EXPECT_EQ(names.detail(0).detail, name_detail::lines);
    EXPECT_EQ(names.detail(0).reason, "");
}

TEST_F(debug_info_files, names_functions_that_have_no_linkage_name_by_their_symbol) {
#ifdef __clang__ // what a lambda is called in symbols
    const std::string lambda = "$_0";
#else
    const std::string lambda = "{lambda(int)#1}";
#endif
    debug_info names(std::vector{library_.module()});
    EXPECT_EQ(text_of(names.frames({0, library_.return_address("fixture_lambda")})),
              (rows{"fixture_lambda::" + lambda + "::operator() lambda"}));
    EXPECT_EQ(text_of(names.frames({0, library_.return_address("fixture_hidden")})),
              (rows{"fixture::(anonymous namespace)::hidden hidden"}));
}

TEST_F(debug_info_files, looks_inside_the_call_that_returns_there) {
    // The first address of a function is what a call that never returns, last in the function before, returns
    // to.
    debug_info names(std::vector{library_.module()});
    const std::uint64_t first = library_.symbol("fixture_outer");
    EXPECT_NE(names.frames({0, first})[0].function, "fixture_outer");
    EXPECT_EQ(names.frames({0, first + 1})[0].function, "fixture_outer");
    EXPECT_EQ(names.frames({0, 0})[0], source_frame());
    EXPECT_EQ(names.frames({0, ~std::uint64_t{0}})[0], source_frame());
    EXPECT_EQ(names.frames({1, first})[0], source_frame());
    EXPECT_EQ(names.frames({none, first})[0], source_frame());
}

TEST_F(debug_info_files, keeps_what_it_has_returned) {
    debug_info names(std::vector{library_.module()});
    const code_address address{0, library_.return_address("fixture_outer")};
    const std::vector<source_frame>* first = &names.frames(address);
    for (std::uint64_t offset = 1; offset < 5000; ++offset) names.frames({0, offset});
    EXPECT_EQ(first, &names.frames(address));
    debug_info moved = std::move(names);
    EXPECT_EQ(first, &moved.frames(address));
}

TEST_F(debug_info_files, asks_the_units_where_there_is_no_index_of_addresses) {
    const fs::path copy = folder_ / "no_aranges.so";
    run("objcopy --remove-section=.debug_aranges " ALLOT_FIXTURE " " + copy.string());
    debug_info names(std::vector{copied_to(copy)});
    EXPECT_EQ(text_of(names.frames({0, library_.return_address("fixture_outer")})), three_deep);
}

TEST_F(debug_info_files, has_functions_only_where_the_debug_information_was_removed) {
    const fs::path copy = folder_ / "no_debug.so";
    run("strip --strip-debug -o " + copy.string() + " " ALLOT_FIXTURE);
    debug_info names(std::vector{copied_to(copy)});
    EXPECT_EQ(text_of(names.frames({0, library_.return_address("fixture_outer")})),
              (rows{"fixture::outer ?"}));
    EXPECT_EQ(text_of(names.frames({0, library_.return_address("fixture_hidden")})),
              (rows{"fixture::(anonymous namespace)::hidden ?"}));
    EXPECT_EQ(names.detail(0).detail, name_detail::functions);
}

TEST_F(debug_info_files, does_not_guess_a_neighbour_for_a_function_that_a_stripped_file_hides) {
    const fs::path copy = folder_ / "stripped.so";
    run("strip --strip-all -o " + copy.string() + " " ALLOT_FIXTURE);
    debug_info names(std::vector{copied_to(copy)});
    EXPECT_EQ(names.frames({0, library_.symbol("fixture_outer") + 1})[0].function, "fixture_outer");
    EXPECT_EQ(names.frames({0, library_.return_address("fixture_hidden")})[0], source_frame());
    EXPECT_EQ(names.detail(0).detail, name_detail::functions);
}

TEST_F(debug_info_files, finds_the_debug_file_that_a_debug_link_names) {
    const fs::path copy = folder_ / "linked.so";
    const fs::path debug = folder_ / ".debug" / "linked.so.debug";
    fs::create_directories(debug.parent_path());
    run("objcopy --only-keep-debug " ALLOT_FIXTURE " " + debug.string());
    run("objcopy --strip-all --add-gnu-debuglink=" + debug.string() + " " ALLOT_FIXTURE " " + copy.string());
    const code_address address{0, library_.return_address("fixture_outer")};
    EXPECT_EQ(text_of(debug_info(std::vector{copied_to(copy)}).frames(address)), three_deep);

    // A debug file of another build is not the module's, whatever its name.
    fs::remove(debug);
    run("objcopy --only-keep-debug " ALLOT_OTHER_FIXTURE " " + debug.string());
    EXPECT_EQ(text_of(debug_info(std::vector{copied_to(copy)}).frames(address)), (rows{"fixture::outer ?"}));
}

TEST_F(debug_info_files, checks_the_debug_file_of_a_module_without_build_id_by_its_checksum) {
    const fs::path copy = folder_ / "linked.so";
    const fs::path debug = folder_ / "linked.so.debug";
    run("objcopy --remove-section=.note.gnu.build-id " ALLOT_FIXTURE " " + copy.string());
    run("objcopy --only-keep-debug " + copy.string() + " " + debug.string());
    run("objcopy --strip-all --add-gnu-debuglink=" + debug.string() + " " + copy.string());
    const module_row module{copy, {}, {}};
    const code_address address{0, library_.return_address("fixture_outer")};
    EXPECT_EQ(text_of(debug_info(std::vector{module}).frames(address)), three_deep);
    std::ofstream(debug, std::ios::app) << "changed";
    EXPECT_NE(text_of(debug_info(std::vector{module}).frames(address)), three_deep);
}

TEST_F(debug_info_files, gives_no_names_for_a_file_that_changed_since_the_recording) {
    const fs::path copy = folder_ / "libfixture.so";
    fs::copy_file(ALLOT_OTHER_FIXTURE, copy);
    debug_info names(std::vector{copied_to(copy)});
    EXPECT_EQ(names.frames({0, library_.return_address("fixture_outer")})[0], source_frame());
    EXPECT_EQ(names.detail(0).detail, name_detail::none);
    EXPECT_EQ(names.detail(0).reason, "libfixture.so changed since the recording (another build id)");
}

TEST_F(debug_info_files, says_why_there_are_no_names) {
    const fs::path text = folder_ / "text.so";
    std::ofstream(text) << "not a program";
    debug_info names(std::vector<module_row>{{"/no/such/libgone.so", {}, {}},
                                             {"[vdso]", {}, {}},
                                             {"", {}, {}},
                                             {text, {}, {}},
                                             {"/dev/zero", {}, {}}});
    for (std::uint32_t module = 0; module < 5; ++module) {
        EXPECT_EQ(names.frames({module, 0x1000})[0], source_frame());
        EXPECT_EQ(names.detail(module).detail, name_detail::none);
    }
    EXPECT_EQ(names.detail(0).reason, "libgone.so is gone since the recording (/no/such/libgone.so)");
    EXPECT_EQ(names.detail(1).reason, "[vdso] is not a file");
    EXPECT_EQ(names.detail(2).reason, "code without a file");
    EXPECT_TRUE(names.detail(3).reason.starts_with("text.so can't be read: ")) << names.detail(3).reason;
    EXPECT_EQ(names.detail(4).reason, "zero is gone since the recording (/dev/zero)");
}

TEST_F(debug_info_files, reads_split_debug_information) {
    const fixture::loaded_fixture split(ALLOT_SPLIT_FIXTURE);
    debug_info names(std::vector{split.module()});
    EXPECT_EQ(text_of(names.frames({0, split.return_address("fixture_outer")})), three_deep);
}

// Where a server is named, libdw's own search would ask it and leave its cache; ours must not.
TEST_F(debug_info_files, asks_no_server_for_debug_files) {
    const fs::path copy = folder_ / "stripped.so";
    const fs::path cache = folder_ / "cache";
    run("strip --strip-all -o " + copy.string() + " " ALLOT_FIXTURE);
    ::setenv("DEBUGINFOD_URLS", "http://127.0.0.1:9", 1);
    ::setenv("DEBUGINFOD_CACHE_PATH", cache.c_str(), 1);
    debug_info names(std::vector{copied_to(copy)});
    names.frames({0, library_.return_address("fixture_outer")});
    EXPECT_EQ(names.detail(0).detail, name_detail::functions);
    EXPECT_FALSE(fs::exists(cache));
    ::unsetenv("DEBUGINFOD_URLS");
    ::unsetenv("DEBUGINFOD_CACHE_PATH");
}

TEST_F(debug_info_files, survives_files_cut_and_damaged_anywhere) {
    std::ifstream file(ALLOT_FIXTURE, std::ios::binary);
    const std::string whole((std::istreambuf_iterator<char>(file)), {});
    const std::uint64_t offset = library_.return_address("fixture_outer");
    const fs::path copy = folder_ / "damaged.so";
    for (std::size_t step = 0; step < 200; ++step) {
        std::string bytes = whole;
        const std::size_t at = whole.size() * step / 200;
        if (step % 2 == 0)
            bytes.resize(at);
        else
            for (std::size_t i = at; i < bytes.size() && i < at + 64; ++i)
                bytes[i] = static_cast<char>(bytes[i] ^ 0x5a);
        std::ofstream(copy, std::ios::binary) << bytes;
        debug_info names(std::vector{copied_to(copy)});
        EXPECT_FALSE(names.frames({0, offset}).empty());
        names.detail(0);
    }
}

TEST(debug_info, says_when_it_was_built_without_libdw) {
    if (debug_info::is_available()) GTEST_SKIP() << "built with libdw";
    const fixture::loaded_fixture library(ALLOT_FIXTURE);
    debug_info names(std::vector{library.module()});
    EXPECT_EQ(names.frames({0, library.return_address("fixture_outer")}), std::vector<source_frame>(1));
    EXPECT_EQ(names.detail(0).detail, name_detail::none);
    EXPECT_EQ(names.detail(0).reason, "allot was built without libdw, which reads names");
}
