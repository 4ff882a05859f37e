// tag: whom memory is for: a name in a tree of names, as a value of two bytes.
//
// Use one for each kind of use that reports should tell apart: "parser", "parser/strings", a plug-in. A tag
// is bound to a source once (tracked_source, tagged_heap), not passed with each call. Not for what comes and
// goes by the thousand, as sessions and requests do: a name stays for the life of the process, and there is
// room for 1,024; give those a budget and a source of their own under one tag.
// A name under a parent is one tag, whoever asks. The tag of no name (`tag()`, "untagged") is the root of
// all, and what bears it bears no tag.
// Owns nothing: the names lie in one table of the process that is never freed.
// Threads: any; a value.
// Cost: making: a lock and a walk over all tags; the rest: a few loads. 36 KiB of zero pages.
// Fatal: `allot: fatal: tag 'x': no room for more than 1024 tags` and `allot: fatal: tag: a name of 0 bytes
// (1 to 31 are allowed)`, both of make().
//
//     const tag strings = tag::make("strings", tags::parse);
//     assert(strings == tag::make("strings", tags::parse) && strings.parent() == tags::parse);
//     assert(strings.name().view() == "strings" && strings.depth() == 2);
//     assert(tag().name().view() == "untagged");
#pragma once

#include <allot/core/name.hpp>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace allot {

class tag {
public:
    static constexpr std::size_t count_max = 1024; // the ready-made ones and the root included

    constexpr tag() noexcept : index_(0) {} // untagged

    // The child of `parent` with this name, made where it is new. A name is 1 to 31 bytes and is never cut:
    // two tags must not become one.
    static tag make(std::string_view name, tag parent = {}) noexcept;
    // Empty: the table is full, or the name has not 1 to 31 bytes.
    static std::optional<tag> try_make(std::string_view name, tag parent = {}) noexcept;
    // How many there are: their indices are 0 … count() − 1, parents before children.
    static std::size_t count() noexcept;
    // Expects: index < count().
    static tag at(std::size_t index) noexcept;

    const allot::name& name() const noexcept;
    tag parent() const noexcept;        // the root's is the root
    std::size_t depth() const noexcept; // 0: the root
    constexpr std::size_t index() const noexcept { return index_; }
    bool is_within(tag ancestor) const noexcept; // itself included

    friend constexpr auto operator<=>(tag, tag) = default;

private:
    friend struct tags;
    explicit constexpr tag(std::uint16_t index) noexcept : index_(index) {}

    std::uint16_t index_;
};

// The ready-made ones, children of the root.
struct tags {
    static constexpr tag untagged{};
    static constexpr tag general{1};
    static constexpr tag edge{2};
    static constexpr tag node{3};
    static constexpr tag parse{4};
    static constexpr tag cbor{5};
    static constexpr tag plugin{6};
    static constexpr tag cache{7};
    static constexpr tag temp{8};
    static constexpr std::size_t count = 9;
};

} // namespace allot
