#include <allot/structure/arena.hpp>

int main() {
    allot::arena request({.name = "request"});
    allot::arena::scope open(request);
    request.reset();
}
