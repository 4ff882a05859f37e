#include <allot/structure/arena.hpp>

struct resets {
    allot::arena& target;
    explicit resets(allot::arena& of) noexcept : target(of) {}
    ~resets() { target.reset(); }
};

void arena_reset_in_destructor() {
    allot::arena request({.name = "request"});
    request.make_owned<resets>(request);
    request.reset();
}
