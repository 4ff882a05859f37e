// stacks: all combinations of base, decorator below, structure, decorator above; "none" is a choice in each
// of the last three.
#pragma once

#include "parts.hpp"

#include <gtest/gtest.h>

namespace allot::composition {

using parts = std::vector<part>;

inline bool is_null(const part& base) { return std::string_view(base.stem) == "null_source"; }

// Calls body(parts) for each: a part with an empty stem was left out.
template <class Body>
void for_each_choice(std::span<const part> choices, const parts& so_far, Body body) {
    body(so_far);
    for (const part& each : choices) {
        parts more = so_far;
        more.push_back(each);
        body(more);
    }
}

// Decorator below, structure, decorator above, over what `bottom` holds already.
template <class Body>
void for_each_stack_over(const parts& bottom, Body body) {
    for_each_choice(decorators(), bottom, [&](const parts& below) {
        for_each_choice(structures(), below, [&](const parts& with_structure) {
            if (with_structure.size() == below.size()) {
                body(with_structure); // a decorator above nothing is one below
                return;
            }
            for_each_choice(decorators(), with_structure, body);
        });
    });
}

inline std::vector<const char*> stems_of_bases() {
    std::vector<const char*> stems;
    for (const part& base : bases())
        if (!is_null(base)) stems.push_back(base.stem);
    return stems;
}

inline part base_named(std::string_view stem) {
    for (const part& base : bases())
        if (base.stem == stem) return base;
    ADD_FAILURE() << "no base " << stem;
    return bases()[0];
}

// One test for each base.
class over_base : public testing::TestWithParam<const char*> {
protected:
    template <class Body>
    void for_each_stack(Body body) {
        for_each_stack_over({base_named(GetParam())}, body);
    }
};

} // namespace allot::composition

#define ALLOT_FOR_EACH_BASE(suite)                                                                           \
    INSTANTIATE_TEST_SUITE_P(all, suite, testing::ValuesIn(stems_of_bases()),                                \
                             [](const auto& info) { return info.param; })
