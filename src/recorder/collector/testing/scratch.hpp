// scratch: a directory for one test's files, removed with all that is in it.
//
// Owns the directory. Threads: one.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace allot::recorder::testing {

class scratch {
public:
    scratch() {
        std::string pattern = (std::filesystem::temp_directory_path() / "allot-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) std::abort();
        directory_ = pattern;
    }
    ~scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;

    std::string path(const std::string& name) const { return directory_ + "/" + name; }

private:
    std::string directory_;
};

} // namespace allot::recorder::testing
