#include <allot/document/json_lines.hpp>
#include <allot/document/json_writer.hpp>

#include <gtest/gtest.h>

#include <cassert>

using namespace allot;

namespace {

class json_lines_test : public testing::Test {
protected:
    void SetUp() override {
        if (!has_json()) GTEST_SKIP() << "allot was built without JSON: install libsimdjson-dev and rebuild";
    }
};

TEST_F(json_lines_test, reads_as_the_header_shows) {
    json_reader reader;
    json_lines lines(reader, "{\"step\":1}\n\n{\"step\":}\n{\"step\":3}\n");
    document entry;
    std::int64_t sum = 0;
    std::string complaints;
    for (auto more = lines.next(entry); !more || *more; more = lines.next(entry))
        if (more)
            sum += entry.root()["step"].as_int();
        else
            complaints += more.error().text();
    EXPECT_EQ(sum, 4);
    EXPECT_EQ(complaints, "line 3, column 9, byte 20, at /step: expected a value, found '}'");
}

TEST_F(json_lines_test, ends_at_once_where_there_is_no_line) {
    json_reader reader;
    document entry;
    for (const std::string_view text : {"", "\n", "\n\n \t\r\n"}) {
        json_lines lines(reader, text);
        const auto more = lines.next(entry);
        ASSERT_TRUE(more);
        EXPECT_FALSE(*more);
        EXPECT_EQ(lines.consumed_bytes(), text.size());
    }
}

TEST_F(json_lines_test, takes_lines_without_an_end_and_with_two) {
    json_reader reader;
    json_lines lines(reader, "1\r\n 2 \n[3]");
    document entry;
    std::string seen;
    while (lines.next(entry).value_or(false)) {
        buffer text;
        ASSERT_TRUE(write_json(text, entry.root()));
        seen += std::to_string(lines.place().line) + ":" + std::string(text.text()) + " ";
    }
    EXPECT_EQ(seen, "1:1 2:2 3:[3] ");
}

TEST_F(json_lines_test, refuses_a_value_that_spans_lines_and_two_on_one) {
    json_reader reader;
    json_lines lines(reader, "[1,\n2]\n3 4\n5");
    document entry;
    std::string seen;
    for (auto more = lines.next(entry); !more || *more; more = lines.next(entry))
        seen += more ? std::string("ok;") : more.error().text() + ";";
    EXPECT_EQ(seen, "line 1, column 4, byte 3, at /1: expected a value, found the end;"
                    "line 2, column 2, byte 5: expected the end, found ']';"
                    "line 3, column 3, byte 9: expected the end, found '4';ok;");
}

TEST_F(json_lines_test, reads_what_the_writer_wrote) {
    buffer text;
    buffer_sink sink(text);
    document entry;
    for (int i = 0; i != 1000; ++i) {
        ASSERT_TRUE(entry.set_root(content::object()));
        ASSERT_TRUE(entry.edit().set("id", i));
        ASSERT_TRUE(entry.edit().set("text", "two\nlines"));
        ASSERT_TRUE(write_json(sink, entry.root(), {.ends_line = true}));
    }
    json_reader reader;
    json_lines lines(reader, text.text());
    int next = 0;
    while (lines.next(entry).value_or(false)) {
        EXPECT_EQ(entry.root()["id"].as_int(-1), next++);
        EXPECT_EQ(entry.root()["text"].as_text(), "two\nlines");
    }
    EXPECT_EQ(next, 1000);
}

} // namespace
