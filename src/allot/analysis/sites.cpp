#include <allot/analysis/sites.hpp>

#include <allot/analysis/demangle.hpp>
#include <allot/analysis/module_file.hpp>
#include <allot/analysis/tables.hpp>
#include <allot/analysis/wrapper_names.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>

namespace allot {
namespace {

bool is_wrapper_name(std::string_view name) {
    static const auto names = [] {
        std::unordered_set<std::string_view> made;
        for (const auto& group : detail::wrappers_by_name)
            made.insert(group.names.begin(), group.names.end());
        return made;
    }();
    return names.contains(name);
}

bool is_wrapper_path(std::string_view path) {
    for (const auto& group : detail::wrappers_by_path)
        for (const std::string_view start : group.names)
            if (path.starts_with(start)) return true;
    return false;
}

void erase_all(std::string& text, std::string_view part) {
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos;) text.erase(at, part.size());
}

bool is_wrapper_text(std::string_view function) {
    // Rust: "<alloc::vec::Vec<T> as core::iter::Extend<T>>::extend" belongs to its type; a boxed closure's
    // call is the closure's caller and often the closure itself; a user's global allocator passes on, too.
    if (function.starts_with('<')) {
        if (function.find("core::ops::function::Fn") != std::string_view::npos) return false;
        if (function.find(" as core::alloc::") != std::string_view::npos) return true;
        const std::size_t at = function.find_first_not_of("<&");
        return at != std::string_view::npos && is_wrapper_path(function.substr(at));
    }
    std::string name = short_function_name(function);
    if (name.ends_with("operator new") || name.ends_with("operator new[]")) return true;
    for (const std::string_view space : {"__cxx11::", "__1::", "__debug::", "__cxx1998::"})
        erase_all(name, space);
    return is_wrapper_name(name) || is_wrapper_path(name);
}

// Reads "<length><identifier>" at the front of a mangled name and takes it off; else empty.
std::string_view take_identifier(std::string_view& mangled) {
    std::size_t length = 0;
    std::size_t digits = 0;
    while (digits < mangled.size() && digits < 4 && mangled[digits] >= '0' && mangled[digits] <= '9')
        length = length * 10 + static_cast<std::size_t>(mangled[digits++] - '0');
    const std::string_view identifier = mangled.substr(digits, length);
    if (digits == 0 || identifier.size() != length) return {};
    mangled.remove_prefix(digits + length);
    return identifier;
}

// The path of a mangled C++ name of the standard library, or of allot's, up to its first template argument, such as
// "std::vector::" or "std::make_unique"; empty for other names. It decides, and costs a hundredth of
// demangling: half of a C++ program's symbols are such names.
std::string standard_path(std::string_view mangled) {
    const bool member = mangled.starts_with("_ZN");
    mangled.remove_prefix(member ? 3 : 2);
    if (member && mangled.starts_with('K')) mangled.remove_prefix(1);
    std::string path;
    constexpr std::pair<std::string_view, std::string_view> starts[] = {{"St", "std::"},
                                                                        {"Ss", "std::basic_string::"},
                                                                        {"Sb", "std::basic_string::"},
                                                                        {"Sa", "std::allocator::"},
                                                                        {"9__gnu_cxx", "__gnu_cxx::"},
                                                                        {"5allot", "allot::"}};
    for (const auto& [short_form, text] : starts)
        if (mangled.starts_with(short_form)) {
            mangled.remove_prefix(short_form.size());
            path = text;
            break;
        }
    if (path.empty()) return path;
    for (;;) {
        if (mangled.starts_with("12_GLOBAL__N_1")) path += "(anonymous namespace)::";
        const std::string_view identifier = take_identifier(mangled);
        if (identifier.empty()) return path;
        if (identifier == "__cxx11" || identifier == "__1" || identifier == "_GLOBAL__N_1") continue;
        path += identifier;
        if (!member) return path;
        path += "::";
    }
}

bool is_wrapper_symbol(std::string_view symbol) {
    if (symbol.starts_with("_Znw") || symbol.starts_with("_Zna")) return true;
    if (symbol.starts_with("_Z"))
        if (const std::string path = standard_path(symbol); !path.empty())
            return is_wrapper_path(path) || is_wrapper_name(path);
    // What else could be one, before it is demangled.
    for (const std::string_view part :
         {"alloc", "grow", "dup", "nwE", "naE", "obstack", "reserve", "hashbrown"})
        if (symbol.find(part) != std::string_view::npos) return is_wrapper_text(demangle(symbol));
    return false;
}

} // namespace

bool is_allocator_wrapper(std::string_view function) {
    if (function.starts_with("_Z") || function.starts_with("_R")) return is_wrapper_symbol(function);
    // A C name: without the compiler's mark of a part (".part.0", ".cold").
    if (function.find_first_of("(<: ") == std::string_view::npos)
        return is_wrapper_name(function.substr(0, function.find('.', 1)));
    return is_wrapper_text(function);
}

struct wrapper_functions::state {
    struct range {
        std::uint64_t start, end;
    };
    using key = std::pair<std::string, std::vector<std::uint8_t>>;
    std::map<key, std::vector<range>> modules; // sorted, without overlap

    static std::vector<range> read(const module_row& module) {
        std::vector<range> made;
        detail::module_file file(module.path, module.build_id);
        for (const detail::function_symbol& symbol : file.symbols()) {
            if (!is_allocator_wrapper(symbol.name)) continue;
            if (!made.empty() && symbol.start < made.back().end)
                made.back().end = std::max(made.back().end, symbol.end); // an alias
            else
                made.push_back({symbol.start, symbol.end});
        }
        return made;
    }
};

wrapper_functions::wrapper_functions() : state_(std::make_unique<state>()) {}
wrapper_functions::wrapper_functions(wrapper_functions&&) noexcept = default;
wrapper_functions& wrapper_functions::operator=(wrapper_functions&&) noexcept = default;
wrapper_functions::~wrapper_functions() = default;

bool wrapper_functions::contains(const module_row& module, std::uint64_t offset) {
    if (offset == 0) return false;
    auto [found, added] = state_->modules.try_emplace({module.path, module.build_id});
    if (added) found->second = state::read(module);
    const std::uint64_t inside_the_call = offset - 1;
    const auto next = std::ranges::upper_bound(found->second, inside_the_call, {}, &state::range::start);
    return next != found->second.begin() && inside_the_call < std::prev(next)->end;
}

const source_frame& site_frame(debug_info& names, code_address address) {
    const std::vector<source_frame>& frames = names.frames(address);
    for (const source_frame& frame : frames)
        if (!is_allocator_wrapper(frame.function)) return frame;
    return frames.back();
}

std::vector<std::string> missing_names(const snapshot& shot, debug_info& names) {
    std::vector<std::string> phrases;
    for (const table_row& row : make_table(shot, group_by::module, sort_by::peak)) {
        if (row.numbers.allocations == 0 || !shot.modules[row.index].path.starts_with('/')) continue;
        const module_detail& detail = names.detail(row.index);
        if (detail.detail == name_detail::none && !std::ranges::count(phrases, detail.reason))
            phrases.push_back(detail.reason);
    }
    return phrases;
}

} // namespace allot
