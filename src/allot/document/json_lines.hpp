// json_lines: JSON Lines: a JSON value on each line, read one by one.
//
// Use it for logs, exports, messages that arrive in batches. For one value that spans lines take json_reader. To write
// lines: write_json(sink, tree, {.ends_line = true}), which never breaks a line inside a value.
// Lines of blanks are skipped; the last line need not have an end; "\r\n" is fine. A damaged line is an error with the
// place in the whole text, and the lines behind it are read all the same.
// Borrows the reader and the text. Threads: as the reader. Cost: that of json_reader for each line, the search for
// its end besides.
//
//     json_reader reader;
//     json_lines lines(reader, "{\"step\":1}\n\n{\"step\":}\n{\"step\":3}\n");
//     document entry;
//     std::int64_t sum = 0;
//     std::string complaints;
//     for (auto more = lines.next(entry); !more || *more; more = lines.next(entry))
//         if (more) sum += entry.root()["step"].as_int();
//         else complaints += more.error().text();
//     assert(sum == 4);
//     assert(complaints == "line 3, column 9, byte 20, at /step: expected a value, found '}'");
#pragma once

#include <allot/document/json_reader.hpp>

namespace allot {

class json_lines {
public:
    json_lines(json_reader& reader, std::string_view text) noexcept : reader_(reader), text_(text) {}

    // The next line, as the document's tree: true; false at the end. After an error, whatever it was, the document is
    // as it was, and the next call goes on with the next line.
    result<bool> next(document& into) noexcept;
    // Where the newest line begins, and where the next one does.
    const text_place& place() const noexcept { return place_; }
    std::uint64_t consumed_bytes() const noexcept { return at_; }

private:
    json_reader& reader_; // borrowed
    std::string_view text_;
    std::uint64_t at_ = 0;
    std::uint64_t line_ = 0; // how many were consumed
    text_place place_;
};

} // namespace allot
