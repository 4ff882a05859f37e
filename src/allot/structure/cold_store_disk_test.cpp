#include <allot/structure/cold_store.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/memory_store.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

using bytes = std::vector<std::byte>;
using contents = std::map<std::uint64_t, bytes>; // by the bits of the handle

bytes noise(std::size_t size, std::uint32_t state) {
    bytes made(size);
    for (std::byte& each : made) {
        state = state * 1'664'525u + 1'013'904'223u;
        each = static_cast<std::byte>(state >> 24);
    }
    return made;
}

cold_store_options small(memory_store& disk) {
    return {.name = "saved",
            .store = &disk,
            .hot_bytes_max = 4000,
            .compressed_bytes_max = 2000,
            .block_bytes_max = 1000};
}

bytes content(cold_store& from, cold_handle of) {
    bytes into(from.size_of(of));
    const result<std::size_t> got = from.get(of, into);
    EXPECT_TRUE(got) << got.error().text();
    return into;
}

contents durable_of(cold_store& from) {
    contents all;
    from.for_each([&](cold_handle each, bool durable) {
        if (durable) all[each.bits()] = content(from, each);
    });
    return all;
}

std::string why_not(memory_store& disk) {
    cold_store blocks(small(disk));
    const result<void> opened = blocks.open();
    return opened ? "" : opened.error().text();
}

TEST(cold_store_disk, finds_what_was_flushed_under_the_same_handles) {
    memory_store disk;
    cold_handle kept, changed, gone, later;
    {
        cold_store blocks(small(disk));
        ASSERT_TRUE(blocks.open());
        kept = *blocks.put(noise(1000, 1), {.durable = true});
        changed = *blocks.put(noise(1000, 2), {.durable = true});
        gone = *blocks.put(noise(1000, 3), {.durable = true});
        const cold_handle lost = *blocks.put(noise(1000, 4));
        ASSERT_TRUE(blocks.flush());
        ASSERT_TRUE(blocks.set(changed, noise(500, 5)));
        ASSERT_TRUE(blocks.erase(gone));
        ASSERT_TRUE(blocks.flush());
        later = *blocks.put(noise(1000, 6), {.durable = true});
        ASSERT_TRUE(blocks.set(kept, noise(10, 7))); // never flushed
        ASSERT_TRUE(blocks.contains(lost));
        blocks.check();
    }
    cold_store blocks(small(disk));
    ASSERT_TRUE(blocks.open());
    blocks.check();
    EXPECT_EQ(blocks.count(), 2);
    EXPECT_EQ(content(blocks, kept), noise(1000, 1));
    EXPECT_EQ(content(blocks, changed), noise(500, 5));
    EXPECT_FALSE(blocks.contains(gone));
    EXPECT_FALSE(later == kept || blocks.contains(later));
    EXPECT_FALSE(blocks.statistics().recovered_older);
    const cold_handle next = *blocks.put(noise(10, 8), {.durable = true}); // under a handle that nobody had
    EXPECT_FALSE(next == gone);
    EXPECT_FALSE(next == kept || next == changed);
    ASSERT_TRUE(blocks.flush());
    blocks.check();
}

TEST(cold_store_disk, refuses_what_is_no_store_or_a_newer_one) {
    memory_store disk;
    ASSERT_TRUE(disk.replace(std::as_bytes(std::span(std::string_view("some text that is something else")))));
    EXPECT_EQ(why_not(disk), "cold_store 'saved': what is in the store is no cold store");
    ASSERT_TRUE(disk.replace({}));
    EXPECT_EQ(why_not(disk), "");
    EXPECT_EQ(why_not(disk), ""); // an empty one
}

TEST(cold_store_disk, takes_the_index_before_where_the_newest_is_damaged) {
    memory_store disk;
    cold_store blocks(small(disk));
    ASSERT_TRUE(blocks.open());
    const cold_handle block = *blocks.put(noise(1000, 1), {.durable = true});
    ASSERT_TRUE(blocks.flush());
    const bytes before = disk.bytes();
    ASSERT_TRUE(blocks.set(block, noise(1000, 2)));
    ASSERT_TRUE(blocks.flush());
    const bytes after = disk.bytes();
    std::size_t older = 0, refused = 0;
    for (std::size_t at = 0; at != after.size(); ++at) {
        if (after[at] == std::byte{0} && at % 97 != 0) continue; // the gaps, too, but not each byte
        disk.bytes() = after;
        disk.bytes()[at] ^= std::byte{0x10};
        cold_store again(small(disk));
        if (!again.open()) {
            ++refused;
            continue;
        }
        again.check();
        bytes into(1000);
        const bool is_read = again.size_of(block) == 1000 && again.get(block, into).value_or(0) == 1000;
        if (again.statistics().recovered_older) {
            // Either a superblock is damaged or the newest index; the other one holds as it was.
            older += is_read && into == noise(1000, 1);
        }
        if (is_read) {
            ASSERT_TRUE(into == noise(1000, 1) || into == noise(1000, 2)) << at;
        }
    }
    EXPECT_GT(older, 50);
    EXPECT_EQ(refused, 0);
}

// Whatever power loss leaves of the writes since the last sync, one of two states is there.
TEST(cold_store_disk, holds_the_last_flush_or_the_one_before_when_power_fails) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::size_t newer = 0, older = 0;
    for (int run = 0; run != 300; ++run) {
        memory_store disk;
        auto blocks = std::make_unique<cold_store>(small(disk));
        ASSERT_TRUE(blocks->open());
        contents flushed, now;
        std::vector<cold_handle> handles;
        const std::uint64_t operations = 20 + random() % 80;
        bool in_flush = false;
        for (std::uint64_t i = 0; i != operations; ++i) {
            const auto dice = random() % 10;
            if (dice < 5 || handles.empty()) {
                const bytes next = noise(random() % 1001, static_cast<std::uint32_t>(random()));
                const bool durable = random() % 3 != 0;
                const result<cold_handle> made = blocks->put(next, {.durable = durable});
                ASSERT_TRUE(made) << made.error().text();
                handles.push_back(*made);
                if (durable) now[made->bits()] = next;
            } else if (dice < 7) {
                std::swap(handles[random() % handles.size()], handles.back());
                ASSERT_TRUE(blocks->erase(handles.back()));
                now.erase(handles.back().bits());
                handles.pop_back();
            } else if (dice < 8) {
                const cold_handle which = handles[random() % handles.size()];
                const bytes next = noise(random() % 1001, static_cast<std::uint32_t>(random()));
                ASSERT_TRUE(blocks->set(which, next));
                if (blocks->is_durable(which)) now[which.bits()] = next;
            } else if (dice < 9) {
                (void)content(*blocks, handles[random() % handles.size()]);
            } else if (random() % 3 == 0) {
                ASSERT_TRUE(blocks->compact());
                flushed = now;
            } else {
                ASSERT_TRUE(blocks->flush());
                flushed = now;
            }
            blocks->check();
        }
        if (random() % 2 == 0) { // the last flush, or compaction, is cut at any of its steps
            const std::uint64_t step = 1 + random() % 24;
            if (random() % 3 == 0)
                disk.plan({.sync = 1 + step % 2, .lasting = true});
            else
                disk.plan({.write = step, .lasting = true, .torn_bytes = random() % 600});
            in_flush = !(random() % 2 == 0 ? blocks->flush() : blocks->compact());
            if (!in_flush) flushed = now;
            blocks->check();
        }
        blocks.reset();
        disk.plan({});
        disk.lose_power(random());
        cold_store again(small(disk));
        const result<void> opened = again.open();
        ASSERT_TRUE(opened) << opened.error().text();
        again.check();
        const contents found = durable_of(again);
        ASSERT_TRUE(found == flushed || (in_flush && found == now)) << "run " << run;
        ++(in_flush && found == now && now != flushed ? newer : older);
        ASSERT_EQ(again.statistics().damaged_count, 0);
    }
    EXPECT_GT(older, 0);
    EXPECT_GT(newer, 0);
}

TEST(cold_store_disk, goes_on_after_a_flush_that_failed) {
    for (std::uint64_t nth = 1; nth != 8; ++nth)
        for (const bool is_sync : {false, true}) {
            memory_store disk;
            cold_store blocks(small(disk));
            ASSERT_TRUE(blocks.open());
            const cold_handle first = *blocks.put(noise(1000, 1), {.durable = true});
            ASSERT_TRUE(blocks.flush());
            const cold_handle second = *blocks.put(noise(1000, 2), {.durable = true});
            disk.plan({.write = is_sync ? 0 : nth, .sync = is_sync ? nth : 0, .torn_bytes = 30});
            const bool done = bool(blocks.flush());
            EXPECT_EQ(done, is_sync ? nth > 2 : nth > 3);
            blocks.check();
            disk.plan({});
            ASSERT_TRUE(blocks.set(first, noise(1000, 3)));
            ASSERT_TRUE(blocks.flush());
            blocks.check();
            cold_store again(small(disk));
            ASSERT_TRUE(again.open());
            EXPECT_EQ(content(again, first), noise(1000, 3));
            EXPECT_EQ(content(again, second), noise(1000, 2));
        }
}

TEST(cold_store_disk, uses_free_places_again_and_gives_the_end_back) {
    memory_store disk;
    cold_store blocks(small(disk));
    ASSERT_TRUE(blocks.open());
    std::vector<cold_handle> all;
    for (std::uint32_t i = 0; i != 50; ++i)
        all.push_back(*blocks.put(noise(1000, i), {.durable = i % 2 == 0}));
    ASSERT_TRUE(blocks.flush());
    const std::uint64_t full = blocks.statistics().store_end_bytes;
    for (std::uint32_t round = 0; round != 20; ++round) { // no growth beyond a flush's own need
        for (std::uint32_t i = 0; i != 50; ++i) ASSERT_TRUE(blocks.set(all[i], noise(1000, i + round)));
        ASSERT_TRUE(blocks.flush());
        EXPECT_LE(blocks.statistics().store_end_bytes, 3 * full);
    }
    for (std::uint32_t i = 0; i != 45; ++i) ASSERT_TRUE(blocks.erase(all[i]));
    ASSERT_TRUE(blocks.compact());
    blocks.check();
    EXPECT_LE(disk.bytes().size(), 8192 + 5 * 1024 + 2 * 4096);
    EXPECT_EQ(disk.bytes().size(), blocks.statistics().store_end_bytes);
    for (std::uint32_t i = 45; i != 50; ++i) EXPECT_EQ(content(blocks, all[i]), noise(1000, i + 19));
    cold_store again(small(disk));
    ASSERT_TRUE(again.open());
    EXPECT_EQ(content(again, all[48]), noise(1000, 48 + 19));
}

TEST(cold_store_disk, survives_every_refusal_while_it_opens_and_flushes) {
    memory_store saved;
    {
        cold_store blocks(small(saved));
        ASSERT_TRUE(blocks.open());
        for (std::uint32_t i = 0; i != 300; ++i) ASSERT_TRUE(blocks.put(noise(100, i), {.durable = true}));
        ASSERT_TRUE(blocks.flush());
    }
    const std::uint64_t points = for_each_failure([&](failing_source& source) {
        memory_store disk;
        disk.bytes() = saved.bytes();
        cold_store_options how = small(disk);
        how.upstream = &source;
        cold_store blocks(how);
        if (!blocks.open()) return blocks.check();
        blocks.check();
        EXPECT_EQ(blocks.count(), 300);
        const result<cold_handle> made = blocks.put(noise(100, 7), {.durable = true});
        const bool done = bool(blocks.flush());
        blocks.check();
        cold_store again(small(disk));
        ASSERT_TRUE(again.open());
        EXPECT_EQ(again.count(), 300u + (made && done));
        (void)blocks.compact();
        blocks.check();
    });
    EXPECT_GT(points, 4);
}

} // namespace
} // namespace allot
