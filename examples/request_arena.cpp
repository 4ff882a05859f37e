// request_arena: each request is parsed into one arena and forgotten with one call; a request that is too large is
// refused, and the next one is served.
#include <allot/allot.hpp>

#include <cstdio>
#include <string>
#include <string_view>

struct field {
    std::string_view name, value;
    const field* next;
};

struct request {
    std::string_view path;
    const field* fields;
};

// Everything that a request consists of lies in the arena, so nothing of it has to be freed.
request* parse(std::string_view text, allot::arena& memory) {
    text = memory.copy(text); // the reader's buffer is its own again
    const auto until = [&text](char end) {
        const std::string_view part = text.substr(0, text.find(end));
        text.remove_prefix(part.size() + (part.size() < text.size()));
        return part;
    };
    request* parsed = memory.make<request>(request{until('?'), nullptr});
    while (!text.empty()) {
        const std::string_view name = until('=');
        parsed->fields = memory.make<field>(field{name, until('&'), parsed->fields});
    }
    return parsed;
}

void serve(std::string_view text, allot::arena& memory) try {
    const request* const parsed = parse(text, memory);
    int count = 0;
    for (const field* each = parsed->fields; each; each = each->next) ++count;
    std::printf("%.*s with %d fields\n", static_cast<int>(parsed->path.size()), parsed->path.data(), count);
    memory.reset(); // all of it is gone; the chunks stay for the next request
} catch (const allot::out_of_memory& shortage) {
    std::printf("%s\n", shortage.what());
    memory.reset();
}

int main() {
    allot::arena memory({.name = "request", .limit_bytes = allot::kibibytes(8)});
    serve("/search?q=arena&page=2", memory);
    serve("/upload?data=" + std::string(10'000, 'x'), memory);
    serve("/logout?", memory);
    const allot::usage usage = memory.usage();
    std::printf("peak %d bytes, %d refused, %d chunk held\n", static_cast<int>(usage.peak_live_bytes),
                static_cast<int>(usage.refused_count), static_cast<int>(usage.held_count));
}
