#include <allot/core/checks.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace {

using namespace allot;

TEST(checks, look_as_closely_as_their_level) {
    int looked = 0;
    const auto look = [&] {
        ++looked;
        return true;
    };
    ALLOT_CHECK(look(), "never");
    EXPECT_EQ(looked, checks >= check_level::on ? 1 : 0);
    ALLOT_CHECK_FULL(look(), "never");
    EXPECT_EQ(looked, static_cast<int>(checks));
}

TEST(checks_death, end_the_program_with_one_line) {
    if (checks == check_level::off) GTEST_SKIP() << "level off checks nothing";
    const int slot = 7;
    EXPECT_DEATH(ALLOT_CHECK(slot == 8, "pool 'edges': slot ", slot, " was freed twice"),
                 "^allot: fatal: pool 'edges': slot 7 was freed twice\n$");
}

// Code of another level than the library's must not link: the example of the header, tried.
TEST(checks, refuse_to_link_with_a_library_of_another_level) {
    const std::string folder = testing::TempDir();
    const std::string source = folder + "/allot_other_level.cpp";
    std::ofstream(source) << "#include <allot/core/checks.hpp>\nint main() {}\n";
    const auto link = [&](int level) {
        const std::string said = folder + "/allot_other_level.txt";
        const std::string command =
            std::string(CHECKS_TEST_CXX) + " -std=c++20 -DALLOT_CHECK_LEVEL=" + std::to_string(level) +
            " -I" CHECKS_TEST_INCLUDE " " + source + " " CHECKS_TEST_LIBRARY " " CHECKS_TEST_FLAGS " -o " +
            folder + "/allot_other_level 2>" + said;
        const bool linked = std::system(command.c_str()) == 0;
        std::ifstream in(said);
        return std::pair(linked, std::string(std::istreambuf_iterator<char>(in), {}));
    };
    const int own = static_cast<int>(checks);
    EXPECT_TRUE(link(own).first) << link(own).second;
    const auto [linked, said] = link(own == 0 ? 1 : 0);
    EXPECT_FALSE(linked);
    EXPECT_NE(said.find(own == 0 ? "allot::detail::library_has_check_level_on"
                                 : "allot::detail::library_has_check_level_off"),
              std::string::npos)
        << said;
}

} // namespace
