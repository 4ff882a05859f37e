// json_pointer: a path in the standard's form, RFC 6901: "/agent/state/notes/3/text".
//
// Use it wherever a path goes, when the other side speaks JSON Pointer or when names have dots in them. To write
// paths by hand path's own form reads better.
// "" is the root. Each '/' begins a name; ~1 stands for '/', ~0 for '~'. In an array a name is an index without
// leading zeros, or "-", which is behind the last item: where set appends. A text that begins with '#' is the
// URI fragment form: %XX stands for a byte.
// In an XML element a name leads to the first child element of that name, or is the index of a child; attributes
// are out of a JSON Pointer's reach.
// Borrows its text. Threads: a value. Cost: as path.
//
//     path_cursor steps(json_pointer("/a~1b/0/-"));
//     path_step first, second, third;
//     assert(steps.next(first) && first.text == "a/b");
//     assert(steps.next(second) && second.text == "0" && second.position == 0);
//     assert(steps.next(third) && third.text == "-" && third.position == path_step::end);
//     assert(json_pointer("a").check().error().text() ==
//            "path 'a', column 1: a JSON Pointer is empty or begins with '/'");
#pragma once

#include <allot/document/path.hpp>

namespace allot {

class json_pointer : public path {
public:
    template <std::convertible_to<std::string_view> Text>
    constexpr json_pointer(const Text& text) noexcept : path(std::string_view(text), syntax::json_pointer) {}
};

} // namespace allot
