#include <allot/core/contract.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/structure/interner.hpp>
#include <allot/structure/interner_file.hpp>

namespace allot {

interner::interner(const interner_options& options) noexcept
    : table_({.name = options.name,
              .kind = "interner",
              .upstream = options.upstream,
              .limit_bytes = options.limit_bytes}) {}

interner::~interner() = default;

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
    ALLOT_EXPECT(symbols.size() >= texts.size(), "interner '", name().view(), "': intern_many of ",
                 texts.size(), " texts into ", symbols.size(), " symbols");
    std::size_t done = 0;
    std::uint64_t known_count = 0;
    std::uint64_t known_bytes = 0;
    detail::intern_in_groups(table_, texts,
                             [&](std::string_view text, std::uint32_t hash, std::uint32_t known) {
                                 symbol made = symbol::from_value(known);
                                 if (made) {
                                     ++known_count;
                                     known_bytes += text.size();
                                 } else {
                                     made = intern_hashed(text, hash);
                                     if (!made) return false;
                                 }
                                 symbols[done++] = made;
                                 return true;
                             });
    add(hits_, known_count);
    add(asked_bytes_, known_bytes);
    return done;
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

result<void> interner::save(byte_store& to) const noexcept { return detail::save_texts(table_, to); }

result<void> interner::load(byte_store& from) noexcept { return detail::load_texts(table_, from); }

interner_numbers interner::numbers() const noexcept {
    return {.hits = hits_.load(std::memory_order_relaxed),
            .misses = misses_.load(std::memory_order_relaxed),
            .distinct = table_.count(),
            .text_bytes = table_.text_bytes(),
            .asked_bytes = asked_bytes_.load(std::memory_order_relaxed),
            .held_bytes = table_.held_bytes()};
}

void interner::fatal_symbol(symbol wanted) const noexcept {
    fatal({"interner '", name().view(), "': symbol ", wanted.value(),
           " is not of this interner, or from before clear()"});
}

} // namespace allot
