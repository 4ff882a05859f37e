#include <allot/core/bytes.hpp>
#include <allot/platform/process_memory.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <unistd.h>

namespace allot {
namespace {

std::string path_in_proc(int pid, std::string_view file) {
    std::string path = "/proc/";
    path += pid == this_process ? "self" : std::to_string(pid);
    path += '/';
    path += file;
    return path;
}

// Files under /proc say that they have no bytes, so they are read until nothing more comes.
result<std::string> read_proc(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return system_error(errno).during(path);
    std::string text;
    for (std::size_t used = 0;;) {
        text.resize(used + kibibytes(16));
        const ssize_t bytes = ::read(descriptor, text.data() + used, text.size() - used);
        if (bytes < 0 && errno == EINTR) continue;
        if (bytes <= 0) {
            const int number = errno;
            ::close(descriptor);
            if (bytes < 0) return system_error(number).during(path);
            text.resize(used);
            return text;
        }
        used += static_cast<std::size_t>(bytes);
    }
}

// Cuts the next line off `text`.
std::string_view take_line(std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    return line;
}

void skip_blanks(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
}

bool take(std::string_view& line, char wanted) {
    if (!line.starts_with(wanted)) return false;
    line.remove_prefix(1);
    return true;
}

bool take_number(std::string_view& line, std::uint64_t& out, int base) {
    const auto [end, fault] = std::from_chars(line.data(), line.data() + line.size(), out, base);
    if (fault != std::errc{}) return false;
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    return true;
}

// The rest of a status line after its name: "      1234 kB".
bool parse_kibibytes(std::string_view rest, std::uint64_t& bytes) {
    std::uint64_t count = 0;
    skip_blanks(rest);
    if (!take_number(rest, count, 10) || rest != " kB") return false;
    return checked_multiply(count, std::uint64_t{1024}, bytes);
}

// "55d0c8a00000-55d0c8a21000 r-xp 00002000 fe:01 1234567          /usr/bin/a program"
bool parse_mapping(std::string_view line, memory_mapping& out) {
    std::uint64_t device_major = 0, device_minor = 0, inode = 0;
    if (!take_number(line, out.start, 16) || !take(line, '-')) return false;
    if (!take_number(line, out.end, 16) || !take(line, ' ')) return false;
    if (out.end < out.start || line.size() < 5) return false;
    const std::string_view permissions = line.substr(0, 4);
    out.readable = permissions[0] == 'r';
    out.writable = permissions[1] == 'w';
    out.executable = permissions[2] == 'x';
    out.shared = permissions[3] == 's';
    line.remove_prefix(4);
    if (!take(line, ' ') || !take_number(line, out.offset, 16) || !take(line, ' ')) return false;
    if (!take_number(line, device_major, 16) || !take(line, ':')) return false;
    if (!take_number(line, device_minor, 16) || !take(line, ' ')) return false;
    if (!take_number(line, inode, 10)) return false;
    skip_blanks(line);
    out.path = line;
    return true;
}

} // namespace

result<process_memory> parse_process_status(std::string_view text) {
    process_memory found;
    bool has_now = false, has_peak = false;
    while (!text.empty()) {
        std::string_view line = take_line(text);
        const bool now = line.starts_with("VmRSS:"), peak = line.starts_with("VmHWM:");
        if (!now && !peak) continue;
        if (!parse_kibibytes(line.substr(6), now ? found.resident_bytes : found.resident_bytes_peak))
            return error("not an amount of memory: " + std::string(line));
        (now ? has_now : has_peak) = true;
    }
    if (!has_now || !has_peak) return error("says nothing of resident memory");
    return found;
}

result<process_memory> read_process_memory(int pid) {
    const std::string path = path_in_proc(pid, "status");
    const result<std::string> text = read_proc(path);
    if (!text) return text.error();
    result<process_memory> found = parse_process_status(*text);
    if (!found) found.error().during(path);
    return found;
}

result<std::vector<memory_mapping>> parse_memory_mappings(std::string_view text) {
    std::vector<memory_mapping> mappings;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::string_view line = take_line(text);
        if (!parse_mapping(line, mappings.emplace_back()))
            return error("not a mapping: " + std::string(line)).during("line " + std::to_string(number));
    }
    return mappings;
}

result<std::vector<memory_mapping>> read_memory_mappings(int pid) {
    const std::string path = path_in_proc(pid, "maps");
    const result<std::string> text = read_proc(path);
    if (!text) return text.error();
    result<std::vector<memory_mapping>> mappings = parse_memory_mappings(*text);
    if (!mappings) mappings.error().during(path);
    return mappings;
}

} // namespace allot
