// What C calls a buffer; for what appends to one.
#pragma once

#include <allot/c/handles.hpp>
#include <allot/structure/buffer.hpp>

struct allot_buffer : allot::detail::handle<allot::buffer> {};
