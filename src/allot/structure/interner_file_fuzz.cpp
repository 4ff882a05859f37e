// Reads bytes as a saved interner (docs/format/interner.md). The first byte says how:
//
//   even   the rest is the file
//   odd    the rest are the texts, behind a right head whose count of texts is the second byte: what is
//          behind the checksum is reached
//
// What is loaded must be saved as the very same file, and nothing of a refused one may stay.
#include <allot/core/checksum.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/interner.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

class store final : public allot::byte_store {
public:
    allot::result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) noexcept override {
        if (offset >= bytes.size()) return std::size_t{0};
        const std::size_t count = std::min(into.size(), bytes.size() - static_cast<std::size_t>(offset));
        std::memcpy(into.data(), bytes.data() + offset, count);
        return count;
    }
    allot::result<void> write_at(std::uint64_t, std::span<const std::byte>) noexcept override {
        return allot::error("unused");
    }
    allot::result<void> sync() noexcept override { return {}; }
    allot::result<void> replace(std::span<const std::byte> whole) noexcept override {
        bytes.assign(reinterpret_cast<const char*>(whole.data()), whole.size());
        return {};
    }

    std::string bytes;
};

std::string with_head(std::uint32_t count, const std::string& payload) {
    std::string head = "allotint";
    const auto put = [&](std::uint64_t value, int size) {
        for (int i = 0; i != size; ++i) head += static_cast<char>(value >> (8 * i));
    };
    put(2, 4);
    put(count, 4);
    put(payload.size(), 8);
    std::uint64_t sum = allot::checksum(std::as_bytes(std::span(head)));
    for (auto rest = std::as_bytes(std::span(payload)); !rest.empty();) {
        const auto piece = rest.first(std::min<std::size_t>(rest.size(), 4096));
        sum = allot::checksum(piece, sum);
        rest = rest.subspan(piece.size());
    }
    put(sum, 8);
    return head + payload;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    store file;
    const bool has_head = data[0] % 2 == 1;
    file.bytes.assign(reinterpret_cast<const char*>(data + 1), size - 1);
    if (has_head) file.bytes = with_head(data[1], file.bytes.substr(1));
    allot::interner names({.limit_bytes = allot::mebibytes(1)});
    if (!names.load(file)) {
        if (!names.is_empty() || names.usage().held_bytes != 0) std::abort();
        return 0;
    }
    names.check();
    store again;
    if (!names.save(again) || again.bytes != file.bytes) std::abort();
    return 0;
}
