// What paths say when they cannot go on. For the document layer alone.
#pragma once

#include <allot/document/path.hpp>

namespace allot::detail {

// "path 'a.b', column 3: out of memory: …", of last_refusal().
error path_shortage(const path_cursor& of, std::size_t column) noexcept;

} // namespace allot::detail
