#include <allot/structure/simd_text.hpp>

int main() {
    allot::text_batch names;
    names.push_back("one");
    names.push_back("two");
    bool hits[1];
    return allot::simd_match_each(names, "one", hits) == 1;
}
