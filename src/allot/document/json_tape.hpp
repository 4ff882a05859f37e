// json_tree: a document's tree straight from simdjson's tape, each cell written where it stays.
//
// For json_reader alone; whoever makes a tree of anything else takes document_builder. The tape says of a container
// how many children it has before they come, so that its cells are asked for once and no child is copied. Nothing is
// remembered of the levels above: while a container is open its header refers to its own cell, which leads to the
// container around it; what stood in the header is known again at its end.
// Owns what is made until it is the document's; borrows the tape and the document.
// Threads: compatible. Cost: see docs/numbers.md. Does not recur, takes no memory of its own.
//
//     json_tree made(config, tape, {.depth_max = 1024, .duplicates = duplicate_keys::last, .text_bytes = 2000});
//     if (made.run() == json_tree::outcome::done) return {};
#pragma once

#include <allot/document/document.hpp>
#include <array>
#include <cstring>

namespace allot::detail {

// simdjson's tape: a word an entry, its kind in the upper byte; what a container begins with says where it ends.
struct json_tape {
    static constexpr std::uint64_t payload_mask = (UINT64_C(1) << 56) - 1;
    static constexpr std::uint64_t count_max = 0xffffff; // and more

    const std::uint64_t* words;
    const std::uint8_t* strings; // 64 bytes behind the last may be read

    static char kind(std::uint64_t word) noexcept { return static_cast<char>(word >> 56); }
    char kind_at(std::size_t at) const noexcept { return kind(words[at]); }
    std::size_t end() const noexcept { return words[0] & payload_mask; } // one behind the closing root
    std::size_t behind(std::size_t container) const noexcept {
        return static_cast<std::uint32_t>(words[container]);
    }
    std::size_t behind_value(std::size_t at) const noexcept {
        const char of = kind_at(at);
        if (of == '{' || of == '[') return behind(at);
        return at + (of == 'l' || of == 'u' || of == 'd' ? 2 : 1);
    }
    std::size_t count(std::size_t container) const noexcept {
        const std::uint64_t count = words[container] >> 32 & count_max;
        return count == count_max ? counted(container) : count;
    }
    std::size_t counted(std::size_t container) const noexcept;
    std::string_view text(std::uint64_t word) const noexcept {
        const std::uint8_t* const start = strings + (word & payload_mask);
        std::uint32_t size = 0;
        std::memcpy(&size, start, sizeof size);
        return {reinterpret_cast<const char*>(start) + sizeof size, size};
    }
};

// The symbols of keys that were there before: most are. One set of places, the newest key wins its place.
class json_key_cache {
public:
    explicit json_key_cache(std::uint64_t text_bytes) noexcept
        : mask_(text_bytes < kibibytes(4) ? places_few - 1 : places_max - 1) {
        for (std::size_t at = 0; at <= mask_; ++at)
            places_[at] = {.first = 0, .last = 0, .size = none, .key = {}};
    }

    // Expects: 16 bytes at text.data() may be read. None on shortage.
    symbol symbol_of(std::string_view text, tree_store& store) noexcept {
        if (text.size() > 16) return store.try_intern(text);
        std::uint64_t first = 0, last = 0;
        std::memcpy(&first, text.data(), sizeof first);
        std::memcpy(&last, text.data() + 8, sizeof last);
        first &= masks[8 + text.size()];
        last &= masks[text.size()];
        const std::uint64_t mixed = (first ^ (last << 23 | last >> 41) ^ text.size()) * 0x9E37'79B9'7F4A'7C15;
        place& at = places_[(mixed >> 40) & mask_];
        if (at.first != first || at.last != last || at.size != text.size()) [[unlikely]]
            at = {first, last, static_cast<std::uint32_t>(text.size()), store.try_intern(text)};
        return at.key;
    }

private:
    static constexpr std::size_t places_few = 32;
    static constexpr std::size_t places_max = 512;
    static constexpr std::uint32_t none = static_cast<std::uint32_t>(-1);
    // At 8 + n: the first n bytes of eight; all from n = 8 on, none below 0.
    static constexpr std::array<std::uint64_t, 25> masks = [] {
        std::array<std::uint64_t, 25> made{};
        for (std::size_t n = 1; n != 17; ++n)
            made[8 + n] = n < 8 ? (UINT64_C(1) << (8 * n)) - 1 : ~UINT64_C(0);
        return made;
    }();
    struct place {
        std::uint64_t first, last;
        std::uint32_t size;
        symbol key;
    };
    std::size_t mask_;
    place places_[places_max];
};

struct json_tree_options {
    std::uint64_t depth_max;
    duplicate_keys duplicates;
    std::uint64_t text_bytes; // about
};

class json_tree {
public:
    enum class outcome : std::uint8_t { done, too_deep, shortage, duplicate };

    json_tree(document& into, const json_tape& tape, const json_tree_options& options) noexcept
        : into_(into), tape_(tape), options_(options), keys_(options.text_bytes) {}
    json_tree(const json_tree&) = delete;
    json_tree& operator=(const json_tree&) = delete;

    // Replaces the document's tree, or leaves it as it was. Once.
    outcome run() noexcept;
    // After a duplicate: the ordinal, counted from the text's first, of the key that is there twice. Expects: a bit a
    // level at `levels`.
    std::uint64_t duplicate_ordinal(std::uint64_t* levels) const noexcept;

private:
    outcome walk() noexcept;
    void undo() noexcept;

    document& into_;
    tree_store* store_ = nullptr;
    json_tape tape_;
    json_tree_options options_;
    tree_cell root_ = {};
    // Where the walk ended.
    std::size_t at_ = 1;             // the entry that could not be made
    tree_cell* next_ = &root_;       // its place
    tree_cell* innermost_ = nullptr; // the own cell of the container that is open
    std::uint64_t depth_ = 0;        // how many are
    symbol duplicate_;
    json_key_cache keys_;
};

} // namespace allot::detail
