// pmr_in_an_arena: std::pmr containers whose nodes and strings lie in an arena: one bump each, and one end for all.
#include <allot/allot.hpp>

#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

using words_by_length = std::pmr::map<std::size_t, std::pmr::vector<std::pmr::string>>;

std::size_t count_lengths(std::string_view text, allot::arena& memory) {
    allot::arena::scope step(memory); // what follows is free again at the end of this function
    words_by_length index(&memory);   // the inner vectors and strings take their memory from it, too
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        index[end - begin].emplace_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return index.size();
}

int main() {
    std::array<std::byte, 4096> stack; // enough for most: then malloc is never called
    allot::arena memory({.name = "words", .first_chunk = stack});

    std::printf("%d lengths\n",
                static_cast<int>(count_lengths("the quick brown fox jumps over the lazy dog", memory)));
    std::printf("%d lengths\n",
                static_cast<int>(count_lengths("pack my box with five dozen liquor jugs", memory)));
    std::printf("live %d bytes, chunks beside the stack: %d\n", static_cast<int>(memory.usage().live_bytes),
                static_cast<int>(memory.usage().held_count) - 1);
}
