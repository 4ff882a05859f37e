// eh_expression: the words of unwind tables, read one after another, and what their little expressions come to.
//
// Part of eh_frame, and of no use beside it: it knows the few operations that compilers and glibc write for rsp, rbp
// and the return address, and refuses the rest.
// Borrows the bytes. A cursor never reads behind its end: it fails, and stays failed. Threads: plain values.
//
//     eh_frame::cursor at(bytes, bytes + size);
//     std::uint64_t number = at.unsigned_leb();
//     if (!at.ok()) return unknown; // one test at the end of what belongs together
#pragma once

#include <cstdint>
#include <cstring>

namespace allot::eh_frame {

inline constexpr std::uint64_t rbp = 6; // DWARF numbers of the registers that we follow
inline constexpr std::uint64_t rsp = 7;
inline constexpr std::uint64_t rip = 16;

// Offsets are input and addresses have 64 bits: sums go around.
constexpr std::int64_t sum(std::int64_t left, std::int64_t right) noexcept {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(left) + static_cast<std::uint64_t>(right));
}

class cursor {
public:
    cursor(const std::uint8_t* at, const std::uint8_t* end) noexcept : at_(at), end_(end) {}

    bool ok() const noexcept { return ok_; }
    bool more() const noexcept { return ok_ && at_ != end_; }
    const std::uint8_t* at() const noexcept { return at_; }
    void fail() noexcept { ok_ = false; }
    void skip(std::uint64_t bytes) noexcept {
        if (bytes > static_cast<std::uint64_t>(end_ - at_)) ok_ = false;
        if (ok_) at_ += bytes;
    }
    template <class Integer>
    Integer fixed() noexcept {
        Integer value{};
        const std::uint8_t* from = at_;
        skip(sizeof(Integer));
        if (ok_) std::memcpy(&value, from, sizeof value);
        return value;
    }
    std::uint64_t unsigned_leb() noexcept { return leb(false); }
    std::int64_t signed_leb() noexcept { return static_cast<std::int64_t>(leb(true)); }

    // A part of the input, read on its own: `bytes` from here on. This cursor goes on behind it.
    cursor part(std::uint64_t bytes) noexcept {
        const std::uint8_t* from = at_;
        skip(bytes);
        cursor result(from, at_);
        result.ok_ = ok_;
        return result;
    }

    // DW_EH_PE_…: the low four bits say how the value is written, the high ones what it counts from.
    std::uint64_t encoded(std::uint8_t encoding, std::uint64_t data_base) noexcept {
        const auto here = reinterpret_cast<std::uint64_t>(at_);
        std::uint64_t base = 0;
        switch (encoding & 0xf0) {
        case 0x00: break;
        case 0x10: base = here; break;
        case 0x30: base = data_base; break;
        default: fail(); return 0;
        }
        switch (encoding & 0x0f) {
        case 0x00:
        case 0x04:
        case 0x0c: return base + fixed<std::uint64_t>();
        case 0x01: return base + unsigned_leb();
        case 0x02: return base + fixed<std::uint16_t>();
        case 0x03: return base + fixed<std::uint32_t>();
        case 0x09: return base + static_cast<std::uint64_t>(signed_leb());
        case 0x0a: return base + static_cast<std::uint64_t>(std::int64_t{fixed<std::int16_t>()});
        case 0x0b: return base + static_cast<std::uint64_t>(std::int64_t{fixed<std::int32_t>()});
        default: fail(); return 0;
        }
    }

private:
    std::uint64_t leb(bool is_signed) noexcept {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto byte = fixed<std::uint8_t>();
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) != 0) continue;
            if (is_signed && (byte & 0x40) != 0 && shift + 7 < 64) value |= ~std::uint64_t{0} << (shift + 7);
            return value;
        }
        fail();
        return 0;
    }

    const std::uint8_t* at_;
    const std::uint8_t* end_;
    bool ok_ = true;
};

// What an expression comes to, without running it: a constant, or the rsp, rbp or CFA of the frame plus one, or the
// word in memory there.
struct term {
    enum class base : std::uint8_t { constant, stack_pointer, frame_pointer, frame } from = base::constant;
    bool is_word = false;
    std::int64_t offset = 0;

    bool is_constant() const noexcept { return from == base::constant && !is_word; }
    bool is(base wanted, bool word) const noexcept { return from == wanted && is_word == word; }
};

class expression {
public:
    // `on_frame`: the CFA is on the stack at the start, as for registers' rules.
    expression(cursor code, std::uint64_t pc, bool on_frame) noexcept : code_(code), pc_(pc) {
        if (on_frame) push({term::base::frame, false, 0});
    }
    bool evaluate(term& out) noexcept {
        while (code_.more()) operation(code_.fixed<std::uint8_t>());
        if (!code_.ok() || depth_ == 0) return false;
        out = stack_[depth_ - 1];
        return true;
    }

private:
    void push(term value) noexcept {
        if (depth_ == sizeof stack_ / sizeof *stack_) return code_.fail();
        stack_[depth_++] = value;
    }
    void push(std::int64_t constant) noexcept { push({term::base::constant, false, constant}); }
    term pop() noexcept {
        if (depth_ != 0) return stack_[--depth_];
        code_.fail();
        return {};
    }
    void operation(std::uint8_t op) noexcept {
        if (op >= 0x30 && op <= 0x4f) return push(std::int64_t{op} - 0x30); // DW_OP_lit0 …
        switch (op) {
        case 0x06: { // DW_OP_deref
            term value = pop();
            if (value.is_word || value.from == term::base::constant) code_.fail();
            value.is_word = true;
            return push(value);
        }
        case 0x08: return push(code_.fixed<std::uint8_t>());
        case 0x09: return push(code_.fixed<std::int8_t>());
        case 0x0a: return push(code_.fixed<std::uint16_t>());
        case 0x0b: return push(code_.fixed<std::int16_t>());
        case 0x0c: return push(code_.fixed<std::uint32_t>());
        case 0x0d: return push(code_.fixed<std::int32_t>());
        case 0x10: return push(static_cast<std::int64_t>(code_.unsigned_leb()));
        case 0x11: return push(code_.signed_leb());
        case 0x23: return add(pop(), static_cast<std::int64_t>(code_.unsigned_leb())); // DW_OP_plus_uconst
        case 0x70 + rbp: return push({term::base::frame_pointer, false, code_.signed_leb()});
        case 0x70 + rsp: return push({term::base::stack_pointer, false, code_.signed_leb()});
        case 0x70 + rip: return push(sum(static_cast<std::int64_t>(pc_), code_.signed_leb()));
        default: return binary(op);
        }
    }
    void add(term value, std::int64_t constant) noexcept {
        if (value.is_word) code_.fail();
        value.offset = sum(value.offset, constant);
        push(value);
    }
    void binary(std::uint8_t op) noexcept {
        const term right = pop();
        const term left = pop();
        if (op == 0x22) { // DW_OP_plus
            if (right.is_constant()) return add(left, right.offset);
            if (left.is_constant()) return add(right, left.offset);
        }
        if (!left.is_constant() || !right.is_constant()) return code_.fail();
        const auto bits = static_cast<std::uint64_t>(left.offset);
        switch (op) {
        case 0x1a: return push(left.offset & right.offset);
        case 0x24: return push(static_cast<std::int64_t>(bits << (right.offset & 63)));
        case 0x2a: return push(std::int64_t{left.offset >= right.offset});
        default: code_.fail();
        }
    }

    cursor code_;
    std::uint64_t pc_;
    term stack_[8];
    unsigned depth_ = 0;
};

} // namespace allot::eh_frame
