#include <allot/core/contract.hpp>

#include <cstddef>
#include <cstdlib>
#include <cstring>

// libc's own, declared here and not taken from <unistd.h>: a contract can break inside a malloc hook or a
// signal handler, where the lock of stdio's stderr may be held.
extern "C" std::ptrdiff_t write(int descriptor, const void* bytes, std::size_t count);

namespace allot {
namespace {

constexpr std::size_t line_bytes_max = 512;
constexpr std::string_view prefix = "allot: fatal: ";
constexpr std::string_view cut = "...";

char* write_text(std::string_view text, char* out, const char* end) noexcept {
    const std::size_t room = static_cast<std::size_t>(end - out);
    const std::size_t size = text.size() < room ? text.size() : room;
    if (size != 0) std::memcpy(out, text.data(), size);
    return out + size;
}

char* write_digits(std::uint64_t value, unsigned base, char* out, const char* end) noexcept {
    char digits[20];
    char* first = digits + sizeof digits;
    do {
        *--first = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    return write_text({first, static_cast<std::size_t>(digits + sizeof digits - first)}, out, end);
}

} // namespace

char* fatal_part::write(char* out, const char* end) const noexcept {
    switch (kind_) {
    case kind::text: return write_text(text_, out, end);
    case kind::number: return write_digits(number_, 10, out, end);
    case kind::negative: return write_digits(number_, 10, write_text("-", out, end), end);
    case kind::address: return write_digits(number_, 16, write_text("0x", out, end), end);
    }
    return out;
}

void fatal(std::initializer_list<fatal_part> parts) noexcept {
    char line[line_bytes_max];
    // The room of "..." and the line break is kept free. A line that ends exactly here gets its dots, too.
    const char* const end = line + line_bytes_max - cut.size() - 1;
    char* out = write_text(prefix, line, end);
    for (const fatal_part& part : parts) out = part.write(out, end);
    if (out == end) out = write_text(cut, out, end + cut.size());
    *out++ = '\n';
    if (write(2, line, static_cast<std::size_t>(out - line)) < 0) {
        // Nobody is left to tell; the abort still says that something was wrong.
    }
    std::abort();
}

} // namespace allot
