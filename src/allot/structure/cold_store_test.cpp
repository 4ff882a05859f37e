#include <allot/source/default_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/structure/arena.hpp>
#include <allot/structure/cold_store.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/memory_store.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace allot {
namespace {

using bytes = std::vector<std::byte>;

// Text that gets smaller, another for each number.
bytes page_of(std::size_t size, int number) {
    const std::string line = "line " + std::to_string(number) + " of a page that says the same again; ";
    bytes made(size);
    for (std::size_t i = 0; i != size; ++i) made[i] = static_cast<std::byte>(line[i % line.size()]);
    return made;
}

bytes noise(std::size_t size, std::uint32_t state) {
    bytes made(size);
    for (std::byte& each : made) {
        state = state * 1'664'525u + 1'013'904'223u;
        each = static_cast<std::byte>(state >> 24);
    }
    return made;
}

bytes content(cold_store& from, cold_handle of) {
    bytes into(from.size_of(of));
    const result<std::size_t> got = from.get(of, into);
    EXPECT_TRUE(got) << got.error().text();
    return into;
}

#define SKIP_WITHOUT_ZSTD()                                                                                  \
    if (!detail::block_codec::has(cold_codec::zstd))                                                         \
    GTEST_SKIP() << "allot was built without zstd: install libzstd-dev and rebuild"

// Usage.

TEST(cold_store, keeps_what_was_touched_last_hot_and_brings_the_rest_back) {
    SKIP_WITHOUT_ZSTD();
    memory_store file;
    const bytes page = page_of(4096, 1), other = page_of(4096, 2);
    cold_store history({.name = "history", .store = &file, .hot_bytes_max = 4096, .block_bytes_max = 4096});
    result<cold_handle> first = history.put(page);
    result<cold_handle> second = history.put(other); // only one is hot: `first` is compressed now
    EXPECT_TRUE(history.tier_of(*first) == cold_tier::compressed);
    std::vector<std::byte> back(history.size_of(*first));
    EXPECT_TRUE(history.get(*first, back) && back == page); // hot again, and `second` is compressed
    EXPECT_TRUE(history.statistics().ratio() > 1);
    EXPECT_TRUE(history.erase(*first) && !history.get(*first, back));
    EXPECT_EQ(content(history, *second), other);
    EXPECT_EQ(history.get(*first, back).error().text(), "cold_store 'history': block 0:1 is gone");
    history.check();
}

// Edges.

TEST(cold_store, takes_blocks_of_no_bytes_and_of_the_most) {
    memory_store file;
    cold_store blocks(
        {.store = &file, .hot_bytes_max = 1024, .compressed_bytes_max = 0, .block_bytes_max = 1024});
    const cold_handle none = *blocks.put({}), one = *blocks.put(noise(1, 7)),
                      most = *blocks.put(noise(1024, 8));
    for (const cold_handle each : {none, one, most}) ASSERT_TRUE(blocks.page_out(each));
    EXPECT_EQ(blocks.statistics().stored_count, 3);
    blocks.check();
    EXPECT_EQ(content(blocks, none), bytes());
    EXPECT_EQ(content(blocks, one), noise(1, 7));
    EXPECT_EQ(content(blocks, most), noise(1024, 8));
    const result<cold_handle> more = blocks.put(noise(1025, 9));
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().text(), "cold_store 'cold_store': 1025 bytes are more than a block's 1024");
    bytes small(1023);
    EXPECT_EQ(blocks.get(most, small).error().text(),
              "cold_store 'cold_store': block 2:1 has 1024 bytes, and there is room for 1023");
    blocks.check();
}

TEST(cold_store, moves_down_exactly_in_the_order_of_the_last_touch) {
    memory_store file;
    cold_store blocks({.store = &file,
                       .hot_bytes_max = 3000,
                       .compressed_bytes_max = 2000,
                       .block_bytes_max = 1000,
                       .codec = cold_codec::raw});
    std::vector<cold_handle> all;
    for (int i = 0; i != 6; ++i) all.push_back(*blocks.put(noise(1000, static_cast<std::uint32_t>(i))));
    const auto tiers = [&] {
        std::string seen;
        for (const cold_handle each : all) seen += "-hcs"[static_cast<int>(blocks.tier_of(each))];
        return seen;
    };
    EXPECT_EQ(tiers(), "scchhh");
    EXPECT_EQ(content(blocks, all[0]), noise(1000, 0)); // the oldest comes back, 3 cools, 1 is paged out
    EXPECT_EQ(tiers(), "hscchh");
    ASSERT_TRUE(blocks.pin(all[4]));
    EXPECT_EQ(content(blocks, all[2]), noise(1000, 2));
    EXPECT_EQ(content(blocks, all[1]), noise(1000, 1)); // 4 would be next, and is pinned
    EXPECT_EQ(tiers(), "chhshc");
    EXPECT_EQ(blocks.tier_of(all[4]), cold_tier::hot);
    blocks.unpin(all[4]);
    ASSERT_TRUE(blocks.put(noise(1000, 9)));
    EXPECT_EQ(blocks.tier_of(all[4]), cold_tier::hot); // touched when it was unpinned
    blocks.check();
}

TEST(cold_store, compresses_what_nobody_touches_for_so_many_operations) {
    cold_store blocks({.hot_bytes_max = kibibytes(64), .idle_operations_max = 3, .block_bytes_max = 4096});
    const cold_handle first = *blocks.put(page_of(4096, 1)), second = *blocks.put(page_of(4096, 2));
    (void)content(blocks, second); // the second operation without it
    EXPECT_EQ(blocks.tier_of(first), cold_tier::hot);
    (void)content(blocks, second);
    EXPECT_EQ(blocks.tier_of(first), cold_tier::compressed);
    EXPECT_EQ(blocks.tier_of(second), cold_tier::hot);
    blocks.check();
}

TEST(cold_store, keeps_pinned_bytes_where_they_are) {
    memory_store file;
    cold_store blocks({.store = &file, .hot_bytes_max = 2000, .block_bytes_max = 1000});
    const cold_handle first = *blocks.put(page_of(1000, 1));
    const std::span<const std::byte> pinned = *blocks.pin(first);
    ASSERT_EQ(blocks.pin(first)->data(), pinned.data());
    for (int i = 0; i != 10; ++i) ASSERT_TRUE(blocks.put(page_of(1000, i)));
    EXPECT_TRUE(std::ranges::equal(pinned, page_of(1000, 1)));
    EXPECT_FALSE(blocks.compress(first));
    blocks.unpin(first);
    const cold_handle second = *blocks.put(page_of(1000, 2));
    ASSERT_TRUE(blocks.pin(second));
    const result<cold_handle> third = blocks.put(page_of(1000, 3));
    EXPECT_FALSE(third); // all that is hot is pinned
    EXPECT_EQ(content(blocks, first), page_of(1000, 1));
    blocks.check();
    blocks.unpin(first);
    blocks.unpin(second);
    EXPECT_TRUE(blocks.put(page_of(1000, 3)));
    blocks.check();
}

TEST(cold_store, takes_other_content_for_a_block_in_any_tier) {
    memory_store file;
    cold_store blocks({.store = &file, .hot_bytes_max = 4096, .block_bytes_max = 4096});
    const cold_handle block = *blocks.put(page_of(4096, 1));
    int number = 2;
    for (const auto down : {+[](cold_store&, cold_handle) { return result<void>(); },
                            +[](cold_store& in, cold_handle it) { return in.compress(it); },
                            +[](cold_store& in, cold_handle it) { return in.page_out(it); }}) {
        ASSERT_TRUE(down(blocks, block));
        ASSERT_TRUE(blocks.set(block, page_of(100, number)));
        EXPECT_EQ(content(blocks, block), page_of(100, number++));
        blocks.check();
    }
    EXPECT_EQ(blocks.statistics().store_end_bytes, 8192); // nothing is left in the store
}

TEST(cold_store, packs_with_each_codec_and_leaves_noise_as_it_is) {
    for (const cold_codec codec : {cold_codec::raw, cold_codec::zstd, cold_codec::lz4}) {
        for (const int level : {1, 3, 9, 19}) {
            cold_store blocks({.hot_bytes_max = kibibytes(256),
                               .block_bytes_max = kibibytes(64),
                               .codec = codec,
                               .level = level});
            EXPECT_EQ(blocks.traits().codec, detail::block_codec::has(codec) ? codec : cold_codec::raw);
            for (const std::size_t size : {1, 100, 5000, 65536}) {
                const cold_handle again = *blocks.put(page_of(size, 3)), other = *blocks.put(noise(size, 4));
                ASSERT_TRUE(blocks.compress(again) && blocks.compress(other));
                const std::uint64_t packed = blocks.statistics().compressed_bytes;
                if (blocks.traits().codec != cold_codec::raw && size > 1000) {
                    EXPECT_LT(packed, size + size / 5) << text(codec) << level;
                }
                EXPECT_LE(packed, 2 * size);
                EXPECT_EQ(content(blocks, again), page_of(size, 3));
                EXPECT_EQ(content(blocks, other), noise(size, 4));
                EXPECT_TRUE(blocks.erase(again) && blocks.erase(other));
            }
            blocks.check();
        }
    }
}

// A damaged block is named, and the others stay readable.
TEST(cold_store, names_a_damaged_block_and_its_place) {
    memory_store file;
    cold_store blocks({.name = "memory", .store = &file, .hot_bytes_max = 4096, .block_bytes_max = 4096});
    const cold_handle first = *blocks.put(page_of(4096, 1)), second = *blocks.put(page_of(4096, 2));
    ASSERT_TRUE(blocks.page_out(first) && blocks.page_out(second));
    file.bytes()[8192 + 5] ^= std::byte{4};
    bytes into(4096, std::byte{1});
    const result<std::size_t> got = blocks.get(first, into);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().text(), "cold_store 'memory': block 0:1 at 8192: damaged: its checksum is another");
    EXPECT_FALSE(blocks.pin(first));
    EXPECT_EQ(content(blocks, second), page_of(4096, 2));
    EXPECT_EQ(blocks.statistics().damaged_count, 2);
    file.bytes()[8192 + 5] ^= std::byte{4};
    EXPECT_EQ(content(blocks, first), page_of(4096, 1));
    blocks.check();
}

// Shortage.

TEST(cold_store, keeps_blocks_in_memory_when_the_disk_is_full) {
    memory_store file({.capacity_bytes = 8192 + 1024});
    cold_store blocks({.store = &file,
                       .hot_bytes_max = 1024,
                       .compressed_bytes_max = 1024,
                       .block_bytes_max = 512,
                       .codec = cold_codec::raw});
    std::vector<cold_handle> all;
    for (;;) {
        const result<cold_handle> made = blocks.put(noise(512, static_cast<std::uint32_t>(all.size())));
        blocks.check();
        if (!made) {
            EXPECT_NE(made.error().text().find("No space left on device"), std::string::npos);
            break;
        }
        all.push_back(*made);
    }
    EXPECT_EQ(all.size(), 6); // two in each tier
    for (std::size_t i = 0; i != all.size(); ++i)
        EXPECT_EQ(content(blocks, all[i]), noise(512, static_cast<std::uint32_t>(i)));
    EXPECT_GT(blocks.statistics().unkept_gets, 0);
    EXPECT_GT(blocks.statistics().store_failed_count, 0);
    blocks.check();
    file.set_capacity(~std::uint64_t{0});
    EXPECT_TRUE(blocks.put(noise(512, 99)));
    EXPECT_FALSE(blocks.erase({}));
    blocks.check();
}

TEST(cold_store, survives_every_failure_of_its_store) {
    for (std::uint64_t nth = 1; nth != 40; ++nth)
        for (const bool lasting : {false, true}) {
            memory_store file({.plan = {.read = nth, .write = nth, .lasting = lasting, .torn_bytes = 100}});
            cold_store blocks(
                {.store = &file, .hot_bytes_max = 600, .compressed_bytes_max = 100, .block_bytes_max = 300});
            std::vector<std::pair<cold_handle, bytes>> all;
            for (std::uint32_t i = 0; i != 12; ++i)
                if (const result<cold_handle> made = blocks.put(noise(300, i)))
                    all.emplace_back(*made, noise(300, i));
            blocks.check();
            file.plan({.read = nth, .lasting = lasting});
            bytes into(300);
            for (const auto& [handle, right] : all)
                if (blocks.get(handle, into)) {
                    EXPECT_EQ(into, right);
                }
            blocks.check();
            file.plan({});
            for (const auto& [handle, right] : all) ASSERT_EQ(content(blocks, handle), right) << nth;
            blocks.check();
        }
}

TEST(cold_store, survives_every_refusal_of_its_upstream) {
    for (const bool lasting : {false, true}) {
        const std::uint64_t points = for_each_failure(
            [](failing_source& source) {
                memory_store file;
                cold_store blocks({.upstream = &source,
                                   .store = &file,
                                   .hot_bytes_max = 4096,
                                   .compressed_bytes_max = 200,
                                   .block_bytes_max = 1024});
                std::vector<std::pair<cold_handle, int>> all;
                for (int i = 0; i != 20; ++i) {
                    if (const result<cold_handle> made = blocks.put(page_of(1024, i)))
                        all.emplace_back(*made, i);
                    blocks.check();
                }
                EXPECT_EQ(blocks.usage().refused_count, 20 - all.size());
                bytes into(1024);
                for (const auto& [handle, number] : all)
                    if (blocks.get(handle, into)) {
                        EXPECT_EQ(into, page_of(1024, number));
                    }
                blocks.check();
            },
            {.lasting = lasting});
        EXPECT_GT(points, 10);
    }
}

TEST(cold_store, makes_room_below_its_limit_before_it_refuses) {
    memory_store file;
    cold_store blocks({.name = "small",
                       .store = &file,
                       .hot_bytes_max = kibibytes(64),
                       .limit_bytes = kibibytes(32),
                       .block_bytes_max = 1024,
                       .codec = cold_codec::raw});
    for (std::uint32_t i = 0; i != 100; ++i) {
        ASSERT_TRUE(blocks.put(noise(1024, i)));
        ASSERT_LE(blocks.usage().held_bytes, kibibytes(32));
    }
    EXPECT_GT(blocks.statistics().stored_count, 60);
    blocks.check();
    cold_store memory_alone({.name = "alone", .limit_bytes = kibibytes(4), .block_bytes_max = 1024});
    result<cold_handle> made = memory_alone.put(noise(1024, 1));
    for (std::uint32_t i = 0; made && i != 10; ++i) made = memory_alone.put(noise(1024, i));
    ASSERT_FALSE(made);
    EXPECT_EQ(last_refusal().who, name("alone"));
    EXPECT_NE(made.error().text().find("refused by cold_store 'alone'"), std::string::npos);
    memory_alone.check();
}

// Books.

TEST(cold_store, gives_everything_back_and_takes_nothing_from_elsewhere) {
    memory_store file;
    page_source pages;
    auditing_source upstream(pages);
    std::vector<bytes> contents;
    for (int i = 0; i != 40; ++i) contents.push_back(page_of(1000, i));
    bytes into(1000);
    {
        cold_store blocks({.upstream = &upstream,
                           .store = &file,
                           .hot_bytes_max = 5000,
                           .compressed_bytes_max = 300,
                           .block_bytes_max = 1000});
        const no_allocation scope;
        ASSERT_TRUE(blocks.try_reserve(40));
        cold_handle all[40];
        for (int i = 0; i != 40; ++i) all[i] = *blocks.put(contents[static_cast<std::size_t>(i)]);
        const std::uint64_t fixed = blocks.usage().slack_bytes;
        for (int round = 0; round != 3; ++round)
            for (const cold_handle each : all) ASSERT_TRUE(blocks.get(each, into));
        EXPECT_EQ(blocks.usage().slack_bytes, fixed); // made once
        EXPECT_EQ(upstream.live_bytes(), blocks.usage().held_bytes);
        EXPECT_GT(blocks.statistics().stored_gets, 50);
        blocks.check();
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

} // namespace
} // namespace allot
