// packed: numbers and text as few bytes, and back: what the sections of a recording are made of.
//
// A number is a varint (seven bits a byte, lowest first, the high bit says "more follow"), text its length
// and its bytes. Use it for the inside of a section that has a checksum around it; do not use it for bytes of
// unknown origin without one. packed_writer and packed_reader have the same calls, so that one template
// describes a row both ways.
// Owns: the writer its bytes; the reader borrows its own. Threads: one at a time.
// Cost: 1–10 bytes a number.
//
//     packed_writer out;
//     out(std::uint64_t{300});
//     out(std::string("name"));
//     packed_reader in(out.bytes());
//     std::uint64_t number = 0;
//     std::string name;
//     in(number);
//     in(name);
//     use(in.ok(), number, name); // true, 300, "name"
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace allot {

class packed_writer {
public:
    template <std::unsigned_integral Number>
    void operator()(Number number) {
        varint(number);
    }
    template <class Enumeration>
        requires std::is_enum_v<Enumeration>
    void operator()(Enumeration value) {
        varint(static_cast<std::underlying_type_t<Enumeration>>(value));
    }
    void operator()(std::int32_t number) { varint(static_cast<std::uint32_t>(number)); }
    void operator()(const std::string& text) { text_of(text.data(), text.size()); }
    void operator()(const std::vector<std::uint8_t>& octets) { text_of(octets.data(), octets.size()); }
    void operator()(const std::vector<std::string>& texts) {
        varint(texts.size());
        for (const auto& text : texts) (*this)(text);
    }

    std::span<const std::byte> bytes() const noexcept { return bytes_; }

private:
    void varint(std::uint64_t number) {
        for (; number >= 0x80; number >>= 7) bytes_.push_back(static_cast<std::byte>(number | 0x80));
        bytes_.push_back(static_cast<std::byte>(number));
    }
    void text_of(const void* data, std::size_t size) {
        varint(size);
        const auto* first = static_cast<const std::byte*>(data);
        bytes_.insert(bytes_.end(), first, first + size);
    }

    std::vector<std::byte> bytes_;
};

// After the first failure every call answers zero or empty, and `ok` stays false: check once a row or a
// table.
class packed_reader {
public:
    explicit packed_reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

    template <std::unsigned_integral Number>
    void operator()(Number& number) {
        const std::uint64_t wide = varint();
        if (wide > std::numeric_limits<Number>::max()) fail("a number is too large for its field");
        number = ok() ? static_cast<Number>(wide) : Number{};
    }
    void operator()(bool& flag) {
        const std::uint64_t wide = varint();
        if (wide > 1) fail("a flag is neither 0 nor 1");
        flag = ok() && wide == 1;
    }
    void operator()(std::int32_t& number) {
        std::uint32_t bits = 0;
        (*this)(bits);
        number = static_cast<std::int32_t>(bits);
    }
    // Expects: the enumeration's values from `first` to `last` are all named.
    template <class Enumeration>
        requires std::is_enum_v<Enumeration>
    void operator()(Enumeration& value, Enumeration first, Enumeration last) {
        using number = std::underlying_type_t<Enumeration>;
        const std::uint64_t wide = varint();
        if (wide < static_cast<number>(first) || wide > static_cast<number>(last)) fail("a value is unknown");
        if (ok()) value = static_cast<Enumeration>(wide);
    }
    void operator()(std::string& text) {
        const auto octets = text_bytes();
        text.assign(reinterpret_cast<const char*>(octets.data()), octets.size());
    }
    void operator()(std::vector<std::uint8_t>& octets) {
        const auto found = text_bytes();
        const auto* first = reinterpret_cast<const std::uint8_t*>(found.data());
        octets.assign(first, first + found.size());
    }
    void operator()(std::vector<std::string>& texts) {
        texts.resize(rows(1));
        for (auto& text : texts) (*this)(text);
    }

    // A count of rows that have at least `bytes_each` bytes: believed only as far as there are bytes for
    // them, so that the caller may allocate it.
    std::size_t rows(std::size_t bytes_each) {
        const std::uint64_t count = varint();
        if (ok() && count > left() / bytes_each) fail("there are more rows than bytes for them");
        return ok() ? static_cast<std::size_t>(count) : 0;
    }

    bool ok() const noexcept { return why_ == nullptr; }
    const char* why() const noexcept { return why_; } // null while ok
    std::size_t position() const noexcept { return position_; }
    std::size_t left() const noexcept { return bytes_.size() - position_; }
    void fail(const char* why) noexcept {
        if (why_ == nullptr) why_ = why;
    }

private:
    std::uint64_t varint() {
        std::uint64_t number = 0;
        for (unsigned shift = 0; ok(); shift += 7) {
            if (left() == 0) break;
            const auto octet = static_cast<std::uint64_t>(bytes_[position_++]);
            if (shift == 63 && octet > 1) {
                fail("a number has more than 64 bits");
                return 0;
            }
            number |= (octet & 0x7f) << shift;
            if (octet < 0x80) return number;
        }
        fail("it ends within a row");
        return 0;
    }
    std::span<const std::byte> text_bytes() {
        const std::size_t size = rows(1);
        const auto found = bytes_.subspan(position_, size);
        position_ += size;
        return found;
    }

    std::span<const std::byte> bytes_;
    std::size_t position_ = 0;
    const char* why_ = nullptr;
};

} // namespace allot
