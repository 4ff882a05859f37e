#include <cli/render/json.hpp>

#include <cli/render/testing/capture.hpp>
#include <cli/render/testing/sample.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

namespace allot::cli {
namespace {

nlohmann::json json_of(const snapshot& shot, report_options options = {}) {
    debug_info names(shot.modules);
    return nlohmann::json::parse(
        testing::captured([&](output& out) { write_json(shot, names, options, out); }));
}

TEST(json, has_the_published_names) {
    const nlohmann::json json = json_of(testing::sample());
    EXPECT_EQ(json["format"], "allot-report");
    EXPECT_EQ(json["version"].get<int>(), 1);
    EXPECT_EQ(json["mode"], "full");
    EXPECT_EQ(json["live_basis"], "requested");
    for (const char* name :
         {"allocations", "frees", "reallocations", "allocated_bytes", "live_blocks_at_exit",
          "live_bytes_at_exit", "peak_live_bytes", "temporary_allocations"}) {
        EXPECT_TRUE(json["totals"].contains(name)) << name;
        EXPECT_TRUE(json["processes"][0]["totals"].contains(name)) << name;
    }
    for (const char* name : {"allocations", "allocated_bytes", "live_blocks_at_exit", "live_bytes_at_exit",
                             "peak_live_bytes", "live_bytes_at_peak", "temporary_allocations"}) {
        EXPECT_TRUE(json["sites"][0].contains(name)) << name;
        EXPECT_TRUE(json["contexts"][0].contains(name)) << name;
    }
    for (const char* name : {"function", "file", "line", "module", "offset"}) {
        EXPECT_TRUE(json["sites"][0]["frame"].contains(name)) << name;
        EXPECT_TRUE(json["contexts"][0]["frames"][0].contains(name)) << name;
    }
    EXPECT_TRUE(json["dropped"].contains("stacks") && json["dropped"].contains("events"));
    EXPECT_TRUE(json.contains("error_bound_bytes") && json.contains("peak_rss_bytes"));
}

TEST(json, gives_the_innermost_frame_first_and_everything_without_a_limit) {
    const nlohmann::json json = json_of(testing::sample());
    ASSERT_EQ(json["contexts"].size(), 3u);
    EXPECT_EQ(json["contexts"][0]["frames"][0]["offset"].get<int>(), 0x1200);
    EXPECT_EQ(json["contexts"][0]["frames"][1]["offset"].get<int>(), 0x1000);
    EXPECT_TRUE(json["contexts"][0]["frames"][0]["function"].is_null());
    std::uint64_t at_peak = 0;
    for (const auto& context : json["contexts"]) {
        at_peak += context["live_bytes_at_peak"].get<std::uint64_t>();
    }
    EXPECT_EQ(at_peak, json["totals"]["peak_live_bytes"].get<std::uint64_t>());
    report_options one;
    one.top = 1;
    EXPECT_EQ(json_of(testing::sample(), one)["sites"].size(), 1u);
    EXPECT_EQ(json_of(testing::sample(), one)["contexts"].size(), 1u);
}

TEST(json, tells_each_way_to_end) {
    snapshot shot = testing::sample();
    for (const auto how :
         {process_exit::kind::exec, process_exit::kind::unknown, process_exit::kind::running}) {
        shot.processes.push_back(shot.processes[0]);
        shot.processes.back().exit = {how, 0};
    }
    const nlohmann::json json = json_of(shot);
    EXPECT_EQ(json["processes"][0]["exit"]["code"].get<int>(), 3);
    EXPECT_EQ(json["processes"][1]["exit"]["signal"].get<int>(), 11);
    EXPECT_TRUE(json["processes"][2]["exit"]["exec"].get<bool>());
    EXPECT_TRUE(json["processes"][3]["exit"].is_null());
    EXPECT_TRUE(json["processes"][4]["exit"].is_null());
    EXPECT_FALSE(json["processes"][1]["observed"].get<bool>());
    EXPECT_EQ(json["processes"][1]["reason"], "statically linked");
    EXPECT_TRUE(json["processes"][0]["reason"].is_null());
}

TEST(json, of_counts_does_not_claim_temporaries) {
    snapshot shot = testing::sample();
    shot.mode = recording_mode::count;
    shot.basis = live_basis::usable;
    const nlohmann::json json = json_of(shot);
    EXPECT_EQ(json["mode"], "count");
    EXPECT_EQ(json["live_basis"], "usable");
    EXPECT_TRUE(json["totals"]["temporary_allocations"].is_null());
    EXPECT_EQ(json["sites"].size(), 0u);
    EXPECT_EQ(json["contexts"].size(), 0u);
}

TEST(json, adds_the_table_of_the_group_that_was_asked_for) {
    report_options options;
    options.by = group_by::module;
    EXPECT_EQ(json_of(testing::sample(), options)["modules"].size(), 2u);
    options.by = group_by::thread;
    EXPECT_EQ(json_of(testing::sample(), options)["threads"][0]["tid"].get<int>(), 10);
}

TEST(json, has_a_row_for_each_named_source) {
    const nlohmann::json rows = json_of(testing::sample())["named_memory"];
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0], nlohmann::json({{"pid", 10},
                                       {"kind", "arena"},
                                       {"name", "request"},
                                       {"held_bytes_at_exit", 4096},
                                       {"peak_held_bytes", 65536},
                                       {"held_count_at_exit", 1},
                                       {"source_count", 12}}));
    snapshot none = testing::sample();
    none.named_sources.clear();
    EXPECT_EQ(json_of(none)["named_memory"], nlohmann::json::array());
}

TEST(json, keeps_every_byte_of_valid_text_and_is_valid_itself_where_it_was_not) {
    const nlohmann::json json = json_of(testing::sample());
    EXPECT_EQ(json["processes"][0]["command"][2], "\x1b[31m");
    EXPECT_EQ(json["sites"][1]["frame"]["module"], "/nowhere/lib/lib\uFFFD.so");
}

} // namespace
} // namespace allot::cli
