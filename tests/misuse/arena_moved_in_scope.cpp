#include <allot/structure/arena.hpp>

int main() {
    allot::arena request({.name = "request"});
    allot::arena::scope open(request);
    allot::arena moved(std::move(request));
}
