// path: a way through a tree, as text: "agent.state.notes[3].text".
//
// Use it to name one place of a document (path_access.hpp reads and edits by it). For the standard's form,
// "/agent/state/notes/3/text", take json_pointer; for a way that is gone often, compiled_path; for queries with
// wildcards nothing here.
// Borrows its text; a path is a view. Reading steps allocates nothing.
// Threads: values.
// Cost: reading a step takes about 6 instructions a byte and 80.
//
// Grammar:
//     path       empty (the root), or steps
//     name       up to the next '.' or '['; \. \[ \] \@ \\ stand for these bytes: llm\.gpt-3\.5.price
//     ["name"]   any bytes; \" and \\ stand for these: ["llm.gpt-3.5"].price
//     [3]        the item of an array, counted from 0; of an element, the child
//     [-]        behind the last item: where set appends
//     @name      an attribute of an XML element; it is the last step
// Names, and @, stand at the beginning or behind a '.'; brackets at the beginning or behind a step. A name of digits
// also is an item's index where an array stands: a.3 is a[3] then. In an element a name leads to the first child
// element of that name. An '@' elsewhere is a byte like others; the member "@type" of an object is ["@type"].
// A name that escapes stand in has at most path_cursor::escaped_bytes_max bytes.
//
// Errors name the path and the column (in bytes, from 1): path 'a..b', column 3: a name is missing
//
//     path_cursor steps(R"(models["llm.gpt-3.5"].price[2])");
//     std::string seen;
//     for (path_step step; steps.next(step);)
//         seen += step.kind == path_step::name ? std::string(step.text) + ";" : std::to_string(step.position);
//     assert(steps.check() && seen == "models;llm.gpt-3.5;price;2");
//     assert(path("a..b").check().error().text() == "path 'a..b', column 3: a name is missing");
#pragma once

#include <allot/core/result.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace allot {

class path {
public:
    enum class syntax : std::uint8_t { dotted, json_pointer };

    template <std::convertible_to<std::string_view> Text>
    constexpr path(const Text& text) noexcept : text_(text) {}

    constexpr std::string_view text() const noexcept { return text_; }
    constexpr syntax how() const noexcept { return how_; }
    // Whether it follows its grammar to the end. What it leads to is not asked.
    result<void> check() const noexcept;

protected:
    constexpr path(std::string_view text, syntax how) noexcept : text_(text), how_(how) {}

private:
    std::string_view text_; // borrowed
    syntax how_ = syntax::dotted;
};

struct path_step {
    enum step_kind : std::uint8_t { name, item, attribute };
    static constexpr std::uint64_t end = ~std::uint64_t{0};             // behind the last item
    static constexpr std::uint64_t no_position = ~std::uint64_t{0} - 1; // a name that is no index

    step_kind kind = name;
    std::string_view text = {};           // of a name or attribute, unescaped; valid until the next step
    std::uint64_t position = no_position; // an item's; and of a name what it means in an array
    std::size_t column = 1;               // where the step begins in the path, from 1
};

// Reads a path's steps one by one.
class path_cursor {
public:
    static constexpr std::size_t escaped_bytes_max = 512;

    explicit path_cursor(path way) noexcept
        : way_(way),
          at_(way.text().data()),
          end_(at_ + way.text().size()),
          in_fragment_(way.how() == path::syntax::json_pointer && way.text().starts_with('#')) {
        at_ += in_fragment_;
    }
    path_cursor(const path_cursor&) = delete; // a step's text may lie in it
    path_cursor& operator=(const path_cursor&) = delete;

    // False at the end, and where the path does not follow its grammar: check() tells.
    bool next(path_step& step) noexcept;
    bool is_at_end() const noexcept { return at_ == end_ && !wrong_; }
    // Whether the next step is [3] or [-]. Expects: not at the end.
    bool is_item_next() const noexcept {
        return way_.how() == path::syntax::dotted && *at_ == '[' && at_ + 1 != end_ && at_[1] != '"';
    }
    result<void> check() const noexcept;
    // An error at a step of this path: "path 'a.b', column 3: WHAT".
    error error_at(std::size_t column, std::string_view what) const noexcept;

private:
    bool next_dotted(path_step& step) noexcept;
    bool next_token(path_step& step) noexcept; // of a JSON Pointer
    bool bare_name(path_step& step) noexcept;
    bool bracket(path_step& step) noexcept;
    bool quoted_name(path_step& step) noexcept;
    bool item_index(path_step& step) noexcept;
    // Unescapes from start, whose first escape is at at_, up to where `is_end` says; false: wrong.
    template <class IsEnd, class Escape>
    bool unescape(const char* start, path_step& step, IsEnd is_end, Escape escape) noexcept;
    bool wrong(const char* at, const char* what) noexcept;
    std::size_t column_of(const char* at) const noexcept {
        return static_cast<std::size_t>(at - way_.text().data()) + 1;
    }

    path way_;
    const char* at_;
    const char* end_;
    bool started_ = false;
    const bool in_fragment_;      // a JSON Pointer as a URI fragment: %XX stands for a byte
    const char* wrong_ = nullptr; // what is wrong, and where
    std::size_t wrong_column_ = 0;
    char unescaped_[escaped_bytes_max]; // of the newest step, where escapes stood in it
};

} // namespace allot
