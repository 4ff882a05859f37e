// bounded_string: a text in a slot of a tiered_pool, that moves up to a larger tier when it outgrows its own.
//
// Use it for texts whose memory was reserved before: of an agent, a session, an editor. For bytes over any
// source take buffer; for text that std must hold, std::pmr::string over a tiered_pool; for texts that
// repeat, an interner.
// Owns its slot; borrows its pool. Nobody else keeps the address of the bytes: name a text by its
// bounded_string, which stays where it is when the bytes move.
// capacity() is exact: so many characters fit without another slot, the zero behind them not counted (a slot
// of 16 bytes holds 15). No text is ever cut: what does not fit moves, or is refused and the old text stays
// whole. The longest text has pool.size_max() - 1 characters.
// Threads: compatible, together with its pool.
// Cost: 24 bytes, and the slot. Everything is O(1) but for the bytes that are copied: a tier's change copies
// the text once. What a slot has more than the text counts in the pool's slack_bytes.
//
// Fatal:
//     bounded_string: position N of N characters
//     bounded_string: truncate to N of N characters
//
//     constexpr size_tier tiers[] = {{.slot_bytes = 16, .slot_count = 4}, {256, 4}};
//     tiered_pool texts({.name = "texts", .tiers = tiers});
//     bounded_string thought(texts);
//     thought.set("first, a plan");
//     assert(thought.capacity() == 15);
//     thought.append("; then another");                      // moves up
//     assert(thought.view() == "first, a plan; then another" && thought.capacity() == 255);
//     assert(!thought.try_resize(256));                      // refused whole
//     thought.truncate(5);
//     assert(thought.try_shrink() && thought.capacity() == 15);
//     assert(texts.usage().live_bytes == 6);                 // "first" and its zero
#pragma once

#include <allot/core/contract.hpp>
#include <allot/structure/tiered_pool.hpp>
#include <cstring>
#include <string_view>

namespace allot {

namespace detail {

// Short ones without a call: two loads that overlap, then two stores.
template <class Word>
void copy_ends(char* to, const char* from, std::size_t size) noexcept {
    Word first, last;
    std::memcpy(&first, from, sizeof first);
    std::memcpy(&last, from + size - sizeof last, sizeof last);
    std::memcpy(to, &first, sizeof first);
    std::memcpy(to + size - sizeof last, &last, sizeof last);
}
inline void copy_text(char* to, const char* from, std::size_t size) noexcept {
    if (size > 16)
        std::memcpy(to, from, size);
    else if (size >= 8)
        copy_ends<std::uint64_t>(to, from, size);
    else if (size >= 4)
        copy_ends<std::uint32_t>(to, from, size);
    else
        for (std::size_t i = 0; i != size; ++i) to[i] = from[i];
}

} // namespace detail

class bounded_string {
public:
    // Takes no slot before there is text.
    explicit bounded_string(tiered_pool& pool) noexcept : home_(&pool.tiers_[0]) {}
    // The same, with text. Throws: out_of_memory.
    bounded_string(tiered_pool& pool, std::string_view text) : bounded_string(pool) { set(text); }
    bounded_string(bounded_string&& other) noexcept
        : home_(other.home_), data_(other.data_), size_(other.size_), capacity_(other.capacity_) {
        other.forget();
    }
    bounded_string& operator=(bounded_string&& other) noexcept;
    ~bounded_string() { release(); }

    std::string_view view() const noexcept { return {data_, size_}; }
    const char* c_str() const noexcept { return data_; } // ends in a zero; "" without a slot
    char* data() noexcept { return data_; }              // [0, size()) may be written
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    std::size_t capacity() const noexcept { return capacity_; } // characters; 0 without a slot
    tiered_pool& pool() const noexcept { return *home_->pool; }
    friend bool operator==(const bounded_string& left, std::string_view right) noexcept {
        return left.view() == right;
    }

    // All try_… below: false on shortage, with last_refusal(), and nothing changed. A text given may be this
    // string's own, or a part of it. Invalidates: views of this string.

    [[nodiscard]] bool try_set(std::string_view text) noexcept;
    [[nodiscard]] bool try_append(std::string_view more) noexcept;
    [[nodiscard]] bool try_append(char more) noexcept { return try_append({&more, 1}); }
    // Expects: position <= size(). Cost: O(characters behind it).
    [[nodiscard]] bool try_insert(std::size_t position, std::string_view more) noexcept;
    // New characters are `fill`.
    [[nodiscard]] bool try_resize(std::size_t size, char fill = '\0') noexcept;
    [[nodiscard]] bool try_reserve(std::size_t capacity) noexcept {
        return capacity <= capacity_ || move_to(capacity);
    }
    // Moves down to the smallest tier that holds the text, an empty one gives its slot back. False, and
    // nothing changed, where that tier has no slot, or there is none so small.
    bool try_shrink() noexcept;

    // The same, but throw out_of_memory.
    void set(std::string_view text) { need(try_set(text)); }
    void append(std::string_view more) { need(try_append(more)); }
    void append(char more) { need(try_append(more)); }
    void insert(std::size_t position, std::string_view more) { need(try_insert(position, more)); }
    void resize(std::size_t size, char fill = '\0') { need(try_resize(size, fill)); }
    void reserve(std::size_t capacity) { need(try_reserve(capacity)); }

    // Expects: position <= size(); of what is behind it at most `count` characters go. Cost: O(characters
    // behind).
    void erase(std::size_t position, std::size_t count = std::string_view::npos) noexcept;
    // The first characters only. Expects: size <= size().
    void truncate(std::size_t size) noexcept;
    void clear() noexcept { truncate(0); } // keeps the slot
    // The slot goes back; the string is as new.
    void release() noexcept {
        if (capacity_ == 0) return;
        tiered_pool& from = *home_->pool;
        if constexpr (checks != check_level::off)
            from.expect_live(home_, data_, {.size = size_ + std::size_t{1}, .align = 1});
        from.give(*home_, data_, size_ + std::size_t{1});
        forget();
    }

private:
    static inline char no_text[1] = {}; // the zero of all that have no slot; never written

    static void need(bool done) {
        if (!done) [[unlikely]]
            throw_out_of_memory();
    }
    // Into a slot for so many characters.
    [[nodiscard]] bool move_to(std::size_t capacity) noexcept;
    // Into a slot for the first `kept` characters and `more`.
    [[nodiscard]] bool replace(std::size_t kept, std::string_view more) noexcept;
    [[gnu::always_inline]] inline void enter(detail::tier_state& home, std::size_t kept,
                                             std::string_view more) noexcept; // the slot just taken
    [[nodiscard, gnu::cold]] bool refuse(std::size_t bytes) noexcept;
    void become(std::size_t size) noexcept { // in the same slot
        tiered_pool::resized(*home_, size_ + std::size_t{1}, size + 1);
        size_ = static_cast<std::uint32_t>(size);
        data_[size] = '\0';
    }
    void forget() noexcept {
        data_ = no_text;
        size_ = capacity_ = 0;
    }

    // The slot is capacity_ + 1 bytes of home_; without one capacity_ is 0 and home_ names the pool alone.
    detail::tier_state* home_;
    char* data_ = no_text;
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 0;
};

inline bool bounded_string::try_append(std::string_view more) noexcept {
    if (more.size() > capacity_ - size_) [[unlikely]] // never negative
        return replace(size_, more);
    if (capacity_ == 0) return true;                            // nothing, to nothing
    detail::copy_text(data_ + size_, more.data(), more.size()); // its own text ends where this begins
    become(size_ + more.size());
    return true;
}

} // namespace allot
