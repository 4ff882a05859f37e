#include <allot/structure/arena_pool.hpp>

void arena_pool_arena_out() {
    allot::pooled<allot::arena> request;
    allot::arena_pool requests({.name = "request"});
    request = requests.acquire();
}
