#include <cli/render/output.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace allot::cli {

bool output::flush() {
    std::string_view rest = buffer_;
    while (!rest.empty() && error_number_ == 0) {
        const ssize_t put = ::write(descriptor_, rest.data(), rest.size());
        if (put >= 0) {
            rest.remove_prefix(static_cast<std::size_t>(put));
        } else if (errno != EINTR) {
            error_number_ = errno;
        }
    }
    buffer_.clear();
    return error_number_ == 0;
}

bool output::reader_gone() const noexcept { return error_number_ == EPIPE; }

bool takes_colour(int descriptor) {
    const char* refused = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    return isatty(descriptor) == 1 && (refused == nullptr || *refused == '\0') && terminal != nullptr &&
           std::strcmp(terminal, "dumb") != 0;
}

} // namespace allot::cli
