// The lists of parts.hpp are whole: each header that declares a memory_source stands in one.
#include "parts.hpp"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <string>

namespace allot::composition {
namespace {

// One for users: not default_source, which is a function, nor an inner part in `detail`.
bool declares_a_source(const std::filesystem::path& header) {
    bool is_inner = false;
    std::ifstream text(header);
    for (std::string line; std::getline(text, line);) {
        if (line.starts_with("namespace ")) is_inner = line.find("detail") != std::string::npos;
        if (line.starts_with("} // namespace")) is_inner = false;
        if (!is_inner && line.find("public memory_source") != std::string::npos) return true;
    }
    return false;
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
