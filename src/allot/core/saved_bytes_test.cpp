#include <allot/core/checksum.hpp>
#include <allot/core/saved_bytes.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/memory_store.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <random>
#include <string>

namespace allot {
namespace {

constexpr saved_form form{.kind = {'N', 'O', 'T', 'E'}, .version = 2};

class heap : public memory_source {
    void* do_try_allocate(layout wanted) noexcept override {
        return ::operator new(wanted.size, std::nothrow);
    }
    void do_give_back(void* address, layout) noexcept override { ::operator delete(address); }
};
heap plain;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string why_not(byte_store& from, const saved_form& as = form) {
    const result<loaded_bytes> loaded = load_bytes(from, as, plain);
    return loaded ? "" : loaded.error().text();
}

// Usage.

TEST(saved_bytes, come_back_as_they_were) {
    memory_store store;
    auditing_source source(plain);
    const auto content = bytes_of("twelve bytes");
    ASSERT_TRUE(save_bytes(store, form, content, source));
    result<loaded_bytes> back = load_bytes(store, form, source);
    ASSERT_TRUE(back);
    EXPECT_TRUE(back->version() == 2 && back->bytes().size() == content.size());
    EXPECT_TRUE(std::ranges::equal(back->bytes(), content));
    store.bytes().pop_back();
    EXPECT_EQ(why_not(store), "saved bytes: truncated: 51 of 52 bytes are there");
}

// Edges.

TEST(saved_bytes, may_be_none_at_all) {
    memory_store store;
    ASSERT_TRUE(save_bytes(store, form, {}, plain));
    const result<loaded_bytes> back = load_bytes(store, form, plain);
    ASSERT_TRUE(back);
    EXPECT_TRUE(back->bytes().empty());
}

TEST(saved_bytes, can_be_sealed_where_they_lie) {
    std::vector<std::byte> whole(saved_header_bytes + 3, std::byte{7});
    seal_saved(whole, form);
    memory_store store;
    ASSERT_TRUE(store.replace(whole));
    EXPECT_EQ(load_bytes(store, form, plain)->bytes()[2], std::byte{7});
}

TEST(saved_bytes, say_what_they_are_not) {
    memory_store store;
    EXPECT_EQ(why_not(store), "saved bytes: empty");
    ASSERT_TRUE(store.replace(bytes_of("{\"name\": \"not ours, and longer than a header\"}")));
    EXPECT_EQ(why_not(store), "saved bytes: they are no saved bytes");
    ASSERT_TRUE(save_bytes(store, form, bytes_of("content"), plain));
    EXPECT_EQ(why_not(store, {.kind = {'T', 'R', 'E', 'E'}, .version = 2}),
              "saved bytes: they are of kind 'NOTE', not 'TREE'");
    EXPECT_EQ(why_not(store, {.kind = {'N', 'O', 'T', 'E'}, .version = 1}),
              "saved bytes: they are of version 2, and this program knows up to 1");
    store.bytes().push_back({});
    EXPECT_EQ(why_not(store), "saved bytes: too long: more than 47 bytes are there");
}

TEST(saved_bytes, are_refused_when_cut_anywhere) {
    memory_store store;
    ASSERT_TRUE(save_bytes(store, form, bytes_of("content"), plain));
    const std::vector<std::byte> whole = store.bytes();
    for (std::size_t size = 1; size != whole.size(); ++size) {
        store.bytes().assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        ASSERT_NE(why_not(store).find("truncated: " + std::to_string(size)), std::string::npos)
            << why_not(store);
    }
}

TEST(saved_bytes, are_refused_when_any_bit_is_another) {
    memory_store store;
    ASSERT_TRUE(save_bytes(store, form, bytes_of("content"), plain));
    for (std::size_t bit = 0; bit != store.bytes().size() * 8; ++bit) {
        store.bytes()[bit / 8] ^= std::byte{1} << (bit % 8);
        ASSERT_NE(why_not(store), "") << bit;
        store.bytes()[bit / 8] ^= std::byte{1} << (bit % 8);
    }
}

TEST(saved_bytes, ask_for_no_memory_before_their_length_is_known_to_be_true) {
    memory_store store;
    ASSERT_TRUE(save_bytes(store, form, bytes_of("content"), plain));
    for (const std::uint64_t claimed : {~std::uint64_t{0}, ~std::uint64_t{0} - 40, std::uint64_t{1} << 62}) {
        std::memcpy(store.bytes().data() + 16, &claimed, sizeof claimed); // and a right checksum for it
        const std::uint64_t right = checksum(std::span(store.bytes()).first(32));
        std::memcpy(store.bytes().data() + 32, &right, sizeof right);
        failing_source source(plain);
        EXPECT_FALSE(load_bytes(store, form, source));
        EXPECT_EQ(source.request_count(), 0);
    }
}

TEST(saved_bytes, pass_on_what_the_store_says) {
    memory_store store;
    ASSERT_TRUE(save_bytes(store, form, bytes_of("old"), plain));
    store.set_capacity(50);
    const result<void> full = save_bytes(store, form, bytes_of("new, and too long"), plain);
    ASSERT_FALSE(full);
    EXPECT_NE(full.error().text().find("No space left on device"), std::string::npos);
    for (std::uint64_t nth = 1; nth != 4; ++nth) {
        store.plan({.read = nth});
        EXPECT_NE(why_not(store).find("Input/output error"), std::string::npos) << nth;
    }
    store.plan({});
    EXPECT_EQ(why_not(store), ""); // the old one is whole
}

// Shortage.

TEST(saved_bytes, survive_every_refusal) {
    memory_store store;
    ASSERT_TRUE(save_bytes(store, form, bytes_of("old"), plain));
    const std::uint64_t points = for_each_failure([&](failing_source& source) {
        const result<void> saved = save_bytes(store, form, bytes_of("new"), source);
        const result<loaded_bytes> loaded = load_bytes(store, form, source);
        EXPECT_EQ(source.refused_count(), !saved + !loaded);
        EXPECT_EQ(why_not(store), "");
        if (!loaded) {
            EXPECT_NE(loaded.error().text().find("out of memory: failing_source 'for_each_failure' refused"),
                      std::string::npos);
        }
    });
    EXPECT_EQ(points, 2);
}

// Model.

TEST(saved_bytes, of_any_content_come_back) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    memory_store store;
    for (int run = 0; run != 200; ++run) {
        std::vector<std::byte> content(random() % 3000);
        for (std::byte& each : content) each = static_cast<std::byte>(random());
        ASSERT_TRUE(save_bytes(store, form, content, plain));
        store.lose_power(random());
        const result<loaded_bytes> back = load_bytes(store, form, plain);
        ASSERT_TRUE(back && std::ranges::equal(back->bytes(), content));
    }
}

} // namespace
} // namespace allot
