// simd_prefetch: a loop over items that point elsewhere, with what they point at on its way beforehand.
//
// Use it where the items' targets lie scattered in more memory than the caches hold and the work on each is
// short: texts of std::string, nodes behind pointers. Not where the targets lie side by side (a text_batch):
// the processor fetches those itself. Measure: where the work on an item takes longer than a miss, nothing is
// gained. It is the target that is fetched, the address that target_of answers, not the item that holds the
// address.
// Owns nothing.
// Threads: as the body. Each thread that takes a part of the items calls it for its part: the distance is in
// items of that part.
// Cost: one call of target_of and one prefetch for each item.
//
//     std::vector<std::string> names = …;
//     std::uint64_t sum = 0;
//     for_each_ahead(std::span(names), [](const std::string& name) { return name.data(); },
//                    [&](const std::string& name) { sum += static_cast<unsigned char>(name[0]); });
#pragma once

#include <cstddef>
#include <span>

namespace allot {

struct ahead_options {
    std::size_t distance = 8; // items; more where the work on one is shorter
};

// Calls body(item) for each item in order. target_of(item) answers an address; it may be any, also nullptr.
template <class T, class TargetOf, class Body>
void for_each_ahead(std::span<T> items, TargetOf target_of, Body body, ahead_options how = {}) {
    const std::size_t count = items.size();
    const std::size_t with_next = count > how.distance ? count - how.distance : 0;
    std::size_t i = 0;
    for (; i != with_next; ++i) {
        __builtin_prefetch(target_of(items[i + how.distance]));
        body(items[i]);
    }
    for (; i != count; ++i) body(items[i]);
}

} // namespace allot
