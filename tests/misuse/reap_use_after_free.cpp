#include <allot/structure/reap.hpp>
#include <cstring>

void reap_use_after_free() {
    allot::reap tree({.name = "tree"});
    void* const block = tree.allocate(40);
    tree.deallocate(block, 40);
    allot::mark_live(block, 40); // as if no sanitizer saw the next line
    std::memset(block, 1, 40);
    (void)tree.allocate(40);
}
