#include <allot/observability/recording.hpp>

#include <allot/observability/packed.hpp>
#include <allot/observability/recording_rows.hpp>
#include <allot/platform/whole_file.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

namespace allot {
namespace {

using detail::section_kind;
using detail::section_name;

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian, and so is the code here");

enum class section_encoding : std::uint32_t { plain = 0, zstd = 1 };

struct header {
    std::array<char, 8> magic = {'A', 'L', 'L', 'O', 'T', 'R', 'E', 'C'};
    std::uint32_t byte_order = 0x0a0b'0c0d;
    std::uint32_t version = recording_version;
    std::uint64_t file_bytes = 0;
    std::uint32_t section_count = 0;
    std::uint32_t entry_bytes = 40;
    std::uint64_t table_checksum = 0;
    std::array<std::uint64_t, 2> reserved = {};
    std::uint64_t checksum = 0; // of the bytes before it
};
static_assert(sizeof(header) == 64);

struct table_entry {
    std::uint32_t kind = 0;
    section_encoding encoding = section_encoding::plain;
    std::uint64_t offset = 0;
    std::uint64_t stored_bytes = 0;
    std::uint64_t plain_bytes = 0;
    std::uint64_t checksum = 0; // of the stored bytes, seeded with kind and encoding
};
static_assert(sizeof(table_entry) == 40);

// Small sections first: what a cut file has lost is then most likely rows of the largest table alone. Of these each
// recording has one; named sources stand before them, where there are any.
constexpr std::array written_order = {
    section_kind::summary, section_kind::processes, section_kind::threads,  section_kind::notes,
    section_kind::modules, section_kind::sites,     section_kind::contexts,
};

constexpr std::uint32_t section_count_max = 256;
constexpr std::uint64_t plain_bytes_max = std::uint64_t{1} << 30;
constexpr std::uint64_t expansion_max =
    64; // what the writer ever makes of a stored byte, and the reader believes

std::uint64_t checksum_of(const void* data, std::size_t size) { return XXH3_64bits(data, size); }

// The seed ties the content to what the table says of it: a damaged table cannot make it another section.
std::uint64_t checksum_of(std::span<const std::byte> stored, std::uint32_t kind, section_encoding encoding) {
    const auto seed = std::uint64_t{kind} | std::uint64_t{static_cast<std::uint32_t>(encoding)} << 32;
    return XXH3_64bits_withSeed(stored.data(), stored.size(), seed);
}

std::string at_byte(std::string_view what, std::uint64_t place) {
    return std::string(what) + " at byte " + std::to_string(place);
}

std::optional<section_kind> known_kind(const table_entry& entry) {
    if (entry.kind < 1 || entry.kind > static_cast<std::uint32_t>(section_kind::last)) return std::nullopt;
    return section_kind{entry.kind};
}

std::string place_of(const table_entry& entry) {
    const auto kind = known_kind(entry);
    if (!kind) return at_byte("section of unknown kind " + std::to_string(entry.kind), entry.offset);
    return at_byte("section '" + std::string(section_name(*kind)) + "'", entry.offset);
}

constexpr int compression_level = 6;

// Empty where it does not pay.
std::vector<std::byte> compressed(std::span<const std::byte> plain) {
    std::vector<std::byte> stored(ZSTD_compressBound(plain.size()));
    const auto size =
        ZSTD_compress(stored.data(), stored.size(), plain.data(), plain.size(), compression_level);
    if (ZSTD_isError(size) || size >= plain.size() || plain.size() / size >= expansion_max) return {};
    stored.resize(size);
    return stored;
}

result<std::vector<std::byte>> expanded(std::span<const std::byte> stored, std::size_t plain_bytes) {
    std::vector<std::byte> plain(plain_bytes);
    const auto size = ZSTD_decompress(plain.data(), plain.size(), stored.data(), stored.size());
    if (ZSTD_isError(size)) return error(std::string("zstd: ") + ZSTD_getErrorName(size));
    if (size != plain_bytes) return error("it does not have the length that the table says");
    return plain;
}

// ---- reading

// The first `size` bytes as a T; Expects: they are there.
template <class T>
T copy_of(std::span<const std::byte> bytes, std::size_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

std::optional<error> not_ours(std::span<const std::byte> bytes) {
    if (bytes.empty()) return error("the file is empty");
    if (!looks_like_recording(bytes)) return error("header at byte 0: this is not an allot recording");
    if (bytes.size() < sizeof(header))
        return error("header at byte 0: cut short, " + std::to_string(bytes.size()) +
                     " of its 64 bytes are there");
    if (copy_of<header>(bytes, 0).byte_order == 0x0d0c'0b0a)
        return error("header at byte 8: written in the other byte order");
    return std::nullopt;
}

bool intact(const header& head) { return head.checksum == checksum_of(&head, offsetof(header, checksum)); }

std::optional<error> wrong_version(const header& head) {
    if (head.version == recording_version) return std::nullopt;
    return error("header at byte 12: version " + std::to_string(head.version) +
                 ", this allot reads version " + std::to_string(recording_version));
}

std::optional<error> wrong_header(const header& head, std::span<const std::byte> bytes) {
    if (!intact(head)) return error("header at byte 0: the checksum does not match");
    if (auto wrong = wrong_version(head)) return wrong;
    if (bytes.size() < head.file_bytes)
        return error(at_byte("the file ends", bytes.size()) + ", cut short: it had " +
                     std::to_string(head.file_bytes) + " bytes");
    if (bytes.size() > head.file_bytes)
        return error(at_byte("the recording ends", head.file_bytes) + ", but the file goes on to byte " +
                     std::to_string(bytes.size()));
    if (head.entry_bytes != sizeof(table_entry) || head.section_count > section_count_max ||
        sizeof(header) + std::uint64_t{head.section_count} * sizeof(table_entry) > bytes.size())
        return error("header at byte 24: a table of sections like this cannot be");
    return std::nullopt;
}

// Sections stand back to back behind the table, so that no byte is outside of a checksum.
std::optional<error> wrong_place(const table_entry& entry, std::uint64_t expected, std::uint64_t end) {
    if (entry.offset != expected) return error("it does not begin where the section before it ends");
    if (entry.stored_bytes > end - expected) return error("it is longer than the file");
    return std::nullopt;
}

result<std::vector<std::byte>> content_of(const table_entry& entry, std::span<const std::byte> stored) {
    if (entry.checksum != checksum_of(stored, entry.kind, entry.encoding))
        return error("the checksum does not match");
    if (entry.encoding == section_encoding::plain) {
        if (entry.plain_bytes != stored.size())
            return error("it does not have the length that the table says");
        return std::vector<std::byte>(stored.begin(), stored.end());
    }
    if (entry.encoding != section_encoding::zstd) return error("it is encoded in an unknown way");
    if (entry.plain_bytes > plain_bytes_max || entry.plain_bytes / expansion_max > stored.size())
        return error("it claims to expand beyond all measure");
    return expanded(stored, static_cast<std::size_t>(entry.plain_bytes));
}

class reader {
public:
    explicit reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

    // Reads one section. Expects: its offset and length lie within the bytes.
    std::optional<error> take(const table_entry& entry) {
        const auto stored = bytes_.subspan(static_cast<std::size_t>(entry.offset),
                                           static_cast<std::size_t>(entry.stored_bytes));
        auto content = content_of(entry, stored);
        if (!content) return content.error();
        const auto kind = known_kind(entry);
        if (!kind) return std::nullopt;
        if (has(*kind)) return error("there is a second one");
        packed_reader packed(*content);
        detail::read_section(packed, *kind, numbers_);
        if (!packed.ok()) {
            detail::drop_section(*kind, numbers_);
            return error(packed.why()).during(at_byte("its content", packed.position()));
        }
        entries_[entry.kind] = entry;
        return std::nullopt;
    }

    bool has(section_kind kind) const { return entries_[static_cast<std::uint32_t>(kind)].offset != 0; }
    const table_entry& entry(section_kind kind) const { return entries_[static_cast<std::uint32_t>(kind)]; }
    snapshot& numbers() { return numbers_; }

private:
    std::span<const std::byte> bytes_;
    std::array<table_entry, static_cast<std::size_t>(section_kind::last) + 1> entries_ =
        {}; // offset 0: not read
    snapshot numbers_;
};

table_entry entry_at(std::span<const std::byte> bytes, std::size_t index) {
    return copy_of<table_entry>(bytes, sizeof(header) + index * sizeof(table_entry));
}

std::uint64_t checksum_of_table(std::span<const std::byte> bytes, std::size_t count) {
    return checksum_of(bytes.data() + sizeof(header), count * sizeof(table_entry));
}

std::string missing(section_kind kind) {
    return "section '" + std::string(section_name(kind)) + "' is missing";
}

// ---- writing

table_entry append_section(std::vector<std::byte>& content, std::uint64_t begin, section_kind kind,
                           const snapshot& numbers) {
    packed_writer packed;
    detail::write_section(packed, kind, numbers);
    const auto small = compressed(packed.bytes());
    const auto stored = small.empty() ? packed.bytes() : std::span<const std::byte>(small);
    table_entry entry;
    entry.kind = static_cast<std::uint32_t>(kind);
    entry.encoding = small.empty() ? section_encoding::plain : section_encoding::zstd;
    entry.offset = begin + content.size();
    entry.stored_bytes = stored.size();
    entry.plain_bytes = packed.bytes().size();
    entry.checksum = checksum_of(stored, entry.kind, entry.encoding);
    content.insert(content.end(), stored.begin(), stored.end());
    return entry;
}

// ---- salvage

// Where the header is damaged the table says its own length: the first section begins where the table ends.
std::size_t entries_that_may_be_there(const header& head, std::span<const std::byte> bytes) {
    const std::size_t room =
        std::min<std::size_t>((bytes.size() - sizeof(header)) / sizeof(table_entry), section_count_max);
    if (intact(head)) return std::min<std::size_t>(head.section_count, room);
    if (room == 0) return 0;
    const std::uint64_t first = entry_at(bytes, 0).offset;
    if (first < sizeof(header)) return 0;
    return static_cast<std::size_t>(
        std::min<std::uint64_t>((first - sizeof(header)) / sizeof(table_entry), room));
}

void salvage_section(reader& from, const table_entry& entry, std::uint64_t end,
                     std::vector<std::string>& damage) {
    if (entry.offset < sizeof(header) || entry.offset > end || entry.stored_bytes > end - entry.offset) {
        damage.push_back(place_of(entry) + ": it is not, or not all, within the file's " +
                         std::to_string(end) + " bytes");
    } else if (auto wrong = from.take(entry)) {
        damage.push_back(wrong->during(place_of(entry)).text());
    }
}

} // namespace

bool looks_like_recording(std::span<const std::byte> bytes) noexcept {
    const auto magic = header().magic;
    const std::size_t size = std::min(bytes.size(), magic.size());
    return size != 0 && std::memcmp(bytes.data(), magic.data(), size) == 0;
}

result<snapshot> read_recording(std::span<const std::byte> bytes) {
    if (auto wrong = not_ours(bytes)) return *wrong;
    const auto head = copy_of<header>(bytes, 0);
    if (auto wrong = wrong_header(head, bytes)) return *wrong;
    if (head.table_checksum != checksum_of_table(bytes, head.section_count))
        return error("table of sections at byte 64: the checksum does not match");
    reader sections(bytes);
    std::uint64_t expected = sizeof(header) + head.section_count * sizeof(table_entry);
    for (std::uint32_t index = 0; index < head.section_count; ++index) {
        const auto entry = entry_at(bytes, index);
        auto wrong = wrong_place(entry, expected, bytes.size());
        if (!wrong) wrong = sections.take(entry);
        if (wrong) return wrong->during(place_of(entry));
        expected += entry.stored_bytes;
    }
    if (expected != bytes.size())
        return error(at_byte("the last section ends", expected) + ", but the file does not");
    for (const auto kind : written_order)
        if (!sections.has(kind)) return error(missing(kind));
    if (auto wrong = detail::first_contradiction(sections.numbers()))
        return error(wrong->what).during(place_of(sections.entry(wrong->where)));
    return std::move(sections.numbers());
}

result<salvaged_recording> salvage_recording(std::span<const std::byte> bytes) {
    if (auto wrong = not_ours(bytes)) return *wrong;
    const auto head = copy_of<header>(bytes, 0);
    salvaged_recording found;
    if (intact(head))
        if (auto wrong = wrong_version(head)) return *wrong;
    if (auto wrong = wrong_header(head, bytes)) found.damage.push_back(wrong->text());
    const std::size_t count = entries_that_may_be_there(head, bytes);
    if (found.damage.empty() && head.table_checksum != checksum_of_table(bytes, count))
        found.damage.push_back("table of sections at byte 64: the checksum does not match");
    reader sections(bytes);
    for (std::size_t index = 0; index < count; ++index)
        salvage_section(sections, entry_at(bytes, index), bytes.size(), found.damage);
    bool anything = false;
    for (const auto kind : written_order) {
        anything |= sections.has(kind);
        if (!sections.has(kind)) found.damage.push_back(missing(kind));
    }
    if (!anything) return error(found.damage.front());
    found.numbers = std::move(sections.numbers());
    for (auto& line : detail::repair_references(found.numbers)) found.damage.push_back(std::move(line));
    return found;
}

result<void> write_recording(const snapshot& numbers, sink& to) {
    if (auto wrong = detail::first_contradiction(numbers))
        return error(wrong->what).during(std::string("table '") + section_name(wrong->where) + "'");
    std::vector<section_kind> kinds(written_order.begin(), written_order.end());
    if (!numbers.named_sources.empty()) kinds.insert(kinds.begin(), section_kind::named_sources);
    std::vector<table_entry> table;
    std::vector<std::byte> content;
    const std::uint64_t begin = sizeof(header) + kinds.size() * sizeof(table_entry);
    for (const auto kind : kinds) table.push_back(append_section(content, begin, kind, numbers));
    header head;
    head.file_bytes = begin + content.size();
    head.section_count = static_cast<std::uint32_t>(table.size());
    head.table_checksum = checksum_of(table.data(), table.size() * sizeof(table_entry));
    head.checksum = checksum_of(&head, offsetof(header, checksum));
    if (auto done = to.write(std::as_bytes(std::span(&head, 1))); !done) return done;
    if (auto done = to.write(std::as_bytes(std::span(table))); !done) return done;
    return to.write(content);
}

result<void> save_recording(const snapshot& numbers, const std::string& path) {
    auto file = file_sink::create(path);
    if (!file) return file.error();
    if (auto done = write_recording(numbers, *file); !done) return done;
    return file->commit();
}

result<snapshot> load_recording(const std::string& path) {
    auto bytes = read_whole_file(path);
    if (!bytes) return bytes.error();
    auto numbers = read_recording(*bytes);
    if (!numbers) numbers.error().during(path);
    return numbers;
}

} // namespace allot
