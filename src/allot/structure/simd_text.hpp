// simd_text: the same question to many texts: which are equal, which contain, how many of a character.
//
// Use it to filter lists of names, paths, lines; with a text_batch where the same list is asked more than
// once. For one look-up among many texts take a hash table; for one short text std::string_view::find is as
// good. A text_batch owns its texts, one behind the other in an aligned buffer, so that a loop never chases
// pointers; borrows its source. The functions over views own nothing, and read no byte outside the texts. The
// best loop for the processor is chosen at the first call (Highway; plain C++ where allot was built without
// it).
// Threads: functions: any. A batch: compatible.
// Cost: see docs/numbers.md. A batch takes 4 bytes for each text beside its bytes, and holds less than 4 GiB.
// Bytes are compared, not characters: UTF-8 works, letters of another case are others.
//
// Fatal, at every level:
//     simd_text: N answers for N texts
//
//     text_batch paths(source);
//     for (std::string_view path : {"/usr/include", "/usr/lib", "/etc"}) paths.push_back(path);
//     bool hits[3];
//     assert(simd_contains_each(paths, "usr", hits) == 2 && hits[1] && !hits[2]);
//     assert(simd_match_each(paths, "/etc", hits) == 1 && hits[2]);
//     const std::string_view either[] = {"/etc", "/usr/lib", "/opt"};
//     assert(simd_match_any_each(paths, either, hits) == 2 && !hits[0]);
//     std::uint32_t counts[3];
//     assert(simd_count_each(paths, '/', counts) == 5 && counts[2] == 1);
//     assert(simd_find("/usr/include", "include") == 5 && simd_contains(paths[1], "lib"));
#pragma once

#include <allot/structure/aligned_buffer.hpp>
#include <cstdint>
#include <span>
#include <string_view>

namespace allot {

class text_batch {
public:
    // Over default_source().
    text_batch() noexcept : text_batch(default_source()) {}
    explicit text_batch(memory_source& source) noexcept : bytes_(source), begins_(source) {}

    // A copy of the text; it may be one of this batch. False on shortage, and nothing changed.
    // Invalidates: views of its texts.
    [[nodiscard]] bool try_push_back(std::string_view text) noexcept;
    // Throws: out_of_memory.
    void push_back(std::string_view text) {
        if (!try_push_back(text)) [[unlikely]]
            throw_out_of_memory();
    }
    std::size_t size() const noexcept { return begins_.empty() ? 0 : begins_.size() - 1; }
    std::size_t byte_count() const noexcept { return bytes_.empty() ? 0 : bytes_.size() - padding; }
    // Expects: index < size().
    std::string_view operator[](std::size_t index) const noexcept {
        return {bytes_.data() + begins_[index], begins_[index + 1] - begins_[index]};
    }
    // Forgets the texts and keeps the memory.
    void clear() noexcept {
        bytes_.clear();
        begins_.clear();
    }
    memory_source& source() const noexcept { return bytes_.source(); }
    // For the loops: size() + 1 places, each text up to the next one's.
    const char* bytes() const noexcept { return bytes_.data(); }
    const std::uint32_t* begins() const noexcept { return begins_.data(); }

private:
    static constexpr std::size_t padding = 64; // zeroes behind the last text, for a whole vector
    aligned_buffer<char> bytes_;               // empty, or the texts and the padding
    aligned_buffer<std::uint32_t> begins_;     // empty, or size() + 1
};

// The first place, or std::string_view::npos.
std::size_t simd_find(std::string_view text, std::string_view pattern) noexcept;
bool simd_contains(std::string_view text, std::string_view pattern) noexcept;
std::size_t simd_count(std::string_view text, char wanted) noexcept;

// One answer for each text, and the number of hits. Expects: as many answers as texts, or more.
std::uint64_t simd_match_each(const text_batch& texts, std::string_view wanted,
                              std::span<bool> hits) noexcept;
std::uint64_t simd_match_each(std::span<const std::string_view> texts, std::string_view wanted,
                              std::span<bool> hits) noexcept;
// Whether a text equals any of these. For a handful: each of them costs a look at all texts; for many take a hash
// table of them.
std::uint64_t simd_match_any_each(const text_batch& texts, std::span<const std::string_view> wanted,
                                  std::span<bool> hits) noexcept;
std::uint64_t simd_match_any_each(std::span<const std::string_view> texts,
                                  std::span<const std::string_view> wanted, std::span<bool> hits) noexcept;
std::uint64_t simd_contains_each(const text_batch& texts, std::string_view pattern,
                                 std::span<bool> hits) noexcept;
std::uint64_t simd_contains_each(std::span<const std::string_view> texts, std::string_view pattern,
                                 std::span<bool> hits) noexcept;
std::uint64_t simd_count_each(const text_batch& texts, char wanted, std::span<std::uint32_t> counts) noexcept;
std::uint64_t simd_count_each(std::span<const std::string_view> texts, char wanted,
                              std::span<std::uint32_t> counts) noexcept;

// Of the loops that were chosen: "N_AVX2", "plain".
const char* simd_target() noexcept;

} // namespace allot
