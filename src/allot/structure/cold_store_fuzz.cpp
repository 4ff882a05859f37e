// Opens bytes as the file of a cold_store, reads every block, writes to it, and opens what came of that.
//
// Bits of the first byte say which checksums are made right before, so that what lies behind them is reached:
//   1   the superblocks', and those of their indices    2   the blocks', so that the codecs see any bytes
// The rest is the file; it is short, so that the harness puts superblock 1 at byte 64 and what comes from byte 8192
// on at byte 128: docs/format/cold-store.md.
#include <allot/core/checksum.hpp>
#include <allot/structure/cold_store.hpp>
#include <allot/testing/memory_store.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

using bytes = std::vector<std::byte>;
constexpr std::size_t slot_bytes = 4096, page_bytes = 4096, entry_bytes = 40, block_bytes_max = 4096;

template <class T>
T read(const bytes& from, std::size_t at) {
    T value{};
    std::memcpy(&value, from.data() + at, sizeof value);
    return value;
}
template <class T>
void write(bytes& to, std::size_t at, T value) {
    std::memcpy(to.data() + at, &value, sizeof value);
}

std::span<const std::byte> part(const bytes& of, std::uint64_t offset, std::uint64_t size) {
    if (offset > of.size() || size > of.size() - offset) return {};
    return std::span(of).subspan(offset, size);
}

void repair(bytes& file, std::size_t slot, bool blocks) {
    const auto index = read<std::uint64_t>(file, slot + 24), size = read<std::uint64_t>(file, slot + 32);
    std::uint64_t sum = 0;
    for (std::uint64_t page = 0; page < size && page < 4 * page_bytes; page += page_bytes) {
        if (part(file, index, page).size() != page || part(file, index + page, page_bytes).empty()) return;
        for (std::size_t at = 0; blocks && at + entry_bytes <= page_bytes; at += entry_bytes) {
            const std::size_t entry = index + page + at;
            const auto packed =
                part(file, read<std::uint64_t>(file, entry + 8), read<std::uint32_t>(file, entry + 28));
            if (!packed.empty()) write(file, entry + 16, allot::checksum(packed));
        }
        sum = allot::checksum(part(file, index + page, page_bytes), sum);
    }
    write(file, slot + 48, sum);
    write(file, slot + 56, allot::checksum(part(file, slot, 56)));
}

bytes file_of(std::span<const std::byte> input) {
    bytes file(2 * slot_bytes);
    const auto put = [&](std::size_t from, std::size_t size, std::size_t to) {
        if (from >= input.size()) return;
        const auto piece = input.subspan(from, std::min(size, input.size() - from));
        if (file.size() < to + piece.size()) file.resize(to + piece.size());
        std::ranges::copy(piece, file.begin() + static_cast<std::ptrdiff_t>(to));
    };
    put(0, 64, 0);
    put(64, 64, slot_bytes);
    put(128, input.size(), 2 * slot_bytes);
    return file;
}

allot::cold_store_options options(allot::byte_store& disk) {
    return {.store = &disk,
            .hot_bytes_max = 2 * block_bytes_max,
            .compressed_bytes_max = 1000,
            .store_bytes_max = 1 << 20,
            .block_bytes_max = block_bytes_max,
            .block_count_max = 1024};
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || size > 64 * 1024) return 0;
    allot::memory_store disk;
    disk.bytes() = file_of(std::as_bytes(std::span(data + 1, size - 1)));
    if (data[0] & 1)
        for (const std::size_t slot : {std::size_t{0}, slot_bytes}) repair(disk.bytes(), slot, data[0] & 2);
    allot::cold_store blocks(options(disk));
    if (!blocks.open()) return 0;
    blocks.check();
    bytes into(block_bytes_max);
    std::uint64_t readable = 0;
    blocks.for_each([&](allot::cold_handle each, bool) { readable += bool(blocks.get(each, into)); });
    blocks.check();
    const auto made = blocks.put(into, {.durable = true});
    if (!made || !blocks.flush()) return 0; // no place for another
    blocks.check();
    (void)blocks.compact();
    blocks.check();
    allot::cold_store again(options(disk));
    if (!again.open()) std::abort();
    std::uint64_t readable_again = 0;
    again.for_each([&](allot::cold_handle each, bool) { readable_again += bool(again.get(each, into)); });
    if (again.count() != blocks.count() || readable_again != readable + 1) std::abort();
    again.check();
    return 0;
}
