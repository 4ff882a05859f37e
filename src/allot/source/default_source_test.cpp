#include <allot/source/default_source.hpp>
#include <allot/source/fixtures/model.hpp>

#include <gtest/gtest.h>

namespace {

using namespace allot;

// Destroyed after everything that the test made: the source must still be there.
struct late {
    void* block = nullptr;
    ~late() { default_source().deallocate(block, {.size = 10}); }
} at_the_end;

memory_source& or_default(memory_source* wanted) {
    memory_source& upstream = wanted ? *wanted : default_source();
    return upstream;
}

TEST(default_source, takes_the_place_of_one_not_given) {
    EXPECT_EQ(&or_default(nullptr), &default_source());
    EXPECT_EQ(default_source().describe().name.view(), "default");
    EXPECT_STREQ(default_source().describe().kind, "chunk_cache_source");
}

TEST(default_source, lives_longer_than_static_objects) {
    at_the_end.block = default_source().try_allocate({.size = 10});
    EXPECT_NE(at_the_end.block, nullptr);
}

TEST(default_source, refuses_by_its_name) {
    testing_model::expect_refusal(default_source(), {.size = std::size_t{1} << 60}, "default");
}

TEST(default_source, is_one_for_all_threads) {
    testing_model::hammer(default_source(), {});
    memory_source* theirs = nullptr;
    std::thread([&] { theirs = &default_source(); }).join();
    EXPECT_EQ(theirs, &default_source());
}

} // namespace
