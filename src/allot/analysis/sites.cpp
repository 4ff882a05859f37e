#include <allot/analysis/sites.hpp>

#include <allot/analysis/demangle.hpp>
#include <allot/analysis/module_file.hpp>
#include <allot/analysis/wrapper_names.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <unordered_set>

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

// A cheap test that keeps most mangled names from being demangled.
bool may_be_wrapper(std::string_view symbol) {
    constexpr std::array<std::string_view, 9> starts{"_ZNSt",          "_ZNKSt",        "_ZNSs",
                                                     "_ZNSb",          "_ZSt",          "_ZN9__gnu_cxx",
                                                     "_ZNK9__gnu_cxx", "_ZN9hashbrown", "_R"};
    constexpr std::array<std::string_view, 7> parts{"alloc", "grow",    "dup",    "nwE",
                                                    "naE",   "obstack", "reserve"};
    return std::ranges::any_of(starts, [&](auto start) { return symbol.starts_with(start); }) ||
           std::ranges::any_of(parts, [&](auto part) { return symbol.find(part) != std::string_view::npos; });
}

} // namespace

bool is_allocator_wrapper(std::string_view function) {
    if (function.starts_with("_Znw") || function.starts_with("_Zna")) return true;
    if (function.starts_with("_Z") || function.starts_with("_R"))
        return may_be_wrapper(function) && is_wrapper_text(demangle(function));
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

} // namespace allot
