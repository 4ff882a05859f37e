#include <allot/structure/reap.hpp>

int main() {
    allot::reap tree({.name = "tree"});
    void* const block = tree.allocate(40);
    tree.deallocate(block, 40);
    tree.deallocate(block, 40);
}
