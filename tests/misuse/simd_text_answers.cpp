#include <allot/structure/simd_text.hpp>

void simd_text_answers() {
    allot::text_batch names;
    names.push_back("one");
    names.push_back("two");
    bool hits[1];
    allot::simd_match_each(names, "one", hits);
}
