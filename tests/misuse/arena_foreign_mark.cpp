#include <allot/structure/arena.hpp>

int main() {
    allot::arena request({.name = "request"});
    allot::arena other({.name = "other"});
    request.rewind(other.mark());
}
