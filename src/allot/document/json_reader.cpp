#include <allot/document/json_reader.hpp>

#include <allot/core/out_of_memory.hpp>
#include <allot/document/json_writer.hpp>
#include <allot/source/default_source.hpp>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <new>

#ifdef ALLOT_HAS_SIMDJSON
#    include <simdjson.h>
#endif

namespace allot {

result<void> read_json(document& into, std::string_view text, const json_read_options& options) noexcept {
    return json_reader({.read = options}).read(into, text);
}

#ifndef ALLOT_HAS_SIMDJSON

namespace {
constexpr const char* no_json = "allot was built without JSON: install libsimdjson-dev and rebuild";
}

struct json_reader::parser {};

bool has_json() noexcept { return false; }
json_reader::json_reader(const json_reader_options& options) noexcept : options_(options.read) {}
json_reader::~json_reader() = default;
result<void> json_reader::read(document&, std::string_view, const text_place&) noexcept {
    return allot::error(no_json);
}
bool json_reader::try_reserve(std::uint64_t) noexcept { return false; }
std::uint64_t json_reader::held_bytes() const noexcept { return 0; }

#else

namespace {

static_assert(json_padding >= simdjson::SIMDJSON_PADDING);
constexpr std::uint64_t capacity_min = 1024;
constexpr std::uint64_t capacity_max = simdjson::SIMDJSON_MAXSIZE_BYTES;

// The symbols of keys that were there before: most are. One set of places, the newest key wins its place.
class key_cache {
public:
    explicit key_cache(std::uint64_t text_bytes) noexcept
        : mask_(text_bytes < kibibytes(4) ? places_few - 1 : places_max - 1) {
        for (std::size_t at = 0; at <= mask_; ++at) places_[at].size = none;
    }

    // Expects: 8 bytes at text.data() may be read.
    symbol symbol_of(std::string_view text, document_builder& build) noexcept {
        if (text.size() > 16) return build.intern(text);
        std::uint64_t first = 0, last = 0;
        std::memcpy(&first, text.data(), sizeof first);
        if (text.size() < 8)
            first &= (UINT64_C(1) << (8 * text.size())) - 1;
        else
            std::memcpy(&last, text.data() + text.size() - 8, sizeof last);
        const std::uint64_t mixed = (first ^ std::rotl(last, 23) ^ text.size()) * 0x9E37'79B9'7F4A'7C15;
        place& at = places_[(mixed >> 40) & mask_];
        if (at.first == first && at.last == last && at.size == text.size()) return at.key;
        at = {.first = first,
              .last = last,
              .size = static_cast<std::uint32_t>(text.size()),
              .key = build.intern(text)};
        return at.key;
    }

private:
    static constexpr std::size_t places_few = 32;
    static constexpr std::size_t places_max = 512;
    static constexpr std::uint32_t none = static_cast<std::uint32_t>(-1);
    struct place {
        std::uint64_t first, last; // 8 bytes each, of texts of 8 bytes and more they may overlap
        std::uint32_t size;
        symbol key;
    };
    std::size_t mask_;
    place places_[places_max];
};

// simdjson's tape: a word an entry, a kind in its upper byte.
class tape_view {
public:
    explicit tape_view(const simdjson::dom::document& parsed) noexcept
        : words_(parsed.tape.get()), strings_(parsed.string_buf.get()) {}

    static constexpr std::uint64_t payload_mask = (UINT64_C(1) << 56) - 1;
    static constexpr std::uint64_t count_max = 0xffffff; // and more

    char kind(std::size_t at) const noexcept { return static_cast<char>(words_[at] >> 56); }
    std::uint64_t word(std::size_t at) const noexcept { return words_[at]; }
    std::size_t end() const noexcept { return words_[0] & payload_mask; } // one behind the closing root
    std::size_t behind(std::size_t container) const noexcept {
        return static_cast<std::uint32_t>(words_[container]);
    }
    std::size_t count(std::size_t container) const noexcept {
        const std::uint64_t count = words_[container] >> 32 & count_max;
        return count == count_max ? document_builder::unknown : count;
    }
    std::string_view text(std::size_t at) const noexcept {
        const std::uint8_t* const start = strings_ + (words_[at] & payload_mask);
        std::uint32_t size = 0;
        std::memcpy(&size, start, sizeof size);
        return {reinterpret_cast<const char*>(start) + sizeof size, size};
    }

private:
    const std::uint64_t* words_;
    const std::uint8_t* strings_;
};

} // namespace

struct json_reader::parser {
    simdjson::dom::parser reading{capacity_max};
    simdjson::dom::document parsed;
};

// From the tape to the builder.
struct json_reader::walk {
    enum class outcome : std::uint8_t { done, too_deep, shortage, duplicate };

    tape_view tape;
    document_builder& build;
    std::span<std::uint64_t> levels;
    std::uint64_t depth_max;
    key_cache keys;
    std::uint64_t depth = 0;
    bool in_object = false;
    std::size_t at = 1;

    outcome run() noexcept {
        const std::size_t end = tape.end() - 1;
        while (at != end) {
            if (in_object && tape.kind(at) != '}') build.key(keys.symbol_of(tape.text(at++), build));
            if (const outcome each = entry(tape.kind(at)); each != outcome::done) return each;
        }
        return build.commit() ? outcome::done : outcome::shortage;
    }

    outcome entry(char kind) noexcept {
        switch (kind) {
        case '{':
        case '[': return open(kind == '{');
        case '}':
        case ']': return close();
        case '"': build.text(tape.text(at)); break;
        case 'l': build.integer(static_cast<std::int64_t>(tape.word(++at))); break;
        case 'u': build.unsigned_integer(tape.word(++at)); break;
        case 'd': build.real(std::bit_cast<double>(tape.word(++at))); break;
        case 't':
        case 'f': build.boolean(kind == 't'); break;
        default: build.null();
        }
        ++at;
        return outcome::done;
    }

    outcome open(bool is_object) noexcept {
        if (depth == depth_max) return outcome::too_deep;
        const std::size_t count = tape.count(at);
        const bool is_begun = is_object ? build.begin_object(count) : build.begin_array(count);
        if (!is_begun) return outcome::shortage;
        std::uint64_t& word = levels[depth / 64];
        const std::uint64_t bit = UINT64_C(1) << (depth % 64);
        word = is_object ? word | bit : word & ~bit;
        ++depth;
        in_object = is_object;
        ++at;
        return outcome::done;
    }

    outcome close() noexcept {
        if (!build.end()) return build.duplicate_key() ? outcome::duplicate : outcome::shortage;
        --depth;
        in_object = depth != 0 && (levels[(depth - 1) / 64] >> ((depth - 1) % 64) & 1) != 0;
        ++at;
        return outcome::done;
    }

    // The key that is there twice, counted from the text's first: the second one of the object that ends at `at`.
    std::uint64_t duplicate_ordinal(std::string_view key) noexcept {
        const std::size_t object = static_cast<std::uint32_t>(tape.word(at));
        std::uint64_t found = 0, ordinal = 0, level = 0;
        bool inside = false;
        for (std::size_t i = 1; i < at; ++i) {
            char kind = tape.kind(i);
            if (inside && kind != '}') {
                ++ordinal;
                const bool is_member = i > object && level == depth;
                if (is_member && tape.text(i) == key && ++found == 2) return ordinal;
                kind = tape.kind(++i);
            }
            if (kind == 'l' || kind == 'u' || kind == 'd') ++i;
            if (kind == '{' || kind == '[') set_level(level++, kind == '{');
            if (kind == '}' || kind == ']') --level;
            inside = level != 0 && (levels[(level - 1) / 64] >> ((level - 1) % 64) & 1) != 0;
        }
        return 0;
    }

    void set_level(std::uint64_t level, bool is_object) noexcept {
        const std::uint64_t bit = UINT64_C(1) << (level % 64);
        levels[level / 64] = is_object ? levels[level / 64] | bit : levels[level / 64] & ~bit;
    }
};

bool has_json() noexcept { return true; }

json_reader::json_reader(const json_reader_options& options) noexcept
    : options_(options.read),
      copy_(options.upstream ? *options.upstream : default_source()),
      levels_(options.upstream ? *options.upstream : default_source()) {
    options_.bytes_max = std::min(options_.bytes_max, capacity_max);
}
json_reader::~json_reader() = default;

std::span<std::uint64_t> json_reader::levels() noexcept {
    return {reinterpret_cast<std::uint64_t*>(levels_.data()), levels_.size() / sizeof(std::uint64_t)};
}

std::uint64_t json_reader::held_bytes() const noexcept {
    if (!parser_) return copy_.capacity() + levels_.capacity();
    const std::uint64_t tape = 8 * (capacity_ + 3), texts = 5 * capacity_ / 3 + json_padding;
    const std::uint64_t indices = 4 * capacity_, containers = 9 * parser_->reading.max_depth();
    return copy_.capacity() + levels_.capacity() + sizeof(parser) + tape + texts + indices + containers;
}

// Room for a text of so many bytes: the next power of two, so that texts that grow by and by do not take it anew each
// time. No more levels than a text of that size can have.
bool json_reader::prepare(std::uint64_t bytes) noexcept {
    if (parser_ && bytes <= capacity_) return true;
    const std::uint64_t wanted =
        std::min(std::bit_ceil(std::max(bytes, capacity_min)), std::max(options_.bytes_max, capacity_min));
    const std::uint64_t depth = std::min(options_.depth_max, wanted);
    const std::size_t words = detail::json_stack_words(depth);
    levels_.clear();
    if (!levels_.try_extend(words * sizeof(std::uint64_t))) return false;
    std::memset(levels_.data(), 0, levels_.size());
    if (!parser_) parser_.reset(new (std::nothrow) parser);
    capacity_ = 0;
    if (parser_ && !parser_->reading.allocate(wanted, depth + 1) && !parser_->parsed.allocate(wanted)) {
        capacity_ = wanted;
        return true;
    }
    parser_.reset();
    note_refusal({.who = "operator new", .kind = "json_reader", .asked = {.size = wanted * 14, .align = 16}});
    return false;
}

bool json_reader::try_reserve(std::uint64_t bytes) noexcept {
    if (bytes > options_.bytes_max || !prepare(bytes)) return false;
    return options_.is_padded || copy_.try_reserve(bytes + json_padding);
}

std::optional<std::string_view> json_reader::padded(std::string_view text) noexcept {
    if (options_.is_padded) return text;
    copy_.clear();
    const auto room = copy_.try_extend(text.size() + json_padding);
    if (!room) return std::nullopt;
    if (!text.empty()) std::memcpy(room->data(), text.data(), text.size());
    std::memset(room->data() + text.size(), ' ', json_padding);
    return copy_.text().substr(0, text.size());
}

result<void> json_reader::read(document& into, std::string_view text, const text_place& start) noexcept {
    place_.reset();
    if (text.size() > options_.bytes_max) {
        char what[96];
        std::snprintf(what, sizeof what, "a text of %zu bytes, of which %llu may be read", text.size(),
                      static_cast<unsigned long long>(options_.bytes_max));
        return allot::error(what);
    }
    if (!prepare(text.size())) return detail::shortage_error();
    const std::optional<std::string_view> copy = padded(text);
    if (!copy) return detail::shortage_error();
    const auto code =
        parser_->reading.parse_into_document(parser_->parsed, copy->data(), copy->size(), false).error();
    if (code != simdjson::SUCCESS) return fault_in(text, 0, start, simdjson::error_message(code));
    return build(into, text, start);
}

result<void> json_reader::build(document& into, std::string_view text, const text_place& start) noexcept {
    document_builder build(into, options_.duplicates);
    walk along{.tape = tape_view(parser_->parsed),
               .build = build,
               .levels = levels(),
               .depth_max = std::min<std::uint64_t>(options_.depth_max, capacity_),
               .keys = key_cache(text.size())};
    switch (along.run()) {
    case walk::outcome::done: return {};
    case walk::outcome::too_deep: return fault_in(text, 0, start, "too many levels");
    case walk::outcome::duplicate: {
        const std::uint64_t ordinal = along.duplicate_ordinal(into.key_text(build.duplicate_key()));
        return fault_in(text, ordinal, start, "a key is there twice");
    }
    default: return detail::shortage_error();
    }
}

allot::error json_reader::fault_in(std::string_view text, std::uint64_t stop_at_key, const text_place& start,
                                   const char* otherwise) noexcept {
    detail::json_fault fault;
    const std::uint64_t depth = std::min<std::uint64_t>(options_.depth_max, capacity_);
    if (!detail::find_json_fault(text, {.depth_max = depth, .stop_at_key = stop_at_key}, levels(), fault))
        return allot::error(otherwise); // never seen; it is wrong all the same
    if (fault.place.line == 1) fault.place.column += start.column - 1;
    fault.place.line += start.line - 1;
    fault.place.byte += start.byte;
    place_ = fault.place;
    return fault.as_error();
}

#endif

} // namespace allot
