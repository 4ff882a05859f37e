#include <allot/core/checksum.hpp>
#include <allot/core/contract.hpp>
#include <allot/core/saved_bytes.hpp>

#include <cstdio>
#include <cstring>

namespace allot {
namespace {

constexpr std::array<char, 8> magic{'A', 'L', 'L', 'O', 'T', 'S', 'V', '\n'};

// As it lies in the store; checksum covers all before it.
struct header {
    std::array<char, 8> magic;
    std::array<char, 4> kind;
    std::uint32_t version;
    std::uint64_t size;
    std::uint64_t content_checksum;
    std::uint64_t checksum;
};
static_assert(sizeof(header) == saved_header_bytes);

std::span<const std::byte> checked_part(const header& of) noexcept {
    return std::as_bytes(std::span(&of, 1)).first(offsetof(header, checksum));
}

error bad(const char* text) noexcept { return error(text).during("saved bytes"); }

template <class... Arguments>
error bad(const char* format, Arguments... arguments) noexcept {
    char text[160]; // an error is made where memory may be short
    std::snprintf(text, sizeof text, format, arguments...);
    return error(text).during("saved bytes");
}

error short_of_memory() noexcept { return shortage_error().during("saved bytes"); }

result<header> read_header(byte_store& store, const saved_form& form) noexcept {
    header found{};
    const result<std::size_t> got = store.read_at(0, std::as_writable_bytes(std::span(&found, 1)));
    if (!got) return got.error();
    if (*got == 0) return bad("empty");
    if (*got >= sizeof found.magic && found.magic != magic) return bad("they are no saved bytes");
    if (*got < sizeof found) return bad("truncated: %zu bytes of the header are there", *got);
    if (checksum(checked_part(found)) != found.checksum) return bad("the header is damaged");
    if (found.kind != form.kind)
        return bad("they are of kind '%.4s', not '%.4s'", found.kind.data(), form.kind.data());
    if (found.version > form.version)
        return bad("they are of version %u, and this program knows up to %u", found.version, form.version);
    return found;
}

// Before memory is asked for: the length may be anything.
result<void> check_length(byte_store& store, std::uint64_t size) noexcept {
    std::byte next[2];
    const std::uint64_t end = saved_header_bytes + size;
    if (end < size) return bad("the length is impossible");
    const result<std::size_t> got = store.read_at(end - 1, next); // the last one, and none after it
    if (!got) return got.error();
    if (*got == 2)
        return bad("too long: more than %llu bytes are there", static_cast<unsigned long long>(end));
    if (*got == 1) return {};
    std::uint64_t there = 0; // bisected, as a store does not tell
    for (std::uint64_t step = std::uint64_t{1} << 62; step != 0; step >>= 1) {
        if (there + step > end) continue;
        const result<std::size_t> is_there = store.read_at(there + step - 1, std::span(next).first(1));
        if (is_there && *is_there == 1) there += step;
    }
    return bad("truncated: %llu of %llu bytes are there", static_cast<unsigned long long>(there),
               static_cast<unsigned long long>(end));
}

} // namespace

void seal_saved(std::span<std::byte> whole, const saved_form& form) noexcept {
    ALLOT_EXPECT(whole.size() >= saved_header_bytes, "saved bytes: ", whole.size(),
                 " bytes have no room for ", saved_header_bytes, " of header");
    const std::span<const std::byte> content = whole.subspan(saved_header_bytes);
    header made{.magic = magic,
                .kind = form.kind,
                .version = form.version,
                .size = content.size(),
                .content_checksum = checksum(content),
                .checksum = 0};
    made.checksum = checksum(checked_part(made));
    std::memcpy(whole.data(), &made, sizeof made);
}

result<void> save_bytes(byte_store& store, const saved_form& form, std::span<const std::byte> content,
                        memory_source& work) noexcept {
    const layout wanted{saved_header_bytes + content.size(), 16};
    auto* const whole = static_cast<std::byte*>(work.try_allocate(wanted));
    if (!whole) return short_of_memory();
    if (!content.empty()) std::memcpy(whole + saved_header_bytes, content.data(), content.size());
    seal_saved({whole, wanted.size}, form);
    const result<void> done = store.replace({whole, wanted.size});
    work.deallocate(whole, wanted);
    return done;
}

result<loaded_bytes> load_bytes(byte_store& store, const saved_form& form, memory_source& source) noexcept {
    const result<header> found = read_header(store, form);
    if (!found) return found.error();
    if (const result<void> done = check_length(store, found->size); !done) return done.error();
    const auto size = static_cast<std::size_t>(found->size);
    void* const memory = size == 0 ? nullptr : source.try_allocate({size, 16});
    if (size != 0 && !memory) return short_of_memory();
    loaded_bytes loaded({memory, size}, found->version, source);
    const std::span<std::byte> content(static_cast<std::byte*>(memory), size);
    const result<std::size_t> got = store.read_at(saved_header_bytes, content);
    if (!got) return got.error();
    if (*got != size) return bad("they got shorter while they were read");
    if (checksum(content) != found->content_checksum)
        return bad("the content of %llu bytes is damaged", static_cast<unsigned long long>(size));
    return loaded;
}

} // namespace allot
