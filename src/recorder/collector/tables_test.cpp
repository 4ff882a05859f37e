#include <recorder/collector/tables.hpp>

#include <cstring>
#include <gtest/gtest.h>
#include <recorder/collector/testing/scratch.hpp>
#include <recorder/collector/testing/small_disk.hpp>

namespace allot::recorder {
namespace {

using testing::scratch;

segment make(const std::string& path, const tables_options& options) {
    auto file = segment::make({.path = path,
                               .process_count = 4,
                               .thread_count = 8,
                               .ring_count = 2,
                               .ring_words = 64,
                               .pages_start = 4,
                               .pages_max = 16,
                               .collected_bytes = tables::bytes(options)});
    if (!file || !tables::prepare(*file, options)) std::abort();
    return std::move(*file);
}

TEST(tables, are_arrays_in_the_file) { // the header's example
    scratch files;
    segment file = make(files.path("x"), {});
    tables all(file);
    const std::uint32_t row = all.rows.add({.allocations = 1});
    all.rows[row].live_bytes.add(24, all.head().total.epoch);
    EXPECT_EQ(all.rows.all()[0].live_bytes.live, 24);
    EXPECT_EQ(all.text_of(all.add_text("/usr/bin/jq")), "/usr/bin/jq");

    auto seen = segment_map::open(files.path("x")); // what a later reader finds
    ASSERT_TRUE(seen);
    auto view = tables_view::read(seen->collected());
    ASSERT_TRUE(view) << view.error().text();
    ASSERT_EQ(view->rows.size(), 1u);
    EXPECT_EQ(view->rows[0].live_bytes.live, 24);
    EXPECT_EQ(view->text_of({0, 11}), "/usr/bin/jq");
    EXPECT_EQ(view->text_of({5, 11}), "");
    EXPECT_EQ(view->text_of({~0u, ~0u}), "");
}

TEST(tables, refuse_what_does_not_fit_and_stay_whole) {
    scratch files;
    const tables_options tiny{.contexts_max = 3};
    segment file = make(files.path("x"), tiny);
    tables all(file);
    for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(all.nodes.add({.offset = i}), i);
    EXPECT_EQ(all.nodes.add({}), none);
    EXPECT_EQ(all.nodes.count(), 3u);
    EXPECT_EQ(all.add_text(std::string(1u << 27, 'x')).bytes, 0u);
}

TEST(tables, go_on_in_private_memory_where_the_disk_is_full) {
    testing::small_disk files(1 << 20);
    if (!files.ok()) GTEST_SKIP() << "no mount namespaces here";
    segment file = make(files.path("x"), {});
    tables all(file);
    ASSERT_EQ(all.rows.add({.allocations = 7}), 0u);
    for (std::uint32_t i = 1; i < 100'000; ++i) ASSERT_EQ(all.rows.add({.allocations = i}), i);
    EXPECT_EQ(all.rows[0].allocations, 7u);
    for (std::uint32_t i = 1; i < 100'000; ++i) ASSERT_EQ(all.rows[i].allocations, i);
    EXPECT_EQ(all.head().lossy, 1u);
    // A reader sees the records that are in the file, and no hole.
    auto seen = segment_map::open(files.path("x"));
    auto view = tables_view::read(seen->collected());
    ASSERT_TRUE(view);
    ASSERT_FALSE(view->rows.empty());
    ASSERT_LT(view->rows.size(), 100'000u);
    EXPECT_EQ(view->rows.back().allocations, view->rows.size() - 1);
}

TEST(tables, are_read_from_any_bytes_or_refused) {
    scratch files;
    segment file = make(files.path("x"), {.contexts_max = 64});
    tables all(file);
    all.rows.add({});
    std::vector<std::byte> good(tables::bytes({.contexts_max = 64}));
    std::memcpy(good.data(), &all.head(), sizeof(tables_head));
    EXPECT_TRUE(tables_view::read(good));
    EXPECT_FALSE(tables_view::read({good.data(), sizeof(tables_head) - 1}));
    EXPECT_FALSE(tables_view::read({good.data(), sizeof(tables_head)})); // the row is not there
    for (std::size_t at = 0; at < offsetof(tables_head, parts) + sizeof(tables_head::parts); at += 4)
        for (std::uint32_t value : {0xffff'ffffu, 0x7fff'ffffu, 1u, 0x1000'0000u}) {
            std::memcpy(good.data(), &all.head(), sizeof(tables_head));
            std::memcpy(good.data() + at, &value, 4);
            auto view = tables_view::read(good);
            if (!view) continue;
            for (const row_record& row : view->rows) ASSERT_EQ(row.allocations, 0u); // within: asan looks
        }
}

TEST(tables, keep_a_gauge_at_the_peak_up_to_date_lazily) {
    gauge row;
    row.add(10, 0);
    EXPECT_EQ(row.value_at_peak(1), 10); // epoch 1: a peak came after the change
    row.add(5, 1);
    row.subtract(12, 1);
    EXPECT_EQ(row.value_at_peak(1), 10); // changed since the peak
    EXPECT_EQ(row.value_at_peak(2), 3);  // a new peak, nothing changed since
    EXPECT_EQ(row.peak, 15);
}

} // namespace
} // namespace allot::recorder
