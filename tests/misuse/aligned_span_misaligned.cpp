#include <allot/structure/aligned_span.hpp>

void aligned_span_misaligned() {
    alignas(64) char bytes[65] = {};
    const allot::aligned_span<char, 64> all(std::span<char>(bytes + 1, 64));
    (void)bytes[all.size()];
}
