// text_sink: where the writers of documents put their text: a buffer, a string, bytes that are there, a file.
//
// Use one to write; derive from it for a place of your own: a socket, a hash, a file. Writers gather some KiB before
// they call it, so that it may be dear.
// Borrows what it writes to. Threads: one at a time.
//
//     buffer text;
//     buffer_sink sink(text);
//     assert(sink.try_write("[1,") && sink.try_write("2]"));
//     assert(text.text() == "[1,2]");
#pragma once

#include <allot/structure/buffer.hpp>
#include <cstring>
#include <span>
#include <string>

namespace allot {

class text_sink {
public:
    // All of `more`; false where it finds no room: then the writer stops.
    [[nodiscard]] virtual bool try_write(std::string_view more) noexcept = 0;

protected:
    ~text_sink() = default;
};

class buffer_sink final : public text_sink {
public:
    explicit buffer_sink(buffer& into) noexcept : into_(into) {}
    bool try_write(std::string_view more) noexcept override { return into_.try_append(more); }

private:
    buffer& into_;
};

class string_sink final : public text_sink {
public:
    explicit string_sink(std::pmr::string& into) noexcept : into_(into) {}
    bool
    try_write(std::string_view more) noexcept override; // notes a refusal where the string's memory throws

private:
    std::pmr::string& into_;
};

// The first bytes of `into`; what does not fit is refused.
class span_sink final : public text_sink {
public:
    explicit span_sink(std::span<char> into) noexcept : into_(into) {}
    bool try_write(std::string_view more) noexcept override;
    std::string_view written() const noexcept { return {into_.data(), size_}; }

private:
    std::span<char> into_;
    std::size_t size_ = 0;
};

} // namespace allot
