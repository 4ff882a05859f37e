#include <recorder/preload/source_list.hpp>

#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace allot::recorder {
namespace {

// A segment's parts that a list needs, in private memory.
struct small_segment {
    explicit small_segment(std::uint32_t entries) : sources(entries) {
        view.header = &header;
        view.process_base = reinterpret_cast<char*>(&process), view.process_count = 1;
        view.process_entry_bytes = sizeof process;
        view.source_base = reinterpret_cast<char*>(sources.data()), view.source_count = entries;
        view.source_entry_bytes = sizeof(allot_wire_source);
        process.serial = 7;
    }
    allot_wire_header header{};
    allot_wire_process process{};
    std::vector<allot_wire_source> sources;
    segment_view view;
    std::unique_ptr<source_list> list = std::make_unique<source_list>(); // all zero

    std::uint64_t report(std::uint64_t id, const char* name, std::uint64_t held, std::uint64_t count = 1) {
        allot_client_source source{sizeof source, 0, id, "arena", name, held, count};
        list->report(view, 0, source);
        return source.id;
    }
};

TEST(source_list, gives_an_id_and_an_entry_by_name) { // the header's example
    small_segment on(4);
    source_list& sources = *on.list;
    allot_client_source request{sizeof request, 0, 0, "arena", "request", 4096, 1};
    sources.report(on.view, 0, request);
    EXPECT_NE(request.id, 0u);
    EXPECT_EQ(on.sources[0].state, ALLOT_LIVE);
    EXPECT_EQ(on.sources[0].process_serial, 7u);
    EXPECT_STREQ(on.sources[0].kind, "arena");
    EXPECT_STREQ(on.sources[0].name, "request");
    EXPECT_EQ(on.sources[0].held_bytes, 4096u);
    EXPECT_EQ(on.process.source_entries, 1u);
}

TEST(source_list, adds_up_sources_of_one_name_and_keeps_the_peak_of_the_sum) {
    small_segment on(4);
    const std::uint64_t a = on.report(0, "request", 100), b = on.report(0, "request", 50);
    EXPECT_NE(a, b);
    on.report(a, "request", 300, 2); // 350 together
    on.report(b, "request", 0);
    on.report(0, "session", 7);
    EXPECT_EQ(on.sources[0].held_bytes, 300u);
    EXPECT_EQ(on.sources[0].held_count, 2u);
    EXPECT_EQ(on.sources[0].peak_held_bytes, 350u);
    EXPECT_EQ(on.sources[0].source_count, 2u);
    EXPECT_EQ(on.sources[1].held_bytes, 7u);
}

TEST(source_list, takes_a_source_back_that_had_held_nothing) {
    small_segment on(4);
    const std::uint64_t a = on.report(0, "request", 100);
    on.report(a, "request", 0);
    EXPECT_EQ(on.sources[0].held_bytes, 0u);
    EXPECT_EQ(on.sources[0].held_count, 0u);
    EXPECT_EQ(on.report(a, "request", 60), a);
    EXPECT_EQ(on.sources[0].held_bytes, 60u);
    EXPECT_EQ(on.sources[0].source_count, 1u); // the same one
    EXPECT_NE(on.report(0, "request", 1), a);
}

TEST(source_list, counts_an_unknown_id_of_the_parent_as_a_source_of_the_child) {
    small_segment parent(4), child(4); // another list of the same program, as after a fork
    const std::uint64_t inherited = parent.report(0, "request", 100);
    EXPECT_EQ(child.report(inherited, "request", 40), inherited);
    EXPECT_NE(child.report(0, "request", 2), inherited);
    EXPECT_EQ(child.sources[0].held_bytes, 42u);
    EXPECT_EQ(child.sources[0].source_count, 2u);
    EXPECT_EQ(parent.sources[0].held_bytes, 100u);
}

TEST(source_list, cuts_long_names_and_makes_do_without) {
    small_segment on(4);
    const std::string longest(31, 'n');
    on.report(0, (longest + "tail").c_str(), 1);
    on.report(0, longest.c_str(), 2);
    on.report(0, nullptr, 4);
    EXPECT_EQ(on.sources[0].name, longest);
    EXPECT_EQ(on.sources[0].held_bytes, 3u);
    EXPECT_STREQ(on.sources[1].name, "");
}

TEST(source_list, counts_what_finds_no_entry_or_no_place) {
    small_segment on(1);
    on.report(0, "first", 10);
    const std::uint64_t lost = on.report(0, "second", 20);
    EXPECT_NE(lost, 0u);
    on.report(lost, "second", 30);
    EXPECT_EQ(on.header.source_reports_lost, 2u);
    on.report(lost, "second", 0); // nothing is lost of that
    EXPECT_EQ(on.header.source_reports_lost, 2u);
    std::uint64_t last = 0;
    for (std::uint32_t i = 1; i != source_list::count_max; ++i) last = on.report(0, "first", 1);
    EXPECT_EQ(on.header.source_reports_lost, 2u);
    on.report(0, "first", 1);
    EXPECT_EQ(on.header.source_reports_lost, 3u);
    on.report(last, "first", 0);
    on.report(0, "first", 1); // in the place of the one before
    EXPECT_EQ(on.header.source_reports_lost, 3u);
    EXPECT_EQ(on.sources[0].held_bytes, 10u + source_list::count_max - 1);

    small_segment without(0);
    without.report(0, "first", 10);
    EXPECT_EQ(without.header.source_reports_lost, 1u);
}

TEST(source_list, agrees_with_a_map) { // model
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    small_segment on(4);
    const char* const names[] = {"a", "b", "c"};
    std::map<std::uint64_t, std::pair<std::size_t, std::uint64_t>> all; // id → name, held
    std::uint64_t held[3] = {}, peak[3] = {};
    for (const char* name : names) on.report(0, name, 0); // so that the entries stand in this order
    for (int step = 0; step != 100'000; ++step) {
        std::uint64_t id = 0;
        std::size_t name = random() % 3;
        if (random() % 4 != 0 && !all.empty()) {
            auto at = all.lower_bound(random() % (all.rbegin()->first + 1));
            id = at->first, name = at->second.first;
        }
        const std::uint64_t now = random() % 3 == 0 || all.size() > 5000 ? 0 : random() % 1000;
        id = on.report(id, names[name], now);
        auto& mine = all.try_emplace(id, name, 0).first->second;
        held[name] += now - mine.second;
        peak[name] = std::max(peak[name], held[name]);
        mine.second = now;
        ASSERT_EQ(on.sources[name].held_bytes, held[name]);
        ASSERT_EQ(on.sources[name].peak_held_bytes, peak[name]);
    }
    std::uint64_t count = 0;
    for (const auto& source : on.sources) count += source.source_count;
    EXPECT_EQ(count, all.size() + 3);
    EXPECT_EQ(on.header.source_reports_lost, 0u);
}

} // namespace
} // namespace allot::recorder
