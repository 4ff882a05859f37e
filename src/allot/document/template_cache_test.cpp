#include <allot/core/out_of_memory.hpp>
#include <allot/document/json_reader.hpp>
#include <allot/document/path_access.hpp>
#include <allot/document/template_cache.hpp>
#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

class template_cache_test : public ::testing::Test {
protected:
    void SetUp() override {
        if (!has_json()) GTEST_SKIP() << "allot was built without JSON: install libsimdjson-dev and rebuild";
    }
};

// Usage.

TEST_F(template_cache_test, makes_messages_from_templates_that_are_parsed_once) {
    template_cache shapes({.name = "shapes", .limit_bytes = mebibytes(1)});
    const auto call =
        shapes.get("call", R"({"model": "${model}", "messages": [{"text": "${text}"}], "n": 1})");
    result<pooled<message>> first = shapes.fill(**call, {{"model", "small"}, {"text", "Hello"}});
    EXPECT_TRUE((*first)->root()["messages"][0]["text"].as_text() == "Hello");
    (void)(*first)->edit().set("n", 2); // of this message alone
    result<pooled<message>> second = shapes.fill(**call, {{"model", "large"}, {"text", nullptr}});
    EXPECT_TRUE((*second)->root()["n"].as_int() == 1 && shapes.find("call") == *call);
    EXPECT_TRUE(shapes.fill(**call, {{"model", "small"}}).error().text() ==
                "template 'call': slot 'text' is not filled");
}

// Edges.

TEST_F(template_cache_test, takes_whole_texts_alone_for_slots) {
    template_cache shapes;
    const auto odd = shapes.get(
        "odd", R"(["${a}", "x${b}", "${b}x", "${}", "$", "${", "${a}", "{a}", {"${k}": "${k}"}, "${c}}"])");
    ASSERT_TRUE(odd);
    EXPECT_EQ((*odd)->slot_count(), 3);
    const auto filled = shapes.fill(**odd, {{"a", 1}, {"k", true}});
    ASSERT_TRUE(filled) << filled.error().text();
    const value root = (*filled)->root();
    EXPECT_EQ(root[0].as_int(), 1);
    EXPECT_EQ(root[1].as_text(), "x${b}");
    EXPECT_EQ(root[3].as_text(), "${}");
    EXPECT_EQ(root[6].as_int(), 1);
    EXPECT_EQ(root[8]["${k}"].as_bool(), true);
    EXPECT_EQ(root[9].as_text(), "${c}}");
    const auto whole = shapes.get("whole", R"("${all}")");
    EXPECT_EQ((*shapes.fill(**whole, {{"all", (*filled)->root()}}))->root()[6].as_int(), 1);
    const auto none = shapes.get("none", "[[], {}, 1.5, null]");
    EXPECT_EQ((*shapes.fill(**none, {}))->root().size(), 4);
    shapes.check();
}

TEST_F(template_cache_test, says_what_is_wrong_and_goes_on) {
    template_cache shapes;
    EXPECT_EQ(shapes.get("bad", "{\"a\" 1}").error().text().substr(0, 23), "template 'bad': line 1,");
    EXPECT_EQ(shapes.find("bad"), nullptr);
    const auto good = shapes.get("good", R"({"a": "${a}"})");
    EXPECT_EQ(shapes.get("good", "no JSON at all").value(), *good); // it is there already
    EXPECT_EQ(shapes.fill(**good, {{"a", 1}, {"b", 2}}).error().text(),
              "template 'good': there is no slot 'b'");
    EXPECT_EQ(shapes.fill(**good, {{"a", content::element("no")}}).error().text(),
              "template 'good': what is given cannot stand in slot 'a'");
    EXPECT_EQ(shapes.numbers().messages.out, 0);
    EXPECT_EQ(shapes.numbers().template_count, 1);
    EXPECT_EQ(shapes.numbers().hits, 1);
    EXPECT_EQ(shapes.numbers().misses, 3);
}

TEST_F(template_cache_test, keeps_templates_that_no_edit_of_a_message_and_no_reset_changes) { // B74
    template_cache shapes;
    constexpr std::string_view text =
        R"({"map": {"list": [1, {"x": "a text that is not inline"}]}, "slot": "${s}"})";
    const auto shape = shapes.get("shape", text);
    document fresh;
    ASSERT_TRUE(read_json(fresh, text) && set_at(fresh, "slot", 1));
    for (int round = 0; round != 3; ++round) {
        const auto first = shapes.fill(**shape, {{"s", 1}});
        const auto second = shapes.fill(**shape, {{"s", 1}});
        EXPECT_EQ(same_tree((*first)->root(), fresh.root()), true);
        ASSERT_TRUE(set_at((*first)->tree(), "map.list[1].x", "changed") &&
                    erase_at((*first)->tree(), "map.list[0]") && set_at((*first)->tree(), "map.more", 1));
        EXPECT_EQ(same_tree((*second)->root(), fresh.root()), true);
        (*first)->reset();
        EXPECT_FALSE((*first)->root());
        EXPECT_EQ(same_tree((*second)->root(), fresh.root()), true);
    }
    shapes.clear();
    EXPECT_EQ(shapes.find("shape"), nullptr);
    const auto again = shapes.get("shape", text);
    const auto filled = shapes.fill(**again, {{"s", 1}});
    EXPECT_EQ(same_tree((*filled)->root(), fresh.root()), true);
    shapes.check();
}

TEST_F(template_cache_test, hands_messages_out_clean_with_their_chunks) {
    template_cache shapes({.kept_count_max = 1});
    const void* memory = nullptr;
    {
        const pooled<message> used = shapes.try_message();
        ASSERT_TRUE(used && used->tree().set_root("left behind"));
        memory = used->memory().allocate(100);
    }
    const pooled<message> again = shapes.try_message();
    EXPECT_FALSE(again->root());
    EXPECT_EQ(again->memory().usage().live_bytes, 0);
    EXPECT_GT(again->memory().usage().held_bytes, 0);
    EXPECT_TRUE(again->memory().owns(memory) || again->memory().allocate(100) != nullptr);
    EXPECT_EQ(shapes.numbers().messages.created, 1);
}

// Shortage.

TEST_F(template_cache_test, refuses_a_template_beyond_its_limit_and_keeps_the_others) {
    template_cache shapes({.name = "small", .limit_bytes = kibibytes(64)});
    const auto first = shapes.get("first", R"({"a": "${a}"})");
    const std::string large = "[\"" + std::string(kibibytes(80), 'x') + "\"]";
    const auto refused = shapes.get("large", large);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("template 'large'"), std::string::npos);
    EXPECT_NE(refused.error().text().find("'small'"), std::string::npos);
    EXPECT_EQ(shapes.find("large"), nullptr);
    EXPECT_EQ((*shapes.fill(**first, {{"a", 7}}))->root()["a"].as_int(), 7);
    shapes.check();
}

TEST_F(template_cache_test, stays_whole_whichever_block_is_refused) {
    for_each_failure([](failing_source& failing) {
        template_cache shapes({.upstream = &failing});
        const auto shape = shapes.get("shape", R"({"a": ["${a}", "a text that is not inline"]})");
        shapes.check();
        if (!shape) {
            EXPECT_EQ(shapes.numbers().template_count, 0);
            return;
        }
        const auto filled = shapes.fill(**shape, {{"a", 1}});
        if (filled) {
            EXPECT_EQ((*filled)->root()["a"][0].as_int(), 1);
        }
        shapes.check();
    });
}

// Books.

TEST_F(template_cache_test, fills_without_an_allocation_in_steady_state) {
    auditing_source audit(default_source());
    {
        template_cache shapes({.upstream = &audit});
        const auto shape = shapes.get(
            "shape", R"({"model": "${model}", "messages": [{"role": "user", "text": "${text}"}]})");
        const std::string text(2000, 't');
        const auto send = [&](int round) {
            const auto filled = shapes.fill(**shape, {{"model", round}, {"text", std::string_view(text)}});
            (void)(*filled)->memory().allocate(1000);
            return (*filled)->root()["messages"][0]["text"].as_text().size();
        };
        (void)send(0);
        const std::uint64_t taken = audit.usage().total_count;
        no_allocation nothing;
        for (int round = 1; round != 1000; ++round) EXPECT_EQ(send(round), 2000);
        EXPECT_EQ(audit.usage().total_count, taken);
        EXPECT_EQ(shapes.numbers().fills, 1000);
        EXPECT_EQ(shapes.numbers().messages.created, 1);
    }
    EXPECT_EQ(audit.usage().live_count, 0);
}

// Model.

TEST_F(template_cache_test, fills_what_reading_the_filled_text_gives) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    template_cache shapes;
    for (int shape = 0; shape != 60; ++shape) {
        std::string text, filled;
        std::vector<char> open;
        for (int n = 0; n != 40; ++n) { // an array, arrays in it, objects of one member
            const bool deeper = random() % 3 == 0 && open.size() < 8;
            std::string both = open.empty() ? "[" : ",";
            if (open.empty()) open.push_back(']');
            if (deeper) {
                both += random() % 2 ? "[null" : "{\"k\":[1";
                open.push_back(both.back() == 'l' ? ']' : '}');
            }
            if (!deeper && both == ",") {
                const auto kind = random() % 3;
                text += both + (kind == 0 ? "\"${number}\"" : kind == 1 ? "\"${text}\"" : "\"plain\"");
                filled += both + (kind == 0 ? "42" : kind == 1 ? "\"some text for it\"" : "\"plain\"");
                continue;
            }
            if (both == "[") both += '0';
            text += both;
            filled += both;
        }
        for (; !open.empty(); open.pop_back()) {
            const std::string end = open.back() == '}' ? "]}" : "]";
            text += end;
            filled += end;
        }
        const std::string name = "shape " + std::to_string(shape);
        const auto made = shapes.get(name, text);
        ASSERT_TRUE(made) << made.error().text() << text;
        document read;
        ASSERT_TRUE(read_json(read, filled));
        std::vector<slot_content> with;
        if (text.find("${number}") != text.npos) with.push_back({"number", 42});
        if (text.find("${text}") != text.npos) with.push_back({"text", "some text for it"});
        const auto message = shapes.fill(**made, with);
        ASSERT_TRUE(message) << message.error().text();
        EXPECT_EQ(same_tree((*message)->root(), read.root()), true) << text;
        shapes.check();
    }
}

} // namespace
} // namespace allot
