// Reads bytes as JSON: the first byte chooses the policy for duplicate keys and the levels that are allowed.
//
// What is accepted must be written, read again as an equal tree and written as the same bytes, indented too; the
// walk that finds places must say the same about it; and so must nlohmann's parser, but for what it takes
// more kindly: numbers beyond 64 bits or a double, a byte order mark, a zero byte, which is an end to it.
#include <allot/document/json_reader.hpp>
#include <allot/document/json_writer.hpp>

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <string>
#include <vector>

namespace {

void must(bool holds) {
    if (!holds) std::abort();
}

std::string written(const allot::document& tree, const allot::json_write_options& options = {}) {
    allot::buffer text;
    must(static_cast<bool>(allot::write_json(text, tree.root(), options)));
    return std::string(text.text());
}

void must_come_back(const allot::document& tree, const std::string& text) {
    allot::document again;
    must(static_cast<bool>(allot::read_json(again, text, {.depth_max = 1'000'000})));
    must(allot::same_tree(tree.root(), again.root()).value_or(false));
    again.check();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || !allot::has_json()) return 0;
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const allot::json_read_options options{.depth_max = data[0] & 0x80 ? 3u : 1024u,
                                           .duplicates = static_cast<allot::duplicate_keys>(data[0] % 3)};
    allot::document tree;
    const auto done = allot::read_json(tree, text, options);
    const bool is_duplicate = !done && done.error().text().find("is there already") != std::string::npos;
    std::vector<std::uint64_t> stack(allot::detail::json_stack_words(options.depth_max));
    allot::detail::json_fault fault;
    const bool has_fault =
        allot::detail::find_json_fault(text, {.depth_max = options.depth_max}, stack, fault);
    must(is_duplicate || has_fault == !done);
    if (!done) must(!tree.root());
    if (!done && !is_duplicate) must(done.error().text() == fault.as_error().text());
    const std::string_view what = has_fault ? fault.what : "";
    const bool is_kinder = what.find("cannot hold") != what.npos || what.find("levels") != what.npos ||
                           what.find("byte order mark") != what.npos || text.find('\0') != text.npos;
    if (!is_kinder && !is_duplicate) must(nlohmann::json::accept(text) == static_cast<bool>(done));
    if (!done) return 0;
    tree.check();
    const std::string compact = written(tree);
    must_come_back(tree, compact);
    must_come_back(tree, written(tree, {.indent = 3, .ends_line = true}));
    return 0;
}
