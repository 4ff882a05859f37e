#include <allot/source/default_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <new>

namespace allot {

memory_source& default_source() noexcept {
    alignas(malloc_source) static std::byte memory[sizeof(malloc_source)];
    static memory_source& source = *::new (memory) malloc_source({.name = "default"});
    return source;
}

} // namespace allot
