#include <cli/render/json.hpp>

#include <cli/render/testing/capture.hpp>
#include <cli/render/testing/sample.hpp>

#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <string>

namespace allot::cli {
namespace {

rapidjson::Document json_of(const snapshot& shot, report_options options = {}) {
    debug_info names(shot.modules);
    const std::string text = testing::captured([&](output& out) { write_json(shot, names, options, out); });
    rapidjson::Document parsed;
    parsed.Parse<rapidjson::kParseValidateEncodingFlag>(text.c_str(), text.size());
    EXPECT_FALSE(parsed.HasParseError()) << text;
    return parsed;
}

TEST(json, has_the_published_names) {
    const rapidjson::Document json = json_of(testing::sample());
    EXPECT_STREQ(json["format"].GetString(), "allot-report");
    EXPECT_EQ(json["version"].GetInt(), 1);
    EXPECT_STREQ(json["mode"].GetString(), "full");
    EXPECT_STREQ(json["live_basis"].GetString(), "requested");
    for (const char* name :
         {"allocations", "frees", "reallocations", "allocated_bytes", "live_blocks_at_exit",
          "live_bytes_at_exit", "peak_live_bytes", "temporary_allocations"}) {
        EXPECT_TRUE(json["totals"].HasMember(name)) << name;
        EXPECT_TRUE(json["processes"][0]["totals"].HasMember(name)) << name;
    }
    for (const char* name : {"allocations", "allocated_bytes", "live_blocks_at_exit", "live_bytes_at_exit",
                             "peak_live_bytes", "live_bytes_at_peak", "temporary_allocations"}) {
        EXPECT_TRUE(json["sites"][0].HasMember(name)) << name;
        EXPECT_TRUE(json["contexts"][0].HasMember(name)) << name;
    }
    for (const char* name : {"function", "file", "line", "module", "offset"}) {
        EXPECT_TRUE(json["sites"][0]["frame"].HasMember(name)) << name;
        EXPECT_TRUE(json["contexts"][0]["frames"][0].HasMember(name)) << name;
    }
    EXPECT_TRUE(json["dropped"].HasMember("stacks") && json["dropped"].HasMember("events"));
    EXPECT_TRUE(json.HasMember("error_bound_bytes") && json.HasMember("peak_rss_bytes"));
}

TEST(json, gives_the_innermost_frame_first_and_everything_without_a_limit) {
    const rapidjson::Document json = json_of(testing::sample());
    ASSERT_EQ(json["contexts"].Size(), 3u);
    EXPECT_EQ(json["contexts"][0]["frames"][0]["offset"].GetInt(), 0x1200);
    EXPECT_EQ(json["contexts"][0]["frames"][1]["offset"].GetInt(), 0x1000);
    EXPECT_TRUE(json["contexts"][0]["frames"][0]["function"].IsNull());
    std::uint64_t at_peak = 0;
    for (const auto& context : json["contexts"].GetArray()) {
        at_peak += context["live_bytes_at_peak"].GetUint64();
    }
    EXPECT_EQ(at_peak, json["totals"]["peak_live_bytes"].GetUint64());
    report_options one;
    one.top = 1;
    EXPECT_EQ(json_of(testing::sample(), one)["sites"].Size(), 1u);
    EXPECT_EQ(json_of(testing::sample(), one)["contexts"].Size(), 1u);
}

TEST(json, tells_each_way_to_end) {
    snapshot shot = testing::sample();
    for (const auto how :
         {process_exit::kind::exec, process_exit::kind::unknown, process_exit::kind::running}) {
        shot.processes.push_back(shot.processes[0]);
        shot.processes.back().exit = {how, 0};
    }
    const rapidjson::Document json = json_of(shot);
    EXPECT_EQ(json["processes"][0]["exit"]["code"].GetInt(), 3);
    EXPECT_EQ(json["processes"][1]["exit"]["signal"].GetInt(), 11);
    EXPECT_TRUE(json["processes"][2]["exit"]["exec"].GetBool());
    EXPECT_TRUE(json["processes"][3]["exit"].IsNull());
    EXPECT_TRUE(json["processes"][4]["exit"].IsNull());
    EXPECT_FALSE(json["processes"][1]["observed"].GetBool());
    EXPECT_STREQ(json["processes"][1]["reason"].GetString(), "statically linked");
    EXPECT_TRUE(json["processes"][0]["reason"].IsNull());
}

TEST(json, of_counts_does_not_claim_temporaries) {
    snapshot shot = testing::sample();
    shot.mode = recording_mode::count;
    shot.basis = live_basis::usable;
    const rapidjson::Document json = json_of(shot);
    EXPECT_STREQ(json["mode"].GetString(), "count");
    EXPECT_STREQ(json["live_basis"].GetString(), "usable");
    EXPECT_TRUE(json["totals"]["temporary_allocations"].IsNull());
    EXPECT_EQ(json["sites"].Size(), 0u);
    EXPECT_EQ(json["contexts"].Size(), 0u);
}

TEST(json, adds_the_table_of_the_group_that_was_asked_for) {
    report_options options;
    options.by = group_by::module;
    EXPECT_EQ(json_of(testing::sample(), options)["modules"].Size(), 2u);
    options.by = group_by::thread;
    EXPECT_EQ(json_of(testing::sample(), options)["threads"][0]["tid"].GetInt(), 10);
}

TEST(json, keeps_every_byte_of_valid_text_and_is_valid_itself_where_it_was_not) {
    const rapidjson::Document json = json_of(testing::sample());
    EXPECT_STREQ(json["processes"][0]["command"][2].GetString(), "\x1b[31m");
    EXPECT_STREQ(json["sites"][1]["frame"]["module"].GetString(), "/nowhere/lib/lib\uFFFD.so");
}

} // namespace
} // namespace allot::cli
