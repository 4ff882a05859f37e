#include <allot/core/out_of_memory.hpp>
#include <allot/structure/interner.hpp>
#include <allot/structure/interner_file.hpp>

namespace allot {

interner::interner(const interner_options& options) noexcept
    : interner_reading({.name = options.name,
                        .kind = "interner",
                        .upstream = options.upstream,
                        .limit_bytes = options.limit_bytes}) {}

symbol interner::try_intern(std::string_view text) noexcept { return intern_hashed(text, table_.hash(text)); }

symbol interner::intern_hashed(std::string_view text, std::uint32_t hash) noexcept {
    const std::uint32_t found = table_.find_fast(text, hash);
    if (found == 0) [[unlikely]]
        return miss(text, hash);
    add(hits_, 1);
    add(asked_bytes_, text.size());
    return symbol::from_value(found);
}

symbol interner::miss(std::string_view text, std::uint32_t hash) noexcept {
    std::uint32_t value = table_.find_chained(text, hash);
    const bool is_hit = value != 0;
    if (!is_hit) value = table_.insert(text, hash);
    if (value == 0) return {};
    add(is_hit ? hits_ : misses_, 1);
    add(asked_bytes_, text.size());
    return symbol::from_value(value);
}

symbol interner::intern(std::string_view text) {
    const symbol made = try_intern(text);
    if (!made) [[unlikely]]
        throw_out_of_memory();
    return made;
}

std::size_t interner::intern_many(std::span<const std::string_view> texts,
                                  std::span<symbol> symbols) noexcept {
    const many all = intern_groups(texts, symbols, [this](std::string_view text, std::uint32_t hash) {
        return intern_hashed(text, hash);
    });
    add(hits_, all.known_count);
    add(asked_bytes_, all.known_bytes);
    return all.done;
}

bool interner::try_preload(std::span<const std::string_view> texts) noexcept {
    for (const std::string_view text : texts)
        if (const std::uint32_t hash = table_.hash(text);
            !table_.find_fast(text, hash) && !table_.find_chained(text, hash) && !table_.insert(text, hash))
            return false;
    return true;
}

void interner::preload(std::span<const std::string_view> texts) {
    if (!try_preload(texts)) throw_out_of_memory();
}

symbol interner::find(std::string_view text) const noexcept {
    const std::uint32_t hash = table_.hash(text);
    const std::uint32_t found = table_.find_fast(text, hash);
    return symbol::from_value(found != 0 ? found : table_.find_chained(text, hash));
}

void interner::clear() noexcept {
    table_.clear();
    for (std::atomic<std::uint64_t>* each : {&hits_, &misses_, &asked_bytes_})
        each->store(0, std::memory_order_relaxed);
}

result<void> interner::load(byte_store& from) noexcept { return detail::load_texts(table_, from); }

interner_numbers interner::numbers() const noexcept {
    return {.hits = hits_.load(std::memory_order_relaxed),
            .misses = misses_.load(std::memory_order_relaxed),
            .distinct = table_.count(),
            .text_bytes = table_.text_bytes(),
            .asked_bytes = asked_bytes_.load(std::memory_order_relaxed),
            .held_bytes = table_.held_bytes()};
}

} // namespace allot
