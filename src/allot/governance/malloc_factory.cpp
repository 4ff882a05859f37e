#include <allot/core/checks.hpp>
#include <allot/governance/listed_source.hpp>
#include <allot/governance/malloc_factory.hpp>
#include <allot/source/default_source.hpp>
#include <new>

namespace allot {

malloc_factory::malloc_factory(malloc_factory_options wanted) noexcept
    : upstream_(wanted.upstream ? *wanted.upstream : default_source()) {}

malloc_factory::~malloc_factory() {
    const std::size_t left = made_count_.load(std::memory_order_relaxed);
    ALLOT_CHECK(left == 0, "malloc_factory: died with ", left, " sources");
}

memory_source* malloc_factory::try_make(const name& who) noexcept {
    void* const place = upstream_.try_allocate(layout_of<listed_source>());
    if (!place) return nullptr;
    made_count_.fetch_add(1, std::memory_order_relaxed);
    return new (place) listed_source({.name = who, .upstream = &upstream_});
}

void malloc_factory::destroy(memory_source& made) noexcept {
    auto& gone = static_cast<listed_source&>(made);
    gone.~listed_source();
    upstream_.deallocate(&gone, layout_of<listed_source>());
    made_count_.fetch_sub(1, std::memory_order_relaxed);
}

memory_source* malloc_factory::owner_of(const void* block) const noexcept {
    return listed_source::owner_of(block);
}

} // namespace allot
