#include <allot/structure/arena_pool.hpp>

int main() {
    allot::pooled<allot::arena> request;
    allot::arena_pool requests({.name = "request"});
    request = requests.acquire();
}
