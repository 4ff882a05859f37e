#include <allot/structure/arena.hpp>

int main() {
    allot::arena request({.name = "request"});
    request.deallocate(request.allocate(48), 64);
}
