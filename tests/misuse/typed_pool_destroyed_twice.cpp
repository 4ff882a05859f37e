#include <allot/structure/typed_pool.hpp>
#include <string>

void typed_pool_destroyed_twice() {
    allot::typed_pool<std::string> lines({.name = "lines"});
    std::string* const line = lines.make("GET /");
    lines.destroy(line);
    lines.destroy(line);
}
