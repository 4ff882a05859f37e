#include <allot/structure/arena.hpp>

int main() {
    allot::arena request({.name = "request"});
    (void)request.allocate(allot::layout{16, 24});
}
