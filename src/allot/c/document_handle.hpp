// What C calls a document and a value of it.
#pragma once

#include <allot/c/handles.hpp>
#include <allot/document/document.hpp>
#include <bit>
#include <type_traits>

struct allot_document : allot::detail::handle<allot::document> {};

namespace allot::detail {

// A value is two words that look into the tree: C has them by another name.
static_assert(std::is_trivially_copyable_v<value> && sizeof(value) == sizeof(allot_value));
inline value from_c(allot_value it) noexcept { return std::bit_cast<value>(it); }
inline allot_value to_c(value it) noexcept { return std::bit_cast<allot_value>(it); }

} // namespace allot::detail
