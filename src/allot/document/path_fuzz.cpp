// Reads bytes as a path: the first byte, modulo 2, chooses between dotted and JSON Pointer, the rest is the text. It
// lies in memory of exactly its size, so that the address sanitizer sees each read outside it.
//
// Names that were read are written again with every byte escaped that may be, and must be read as the same.
#include <allot/document/json_pointer.hpp>
#include <allot/document/path.hpp>

#include <cstdlib>
#include <string>
#include <vector>

namespace {

using allot::path_cursor;
using allot::path_step;

void append_quoted(std::string& to, std::string_view name) {
    to += "[\"";
    for (const char c : name) {
        if (c == '"' || c == '\\') to += '\\';
        to += c;
    }
    to += "\"]";
}

void append_token(std::string& to, std::string_view name) {
    to += '/';
    for (const char c : name) to += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
}

void expect_same(const std::vector<std::string>& names, allot::path way) {
    path_cursor again(way);
    std::size_t count = 0;
    for (path_step step; again.next(step); ++count)
        if (count == names.size() || step.kind != path_step::name || step.text != names[count]) std::abort();
    if (!again.check() || count != names.size()) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::vector<char> exact(data + 1, data + size);
    const std::string_view text(exact.data(), exact.size());
    const bool is_pointer = data[0] % 2 != 0;
    const allot::path way = is_pointer ? allot::path(allot::json_pointer(text)) : allot::path(text);
    path_cursor steps(way);
    std::vector<std::string> names;
    std::string quoted, pointer;
    std::size_t column = 0;
    for (path_step step; steps.next(step);) {
        if (step.column <= column || step.column > text.size() + 1) std::abort();
        column = step.column;
        if (step.kind == path_step::item && step.position == path_step::no_position) std::abort();
        if (step.kind != path_step::name) continue;
        if (step.text.size() >= path_cursor::escaped_bytes_max / 2) return 0; // it may not fit with escapes
        names.emplace_back(step.text);
        append_quoted(quoted, step.text);
        append_token(pointer, step.text);
    }
    if (steps.check().operator bool() != way.check().operator bool()) std::abort();
    if (!steps.check()) (void)steps.check().error().text();
    if (steps.check() && !steps.is_at_end()) std::abort();
    expect_same(names, quoted);
    expect_same(names, allot::json_pointer(pointer));
    return 0;
}
