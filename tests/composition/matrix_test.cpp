// The lists of parts.hpp are whole: each header that declares a memory_source stands in one.
#include "parts.hpp"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

namespace allot::composition {
namespace {

// default_source is a function that answers a malloc_source.
bool declares_a_source(const std::filesystem::path& header) {
    std::stringstream text;
    text << std::ifstream(header).rdbuf();
    return text.str().find("public memory_source") != std::string::npos;
}

TEST(matrix, has_every_source_of_the_library) {
    std::set<std::string> listed;
    for (const auto& list : {bases(), decorators(), structures(), fixed_structures()})
        for (const part& each : list) listed.insert(each.stem);
    std::set<std::string> declared;
    for (const char* layer : {"source", "structure", "governance", "testing"}) {
        const std::filesystem::path folder = std::filesystem::path(LIBRARY_FOLDER) / layer;
        for (const auto& file : std::filesystem::directory_iterator(folder)) {
            const std::filesystem::path path = file.path();
            const bool is_ours = path.extension() == ".hpp" && !path.stem().string().ends_with("_test");
            if (is_ours && declares_a_source(path)) declared.insert(path.stem());
        }
    }
    EXPECT_GE(declared.size(), 10);
    for (const std::string& stem : declared)
        EXPECT_TRUE(listed.contains(stem)) << stem << " is missing in tests/composition/parts.cpp";
}

} // namespace
} // namespace allot::composition
