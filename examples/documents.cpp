// documents: JSON is read into a tree, edited by paths, written and saved; damaged text is refused with its place.
#include <allot/allot.hpp>

#include <cstdio>
#include <string>
#include <string_view>

constexpr std::string_view service = R"({
  "name": "mirror",
  "hosts": ["a.example", "b.example"],
  "limits": {"retries": 3, "seconds": 2.5}
})";

int complain(const allot::error& failure) {
    std::printf("%s\n", failure.text().c_str());
    return 1;
}

int main(int, char** argv) {
    allot::document config({.name = "config", .limit_bytes = allot::kibibytes(64)});
    if (auto done = allot::read_json(config, service); !done) return complain(done.error());

    const allot::value root = config.root();
    std::printf("%d retries\n", static_cast<int>(root["limits"]["retries"].as_int()));
    for (const allot::value host : root["hosts"].children()) std::printf("host %s\n", host.as_text().data());

    // A snapshot is what was; it shares everything that is not edited.
    allot::document before = config.snapshot();
    bool fine = allot::set_at(config, "limits.retries", 5) && allot::set_at(config, "hosts[-]", "c.example");
    fine = fine && allot::set_at(config, "owner.name", "Ada"); // "owner" is made on the way
    if (!fine) return 1;

    allot::buffer text;
    if (auto done = allot::write_json(text, config.root()); !done) return complain(done.error());
    std::printf("%.*s\n", static_cast<int>(text.size()), text.text().data());
    text.clear();
    if (auto done = allot::write_json(text, before.root()["limits"], {.indent = 2}); !done)
        return complain(done.error());
    std::printf("before: %.*s\n", static_cast<int>(text.size()), text.text().data());

    auto file = allot::file_store::open(std::string(argv[0]) + ".saved");
    if (!file) return complain(file.error());
    if (auto done = allot::save_document(*file, config.root()); !done) return complain(done.error());
    allot::document later;
    if (auto done = allot::load_document(*file, later); !done) return complain(done.error());
    std::printf("saved: %s with %d hosts\n", later.root()["name"].as_text().data(),
                static_cast<int>(later.root()["hosts"].size()));

    const auto damaged = allot::read_json(config, "{\"hosts\": [\"a\", \"b\",]}");
    if (!damaged) std::printf("%s\n", damaged.error().text().c_str());
    std::printf("still %d hosts\n", static_cast<int>(config.root()["hosts"].size()));

    allot::json_reader reader; // keeps its memory from line to line
    allot::json_lines lines(reader, "{\"step\": 1}\n{\"step\": }\n{\"step\": 3}\n");
    allot::document entry;
    for (auto more = lines.next(entry); !more || *more; more = lines.next(entry))
        if (more)
            std::printf("step %d\n", static_cast<int>(entry.root()["step"].as_int()));
        else
            std::printf("%s\n", more.error().text().c_str());
}
