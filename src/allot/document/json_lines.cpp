#include <allot/document/json_lines.hpp>

#include <algorithm>

namespace allot {

result<bool> json_lines::next(document& into) noexcept {
    while (at_ != text_.size()) {
        const std::string_view rest = text_.substr(at_);
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = rest.substr(0, end);
        place_ = {.byte = at_, .line = ++line_, .column = 1};
        at_ += std::min(end + 1, rest.size());
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        if (auto done = reader_.read(into, line, place_); !done) return done.error();
        return true;
    }
    return false;
}

} // namespace allot
