// error, result: an answer that may be an error from outside (files, input, the system), with its chain of
// context.
//
// Use result<T> as the return type of what reads or writes the outside world. For shortage of memory answer
// empty, for bugs use contract.hpp. An error is what went wrong plus what was being done, from the inside
// out.
//
// Owns nothing and frees nothing: an error is four words, trivially copyable and destructible. Its text lives
// in a memory_resource that the caller names and that must outlive it: a request's arena, say. Without one it
// lives in error_memory(), this thread's ring of 16 KiB: the newest errors stay readable, the text of an
// older one is replaced by a note that says so (never by another error's text). A message is cut at 4000
// bytes there.
// Threads: values. An error may go to another thread and outlive the one that made it; its text in
// error_memory() stays readable as long as the making thread (or the ring's next owner) makes no 16 KiB of
// further errors meanwhile.
// Cost: making one copies its text once (30 ns); a result is as large as T or an error, whichever is larger,
// and a word. Nothing here throws.
//
//     result<int> port(std::string_view text) {
//         if (text.empty()) return error("no digits");
//         return std::stoi(std::string(text));
//     }
//     result<int> configured = port("");
//     if (!configured) std::move(configured.error()).during("line 3").during("reading allot.toml");
//     // configured.error().text() == "reading allot.toml: line 3: no digits"
#pragma once

#include <allot/core/contract.hpp>
#include <concepts>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace allot {

// This thread's ring. It is never destroyed: at the thread's end a later thread takes it over.
std::pmr::memory_resource& error_memory() noexcept;

namespace detail {
class error_ring; // what error_memory() is
}

class error {
public:
    // Copies `what`. Where `memory` has no room (or a thread asks for error_memory() when its thread-local
    // objects are destroyed already) the text is "(no memory for the message)".
    explicit error(std::string_view what, std::pmr::memory_resource& memory = error_memory()) noexcept;

    // Adds outer context: what was being done when it went wrong. A copy made before keeps its own chain.
    // Context that finds no room is left out.
    error& during(std::string_view what) & noexcept;
    error&& during(std::string_view what) && noexcept { return std::move(during(what)); }

    // "outer context: inner context: what". Without exceptions a shortage ends the program, as std::string
    // does.
    std::string text() const;
    // The innermost message. Borrowed from the memory the error lives in.
    std::string_view what() const noexcept;

private:
    struct note; // one message of the chain, with the way inwards; result.cpp

    void add(std::string_view what) noexcept;
    template <class Visit>
    void for_each_note(Visit visit) const;

    std::pmr::memory_resource* memory_; // borrowed; nullptr: error_memory() of whoever adds
    const note* outermost_ = nullptr;
    const detail::error_ring* ring_ = nullptr; // the one outermost_ lies in, or nullptr
    std::uint64_t position_ = 0;               // of outermost_ in ring_
};

// The system's own words for an errno value: "No space left on device".
error system_error(int number, std::pmr::memory_resource& memory = error_memory()) noexcept;

namespace detail {
[[noreturn]] void fatal_no_value(const error* failure) noexcept; // says the error's text
}

template <class T>
class [[nodiscard]] result {
    static_assert(std::is_object_v<T> && !std::is_same_v<std::remove_cv_t<T>, allot::error>);

public:
    template <class U = T>
        requires(std::convertible_to<U, T> && !std::same_as<std::remove_cvref_t<U>, result> &&
                 !std::same_as<std::remove_cvref_t<U>, allot::error>)
    result(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>)
        : state_(std::in_place_index<0>, std::forward<U>(value)) {}
    result(allot::error failure) noexcept : state_(std::in_place_index<1>, failure) {}

    explicit operator bool() const noexcept { return state_.index() == 0; }

    // Expects of all of these: there is a value.
    T& value() & noexcept { return *checked(); }
    const T& value() const& noexcept { return *const_cast<result*>(this)->checked(); }
    T&& value() && noexcept { return std::move(*checked()); }
    T& operator*() & noexcept { return value(); }
    const T& operator*() const& noexcept { return value(); }
    T&& operator*() && noexcept { return std::move(*this).value(); }
    T* operator->() noexcept { return &value(); }
    const T* operator->() const noexcept { return &value(); }

    T value_or(T otherwise) const& { return *this ? value() : std::move(otherwise); }
    T value_or(T otherwise) && { return *this ? std::move(value()) : std::move(otherwise); }

    // Expects: there is no value.
    allot::error& error() noexcept {
        allot::error* failure = std::get_if<1>(&state_);
        ALLOT_EXPECT(failure, "result: error() of a result that holds a value");
        return *failure;
    }
    const allot::error& error() const noexcept { return const_cast<result*>(this)->error(); }

private:
    T* checked() noexcept {
        T* value = std::get_if<0>(&state_);
        if (!value) [[unlikely]]
            detail::fatal_no_value(std::get_if<1>(&state_));
        return value;
    }

    std::variant<T, allot::error> state_;
};

template <>
class [[nodiscard]] result<void> {
public:
    result() noexcept = default;
    result(allot::error failure) noexcept : state_(failure) {}

    explicit operator bool() const noexcept { return state_.index() == 0; }

    // Expects: no error.
    void value() const noexcept {
        if (!*this) [[unlikely]]
            detail::fatal_no_value(std::get_if<1>(&state_));
    }

    // Expects: there is an error.
    allot::error& error() noexcept {
        allot::error* failure = std::get_if<1>(&state_);
        ALLOT_EXPECT(failure, "result: error() of a result that holds no error");
        return *failure;
    }
    const allot::error& error() const noexcept { return const_cast<result*>(this)->error(); }

private:
    std::variant<std::monostate, allot::error> state_;
};

} // namespace allot
