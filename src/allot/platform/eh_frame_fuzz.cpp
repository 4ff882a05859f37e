// Reads bytes as unwind tables: the first byte, modulo 3, chooses how deep they go in.
//
//   0   bytes 2–3 are how far into each function to look, byte 1 is where the header begins in the rest: the
//       .eh_frame_hdr and .eh_frame of an object
//   1   bytes 2–3 as before, byte 1 is the size of the common entry's instructions, which the rest begins with;
//       the entry's own follow. Header and entries around them are right; the byte 4 instead of 1 says that the
//       code is a signal frame's
//   2   the rest is an expression; byte 1 says whether the CFA is on its stack at the start
//
// The tables lie in memory of exactly their size, so that the address sanitizer sees each read outside them.
#include <allot/platform/eh_expression.hpp>
#include <allot/platform/eh_frame.hpp>

#include <algorithm>
#include <cstdlib>
#include <span>
#include <vector>

namespace {

namespace eh_frame = allot::eh_frame;
using bytes = std::vector<std::uint8_t>;
using view = std::span<const std::uint8_t>;

constexpr std::size_t input_header_bytes = 4;
constexpr std::size_t pairs_at = 12; // in .eh_frame_hdr

void look_up(const bytes& image, std::size_t header_at, std::uint64_t address) {
    for (const std::uint64_t at : {address, eh_frame::interrupted(address)}) {
        const allot::unwind_rule rule =
            eh_frame::rule_from(at, image.data() + header_at, image.data(), image.data() + image.size());
        using kind = allot::unwind_rule::kind;
        if (rule.how() == kind::none || rule.how() == kind::unmapped) std::abort();
        // The words that a rule names are whole words.
        if (rule.saves_frame_pointer() && rule.saved_offset() % 8 != 0) std::abort();
    }
}

// Asks at, and so far behind, the start of each of the first functions that the header names.
void read_image(const bytes& image, std::size_t header_at, std::uint64_t into_function) {
    const auto header = reinterpret_cast<std::uint64_t>(image.data()) + header_at;
    look_up(image, header_at, 0);
    look_up(image, header_at, header);
    for (std::size_t at = header_at + pairs_at, n = 0; at + 8 <= image.size() && n != 8; at += 8, ++n) {
        std::int32_t start = 0;
        std::memcpy(&start, image.data() + at, sizeof start);
        const std::uint64_t function = header + static_cast<std::uint64_t>(std::int64_t{start});
        look_up(image, header_at, function);
        look_up(image, header_at, function + into_function);
    }
}

void append(bytes& to, std::uint32_t value) {
    for (int shift = 0; shift != 32; shift += 8) to.push_back(static_cast<std::uint8_t>(value >> shift));
}

void append(bytes& to, view content) { to.insert(to.end(), content.begin(), content.end()); }

// A header that names one function, 64 KiB long and beginning where the image does, and its two entries.
bytes image_around(view common, view own, bool is_signal) {
    // version 1, then how the rest is written: a 32-bit difference to itself, 32 bits, 32-bit ones to the header.
    constexpr std::uint8_t header[] = {1, 0x1b, 0x03, 0x3b};
    // version, "zRR" or "zRS", code factor 1, data factor -8, return address in 16, and how pointers are written
    const std::uint8_t mark = is_signal ? 'S' : 'R';
    const std::uint8_t common_start[] = {1, 'z', 'R', mark, 0, 1, 0x78, 16, 2, 0x1b, 0x1b};
    bytes image(header, header + sizeof header);
    const std::uint32_t common_at = pairs_at + 8;
    const auto common_bytes = static_cast<std::uint32_t>(4 + sizeof common_start + common.size());
    const std::uint32_t own_at = common_at + 4 + common_bytes;
    append(image, common_at - 4);
    append(image, 1u);
    append(image, 0u);
    append(image, own_at);
    append(image, common_bytes);
    append(image, 0u);
    append(image, view(common_start));
    append(image, common);
    append(image, static_cast<std::uint32_t>(4 + 9 + own.size()));
    append(image, own_at + 4 - common_at); // back to the common entry
    append(image, 0u - (own_at + 8));      // to the function
    append(image, 0x10000u);
    image.push_back(0); // no augmentation data
    append(image, own);
    image.shrink_to_fit();
    return image;
}

void read_expression(const bytes& code, bool on_frame) {
    allot::eh_frame::term out;
    for (const std::uint64_t pc : {std::uint64_t{0x1000}, std::uint64_t{0x7fff'ffff'f00b}})
        eh_frame::expression(eh_frame::cursor(code.data(), code.data() + code.size()), pc, on_frame)
            .evaluate(out);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size <= input_header_bytes) return 0;
    const view rest(data + input_header_bytes, size - input_header_bytes);
    const auto into_function = static_cast<std::uint64_t>(data[2] | data[3] << 8);
    const std::size_t split = std::min<std::size_t>(data[1], rest.size());
    switch (data[0] % 3) {
    case 0: read_image(bytes(rest.begin(), rest.end()), split, into_function); break;
    case 1:
        read_image(image_around(rest.first(split), rest.subspan(split), data[0] / 3 % 2 != 0), 0,
                   into_function);
        break;
    default: read_expression(bytes(rest.begin(), rest.end()), data[1] % 2 != 0);
    }
    return 0;
}
