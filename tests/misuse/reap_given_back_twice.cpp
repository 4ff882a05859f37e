#include <allot/structure/reap.hpp>

void reap_given_back_twice() {
    allot::reap tree({.name = "tree"});
    void* const block = tree.allocate(40);
    tree.deallocate(block, 40);
    tree.deallocate(block, 40);
}
