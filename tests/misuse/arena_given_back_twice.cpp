#include <allot/structure/arena.hpp>

int main() {
    allot::arena request({.name = "request"});
    void* const block = request.allocate(48);
    request.deallocate(block, 48);
    request.deallocate(block, 48);
}
