#include <allot/structure/arena.hpp>

#include <gtest/gtest.h>

#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <memory_resource>
#include <stdexcept>
#include <string>
#include <vector>

namespace allot {
namespace {

struct counted {
    std::vector<int>* ended = nullptr;
    int id = 0;
    counted(std::vector<int>* to, int number) noexcept : ended(to), id(number) {}
    ~counted() { ended->push_back(id); }
};

struct throws {
    explicit throws(bool does) {
        if (does) throw std::runtime_error("no");
    }
};

struct owner_of_a_throw : throws {
    using throws::throws;
    std::string text = "a string that is too long to stand in the object itself";
};

// B5: a string in a node leaks where nobody runs its destructor; make_owned runs it.
TEST(arena_make, runs_the_destructors_of_what_it_owns_newest_first) {
    std::vector<int> ended;
    arena tree({.chunk_bytes_min = 512});
    const arena_mark beginning = tree.mark();
    (void)tree.make_owned<counted>(&ended, 1);
    {
        arena::scope scope(tree);
        (void)tree.make_owned<counted>(&ended, 2);
        (void)tree.allocate(1000);
        (void)tree.make_owned<counted>(&ended, 3);
    }
    EXPECT_EQ(ended, (std::vector<int>{3, 2}));
    (void)tree.make_owned<counted>(&ended, 4);
    tree.rewind(beginning);
    EXPECT_EQ(ended, (std::vector<int>{3, 2, 4, 1}));
    ended.clear();
    (void)tree.make_owned<counted>(&ended, 5);
    tree.reset();
    (void)tree.make_owned<counted>(&ended, 6);
    tree.release();
    EXPECT_EQ(ended, (std::vector<int>{5, 6}));
    {
        arena dies;
        (void)dies.make_owned<counted>(&ended, 7);
        arena moved(std::move(dies));
        (void)moved.make_undestroyed<counted>(&ended, 8); // the caller said that nothing is lost
        (void)moved.make_owned<counted>(&ended, 9);
    }
    EXPECT_EQ(ended, (std::vector<int>{5, 6, 9, 7}));
    EXPECT_EQ(tree.usage().live_count, 0u);
    tree.check();
}

TEST(arena_make, leaks_nothing_of_an_owning_type) {
    auditing_source strings(default_source());
    {
        arena tree;
        for (int i = 0; i < 100; ++i)
            (void)tree.make_owned<std::pmr::string>("a string that is too long to stand in the object",
                                                    &strings);
        EXPECT_EQ(strings.live_count(), 100u);
        EXPECT_EQ(tree.usage().live_bytes, 100 * sizeof(std::pmr::string));
    }
    EXPECT_EQ(strings.live_count(), 0u);
}

TEST(arena_make, lets_a_destructor_give_back_to_the_arena_itself) {
    arena tree({.chunk_bytes_min = 512});
    std::pmr::vector<int> outer(&tree);
    outer.resize(10);
    {
        arena::scope scope(tree);
        auto* const inner = tree.make_owned<std::pmr::vector<int>>(&tree);
        inner->resize(500);
        tree.make_owned<std::pmr::string>(&tree)->assign(300, 'x');
    }
    EXPECT_EQ(tree.usage().live_bytes, 40u);
    EXPECT_EQ(tree.usage().live_count, 1u);
    tree.check();
}

TEST(arena_make, takes_the_block_back_when_a_constructor_throws) {
    arena tree;
    std::vector<int> ended;
    (void)tree.make_owned<counted>(&ended, 1);
    const usage before = tree.usage();
    EXPECT_THROW((void)tree.make<throws>(true), std::runtime_error);
    EXPECT_THROW((void)tree.try_make<throws>(true), std::runtime_error);
    EXPECT_THROW((void)tree.make_owned<owner_of_a_throw>(true), std::runtime_error);
    EXPECT_THROW((void)tree.make_undestroyed<owner_of_a_throw>(true), std::runtime_error);
    EXPECT_EQ(tree.usage().live_bytes, before.live_bytes);
    EXPECT_EQ(tree.usage().live_count, before.live_count);
    EXPECT_NE(tree.make<throws>(false), nullptr);
    tree.reset();
    EXPECT_EQ(ended, std::vector<int>{1});
}

TEST(arena_make, answers_nothing_on_shortage_and_constructs_nothing) {
    std::vector<int> ended;
    {
        arena full({.name = "full", .limit_bytes = 512});
        while (full.try_allocate({.size = 16})) {
        }
        EXPECT_EQ(full.try_make_owned<counted>(&ended, 1), nullptr);
        EXPECT_THROW((void)full.make_owned<counted>(&ended, 2), out_of_memory);
        EXPECT_THROW((void)full.make_undestroyed<counted>(&ended, 3), out_of_memory);
        EXPECT_THROW((void)full.make<long>(1), out_of_memory);
        EXPECT_EQ(full.try_make<long>(1), nullptr);
        EXPECT_EQ(full.make_or_error<long>(1).error().text(),
                  "out of memory: arena 'full' refused 8 bytes (aligned to 8): 512 of 512 are live");
    }
    EXPECT_TRUE(ended.empty());
}

TEST(arena_make, makes_spans_and_copies) {
    arena tree;
    const std::span<const std::uint64_t> zeros = tree.make_span<std::uint64_t>(1000);
    for (const std::uint64_t each : zeros) EXPECT_EQ(each, 0u);
    EXPECT_TRUE(is_aligned(zeros.data(), 8));
    EXPECT_NE(tree.make_span<int>(0).data(), nullptr);
    EXPECT_EQ(tree.make_span<int>(0).size(), 0u);
    const std::vector<int> numbers{1, 2, 3};
    const std::span<int> copied = tree.copy(std::span(numbers));
    copied[0] = 9;
    EXPECT_EQ(numbers[0], 1);
    EXPECT_EQ(copied[2], 3);
    EXPECT_NE(tree.copy(std::span<const int>()).data(), nullptr);
    const std::string text("with a \0 within", 15);
    EXPECT_EQ(tree.copy(text), text);
    EXPECT_EQ(tree.copy(std::string_view()).data()[0], 0);
    tree.check();
}

} // namespace
} // namespace allot
