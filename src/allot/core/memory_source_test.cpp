#include <allot/core/memory_source.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace allot;

constexpr std::size_t size_max = std::numeric_limits<std::size_t>::max();

// The smallest source there is: two functions, and what the tests want to know.
class ledgerless : public memory_source {
public:
    explicit ledgerless(std::size_t blocks_max = size_max) : blocks_max_(blocks_max) {}
    ~ledgerless() override { EXPECT_TRUE(live.empty()); }
    std::map<void*, layout> live;

private:
    void* do_try_allocate(layout wanted) noexcept override {
        EXPECT_TRUE(is_valid(wanted));
        if (live.size() >= blocks_max_) return nullptr; // and forgets to note it
        void* address = nullptr;
        if (posix_memalign(&address, std::max(wanted.align, sizeof(void*)), wanted.size) != 0) return nullptr;
        live[address] = wanted;
        return address;
    }
    void do_give_back(void* address, layout given) noexcept override {
        EXPECT_EQ(live.at(address), given);
        live.erase(address);
        std::free(address);
    }
    source_description do_describe() const noexcept override {
        return {.name = "least", .kind = "ledgerless", .upstream = nullptr, .usage = {}};
    }

    std::size_t blocks_max_;
};

// A source whose blocks grow in place up to the next 64 bytes.
class rounding : public ledgerless {
    std::size_t do_good_size(layout wanted) const noexcept override {
        return align_up(wanted.size, std::size_t{64});
    }
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override {
        if (new_size > do_good_size(given)) return false;
        live[address].size = new_size;
        return true;
    }
};

TEST(memory_source, serves_blocks_and_containers) {
    rounding source;
    void* row = source.try_allocate({.size = 100, .align = 64});
    ASSERT_TRUE(row);
    ASSERT_TRUE(source.try_resize(row, {100, 64}, 120));
    EXPECT_FALSE(source.try_resize(row, {120, 64}, 129));
    source.deallocate(row, {.size = 120, .align = 64});
    std::pmr::vector<int> numbers(&source);
    for (int i = 0; i < 1000; ++i) numbers.push_back(i);
    EXPECT_EQ(numbers.back(), 999);
}

TEST(memory_source, makes_a_size_of_zero_one_everywhere) {
    ledgerless source;
    void* const address = source.try_allocate({.size = 0, .align = 1});
    EXPECT_EQ(source.live.at(address), (layout{1, 1}));
    EXPECT_EQ(source.good_size({0, 1}), 1u);
    void* const moved = source.try_reallocate(address, {0, 1}, 0);
    EXPECT_EQ(source.live.at(moved), (layout{1, 1}));
    source.deallocate(moved, {0, 1});
    void* const by_pmr = source.allocate(std::size_t{0}, std::size_t{8});
    EXPECT_EQ(source.live.at(by_pmr), (layout{1, 8}));
    source.deallocate(by_pmr, std::size_t{0}, std::size_t{8});
    const block some = source.try_allocate_at_least({.size = 0, .align = 4});
    EXPECT_EQ(some.size, 1u);
    source.deallocate(some.address, {some.size, 4});
}

TEST(memory_source, refuses_sizes_that_no_address_space_holds) {
    ledgerless source;
    for (const std::size_t k : {0, 1, 15, 16, 4095, 4096}) {
        const layout wanted{size_max - k, 16};
        const std::uint64_t noted = refusals_noted();
        EXPECT_EQ(source.try_allocate(wanted), nullptr);
        EXPECT_EQ(refusals_noted(), noted + 1);
        EXPECT_EQ(last_refusal().asked, wanted);
        EXPECT_EQ(last_refusal().who.view(), "least");
        EXPECT_FALSE(source.try_allocate_at_least(wanted));
        EXPECT_THROW((void)source.allocate(wanted), out_of_memory);
        EXPECT_EQ(source.good_size(wanted), wanted.size);
    }
    void* const small = source.try_allocate({8, 8});
    EXPECT_FALSE(source.try_resize(small, {8, 8}, size_max));
    EXPECT_EQ(source.try_reallocate(small, {8, 8}, size_max - 1), nullptr);
    source.deallocate(small, {8, 8});
}

TEST(memory_source, throws_with_its_own_name_where_the_refusal_was_not_noted) {
    ledgerless source(0);
    note_refusal({.who = "somebody else", .kind = "budget", .asked = {77, 1}});
    try {
        (void)source.allocate({.size = 40, .align = 8});
        FAIL() << "it must throw";
    } catch (const std::bad_alloc& shortage) {
        EXPECT_STREQ(shortage.what(),
                     "allot: out of memory: ledgerless 'least' refused 40 bytes (aligned to 8)");
    }
}

TEST(memory_source, reallocates_by_copying_and_keeps_the_old_block_where_it_cannot) {
    ledgerless source(2);
    void* const old = source.try_allocate({8, 8});
    std::memcpy(old, "seven b", 8);
    void* const grown = source.try_reallocate(old, {8, 8}, 4000);
    ASSERT_NE(grown, nullptr);
    EXPECT_STREQ(static_cast<char*>(grown), "seven b");
    EXPECT_EQ(source.live.size(), 1u);
    void* const shrunk = source.try_reallocate(grown, {4000, 8}, 4);
    EXPECT_EQ(std::memcmp(shrunk, "seve", 4), 0);

    void* const second = source.try_allocate({8, 8});
    EXPECT_EQ(source.try_reallocate(shrunk, {4, 8}, 100), nullptr); // a third block is refused
    EXPECT_EQ(source.live.at(shrunk), (layout{4, 8}));
    EXPECT_EQ(std::memcmp(shrunk, "seve", 4), 0);
    source.deallocate(second, {8, 8});
    source.deallocate(shrunk, {4, 8});
}

TEST(memory_source, gives_at_least_what_a_good_size_says) {
    rounding source;
    const block some = source.try_allocate_at_least({.size = 65, .align = 8});
    EXPECT_EQ(some.size, 128u);
    source.deallocate(some.address, {some.size, 8});
    EXPECT_EQ(source.good_size({source.good_size({65, 8}), 8}), 128u);
}

TEST(memory_source, takes_back_nullptr_and_equals_itself_alone) {
    ledgerless one;
    ledgerless other;
    one.deallocate(nullptr, {8, 8});
    EXPECT_EQ(one, one);
    EXPECT_NE(one, other);
}

TEST(memory_source_death, dies_on_an_alignment_that_is_no_power_of_two) {
    ledgerless source;
    EXPECT_DEATH((void)source.try_allocate({.size = 8, .align = 24}),
                 "allot: fatal: memory_source: an alignment of 24 is not a power of two");
}

} // namespace
