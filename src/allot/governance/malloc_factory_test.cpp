#include <allot/governance/malloc_factory.hpp>

#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <gtest/gtest.h>
#include <optional>

namespace allot {
namespace {

TEST(malloc_factory, usage) {
    memory_source& source = default_source();

    malloc_factory factory({.upstream = &source});
    memory_source* parser = factory.try_make("parser");
    void* block = parser->allocate(layout{.size = 100});
    EXPECT_TRUE(factory.owner_of(block) == parser);
    factory.destroy(*parser); // and the block
}

TEST(malloc_factory, gives_back_what_it_made_with_the_blocks) {
    auditing_source audited(default_source());
    malloc_factory factory({.upstream = &audited});
    memory_source* const a = factory.try_make("a");
    memory_source* const b = factory.try_make("b");
    for (int i = 0; i < 10; ++i) static_cast<void>(a->try_allocate({.size = 10}));
    void* const last = b->try_allocate({.size = 10});
    EXPECT_EQ(a->describe().name, name("a"));
    factory.destroy(*a);
    EXPECT_EQ(audited.live_count(), 2u);
    EXPECT_EQ(factory.owner_of(last), b);
    factory.destroy(*b);
    EXPECT_EQ(audited.live_count(), 0u);
}

TEST(malloc_factory, answers_nullptr_on_a_shortage) {
    for_each_failure([](failing_source& failing) {
        malloc_factory factory({.upstream = &failing});
        if (memory_source* const made = factory.try_make("a")) factory.destroy(*made);
    });
}

TEST(malloc_factory, dies_with_sources_out) {
    EXPECT_DEATH(
        {
            std::optional<malloc_factory> factory(std::in_place);
            static_cast<void>(factory->try_make("a"));
            factory.reset();
        },
        "allot: fatal: malloc_factory: died with 1 sources");
}

} // namespace
} // namespace allot
