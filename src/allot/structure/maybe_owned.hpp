// maybe_owned: text and spans that are borrowed from the input as long as nobody changes them, and owned from
// then on.
//
// Use it where most of a result points into its input (tokens, fields of a document, configuration) and a few
// parts had to be made: unescaped, joined, overridden. Where nothing is ever made std::string_view and
// std::span are enough, and what these are given out as; for a value that many share until it is changed take
// cow.
// Owns what it copied, in one block of a source; borrows all else, and the source. What is borrowed from, and
// the source, outlive it.
// Threads: compatible.
// Cost: four words. As a view: two loads. Moving copies no elements.
//
// A borrow_tally, where one is given, counts what came in borrowed and how much of that was copied after all.
//
//     borrow_tally tally;
//     maybe_owned_text key("name", &tally);
//     maybe_owned_text value("a\\nb", &tally);
//     assert(key.is_borrowed() && key.view() == "name");
//     value.write(source)[1] = '\n'; // copies
//     assert(!value.is_borrowed() && value.view().size() == 4);
//     assert(tally.borrowed_share() == 0.5);
#pragma once

#include <allot/core/memory_source.hpp>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace allot {

// Of one thread, as its users.
struct borrow_tally {
    std::uint64_t borrowed_count = 0; // came in as a view
    std::uint64_t copied_count = 0;   // of these: had to be copied
    std::uint64_t borrowed_bytes = 0;
    std::uint64_t copied_bytes = 0;

    // Of all that came in; 1 before the first.
    double borrowed_share() const noexcept {
        return borrowed_count == 0
                   ? 1.0
                   : 1.0 - static_cast<double>(copied_count) / static_cast<double>(borrowed_count);
    }
};

template <class T>
class maybe_owned_span {
    static_assert(std::is_trivially_copyable_v<T>, "maybe_owned_span: elements are copied as bytes");

public:
    maybe_owned_span() noexcept = default; // borrowed, and of no elements
    // Borrows.
    explicit maybe_owned_span(std::span<const T> from, borrow_tally* tally = nullptr) noexcept
        : data_(from.data()), count_(from.size()), tally_(tally) {
        if (!tally_) return;
        ++tally_->borrowed_count;
        tally_->borrowed_bytes += from.size_bytes();
    }
    // Copies, of its own accord: no tally counts that. Throws: out_of_memory.
    static maybe_owned_span copy_of(std::span<const T> from, memory_source& source) {
        maybe_owned_span made(from);
        (void)made.write(source);
        return made;
    }

    maybe_owned_span(maybe_owned_span&& other) noexcept { swap(other); }
    maybe_owned_span& operator=(maybe_owned_span&& other) noexcept {
        maybe_owned_span(std::move(other)).swap(*this);
        return *this;
    }
    ~maybe_owned_span() {
        if (source_) source_->deallocate(const_cast<T*>(data_), layout{count_ * sizeof(T), alignof(T)});
    }

    // Valid until it is written to, moved or destroyed; what was borrowed as long as its owner says.
    std::span<const T> view() const noexcept { return {data_, count_}; }
    const T* begin() const noexcept { return data_; }
    const T* end() const noexcept { return data_ + count_; }
    std::size_t size() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }
    bool is_borrowed() const noexcept { return source_ == nullptr; }

    // The elements, to be changed; copied into the source first where they are borrowed.
    // Throws: out_of_memory; then nothing has changed. Invalidates: views, where it copies.
    std::span<T> write(memory_source& source) {
        if (!try_own(source)) throw_out_of_memory();
        return {const_cast<T*>(data_), count_};
    }
    // Copies what is borrowed, so that it can outlive where it came from. False on shortage.
    [[nodiscard]] bool try_own(memory_source& source) noexcept {
        if (source_ || count_ == 0) return true;
        void* const place = source.try_allocate(layout{count_ * sizeof(T), alignof(T)});
        if (!place) return false;
        std::memcpy(place, data_, count_ * sizeof(T));
        data_ = static_cast<const T*>(place);
        source_ = &source;
        if (tally_) {
            ++tally_->copied_count;
            tally_->copied_bytes += count_ * sizeof(T);
        }
        return true;
    }

private:
    void swap(maybe_owned_span& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(count_, other.count_);
        std::swap(source_, other.source_);
        std::swap(tally_, other.tally_);
    }

    const T* data_ = nullptr;
    std::size_t count_ = 0;
    memory_source* source_ = nullptr; // whose block it is; nullptr: borrowed
    borrow_tally* tally_ = nullptr;   // borrowed
};

// The same for text. Text of no bytes is always borrowed.
class maybe_owned_text {
public:
    maybe_owned_text() noexcept = default;
    explicit maybe_owned_text(std::string_view from, borrow_tally* tally = nullptr) noexcept
        : bytes_(std::span<const char>(from), tally) {}
    static maybe_owned_text copy_of(std::string_view from, memory_source& source) {
        maybe_owned_text made(from);
        (void)made.write(source);
        return made;
    }

    std::string_view view() const noexcept { return {bytes_.begin(), bytes_.size()}; }
    std::size_t size() const noexcept { return bytes_.size(); }
    bool empty() const noexcept { return bytes_.empty(); }
    bool is_borrowed() const noexcept { return bytes_.is_borrowed(); }
    std::span<char> write(memory_source& source) { return bytes_.write(source); }
    [[nodiscard]] bool try_own(memory_source& source) noexcept { return bytes_.try_own(source); }
    friend bool operator==(const maybe_owned_text& a, std::string_view b) noexcept { return a.view() == b; }

private:
    maybe_owned_span<char> bytes_;
};

} // namespace allot
