#include <allot/structure/cow.hpp>
#include <allot/structure/pool.hpp>

void cow_source_of_one_thread() {
    allot::pool slots({.name = "slots", .slot = {.size = 64, .align = 8}});
    const auto number = allot::cow<int>::make(slots, 7);
    (void)number.share();
}
