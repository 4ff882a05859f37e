// What an interner's memory comes to, counted: the targets of its memory are here, not in a benchmark.
#include <allot/source/default_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/structure/concurrent_interner.hpp>
#include <allot/structure/interner.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

// Of each length so many: the distinct ones among the first 1.5 million identifiers of Python's standard
// library and /usr/include of a Debian 12, 73,620 in all; their mean is 11 bytes.
std::vector<std::string> generated_identifiers() {
    constexpr std::array<int, 31> of_length = {
        0,    53,   1100, 2800, 3530, 7570, 5370, 5440, 5560, 5500, 4840, 4310, 3700, 3130, 2810, 2430,
        2080, 1760, 1670, 1420, 1270, 1090, 1090, 920,  730,  640,  540,  460,  350,  290,  1167};
    std::mt19937 random(1);
    std::vector<std::string> all;
    for (std::size_t size = 0; size != of_length.size(); ++size)
        for (int i = 0; i != of_length[size]; ++i) {
            std::string name(size, 'a'); // the number to base 53, then chance
            std::size_t rest = static_cast<std::size_t>(i);
            for (char& each : name) {
                const std::size_t letter =
                    rest != 0 || &each < &name[std::min<std::size_t>(size, 3)] ? rest % 53 : random() % 53;
                each = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"[letter];
                rest /= 53;
            }
            all.push_back(std::move(name));
        }
    std::shuffle(all.begin(), all.end(), random);
    return all;
}

TEST(interner_memory, keeps_73620_identifiers_in_3_4_megabytes_at_every_moment) {
    const std::vector<std::string> texts = generated_identifiers();
    ASSERT_EQ(texts.size(), 73'620);
    auditing_source source(default_source(), {.guard_bytes = 0});
    interner names({.upstream = &source});
    std::uint64_t before = 0;
    std::uint64_t step_max = 0;
    for (const std::string& text : texts) {
        names.intern(text);
        const std::uint64_t now = source.live_bytes();
        step_max = std::max(step_max, now - before);
        before = now;
    }
    EXPECT_EQ(names.count(), texts.size());
    EXPECT_EQ(names.usage().held_bytes, source.live_bytes());
    RecordProperty("peak_bytes", std::to_string(source.usage().peak_live_bytes));
    EXPECT_LE(source.usage().peak_live_bytes, 3'400'000);
    EXPECT_LE(step_max, 50'000); // no doubling: chunks of at most 32 KiB, segments of 4
    const std::uint64_t per_text = source.live_bytes() / texts.size();
    EXPECT_LE(per_text, 40);
}

TEST(interner_memory, of_a_language_is_small) { // LA10
    for (const auto list : {std::span<const std::string_view>(keywords::python),
                            std::span<const std::string_view>(keywords::cpp)}) {
        auditing_source source(default_source(), {.guard_bytes = 0});
        interner names({.upstream = &source});
        names.preload(list);
        EXPECT_LE(sizeof names + source.live_bytes(), kibibytes(12));
        concurrent_interner shared({.upstream = &source});
        shared.preload(list);
        shared.intern("x");
        EXPECT_LE(sizeof shared + source.live_bytes(), kibibytes(26));
    }
    page_source pages; // of which each block is whole pages
    interner names({.upstream = &pages});
    names.preload(keywords::python);
    EXPECT_LE(names.usage().held_bytes, kibibytes(64));
}

// The identifiers of Python's standard library, in the order of files and bytes.
std::vector<std::string> python_identifiers(std::size_t count_max) {
    std::vector<std::filesystem::path> files;
    std::error_code failure;
    for (const auto& root : std::filesystem::directory_iterator("/usr/lib", failure))
        if (root.path().filename().string().starts_with("python3."))
            for (const auto& each : std::filesystem::recursive_directory_iterator(root.path(), failure))
                if (each.path().extension() == ".py" && each.is_regular_file(failure))
                    files.push_back(each.path());
    std::sort(files.begin(), files.end());
    std::vector<std::string> all;
    for (const std::filesystem::path& path : files) {
        std::ifstream file(path, std::ios::binary);
        const std::string content(std::istreambuf_iterator<char>(file), {});
        const auto is_part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
        for (std::size_t at = 0; at != content.size();) {
            std::size_t end = at;
            while (end != content.size() && is_part(content[end])) ++end;
            if (end != at && !std::isdigit(static_cast<unsigned char>(content[at])))
                all.emplace_back(content, at, end - at);
            at = end == content.size() ? end : end + 1;
            if (all.size() == count_max) return all;
        }
    }
    return all;
}

TEST(interner_memory, is_at_most_half_of_copies_of_pythons_identifiers) { // LA6
    const std::vector<std::string> texts = python_identifiers(1'500'000);
    if (texts.size() < 300'000)
        GTEST_SKIP() << "no Python standard library in /usr/lib: install libpython3-stdlib";
    if (!no_allocation::sees()) GTEST_SKIP() << "malloc is not seen here";
    std::uint64_t copies_bytes = 0;
    {
        const no_allocation scope({.on_finding = on_finding::collect});
        std::vector<std::string> copies;
        copies.reserve(texts.size());
        for (const std::string& text : texts) copies.emplace_back(text.data(), text.size());
        copies_bytes = scope.bytes();
    }
    auditing_source source(default_source(), {.guard_bytes = 0});
    interner names({.upstream = &source});
    std::vector<symbol> symbols;
    symbols.reserve(texts.size());
    for (const std::string& text : texts) symbols.push_back(names.intern(text));
    const std::uint64_t interned_bytes = source.usage().peak_live_bytes + symbols.size() * sizeof(symbol);
    RecordProperty("copies_bytes", std::to_string(copies_bytes));
    RecordProperty("interned_bytes", std::to_string(interned_bytes));
    EXPECT_LE(interned_bytes * 2, copies_bytes)
        << texts.size() << " identifiers, " << names.count() << " distinct";
    EXPECT_GT(names.numbers().saved_bytes(), 0);
}

} // namespace
} // namespace allot
