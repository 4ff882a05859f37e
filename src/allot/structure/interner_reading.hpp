// interner_reading: what interner and concurrent_interner have alike: from symbols to texts, the walk over all, and
// interning many at once. The base of both; its public calls are theirs.
//
// Not to be used by itself: it has nothing that interns one text.
// Owns the table. Threads: all that is public from any, but for check(), which needs quiet; of what others insert
// meanwhile a call sees all or nothing.
// Cost: resolve() is three loads.
//
//     interner names({.name = "names"});
//     names.preload(keywords::python);
//     names.for_each([&](symbol each, std::string_view text) {
//         assert(names.resolve(each) == text && names.symbol_at(names.index_of(each)) == each);
//     });
#pragma once

#include <allot/core/byte_store.hpp>
#include <allot/core/checks.hpp>
#include <allot/structure/interner_table.hpp>
#include <allot/structure/symbol.hpp>
#include <span>
#include <string_view>

namespace allot::detail {

class interner_reading {
public:
    interner_reading(const interner_reading&) = delete;
    interner_reading& operator=(const interner_reading&) = delete;

    bool contains(symbol wanted) const noexcept { return table_.contains(wanted.value()); }
    // Expects: contains(wanted).
    std::string_view resolve(symbol wanted) const noexcept {
        if constexpr (checks >= check_level::on)
            if (!contains(wanted)) [[unlikely]]
                fatal_symbol(wanted);
        return table_.text(wanted.value());
    }
    // Zero-based and dense since the last clear(): for tables beside it. Expects: contains(wanted).
    std::uint32_t index_of(symbol wanted) const noexcept { return wanted.value() - 1 - table_.base(); }
    // The inverse. Expects: index < count().
    symbol symbol_at(std::uint32_t index) const noexcept {
        return symbol::from_value(table_.base() + 1 + index);
    }
    std::uint32_t count() const noexcept { return table_.count(); }
    bool is_empty() const noexcept { return count() == 0; }
    // Calls visit(symbol, std::string_view) in the order of symbols. What the same thread interns meanwhile is
    // met, what others intern is met or not.
    template <class Visit>
    void for_each(Visit visit) const {
        for (std::uint32_t index = 0; index < count(); ++index) {
            const symbol each = symbol_at(index);
            visit(each, resolve(each));
        }
    }

    // The texts, in order, as docs/format/interner.md says; replaces the store's content. Takes one block as
    // large as the file from upstream meanwhile. Others may insert while it saves: what is there when it begins is
    // saved. Both interners read both's files.
    result<void> save(byte_store& to) const noexcept;

    // live are the texts with their zeros, slack the tables and cells, free the rest of the text chunk.
    allot::usage usage() const noexcept { return table_.usage(); }
    const allot::name& name() const noexcept { return table_.options().name; }
    // Aborts where an invariant does not hold. Cost: O(count).
    void check() const noexcept { table_.check(); }

protected:
    explicit interner_reading(const interner_table_options& how) noexcept : table_(how) {}
    ~interner_reading() = default;

    // By the one writer of a number.
    static void add(std::atomic<std::uint64_t>& to, std::uint64_t more) noexcept {
        to.store(to.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
    }

    struct many {
        std::size_t done = 0; // of the first
        std::uint64_t known_count = 0;
        std::uint64_t known_bytes = 0;
    };
    // In groups: the memory of all is asked for before the first is looked at. What is there is counted in the
    // answer; `intern` gets the text and the hash of any other, and ends it by no symbol.
    template <class Intern>
    many intern_groups(std::span<const std::string_view> texts, std::span<symbol> symbols,
                       Intern intern) const noexcept;

    interner_table table_;

private:
    [[noreturn, gnu::cold]] void fatal_symbol(symbol wanted) const noexcept;
    void expect_room(std::size_t texts, std::size_t symbols) const noexcept;
};

template <class Intern>
interner_reading::many interner_reading::intern_groups(std::span<const std::string_view> texts,
                                                       std::span<symbol> symbols,
                                                       Intern intern) const noexcept {
    expect_room(texts.size(), symbols.size());
    std::size_t done = 0; // apart, and not a `many` in memory, which each text would read and write
    std::uint64_t known_count = 0;
    std::uint64_t known_bytes = 0;
    constexpr std::size_t group_max = 16;
    while (!texts.empty()) {
        const std::span<const std::string_view> group = texts.first(std::min(texts.size(), group_max));
        texts = texts.subspan(group.size());
        std::uint32_t hashes[group_max];
        std::uint32_t values[group_max];
        for (std::size_t i = 0; i != group.size(); ++i) {
            hashes[i] = table_.hash(group[i]);
            table_.fetch_slot(hashes[i]);
        }
        for (std::size_t i = 0; i != group.size(); ++i) values[i] = table_.fetch_entry(hashes[i]);
        std::string_view stored[group_max];
        for (std::size_t i = 0; i != group.size(); ++i) stored[i] = table_.fetch_text(values[i]);
        for (std::size_t i = 0; i != group.size(); ++i) {
            symbol made;
            if (values[i] != 0 && interner_table::is_equal(stored[i], group[i])) {
                made = symbol::from_value(values[i]);
                ++known_count;
                known_bytes += group[i].size();
            } else {
                made = intern(group[i], hashes[i]);
                if (!made) return {done, known_count, known_bytes};
            }
            symbols[done++] = made;
        }
    }
    return {done, known_count, known_bytes};
}

} // namespace allot::detail
