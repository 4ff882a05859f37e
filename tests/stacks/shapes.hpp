// Functions whose frames are laid out in different ways; shapes.cpp is compiled once for each set of options.
#pragma once

#include <vector>

namespace shapes {

// Takes the stack and checks it.
using visitor = void (*)();
using shape = void (*)(visitor, int depth);

struct named_shape {
    const char* name;
    shape run; // calls the visitor at each level down to depth 0, before and after going deeper
};

std::vector<named_shape> no_optimisation();
std::vector<named_shape> no_frame_pointer();
std::vector<named_shape> frame_pointer();
std::vector<named_shape> realigned();

} // namespace shapes
