#include <allot/observability/sink.hpp>

namespace allot {

result<file_sink> file_sink::create(const std::string& path) {
    auto file = replacing_file::create(path);
    if (!file) return file.error();
    return file_sink(std::move(*file));
}

} // namespace allot
