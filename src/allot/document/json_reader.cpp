#include <allot/document/json_reader.hpp>

#include <allot/core/out_of_memory.hpp>
#include <allot/document/json_tape.hpp>
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

} // namespace

struct json_reader::parser {
    simdjson::dom::parser reading{capacity_max};
    simdjson::dom::document parsed;
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
    if (!prepare(text.size())) return shortage_error();
    const std::optional<std::string_view> copy = padded(text);
    if (!copy) return shortage_error();
    const auto code =
        parser_->reading.parse_into_document(parser_->parsed, copy->data(), copy->size(), false).error();
    if (code != simdjson::SUCCESS) return fault_in(text, 0, start, simdjson::error_message(code));
    return build(into, text, start);
}

result<void> json_reader::build(document& into, std::string_view text, const text_place& start) noexcept {
    const detail::json_tape tape{parser_->parsed.tape.get(), parser_->parsed.string_buf.get()};
    detail::json_tree made(into, tape,
                           {.depth_max = std::min<std::uint64_t>(options_.depth_max, capacity_),
                            .duplicates = options_.duplicates,
                            .text_bytes = text.size()});
    switch (made.run()) {
    case detail::json_tree::outcome::done: return {};
    case detail::json_tree::outcome::too_deep: return fault_in(text, 0, start, "too many levels");
    case detail::json_tree::outcome::duplicate:
        return fault_in(text, made.duplicate_ordinal(levels().data()), start, "a key is there twice");
    default: return shortage_error();
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
