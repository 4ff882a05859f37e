#include <algorithm>
#include <allot/core/bytes.hpp>
#include <allot/core/checksum.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/structure/interner_file.hpp>
#include <array>
#include <string>

namespace allot::detail {

namespace {

constexpr std::array<char, 8> magic = {'a', 'l', 'l', 'o', 't', 'i', 'n', 't'};
constexpr std::uint32_t version = 2;
constexpr std::size_t head_bytes = 32;
constexpr std::size_t sum_at = 24; // the checksum is of all but itself
constexpr std::size_t size_bytes = 4;
constexpr std::size_t window_bytes = 4096; // the checksum is of as many at a time

template <class Integer>
void write_little(std::byte* to, Integer value) noexcept {
    for (std::size_t i = 0; i != sizeof value; ++i) to[i] = static_cast<std::byte>(value >> (8 * i));
}

template <class Integer>
Integer read_little(const std::byte* from) noexcept {
    Integer value = 0;
    for (std::size_t i = 0; i != sizeof value; ++i)
        value = static_cast<Integer>(value | Integer{static_cast<std::uint8_t>(from[i])} << (8 * i));
    return value;
}

// A block that goes back by itself.
struct held_block {
    held_block(memory_source& from, std::size_t size) noexcept
        : source(from), bytes(static_cast<std::byte*>(from.try_allocate({size, 1})), size) {}
    ~held_block() { source.deallocate(bytes.data(), {bytes.size(), 1}); }
    held_block(const held_block&) = delete;
    held_block& operator=(const held_block&) = delete;

    memory_source& source;
    std::span<std::byte> bytes;
};

// Built in a buffer of its own, as the message of an error from outside; it may not allocate.
class message {
public:
    message& operator<<(std::string_view part) noexcept {
        const std::size_t kept = std::min(part.size(), sizeof text_ - size_);
        std::copy_n(part.data(), kept, text_ + size_);
        size_ += kept;
        return *this;
    }
    message& operator<<(std::uint64_t number) noexcept {
        char digits[20];
        std::size_t at = sizeof digits;
        do digits[--at] = static_cast<char>('0' + number % 10);
        while (number /= 10);
        return *this << std::string_view(digits + at, sizeof digits - at);
    }
    std::string_view view() const noexcept { return {text_, size_}; }
    error to_error() const noexcept { return error(view()); }

private:
    char text_[200];
    std::size_t size_ = 0;
};

struct file_head {
    std::uint32_t text_count = 0;
    std::uint64_t payload_bytes = 0;
    std::uint64_t sum = 0;
};

// A file one byte after the other, through a window: first its head, then, once told where it ends, the rest.
class text_reader {
public:
    explicit text_reader(byte_store& from) noexcept : from_(from) {}

    result<file_head> read_head() noexcept;
    // Exactly so many; an error names the byte where the file ends. Expects: at() + into.size() <= end().
    result<void> read(std::span<std::byte> into) noexcept {
        while (!into.empty()) {
            if (window_at_ == window_size_)
                if (auto filled = fill(); !filled) return filled;
            const std::size_t part = std::min(into.size(), window_size_ - window_at_);
            std::copy_n(window_ + window_at_, part, into.data());
            window_at_ += part;
            at_ += part;
            into = into.subspan(part);
        }
        return {};
    }
    std::uint64_t at() const noexcept { return at_; }
    std::uint64_t end() const noexcept { return end_; } // by the head
    std::uint64_t sum() const noexcept { return sum_; } // of what was read, when all was

private:
    // All of the window, but at the file's end.
    result<void> fill() noexcept {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(sizeof window_, end_ - at_));
        window_size_ = 0;
        window_at_ = 0;
        while (window_size_ != wanted) {
            const std::uint64_t at = at_ + window_size_;
            result<std::size_t> got =
                from_.read_at(at, std::span(window_).subspan(window_size_, wanted - window_size_));
            if (!got) return std::move(got.error()).during((message() << "byte " << at).view());
            if (*got == 0)
                return (message() << "byte " << at << ": the file ends here; it is torn").to_error();
            window_size_ += *got;
        }
        sum_ = checksum(std::span(window_).first(at_ == 0 ? sum_at : wanted), sum_);
        return {};
    }

    byte_store& from_;
    std::uint64_t at_ = 0; // in the file
    std::uint64_t end_ = head_bytes;
    std::uint64_t sum_ = 0;
    std::size_t window_at_ = 0;
    std::size_t window_size_ = 0;
    std::byte window_[window_bytes];
};

// Of all but itself, in the pieces that a reader has: text_reader's windows.
std::uint64_t sum_of(std::span<const std::byte> file) noexcept {
    std::uint64_t sum = checksum(file.first(sum_at));
    for (auto rest = file.subspan(head_bytes); !rest.empty();
         rest = rest.subspan(std::min(rest.size(), window_bytes)))
        sum = checksum(rest.first(std::min(rest.size(), window_bytes)), sum);
    return sum;
}

result<file_head> text_reader::read_head() noexcept {
    std::byte bytes[head_bytes];
    if (auto done = read(bytes); !done) return done.error();
    if (!std::equal(magic.begin(), magic.end(), reinterpret_cast<const char*>(bytes)))
        return error("byte 0: this is no saved interner");
    const auto found = read_little<std::uint32_t>(bytes + 8);
    if (found != version)
        return (message() << "byte 8: version " << found << "; this allot reads version " << version)
            .to_error();
    const file_head head = {.text_count = read_little<std::uint32_t>(bytes + 12),
                            .payload_bytes = read_little<std::uint64_t>(bytes + 16),
                            .sum = read_little<std::uint64_t>(bytes + sum_at)};
    if (!checked_add(std::uint64_t{head_bytes}, head.payload_bytes, end_))
        return (message() << "byte 16: " << head.payload_bytes << " bytes of texts cannot be").to_error();
    return head;
}

result<std::uint32_t> read_size(text_reader& from, std::uint32_t text) noexcept {
    const std::uint64_t end = from.end();
    const std::uint64_t at = from.at();
    std::byte bytes[size_bytes];
    if (end - at < size_bytes)
        return (message() << "byte " << at << ": text " << text << " is beyond the end of the texts")
            .to_error();
    if (auto done = from.read(bytes); !done) return done.error();
    const auto size = read_little<std::uint32_t>(bytes);
    if (size > end - from.at())
        return (message() << "byte " << at << ": text " << text << " of " << size << " bytes, where "
                          << end - from.at() << " are left")
            .to_error();
    return size;
}

// Reads all, and answers how long the longest text is.
result<std::uint32_t> check_file(byte_store& from) noexcept {
    text_reader reader(from);
    result<file_head> head = reader.read_head();
    if (!head) return head.error();
    std::uint32_t longest = 0;
    for (std::uint32_t text = 0; text != head->text_count; ++text) {
        result<std::uint32_t> size = read_size(reader, text);
        if (!size) return size;
        longest = std::max(longest, *size);
        std::byte part[256];
        for (std::uint32_t left = *size; left != 0;) {
            const auto bytes = std::span(part).first(std::min<std::size_t>(left, sizeof part));
            if (auto done = reader.read(bytes); !done) return done.error();
            left -= static_cast<std::uint32_t>(bytes.size());
        }
    }
    const std::uint64_t end = reader.end();
    if (reader.at() != end)
        return (message() << "byte " << reader.at() << ": " << end - reader.at()
                          << " bytes behind the last text")
            .to_error();
    if (reader.sum() != head->sum) return error("byte 24: the checksum is another than that of the bytes");
    std::byte beyond[1];
    result<std::size_t> more = from.read_at(end, beyond);
    if (!more) return more.error();
    if (*more != 0) return (message() << "byte " << end << ": the file goes on behind its texts").to_error();
    return longest;
}

result<void> insert_texts(interner_table& table, byte_store& from, std::span<std::byte> room) noexcept {
    text_reader reader(from);
    result<file_head> head = reader.read_head();
    if (!head) return head.error();
    for (std::uint32_t each = 0; each != head->text_count; ++each) {
        const std::uint64_t at = reader.at();
        result<std::uint32_t> size = read_size(reader, each);
        if (!size) return size.error();
        if (*size > room.size())
            return (message() << "byte " << at << ": the file changed meanwhile").to_error();
        if (auto done = reader.read(room.first(*size)); !done) return done;
        const std::string_view text(reinterpret_cast<const char*>(room.data()), *size);
        const std::uint32_t hash = table.hash(text);
        std::uint32_t same = table.find_fast(text, hash);
        if (same == 0) same = table.find_chained(text, hash);
        if (same != 0)
            return (message() << "byte " << at << ": text " << each << " is the same as text "
                              << same - 1 - table.base())
                .to_error();
        if (table.insert(text, hash) == 0) return shortage_error();
    }
    return {};
}

} // namespace

result<void> save_texts(const interner_table& table, byte_store& to) noexcept {
    const message doing = message() << "saving interner '" << table.options().name.view() << "'";
    const std::uint32_t count = table.count(); // texts that others insert meanwhile have greater numbers
    std::uint64_t payload = 0;
    for (std::uint32_t value = table.base() + 1; value != table.base() + 1 + count; ++value) {
        const std::size_t size = table.text(value).size();
        if (size > static_cast<std::uint32_t>(-1))
            return (message() << "a text of " << size << " bytes is too long for the format")
                .to_error()
                .during(doing.view());
        payload += size_bytes + size;
    }
    const held_block whole(*table.options().upstream, head_bytes + payload);
    if (!whole.bytes.data()) return shortage_error().during(doing.view());
    std::byte* at = whole.bytes.data();
    at = std::copy_n(reinterpret_cast<const std::byte*>(magic.data()), magic.size(), at);
    write_little(at, version);
    write_little(at + 4, count);
    write_little(at + 8, payload);
    at = whole.bytes.data() + head_bytes;
    for (std::uint32_t value = table.base() + 1; value != table.base() + 1 + count; ++value) {
        const std::string_view text = table.text(value);
        write_little(at, static_cast<std::uint32_t>(text.size()));
        at = std::copy_n(reinterpret_cast<const std::byte*>(text.data()), text.size(), at + size_bytes);
    }
    write_little(whole.bytes.data() + sum_at, sum_of(whole.bytes));
    if (auto done = to.replace(whole.bytes); !done) return std::move(done.error()).during(doing.view());
    return {};
}

result<void> load_texts(interner_table& table, byte_store& from) noexcept {
    const message doing = message() << "loading interner '" << table.options().name.view() << "'";
    if (table.count() != 0) return error("it is not empty").during(doing.view());
    result<std::uint32_t> longest = check_file(from);
    if (!longest) return std::move(longest.error()).during(doing.view());
    const held_block room(*table.options().upstream, std::max(*longest, std::uint32_t{1}));
    if (!room.bytes.data()) return shortage_error().during(doing.view());
    if (auto done = insert_texts(table, from, room.bytes); !done) {
        table.clear(interner_table::numbers_go::back);
        return std::move(done.error()).during(doing.view());
    }
    return {};
}

} // namespace allot::detail
