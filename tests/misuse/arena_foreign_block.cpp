#include <allot/structure/arena.hpp>

int main() {
    allot::arena request({.name = "request"});
    (void)request.allocate(16);
    long other[2];
    request.deallocate(other, 16);
}
