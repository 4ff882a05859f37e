#include <allot/observability/fixtures/forged_recording.hpp>
#include <allot/observability/recording.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <random>

namespace {

using allot::snapshot;

using namespace allot::fixture;

TEST(recording, gives_back_the_numbers_that_were_written) {
    const snapshot numbers = small();
    allot::memory_sink sink;
    ASSERT_TRUE(allot::write_recording(numbers, sink));
    auto again = allot::read_recording(sink.bytes());
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(again->totals, numbers.totals);
}

TEST(recording, keeps_every_field) {
    const bytes recording = written(small());
    auto again = allot::read_recording(recording);
    ASSERT_TRUE(again);
    const snapshot all = small();
    EXPECT_TRUE(again->partial && again->mode == all.mode && again->basis == all.basis);
    EXPECT_EQ(again->started_realtime_ns, all.started_realtime_ns);
    EXPECT_EQ(again->error_bound_bytes, all.error_bound_bytes);
    ASSERT_EQ(again->contexts.size(), 4u);
    EXPECT_EQ(again->contexts[2].parent, allot::context_node::cut);
    EXPECT_EQ(again->contexts[3].parent, 1u);
    EXPECT_EQ(again->contexts[1].numbers, all.contexts[1].numbers);
    EXPECT_EQ(again->contexts[2].address, all.contexts[2].address);
    EXPECT_EQ(again->modules[0].build_id, all.modules[0].build_id);
    EXPECT_EQ(again->processes[0].command, all.processes[0].command);
    EXPECT_EQ(again->processes[1].exit, all.processes[1].exit);
    EXPECT_EQ(again->processes[1].reason, "built with ASan");
    EXPECT_EQ(again->threads[1].totals, all.threads[1].totals);
    EXPECT_EQ(again->named_sources, all.named_sources);
    EXPECT_EQ(again->notes, all.notes);
    EXPECT_EQ(written(*again), recording); // and whatever was not named here
}

TEST(recording, has_a_section_for_named_sources_only_where_there_are_any) {
    snapshot all = small();
    EXPECT_EQ(at<std::uint32_t>(written(all), 24), 8u);
    all.named_sources.clear();
    const bytes without = written(all);
    EXPECT_EQ(at<std::uint32_t>(without, 24), 7u); // as every earlier recording
    auto read = allot::read_recording(without);
    ASSERT_TRUE(read);
    EXPECT_TRUE(read->named_sources.empty());
}

TEST(recording, salvage_drops_named_sources_of_lost_processes) {
    bytes recording = written(small());
    put(recording, entry_of(recording, allot::detail::section_kind::processes), std::uint32_t{99});
    seal(recording);
    auto found = allot::salvage_recording(recording);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->numbers.named_sources.empty());
    EXPECT_NE(std::find(found->damage.begin(), found->damage.end(),
                        "the processes of 2 named sources are lost, so are their rows"),
              found->damage.end());
}

TEST(recording, of_nothing_is_one_too) { EXPECT_EQ(why(written(snapshot{})), ""); }

TEST(recording, with_any_byte_changed_is_refused_with_a_place_and_a_reason) {
    const bytes whole = written(small());
    for (std::size_t place = 0; place < whole.size(); ++place) {
        for (const auto flip : {std::byte{0x01}, std::byte{0x80}, std::byte{0xff}}) {
            bytes damaged = whole;
            damaged[place] ^= flip;
            const std::string text = why(damaged);
            ASSERT_NE(text.find("at byte "), std::string::npos) << "byte " << place << ": '" << text << "'";
            ASSERT_TRUE(text.find("the checksum does not match") != std::string::npos || place < 8) << text;
            ASSERT_EQ(text.find('\n'), std::string::npos) << text;
        }
    }
}

TEST(recording, salvage_of_any_byte_changed_says_so_and_never_tells_another_number) {
    const snapshot all = small();
    const bytes whole = written(all);
    for (std::size_t place = 8; place < whole.size(); ++place) {
        bytes damaged = whole;
        damaged[place] ^= std::byte{0x10};
        auto found = allot::salvage_recording(damaged);
        ASSERT_TRUE(found) << place << found.error().text();
        ASSERT_FALSE(found->damage.empty()) << place;
        const snapshot& some = found->numbers;
        ASSERT_TRUE(some.totals == all.totals || some.totals == allot::heap_totals{}) << place;
        ASSERT_TRUE(some.contexts.empty() || some.contexts[3].numbers == all.contexts[3].numbers) << place;
        ASSERT_TRUE(some.sites.empty() || some.sites[0].numbers == all.sites[0].numbers) << place;
        ASSERT_TRUE(some.processes.empty() || some.processes[0].totals == all.processes[0].totals) << place;
        ASSERT_EQ(written(some).empty(), false) << place; // it holds together
    }
}

TEST(recording, cut_anywhere_is_refused_and_what_is_there_is_salvaged) {
    const bytes whole = written(small());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto cut = std::span(whole).first(size);
        ASSERT_NE(why(cut), "") << size;
        auto found = allot::salvage_recording(cut);
        if (found) {
            ASSERT_FALSE(found->damage.empty()) << size;
        }
    }
    EXPECT_EQ(why({}), "the file is empty");
    EXPECT_EQ(why(std::span(whole).first(5)), "header at byte 0: cut short, 5 of its 64 bytes are there");
    auto found =
        allot::salvage_recording(std::span(whole).first(whole.size() - 1)); // the contexts stand last
    ASSERT_TRUE(found);
    EXPECT_EQ(found->numbers.totals, small().totals);
    EXPECT_EQ(found->numbers.sites.size(), 2u);
    EXPECT_TRUE(found->numbers.contexts.empty());
}

TEST(recording, that_is_not_ours_or_of_another_version_is_named_as_that) {
    bytes recording = written(small());
    EXPECT_EQ(why(std::as_bytes(std::span("#!/bin/sh"))), "header at byte 0: this is not an allot recording");
    EXPECT_FALSE(allot::looks_like_recording(std::as_bytes(std::span("ALLOTSEG"))));
    EXPECT_TRUE(allot::looks_like_recording(recording));
    put(recording, 12, std::uint32_t{7});
    seal(recording);
    EXPECT_EQ(why(recording), "header at byte 12: version 7, this allot reads version 1");
    EXPECT_FALSE(allot::salvage_recording(recording));
    put(recording, 8, std::uint32_t{0x0d0c'0b0a});
    EXPECT_EQ(why(recording), "header at byte 8: written in the other byte order");
}

TEST(recording, that_goes_on_behind_its_end_is_refused) {
    bytes recording = written(small());
    recording.push_back({});
    EXPECT_NE(why(recording).find("but the file goes on to byte"), std::string::npos) << why(recording);
}

TEST(recording, skips_sections_that_it_does_not_know_but_not_their_checksum) {
    const bytes tags = {std::byte{1}, std::byte{2}, std::byte{3}};
    bytes recording = with_section(written(small()), 99, tags);
    ASSERT_EQ(why(recording), "");
    EXPECT_EQ(written(*allot::read_recording(recording)), written(small()));
    recording.back() ^= std::byte{1};
    EXPECT_EQ(why(recording), "section of unknown kind 99 at byte " + std::to_string(recording.size() - 3) +
                                  ": the checksum does not match");
}

TEST(recording, has_no_byte_between_its_sections) {
    bytes recording = written(small());
    const std::size_t last = 64 + 6 * 40;
    const auto place = at<std::uint64_t>(recording, last + 8);
    recording.insert(recording.begin() + static_cast<std::ptrdiff_t>(place),
                     std::byte{0x42}); // under no checksum
    put(recording, last + 8, place + 1);
    put(recording, 16, std::uint64_t{recording.size()});
    seal(recording);
    EXPECT_NE(why(recording).find("it does not begin where the section before it ends"), std::string::npos);
}

TEST(recording, salvage_takes_no_section_for_another_when_the_table_is_damaged) {
    using allot::detail::section_kind;
    bytes recording = written(small());
    const std::size_t sites = entry_of(recording, section_kind::sites),
                      threads = entry_of(recording, section_kind::threads);
    put(recording, sites, static_cast<std::uint32_t>(section_kind::threads));
    put(recording, threads, static_cast<std::uint32_t>(section_kind::sites));
    auto found = allot::salvage_recording(recording);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->numbers.sites.empty() && found->numbers.threads.empty());
    EXPECT_EQ(std::ranges::count_if(
                  found->damage, [](const std::string& line) { return line.find("checksum") != line.npos; }),
              3); // the table's and both sections': what is there is not even looked at
    EXPECT_EQ(found->numbers.contexts.size(), 4u);
}

TEST(recording, refuses_two_sections_of_a_kind_and_a_section_too_few) {
    const bytes nothing = {std::byte{0}};
    EXPECT_NE(why(with_section(written(small()), 7, nothing)).find("there is a second one"),
              std::string::npos);
    bytes recording = written(small());
    put(recording, entry_of(recording, allot::detail::section_kind::notes), std::uint32_t{99});
    seal(recording);
    EXPECT_EQ(why(recording), "section 'notes' is missing");
}

TEST(recording, does_not_allocate_what_a_lying_count_asks_for) {
    for (const auto kind : {1, 2, 3, 4, 5, 6, 7}) {
        bytes recording = written(snapshot{});
        const std::size_t entry =
            entry_of(recording, allot::detail::section_kind{static_cast<std::uint32_t>(kind)});
        bytes lie(9, std::byte{0xff});
        lie.back() = std::byte{0x7f}; // a count of 2^63 - 1
        put(recording, entry, std::uint32_t{99});
        EXPECT_NE(why(with_section(recording, static_cast<std::uint32_t>(kind), lie)).find("at byte"),
                  std::string::npos);
        recording = written(small());
        put(recording, entry + 24, std::uint64_t{1} << 45); // expands to 32 TiB
        put(recording, entry + 4, std::uint32_t{1});
        seal(recording);
        EXPECT_NE(why(recording).find("expand beyond all measure"), std::string::npos) << why(recording);
    }
}

TEST(recording, refuses_rows_that_refer_to_nothing) {
    using allot::detail::section_kind;
    const auto refused = [](snapshot wrong, const char* text) {
        allot::memory_sink sink;
        auto done = allot::write_recording(wrong, sink);
        ASSERT_FALSE(done) << text;
        EXPECT_EQ(done.error().text(), text);
    };
    snapshot wrong = small();
    wrong.contexts[1].parent = 1;
    refused(wrong, "table 'contexts': row 1 stands before its parent");
    wrong = small(), wrong.contexts[3].site = 2;
    refused(wrong, "table 'contexts': row 3 names a site that is not there");
    wrong = small(), wrong.sites[0].address.module = 2;
    refused(wrong, "table 'sites': row 0 names a module that is not there");
    wrong = small(), wrong.threads[0].process = 2;
    refused(wrong, "table 'threads': row 0 names a process that is not there");
    wrong = small(), wrong.named_sources[1].process = 2;
    refused(wrong, "table 'named sources': row 1 names a process that is not there");

    snapshot fewer = small(); // the same in a file: an entry swapped for one with fewer rows
    allot::packed_writer none;
    allot::detail::write_section(none, section_kind::sites, snapshot{});
    bytes recording = written(small());
    put(recording, entry_of(recording, section_kind::sites), std::uint32_t{99});
    recording = with_section(recording, 4, none.bytes());
    EXPECT_NE(why(recording).find("section 'contexts' at byte"), std::string::npos) << why(recording);
    EXPECT_NE(why(recording).find("row 1 names a site that is not there"), std::string::npos)
        << why(recording);
    auto found = allot::salvage_recording(recording);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->numbers.contexts[1].site, allot::none);
}

TEST(recording, keeps_lost_modules_as_rows_without_a_name) {
    bytes recording = written(small());
    const auto place =
        at<std::uint64_t>(recording, entry_of(recording, allot::detail::section_kind::modules) + 8);
    recording[static_cast<std::size_t>(place) + 3] ^= std::byte{1};
    auto found = allot::salvage_recording(recording);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->numbers.modules.size(), 2u);
    EXPECT_EQ(found->numbers.modules[0].path, "");
    EXPECT_EQ(found->numbers.contexts[1].address, small().contexts[1].address);
}

TEST(recording, of_random_snapshots_gives_them_back) {
    const auto seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    for (int round = 0; round < 50; ++round) {
        snapshot all = small();
        all.contexts.resize(random() % 2000);
        for (std::size_t i = 0; i < all.contexts.size(); ++i) {
            auto& node = all.contexts[i];
            node.parent = i == 0 || random() % 10 == 0
                              ? allot::none - static_cast<std::uint32_t>(random() % 2)
                              : static_cast<std::uint32_t>(random() % i);
            node.site = random() % 2 ? allot::none : static_cast<std::uint32_t>(random() % 2);
            node.address = {random() % 3 ? allot::none : static_cast<std::uint32_t>(random() % 2),
                            random() >> random() % 64};
            if (random() % 2) node.numbers = numbers_of(random() >> random() % 64);
        }
        const bytes recording = written(all);
        auto again = allot::read_recording(recording);
        ASSERT_TRUE(again) << again.error().text();
        ASSERT_EQ(again->contexts.size(), all.contexts.size());
        for (std::size_t i = 0; i < all.contexts.size(); ++i) {
            ASSERT_EQ(again->contexts[i].parent, all.contexts[i].parent);
            ASSERT_EQ(again->contexts[i].site, all.contexts[i].site);
            ASSERT_EQ(again->contexts[i].address, all.contexts[i].address);
            ASSERT_EQ(again->contexts[i].numbers, all.contexts[i].numbers);
        }
    }
}

TEST(recording, of_fifty_thousand_nodes_stays_small) {
    std::mt19937_64 random(7);
    snapshot all = small();
    all.contexts.resize(50'000);
    all.sites.resize(400);
    for (std::uint32_t i = 1, depth = 0; i < all.contexts.size(); ++i) {
        auto& node = all.contexts[i];
        depth = random() % 3 == 0 && depth > 30 ? depth - 20 : depth + 1;
        node = {i - 1 - static_cast<std::uint32_t>(random() % std::min(depth, i)),
                allot::none,
                {0, random() % 6000 * 331},
                {}};
        if (random() % 100 >= 35) continue;
        node.site = static_cast<std::uint32_t>(random() % 400);
        const std::uint64_t count = random() % 10 ? 1 + random() % 4 : random() % 100'000,
                            size = 16 + random() % 300;
        const std::uint64_t live = random() % 5 ? 0 : count / 4 * size;
        node.numbers = {count, count * size, live / size, live, count / 8 * size + size, live, count / 3};
    }
    const bytes recording = written(all);
    RecordProperty("bytes", static_cast<int>(recording.size()));
    std::printf("50,000 nodes: %zu bytes\n", recording.size());
    EXPECT_LT(recording.size(), 500'000u);
    EXPECT_EQ(why(recording), "");
}

} // namespace
