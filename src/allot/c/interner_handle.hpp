// What C calls an interner; for documents, which share one.
#pragma once

#include <allot/c/handles.hpp>
#include <allot/structure/interner.hpp>

struct allot_interner : allot::detail::handle<allot::interner> {};
