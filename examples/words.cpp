// words: an index of a text, word → the lines that it stands in. Written as one writes it first; allot shows
// where its memory goes.
//
//     g++ -O2 -g examples/words.cpp -o /tmp/words
//     scripts/allot run -- /tmp/words LICENSE
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

struct mention {
    std::string word;
    std::string line; // the whole line, once for each of its words
};

std::vector<mention> read_mentions(std::istream& text) {
    std::vector<mention> found;
    for (std::string line; std::getline(text, line);) {
        std::istringstream words(line);
        for (std::string word; words >> word;) found.push_back({word, line});
    }
    return found;
}

std::map<std::string, std::vector<std::string>> make_index(const std::vector<mention>& mentions) {
    std::map<std::string, std::vector<std::string>> index;
    for (mention each : mentions) index[each.word].push_back(each.line); // copies each mention
    return index;
}

int main(int argc, char** argv) {
    std::ifstream text(argc > 1 ? argv[1] : "LICENSE");
    const auto index = make_index(read_mentions(text));
    std::cout << index.size() << " words\n";
}
