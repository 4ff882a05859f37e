// Reads bytes as a recording, and as the inside of one: the first byte chooses.
//
//   0      the rest is the file itself
//   1–8    the rest is the content of the section of that kind; the other sections are empty or small
//   other  the rest is a file whose checksums are made right first, so that mutations get behind them
//
// Whatever is read must be written and read again as the same bytes, and salvage must hold together.
#include <allot/observability/recording.hpp>

#include <allot/observability/recording_rows.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace {

using bytes = std::vector<std::byte>;

template <class T>
T at(const bytes& file, std::size_t place) {
    T value;
    std::memcpy(&value, file.data() + place, sizeof value);
    return value;
}

template <class T>
void put(bytes& file, std::size_t place, T value) {
    std::memcpy(file.data() + place, &value, sizeof value);
}

void seal(bytes& file) {
    if (file.size() < 64) return;
    const std::size_t count = std::min<std::size_t>(at<std::uint32_t>(file, 24), (file.size() - 64) / 40);
    for (std::size_t entry = 64; entry < 64 + count * 40; entry += 40) {
        const auto offset = at<std::uint64_t>(file, entry + 8), size = at<std::uint64_t>(file, entry + 16);
        if (offset > file.size() || size > file.size() - offset) continue;
        put(file, entry + 32,
            XXH3_64bits_withSeed(file.data() + offset, size, at<std::uint64_t>(file, entry)));
    }
    std::memcpy(file.data(), "ALLOTREC", 8);
    put(file, 16, std::uint64_t{file.size()});
    put(file, 32, XXH3_64bits(file.data() + 64, count * 40));
    put(file, 56, XXH3_64bits(file.data(), 56));
}

bytes around(std::span<const std::byte> content, std::uint32_t kind) {
    allot::snapshot others;
    others.modules.resize(3);
    others.sites.resize(3);
    others.processes.resize(3);
    bytes table(64), contents;
    const std::size_t begin = 64 + 8 * 40;
    for (std::uint32_t section = 1; section <= 8; ++section) {
        allot::packed_writer packed;
        allot::detail::write_section(packed, allot::detail::section_kind{section}, others);
        const auto inside = section == kind ? content : packed.bytes();
        bytes entry(40);
        put(entry, 0, section);
        put(entry, 8, std::uint64_t{begin + contents.size()});
        put(entry, 16, std::uint64_t{inside.size()});
        put(entry, 24, std::uint64_t{inside.size()});
        table.insert(table.end(), entry.begin(), entry.end());
        contents.insert(contents.end(), inside.begin(), inside.end());
    }
    table.insert(table.end(), contents.begin(), contents.end());
    put(table, 8, std::uint32_t{0x0a0b'0c0d});
    put(table, 12, std::uint32_t{1});
    put(table, 24, std::uint32_t{8});
    put(table, 28, std::uint32_t{40});
    seal(table);
    return table;
}

bytes written(const allot::snapshot& numbers) {
    allot::memory_sink sink;
    if (!allot::write_recording(numbers, sink)) std::abort(); // what was read must hold together
    return bytes(sink.bytes().begin(), sink.bytes().end());
}

void check(const bytes& file) {
    if (auto read = allot::read_recording(file)) {
        const bytes once = written(*read);
        auto again = allot::read_recording(once);
        if (!again || written(*again) != once) std::abort();
    } else if (read.error().text().empty() || read.error().text().find('\n') != std::string::npos) {
        std::abort();
    }
    if (auto found = allot::salvage_recording(file)) written(found->numbers);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto rest = std::as_bytes(std::span(data + 1, size - 1));
    bytes file(rest.begin(), rest.end());
    if (data[0] >= 1 && data[0] <= 8)
        file = around(rest, data[0]);
    else if (data[0] != 0)
        seal(file);
    check(file);
    return 0;
}
