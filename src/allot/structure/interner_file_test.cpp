#include <allot/core/checksum.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_interner.hpp>
#include <allot/structure/interner.hpp>
#include <allot/testing/for_each_failure.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

class memory_store final : public byte_store {
public:
    result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) noexcept override {
        if (fails) return error("the disk is gone");
        if (offset >= bytes.size()) return std::size_t{0};
        const std::size_t count = std::min({into.size(), bytes.size() - offset, piece_max});
        std::memcpy(into.data(), bytes.data() + offset, count);
        return count;
    }
    result<void> write_at(std::uint64_t, std::span<const std::byte>) noexcept override {
        return error("unused");
    }
    result<void> sync() noexcept override { return {}; }
    result<void> replace(std::span<const std::byte> whole) noexcept override {
        if (fails) return error("the disk is full");
        bytes.assign(reinterpret_cast<const char*>(whole.data()), whole.size());
        return {};
    }

    std::string bytes;
    bool fails = false;
    std::size_t piece_max = static_cast<std::size_t>(-1);
};

std::string numbered(int number) { return "name" + std::to_string(number); }

std::string load_error(std::string bytes) {
    memory_store store;
    store.bytes = std::move(bytes);
    interner names({.name = "names"});
    const result<void> loaded = names.load(store);
    EXPECT_EQ(names.count(), 0);
    EXPECT_EQ(names.usage().held_bytes, 0);
    EXPECT_EQ(names.intern("first").value(), 1); // as if nothing had been
    return loaded ? "" : loaded.error().text();
}

// As the format says, written by hand.
std::string with_sum(std::string bytes) {
    const std::span all = std::as_bytes(std::span(bytes));
    std::uint64_t sum = checksum(all.first(24));
    for (std::size_t at = 32; at < all.size(); at += 4096)
        sum = checksum(all.subspan(at, std::min<std::size_t>(4096, all.size() - at)), sum);
    for (std::size_t i = 0; i != 8; ++i) bytes[24 + i] = static_cast<char>(sum >> (8 * i));
    return bytes;
}

std::string file_of(std::uint32_t count, const std::string& payload) {
    std::string bytes = "allotint";
    const auto put = [&](std::uint64_t value, int size) {
        for (int i = 0; i != size; ++i) bytes += static_cast<char>(value >> (8 * i));
    };
    put(2, 4);
    put(count, 4);
    put(payload.size(), 8);
    put(0, 8);
    return with_sum(bytes + payload);
}

const std::string two_texts("\3\0\0\0one\0\0\0\0", 11);

TEST(interner_file, gives_the_same_symbols_again) {
    memory_store store;
    interner names;
    names.preload(keywords::python);
    names.intern("");
    names.intern(std::string("a\0b", 3));
    names.intern(std::string(70'000, 'x'));
    for (int i = 0; i != 5000; ++i) names.intern(numbered(i));
    ASSERT_TRUE(names.save(store));
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{7}, std::size_t{4096}, std::size_t{1} << 30}) {
        store.piece_max = piece;
        interner again;
        const result<void> loaded = again.load(store);
        ASSERT_TRUE(loaded) << loaded.error().text();
        ASSERT_EQ(again.count(), names.count());
        names.for_each([&](symbol each, std::string_view text) { ASSERT_EQ(again.find(text), each); });
        EXPECT_EQ(again.numbers().misses, 0);
        again.check();
    }
    memory_store shared_store;
    concurrent_interner shared;
    ASSERT_TRUE(shared.load(store));
    ASSERT_TRUE(shared.save(shared_store));
    EXPECT_EQ(shared_store.bytes, store.bytes);
}

TEST(interner_file, is_as_the_format_says) {
    memory_store store;
    interner names;
    names.intern("one");
    names.intern("");
    ASSERT_TRUE(names.save(store));
    EXPECT_EQ(store.bytes, file_of(2, two_texts));
    const std::string long_text(10'000, 'x');
    names.intern(long_text);
    ASSERT_TRUE(names.save(store));
    EXPECT_EQ(store.bytes, file_of(3, two_texts + std::string("\x10\x27\0\0", 4) + long_text));
    interner empty;
    ASSERT_TRUE(empty.save(store));
    EXPECT_EQ(store.bytes, file_of(0, ""));
    EXPECT_TRUE(empty.load(store));
}

TEST(interner_file, says_what_is_wrong_and_where) {
    const std::string right = file_of(2, two_texts);
    EXPECT_EQ(load_error(right.substr(0, 0)),
              "loading interner 'names': byte 0: the file ends here; it is torn");
    EXPECT_EQ(load_error(right.substr(0, 40)),
              "loading interner 'names': byte 40: the file ends here; it is torn");
    EXPECT_EQ(load_error("ALLOT" + right.substr(5)),
              "loading interner 'names': byte 0: this is no saved interner");
    std::string other = right;
    other[8] = 1;
    EXPECT_EQ(load_error(other), "loading interner 'names': byte 8: version 1; this allot reads version 2");
    other = right;
    other[37] = 'N';
    EXPECT_EQ(load_error(other),
              "loading interner 'names': byte 24: the checksum is another than that of the bytes");
    EXPECT_EQ(load_error(right + "x"),
              "loading interner 'names': byte 43: the file goes on behind its texts");
    EXPECT_EQ(load_error(file_of(1, two_texts)),
              "loading interner 'names': byte 39: 4 bytes behind the last text");
    EXPECT_EQ(load_error(file_of(3, two_texts)),
              "loading interner 'names': byte 43: text 2 is beyond the end of the texts");
    EXPECT_EQ(load_error(file_of(1, "\xFF\xFF\xFF\xFF" + std::string(13, 'x'))),
              "loading interner 'names': byte 32: text 0 of 4294967295 bytes, where 13 are left");
    EXPECT_EQ(load_error(file_of(2, std::string("\1\0\0\0a\1\0\0\0a", 10))),
              "loading interner 'names': byte 37: text 1 is the same as text 0");
    other = right;
    for (int i = 16; i != 24; ++i) other[static_cast<std::size_t>(i)] = '\xFF';
    EXPECT_EQ(load_error(other),
              "loading interner 'names': byte 16: 18446744073709551615 bytes of texts cannot be");
}

TEST(interner_file, refuses_each_torn_and_each_changed_file) {
    const std::string right = file_of(2, two_texts);
    for (std::size_t size = 0; size != right.size(); ++size)
        EXPECT_NE(load_error(right.substr(0, size)), "") << size;
    for (std::size_t bit = 0; bit != right.size() * 8; ++bit) {
        std::string changed = right;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
        EXPECT_NE(load_error(changed), "") << bit;
    }
}

TEST(interner_file, passes_on_what_the_store_says) {
    memory_store store;
    interner names({.name = "names"});
    names.intern("one");
    store.fails = true;
    EXPECT_EQ(names.save(store).error().text(), "saving interner 'names': the disk is full");
    interner empty({.name = "names"});
    EXPECT_EQ(empty.load(store).error().text(), "loading interner 'names': byte 0: the disk is gone");
    EXPECT_EQ(names.load(store).error().text(), "loading interner 'names': it is not empty");
    EXPECT_EQ(names.count(), 1);
}

TEST(interner_file, goes_on_numbering_behind_a_clear) {
    memory_store store;
    store.bytes = file_of(2, two_texts);
    interner names;
    names.intern("gone");
    names.clear();
    ASSERT_TRUE(names.load(store));
    EXPECT_EQ(names.find("one").value(), 2);
}

TEST(interner_file, survives_each_shortage) {
    memory_store store;
    interner names;
    for (int i = 0; i != 1500; ++i) names.intern(numbered(i));
    const std::uint64_t points = for_each_failure([&](failing_source& source) {
        interner copy({.upstream = &source});
        for (int attempt = 0; attempt != 3 && copy.count() == 0; ++attempt)
            if (!names.save(store) || !copy.load(store)) {
                EXPECT_EQ(copy.usage().held_bytes, 0);
            }
        ASSERT_EQ(copy.count(), 1500);
        ASSERT_EQ(copy.find("name0").value(), 1);
        if (!copy.save(store)) {
            ASSERT_TRUE(copy.save(store));
        }
    });
    EXPECT_GT(points, 10);
    interner small({.name = "small", .limit_bytes = kibibytes(16)});
    EXPECT_TRUE(small.load(store).error().text().starts_with(
        "loading interner 'small': out of memory: interner 'small' refused"));
}

} // namespace
} // namespace allot
