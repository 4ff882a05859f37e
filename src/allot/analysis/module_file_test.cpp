// The oracle of names: addr2line, another reader of the same debug information, asked for the same places in
// this test's own executable. Functions, inlining and lines must be the same.
// GNU's 2.40 reads no list of ranges that begins with DW_RLE_base_addressx, as clang's lists do, and leaves out
// every inlined function that has one: of clang's executable LLVM's addr2line is asked.
#include <allot/analysis/demangle.hpp>
#include <allot/analysis/fixtures/loaded_fixture.hpp>
#include <allot/analysis/module_file.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace allot;

namespace {

struct place {
    std::string function;
    std::string file; // without directories that addr2line and libdw join differently
    unsigned line = 0;
    bool operator==(const place&) const = default;
};

std::string plain_file(const std::string& path) {
    return std::filesystem::path(path).lexically_normal().filename().string();
}

std::string text_of(const std::vector<place>& places) {
    std::string text;
    for (const place& at : places)
        text += "  " + at.function + " " + at.file + ":" + std::to_string(at.line) + "\n";
    return text;
}

// addr2line's answers, in the order of the questions.
std::vector<std::vector<place>> ask_addr2line(const std::string& program,
                                              const std::vector<std::uint64_t>& addresses) {
    const std::string questions = testing::TempDir() + "allot_addr2line.txt";
    std::ofstream(questions) << [&] {
        std::ostringstream text;
        for (const std::uint64_t address : addresses) text << std::hex << address << '\n';
        return text.str();
    }();
    const std::string command = ALLOT_ADDR2LINE " -a -i -f -e '" + program + "' < '" + questions + "'";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
    std::string output;
    char part[4096];
    while (const std::size_t size = std::fread(part, 1, sizeof part, pipe.get())) output.append(part, size);

    std::vector<std::vector<place>> answers;
    std::istringstream lines(output);
    std::string line;
    while (std::getline(lines, line)) {
        if (line.starts_with("0x")) {
            answers.emplace_back();
            continue;
        }
        place at;
        at.function = demangle(line); // LLVM's own demangler spells lambdas and destructors otherwise
        std::getline(lines, line);
        line = line.substr(0, line.find(" (discriminator"));
        const std::size_t colon = line.rfind(':');
        at.file = plain_file(line.substr(0, colon));
        at.line = static_cast<unsigned>(std::strtoul(line.c_str() + colon + 1, nullptr, 10));
        if (at.line == 0) at.file.clear();
        answers.back().push_back(at);
    }
    return answers;
}

std::vector<place> ask_ours(detail::module_file& file, std::uint64_t pc) {
    std::vector<source_frame> frames;
    file.describe(pc, frames);
    std::vector<place> places;
    for (const source_frame& frame : frames)
        places.push_back({frame.function, frame.line == 0 ? "" : plain_file(frame.file), frame.line});
    return places;
}

// The function's own name: addr2line gives what only one file can see without its scope, and clones with
// their mark.
std::string own_name(const std::string& function) {
    std::string name = short_function_name(function);
    if (name.find_first_of(":<{(") == std::string::npos) name.resize(std::min(name.size(), name.find('.')));
    int depth = 0;
    for (std::size_t at = name.size(); at-- > 0;) {
        depth += name[at] == '>' || name[at] == ')' || name[at] == '}';
        depth -= name[at] == '<' || name[at] == '(' || name[at] == '{';
        if (depth == 0 && name[at] == ':') return name.substr(at + 1);
    }
    return name;
}

std::set<std::string> names_at(const std::vector<detail::function_symbol>& symbols, std::uint64_t pc) {
    std::set<std::string> names;
    for (const auto& symbol : symbols)
        if (symbol.start <= pc && pc < symbol.end) names.insert(own_name(demangle(symbol.name)));
    return names;
}

bool is_unit(const std::string& file) {
    return file.ends_with(".cpp") || file.ends_with(".cc") || file.ends_with(".c");
}

// Files, lines and depth must be equal, except that addr2line sometimes names a line of a header by the unit that
// its symbol is in ("a.cpp:1407" for line 1407 of gtest.h), where nothing is inlined. Names may differ where
// the file gives several for one place: aliases, and where a function has no linkage name addr2line gives the
// innermost one the symbol's.
bool agree(const std::vector<place>& ours, const std::vector<place>& theirs,
           const std::set<std::string>& aliases) {
    if (ours.size() != theirs.size()) return false;
    for (std::size_t i = 0; i < ours.size(); ++i) {
        const std::string name = own_name(theirs[i].function);
        const bool real = i + 1 == ours.size();
        const bool by_unit = real && i == 0 && is_unit(theirs[i].file) && !is_unit(ours[i].file);
        if (ours[i].line != theirs[i].line || (ours[i].file != theirs[i].file && !by_unit)) return false;
        if (own_name(ours[i].function) != name && !((real || i == 0) && aliases.contains(name))) return false;
    }
    return true;
}

} // namespace

TEST(module_file, agrees_with_addr2line) {
    if (!detail::module_file::is_available()) GTEST_SKIP() << "built without libdw";
    if (!*ALLOT_ADDR2LINE) GTEST_SKIP() << "no addr2line that reads this compiler's debug information";
    const std::string program = std::filesystem::read_symlink("/proc/self/exe");
    detail::module_file file(program, fixture::loaded_build_id(""));
    ASSERT_EQ(file.reason(), "");
    const unsigned seed = std::random_device()();
    std::mt19937 random(seed);
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto& symbols = file.symbols();
    ASSERT_GT(symbols.size(), 100u);
    // Mostly places with a line: the libraries linked in have none.
    std::vector<std::uint64_t> addresses;
    while (addresses.size() < 6000) {
        const auto& symbol = symbols[random() % symbols.size()];
        if (symbol.end == symbol.start) continue;
        const std::uint64_t pc = symbol.start + random() % (symbol.end - symbol.start);
        const std::vector<place> ours = ask_ours(file, pc);
        if ((!ours.empty() && ours.back().line > 0) || random() % 10 == 0) addresses.push_back(pc);
    }
    const auto answers = ask_addr2line(program, addresses);
    ASSERT_EQ(answers.size(), addresses.size());
    std::size_t with_lines = 0;
    std::size_t inlined = 0;
    std::size_t by_unit = 0;
    std::size_t differing = 0;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        if (answers[i].back().function == "??") continue;
        const std::vector<place> ours = ask_ours(file, addresses[i]);
        by_unit += !ours.empty() && ours[0].file != answers[i][0].file;
        with_lines += answers[i].back().line > 0;
        inlined += answers[i].size() > 1;
        if (!agree(ours, answers[i], names_at(symbols, addresses[i])) && ++differing <= 5)
            ADD_FAILURE() << std::hex << addresses[i] << "\nours:\n"
                          << text_of(ours) << "addr2line:\n"
                          << text_of(answers[i]);
    }
    std::printf("%zu addresses, %zu with a line, %zu inlined: %zu differ, %zu of a header by their unit\n",
                addresses.size(), with_lines, inlined, differing, by_unit);
    EXPECT_EQ(differing, 0u);
    EXPECT_LT(by_unit, addresses.size() / 10);
    EXPECT_GT(with_lines, addresses.size() / 3);
#ifdef __OPTIMIZE__ // otherwise the compiler inlines next to nothing
    EXPECT_GT(inlined, addresses.size() / 4);
#endif
}
