// The tables are input: every read goes through a cursor that stops at the end of the object, and whatever is not
// understood fully becomes `unknown`. A rule that is merely likely would put wrong frames into a stack.
#include <allot/platform/eh_expression.hpp>
#include <allot/platform/eh_frame.hpp>

#include <cstddef>
#include <cstring>

#include <dlfcn.h>

namespace allot::eh_frame {
namespace {

// Where a register of the caller is.
struct place {
    enum class how : std::uint8_t {
        unchanged,
        at_frame,
        by_expression,
        gone,
        unsupported
    } is = how::unchanged;
    std::int64_t offset = 0;                // at_frame: from the CFA
    cursor code = cursor(nullptr, nullptr); // by_expression
};

// One row of the table that the instructions describe.
struct row {
    std::uint64_t frame_register = 0;
    std::int64_t frame_offset = 0;
    bool frame_by_expression = false;
    cursor frame_code = cursor(nullptr, nullptr);
    place saved_rbp;
    place return_address;
};

struct common_entry {
    std::uint64_t code_factor = 0;
    std::int64_t data_factor = 0;
    std::uint8_t pointer_encoding = 0;
    bool has_length = false; // 'z': the entries that use it carry the length of their augmentation data
    bool is_signal = false;
    row initial;
};

class instructions {
public:
    instructions(cursor code, const common_entry& common, const row* initial, std::uint64_t location,
                 std::uint64_t target) noexcept
        : code_(code), common_(common), initial_(initial), location_(location), target_(target) {}

    // Runs up to the row of the target address. False: something was not understood.
    bool run(row& now) noexcept {
        while (code_.more() && location_ <= target_) {
            const auto op = code_.fixed<std::uint8_t>();
            const auto low = static_cast<std::uint64_t>(op & 0x3f);
            switch (op >> 6) {
            case 0: extended(op, now); break;
            case 1: advance(low); break;
            case 2: set(now, low, {place::how::at_frame, scaled(code_.unsigned_leb())}); break;
            default: restore(now, low);
            }
        }
        return code_.ok();
    }

private:
    void advance(std::uint64_t units) noexcept { location_ += units * common_.code_factor; }
    std::int64_t scaled(std::uint64_t offset) const noexcept {
        return static_cast<std::int64_t>(offset * static_cast<std::uint64_t>(common_.data_factor));
    }
    static place* place_of(row& now, std::uint64_t number) noexcept {
        return number == rbp ? &now.saved_rbp : number == rip ? &now.return_address : nullptr;
    }
    static void set(row& now, std::uint64_t number, place where) noexcept {
        if (place* of = place_of(now, number)) *of = where;
    }
    void restore(row& now, std::uint64_t number) noexcept {
        if (initial_ == nullptr) return code_.fail();
        set(now, number, number == rbp ? initial_->saved_rbp : initial_->return_address);
    }
    void frame_at(row& now, std::uint64_t number, std::int64_t offset) noexcept {
        now.frame_register = number;
        now.frame_offset = offset;
        now.frame_by_expression = false;
    }
    void extended(std::uint8_t op, row& now) noexcept {
        using how = place::how;
        std::uint64_t number = 0;
        switch (op) {
        case 0x00: return;                                                         // nop
        case 0x01: location_ = code_.encoded(common_.pointer_encoding, 0); return; // set_loc
        case 0x02: return advance(code_.fixed<std::uint8_t>());                    // advance_loc1
        case 0x03: return advance(code_.fixed<std::uint16_t>());                   // advance_loc2
        case 0x04: return advance(code_.fixed<std::uint32_t>());                   // advance_loc4
        case 0x05:
            number = code_.unsigned_leb(); // offset_extended
            return set(now, number, {how::at_frame, scaled(code_.unsigned_leb())});
        case 0x06: return restore(now, code_.unsigned_leb());               // restore_extended
        case 0x07: return set(now, code_.unsigned_leb(), {how::gone});      // undefined
        case 0x08: return set(now, code_.unsigned_leb(), {how::unchanged}); // same_value
        case 0x0a: return remember(now);                                    // remember_state
        case 0x0b: return recall(now);                                      // restore_state
        case 0x0c:
            number = code_.unsigned_leb(); // def_cfa
            return frame_at(now, number, static_cast<std::int64_t>(code_.unsigned_leb()));
        case 0x0d: return frame_at(now, code_.unsigned_leb(), now.frame_offset); // def_cfa_register
        case 0x0e:
            now.frame_offset = static_cast<std::int64_t>(code_.unsigned_leb());
            return; // def_cfa_offset
        case 0x0f:
            now.frame_by_expression = true; // def_cfa_expression
            now.frame_code = code_.part(code_.unsigned_leb());
            return;
        case 0x10:
            number = code_.unsigned_leb(); // expression
            return set(now, number, {how::by_expression, 0, code_.part(code_.unsigned_leb())});
        case 0x11:
            number = code_.unsigned_leb(); // offset_extended_sf
            return set(now, number, {how::at_frame, scaled(static_cast<std::uint64_t>(code_.signed_leb()))});
        case 0x12:
            number = code_.unsigned_leb(); // def_cfa_sf
            return frame_at(now, number, scaled(static_cast<std::uint64_t>(code_.signed_leb())));
        case 0x13: now.frame_offset = scaled(static_cast<std::uint64_t>(code_.signed_leb())); return;
        case 0x09:
        case 0x14:
        case 0x15: // register, val_offset, val_offset_sf
            number = code_.unsigned_leb();
            code_.unsigned_leb();
            return set(now, number, {how::unsupported});
        case 0x16:
            number = code_.unsigned_leb(); // val_expression
            code_.part(code_.unsigned_leb());
            return set(now, number, {how::unsupported});
        case 0x2e: code_.unsigned_leb(); return; // GNU_args_size
        default: code_.fail();
        }
    }
    void remember(const row& now) noexcept {
        if (depth_ == sizeof remembered_ / sizeof *remembered_) return code_.fail();
        remembered_[depth_++] = now;
    }
    void recall(row& now) noexcept {
        if (depth_ == 0) return code_.fail();
        now = remembered_[--depth_];
    }

    cursor code_;
    const common_entry& common_;
    const row* initial_; // null while the common entry itself runs
    std::uint64_t location_;
    std::uint64_t target_;
    row remembered_[4];
    unsigned depth_ = 0;
};

bool is_word_offset(std::int64_t offset, std::int64_t limit) noexcept {
    return offset % 8 == 0 && offset <= limit && offset >= -limit;
}

// Where the caller's rbp is saved, if it is. False: not understood.
bool find_saved(const row& now, std::uint64_t pc, bool& is_saved, term& where) noexcept {
    is_saved = now.saved_rbp.is != place::how::unchanged;
    switch (now.saved_rbp.is) {
    case place::how::unchanged: return true;
    case place::how::at_frame: where = {term::base::frame, false, now.saved_rbp.offset}; return true;
    case place::how::by_expression:
        return expression(now.saved_rbp.code, pc, true).evaluate(where) && !where.is_word;
    default: return false;
    }
}

bool find_frame(const row& now, std::uint64_t pc, term& frame) noexcept {
    if (now.frame_by_expression) return expression(now.frame_code, pc, false).evaluate(frame);
    if (now.frame_register != rsp && now.frame_register != rbp) return false;
    frame = {now.frame_register == rsp ? term::base::stack_pointer : term::base::frame_pointer, false,
             now.frame_offset};
    return true;
}

// The kernel's signal frame, as glibc's __restore_rt describes it: rsp and, in the word behind it, rip.
bool is_signal_frame(const row& now, std::uint64_t pc, const term& frame) noexcept {
    term address;
    return frame.is(term::base::stack_pointer, true) && now.return_address.is == place::how::by_expression &&
           expression(now.return_address.code, pc, true).evaluate(address) &&
           address.is(term::base::stack_pointer, false) && address.offset == sum(frame.offset, 8);
}

unwind_rule pack(const row& now, std::uint64_t pc, bool is_signal) noexcept {
    using kind = unwind_rule::kind;
    constexpr unwind_rule unknown(kind::unknown);
    if (now.return_address.is == place::how::gone) return unwind_rule(kind::outermost);
    term frame;
    term saved;
    bool is_saved = false;
    if (!find_frame(now, pc, frame) || !find_saved(now, pc, is_saved, saved)) return unknown;
    const bool at_usual_place =
        now.return_address.is == place::how::at_frame && now.return_address.offset == -8;
    if (!is_word_offset(frame.offset, unwind_rule::frame_offset_max)) return unknown;
    kind how{};
    term::base saved_from = frame.from;
    if (is_signal) {
        if (!is_signal_frame(now, pc, frame)) return unknown;
        how = kind::signal;
    } else if (!at_usual_place || frame.from == term::base::constant) {
        return unknown;
    } else if (frame.is_word) {
        if (frame.from != term::base::frame_pointer) return unknown;
        how = kind::by_frame_word;
    } else {
        how = frame.from == term::base::stack_pointer ? kind::by_stack_pointer : kind::by_frame_pointer;
        if (saved.from == frame.from) saved = {term::base::frame, false, sum(saved.offset, -frame.offset)};
        saved_from = term::base::frame;
    }
    if (!is_saved) return unwind_rule::make(how, frame.offset, unwind_rule::not_saved);
    if (saved.from != saved_from || !is_word_offset(saved.offset, unwind_rule::saved_offset_max))
        return unknown;
    return unwind_rule::make(how, frame.offset, saved.offset);
}

// The object's bytes, and the entries found in them.
struct tables {
    const std::uint8_t* begin;
    const std::uint8_t* end;

    cursor from(std::uint64_t address) const noexcept {
        const auto first = reinterpret_cast<std::uint64_t>(begin);
        const auto last = reinterpret_cast<std::uint64_t>(end);
        cursor result(address >= first && address < last ? begin + (address - first) : end, end);
        if (address < first || address >= last) result.fail();
        return result;
    }
    // The contents of the entry that starts there with its length.
    cursor entry(std::uint64_t address) const noexcept {
        cursor at = from(address);
        const auto length = at.fixed<std::uint32_t>();
        if (length < 4 || length == 0xffff'ffff) at.fail();
        return at.part(length);
    }
};

bool read_augmentation(cursor text, cursor data, common_entry& out) noexcept {
    while (text.more()) {
        switch (text.fixed<std::uint8_t>()) {
        case 'R': out.pointer_encoding = data.fixed<std::uint8_t>(); break;
        case 'P': data.encoded(data.fixed<std::uint8_t>() & 0x7f, 0); break;
        case 'L': data.fixed<std::uint8_t>(); break;
        case 'S': out.is_signal = true; break;
        default: return false;
        }
    }
    return data.ok();
}

bool read_common(const tables& all, std::uint64_t address, common_entry& out) noexcept {
    cursor at = all.entry(address);
    if (at.fixed<std::uint32_t>() != 0) return false; // not a common entry
    const auto version = at.fixed<std::uint8_t>();
    const std::uint8_t* text = at.at();
    while (at.ok() && at.fixed<std::uint8_t>() != 0) {
    }
    if (!at.ok() || (version != 1 && version != 3)) return false;
    const std::uint8_t* text_end = at.at() - 1;
    out.code_factor = at.unsigned_leb();
    out.data_factor = at.signed_leb();
    const std::uint64_t return_column = version == 1 ? at.fixed<std::uint8_t>() : at.unsigned_leb();
    if (text != text_end) {
        if (*text != 'z') return false;
        out.has_length = true;
        if (!read_augmentation(cursor(text + 1, text_end), at.part(at.unsigned_leb()), out)) return false;
    }
    return at.ok() && return_column == rip &&
           instructions(at, out, nullptr, 0, ~std::uint64_t{0}).run(out.initial);
}

unwind_rule rule_in_entry(const tables& all, std::uint64_t entry_address, std::uint64_t target,
                          std::uint64_t pc) noexcept {
    constexpr unwind_rule unknown(unwind_rule::kind::unknown);
    cursor at = all.entry(entry_address);
    const auto here = reinterpret_cast<std::uint64_t>(at.at());
    const auto back = at.fixed<std::uint32_t>();
    common_entry common;
    if (!at.ok() || back == 0 || !read_common(all, here - back, common)) return unknown;
    const std::uint64_t start = at.encoded(common.pointer_encoding, 0);
    const std::uint64_t length = at.encoded(common.pointer_encoding & 0x0f, 0);
    if (common.has_length) at.skip(at.unsigned_leb());
    if (!at.ok() || target < start || target - start >= length) return unknown;
    row now = common.initial;
    if (!instructions(at, common, &common.initial, start, target).run(now)) return unknown;
    return pack(now, pc, common.is_signal);
}

} // namespace

unwind_rule rule_from(std::uint64_t address, const std::uint8_t* header, const std::uint8_t* begin,
                      const std::uint8_t* end) noexcept {
    constexpr unwind_rule unknown(unwind_rule::kind::unknown);
    const std::uint64_t pc = address & ~interrupted_bit;
    const std::uint64_t target = pc - ((address & interrupted_bit) == 0 ? 1 : 0);
    const tables all{begin, end};
    const auto base = reinterpret_cast<std::uint64_t>(header);
    cursor at = all.from(base);
    const auto version = at.fixed<std::uint8_t>();
    const auto frame_encoding = at.fixed<std::uint8_t>();
    const auto count_encoding = at.fixed<std::uint8_t>();
    const auto table_encoding = at.fixed<std::uint8_t>();
    if (!at.ok() || version != 1 || count_encoding == 0xff || table_encoding != 0x3b) return unknown;
    at.encoded(frame_encoding, base);
    const std::uint64_t count = at.encoded(count_encoding, base);
    // Sorted pairs (first address of the code, its entry), both as 32-bit differences to the header.
    const std::uint8_t* pairs = at.at();
    if (!at.ok() || count == 0 || count > static_cast<std::uint64_t>(end - pairs) / 8) return unknown;
    const auto number = [&](std::uint64_t index) noexcept {
        std::int32_t value = 0;
        std::memcpy(&value, pairs + index * 4, sizeof value);
        return base + static_cast<std::uint64_t>(std::int64_t{value});
    };
    std::uint64_t low = 0;
    for (std::uint64_t high = count; high - low > 1;) {
        const std::uint64_t middle = low + (high - low) / 2;
        if (number(middle * 2) <= target)
            low = middle;
        else
            high = middle;
    }
    return rule_in_entry(all, number(low * 2 + 1), target, pc);
}

unwind_rule rule_for(std::uint64_t address) noexcept {
    const std::uint64_t pc = address & ~interrupted_bit;
    const std::uint64_t target = pc - ((address & interrupted_bit) == 0 ? 1 : 0);
    dl_find_object object{};
    if (_dl_find_object(reinterpret_cast<void*>(target), &object) != 0)
        return unwind_rule(unwind_rule::kind::unmapped);
    if (object.dlfo_eh_frame == nullptr) return unwind_rule(unwind_rule::kind::unknown);
    return rule_from(address, static_cast<const std::uint8_t*>(object.dlfo_eh_frame),
                     static_cast<const std::uint8_t*>(object.dlfo_map_start),
                     static_cast<const std::uint8_t*>(object.dlfo_map_end));
}

} // namespace allot::eh_frame
