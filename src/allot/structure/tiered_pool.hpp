// tiered_pool: slots of a few fixed sizes (tiers), all reserved in one block at the start, and never more.
//
// Use it where memory must be bounded before the work begins: the texts and nodes of an agent, a session, an
// editor. bounded_string lives in one, a document can. For slots of one size take bounded pools; where memory
// may grow, pool or buffer_pool; what dies together belongs into an arena.
// Owns one block, taken at creation: all slots, and 4 bytes beside each. Borrows upstream and observer. No
// slot is touched before it is handed out, nor are its 4 bytes. After creation nothing is asked of upstream.
// A layout is served from the smallest tier that holds it; where that is full, from the next larger one that
// is not (each time counted), or not at all: `promotes`. The larger the steps between tiers, the more stays
// unused: with default_size_tiers (steps of 16) a text of 17 bytes takes 256. half_size_tiers has steps of 4
// and wastes at most 3/4 of a slot. What is wasted is a number: usage().slack_bytes,
// size_tier_numbers::slack_bytes.
// Each tier has a name of its own in events and refusals: "NAME/SIZE".
// Threads: compatible (one thread at a time). describe() from any, with the numbers of that moment.
// Cost: a pair takes about 120 instructions at level on, the half of it to look at what comes back; a table
// of 65 bytes finds the tier. The defaults are 80 MiB of slots and 4.3 MiB for their states.
//
// Fatal:
//     tiered_pool 'NAME': a tier of N bytes after one of N (multiples of 16, in order, up to 16 of them)
// Fatal, at level on and full (PLACE is an address):
//     tiered_pool 'NAME': slot PLACE given back twice
//     tiered_pool 'NAME': PLACE is no slot of this pool
//     tiered_pool 'NAME': PLACE lies N bytes into slot PLACE
//     tiered_pool 'NAME': a block of N bytes (aligned to N) does not fit slot PLACE of N bytes
//
//     constexpr size_tier tiers[] = {{.slot_bytes = 16, .slot_count = 2}, {256, 4}};
//     tiered_pool texts({.name = "texts", .tiers = tiers});
//     void* first = texts.allocate({.size = 16, .align = 1});
//     void* second = texts.allocate({.size = 10, .align = 1});
//     void* third = texts.allocate({.size = 5, .align = 1}); // the tier of 16 bytes is full
//     assert(texts.numbers(0).promoted_count == 1 && texts.numbers(1).live_count == 1);
//     assert(texts.try_give_back(third, {.size = 5, .align = 1}));
//     assert(!texts.try_give_back(third, {.size = 5, .align = 1})); // refused: it is free
//     texts.deallocate(first, {.size = 16, .align = 1});
//     texts.deallocate(second, {.size = 10, .align = 1});
//     assert(texts.usage().live_bytes == 0);
#pragma once

#include <allot/core/checks.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/observer.hpp>
#include <allot/core/poison.hpp>
#include <allot/structure/tiered_pool_parts.hpp>
#include <array>
#include <bit>
#include <cstdint>
#include <span>

namespace allot {

class bounded_string;

struct size_tier {
    std::size_t slot_bytes = 0; // a multiple of 16, less than 2^28
    std::uint32_t slot_count = 0;
};

// 16 MiB each.
inline constexpr std::array<size_tier, 5> default_size_tiers{
    {{16, 1'048'576}, {256, 65'536}, {kibibytes(4), 4'096}, {kibibytes(64), 256}, {mebibytes(1), 16}}};
// 80 MiB together, in steps of 4.
inline constexpr std::array<size_tier, 9> half_size_tiers{{{16, 524'288},
                                                           {64, 131'072},
                                                           {256, 32'768},
                                                           {kibibytes(1), 8'192},
                                                           {kibibytes(4), 2'048},
                                                           {kibibytes(16), 512},
                                                           {kibibytes(64), 128},
                                                           {kibibytes(256), 32},
                                                           {mebibytes(1), 16}}};

struct tiered_pool_options {
    allot::name name = "tiered_pool";
    std::span<const size_tier> tiers = default_size_tiers; // read at creation only
    memory_source* upstream = nullptr; // default_source(), which leaves large blocks untouched
    bool promotes = true;              // a full tier's requests go to the next larger one
    std::uint32_t warn_percent = 90;   // the observer is told of event::type::filling there; 0: never
    allot::observer* observer = nullptr;
};

// Of one tier.
struct size_tier_numbers {
    allot::name name = {};
    std::size_t slot_bytes = 0;
    std::uint64_t slot_count = 0;
    std::uint64_t live_count = 0;
    std::uint64_t peak_live_count = 0;
    std::uint64_t total_count = 0;    // handed out, ever
    std::uint64_t live_bytes = 0;     // that were asked for, in its slots
    std::uint64_t promoted_count = 0; // requests for it that a larger tier served
    std::uint64_t refused_count = 0;  // requests for it that none served
    std::uint64_t free_count() const noexcept { return slot_count - live_count; }
    std::uint64_t slack_bytes() const noexcept { return live_count * slot_bytes - live_bytes; }
};

class tiered_pool final : public memory_source {
public:
    // Takes its block. Where upstream refuses it, capacity() is 0 and everything is refused.
    explicit tiered_pool(const tiered_pool_options& options = {}) noexcept;
    // Slots that still live are a leak: the observer is told of each tier that has some, and their memory
    // goes upstream all the same.
    ~tiered_pool() override;

    // nullptr on shortage, with last_refusal(): its `who` is the tier's name, or the pool's where no tier is
    // so large.
    [[nodiscard]] void* try_allocate(layout wanted) noexcept {
        wanted.size += wanted.size == 0;
        detail::tier_state* const from = take(wanted);
        return from ? taken_ : nullptr;
    }
    // Throws: out_of_memory.
    [[nodiscard]] void* allocate(layout wanted) {
        void* const block = try_allocate(wanted);
        if (!block) [[unlikely]]
            throw_out_of_memory();
        return block;
    }
    // Expects: a live block of this pool with its layout, or nullptr.
    void deallocate(void* block, layout given) noexcept {
        if (!block) return;
        given.size += given.size == 0;
        detail::tier_state* const home = find_near(block, given.size);
        if constexpr (checks != check_level::off) expect_live(home, block, given);
        give(*home, block, given.size);
    }
    using memory_source::allocate;
    using memory_source::deallocate;

    // As deallocate, at every check level: false, and nothing changed, for what is no live block of this
    // pool, lies inside one, was given back before, or cannot have that layout.
    bool try_give_back(void* block, layout given) noexcept;
    // Whether a live block begins here.
    bool owns(const void* block) const noexcept;
    // Whether this lies in the pool's memory, in a live block or not.
    bool surrounds(const void* place) const noexcept;

    const allot::name& name() const noexcept { return name_; }
    std::size_t tier_count() const noexcept { return tier_count_; }
    std::size_t size_max() const noexcept {
        return tier_count_ == 0 ? 0 : tiers_[tier_count_ - 1].slot_bytes;
    }
    // Bytes in all slots.
    std::uint64_t capacity() const noexcept { return slot_bytes_sum_; }
    // Expects: index < tier_count(). From any thread, as describe().
    size_tier_numbers numbers(std::size_t index) const noexcept;
    // Fills all but early_bytes_max; limit_bytes is capacity(). slack_bytes counts the states, too.
    // peak_live_bytes is of whole slots, each tier's at its own peak: at most so much was live.
    allot::usage usage() const noexcept;
    // Aborts where an invariant of the pool does not hold. Cost: O(slots that were ever used).
    void check() const noexcept;

private:
    friend class bounded_string;
    using tier_state = detail::tier_state;

    // The first tier for so many bytes: by their width in bits, then by size.
    std::size_t tier_of(std::size_t size) const noexcept {
        std::size_t at = first_[std::bit_width((size - 1) | 1)];
        while (tiers_[at].slot_bytes < size && at != tier_count_) [[unlikely]]
            ++at;
        return at;
    }
    // The tier that served, with the slot in taken_; nullptr on shortage.
    tier_state* take(layout wanted) noexcept {
        const std::size_t at = tier_of(wanted.size);
        if (tiers_[at].align < wanted.align || !take_from(tiers_[at], wanted.size)) [[unlikely]]
            return take_elsewhere(at, wanted);
        return &tiers_[at];
    }
    bool take_from(tier_state& from, std::size_t size) noexcept;
    void give(tier_state& home, void* block, std::size_t size) noexcept;
    // A block in `home` is used for so many bytes from now on.
    static void resized(tier_state& home, std::size_t size, std::size_t new_size) noexcept {
        if (new_size > size)
            home.taken_bytes.add(new_size - size);
        else
            home.given_back_bytes.add(size - new_size);
    }
    tier_state* find_near(const void* block, std::size_t size) noexcept {
        const std::size_t at = tier_of(size);
        const auto offset =
            static_cast<std::uint64_t>(static_cast<const std::byte*>(block) - tiers_[at].base);
        return offset < tiers_[at].bytes() ? &tiers_[at] : find(block);
    }
    tier_state* find(const void* address) noexcept; // nullptr: in no tier
    static bool is_live(const tier_state* home, const void* block) noexcept {
        if (!home) return false;
        const auto offset = static_cast<std::uint64_t>(static_cast<const std::byte*>(block) - home->base);
        const std::uint32_t number = home->slot_number(offset);
        return std::uint64_t{number} * home->slot_bytes == offset && number < home->cut_count.load() &&
               home->states[number] == tier_state::live;
    }
    bool fits(const tier_state& home, layout given) const noexcept {
        return given.size <= home.slot_bytes && given.align <= home.align;
    }
    void expect_live(const tier_state* home, const void* block, layout given) const noexcept {
        if (!is_live(home, block) || !fits(*home, given)) [[unlikely]]
            fatal_give_back(home, block, given);
    }
    [[noreturn, gnu::cold]] void fatal_give_back(const tier_state* home, const void* block,
                                                 layout given) const noexcept;
    tier_state* take_elsewhere(std::size_t at, layout wanted) noexcept;
    [[gnu::cold]] void refuse(const tier_state* tier, layout wanted) noexcept;
    bool cut(tier_state& from) noexcept;
    [[gnu::cold]] void warn(tier_state& tier, std::uint64_t live_count) noexcept;
    void set_tiers(std::span<const size_tier> tiers) noexcept;
    void take_block() noexcept;
    void arm(tier_state& tier) const noexcept;
    void tell_client(std::uint64_t held_bytes) noexcept;
    layout block_layout() const noexcept;
    allot::name tier_name(const tier_state& tier) const noexcept;

    void* do_try_allocate(layout wanted) noexcept override { return tiered_pool::try_allocate(wanted); }
    void do_give_back(void* block, layout given) noexcept override { tiered_pool::deallocate(block, given); }
    bool do_try_resize(void* block, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_description do_describe() const noexcept override;

    // held == live + slack + free; each tier: see tier_state.
    void* taken_ = nullptr; // by the last take()
    std::size_t tier_count_ = 0;
    std::uint8_t first_[65] = {};                       // by width: the first tier that may hold such a size
    tier_state tiers_[detail::size_tier_count_max + 1]; // and one of no slots, for sizes that no tier has
    detail::owned_counter refused_count_;
    std::uint64_t slot_bytes_sum_ = 0;
    std::uint64_t slot_count_sum_ = 0;
    std::uint64_t held_bytes_ = 0;
    void* block_ = nullptr;
    const allot::name name_;
    memory_source& upstream_;   // borrowed
    allot::observer* observer_; // borrowed
    const bool promotes_;
    const std::uint32_t warn_percent_;
    std::uint64_t client_id_ = 0; // under `allot run`; 0: never told
};

inline bool tiered_pool::take_from(tier_state& from, std::size_t size) noexcept {
    const std::uint32_t number = from.free;
    if (number != tier_state::none) {
        std::uint32_t& state = from.states[number];
        from.free = state;
        state = tier_state::live;
        taken_ = from.base + std::uint64_t{number} * from.slot_bytes;
    } else if (!cut(from)) {
        return false;
    }
    mark_fresh(taken_, size);
    from.taken_bytes.add(size);
    const std::uint64_t live_count = from.taken_count.add(1) - from.given_back_count.load();
    if (live_count - from.quiet_from >= from.quiet_count) [[unlikely]]
        warn(from, live_count);
    return true;
}

inline void tiered_pool::give(tier_state& home, void* block, std::size_t size) noexcept {
    const std::uint32_t number =
        home.slot_number(static_cast<std::uint64_t>(static_cast<std::byte*>(block) - home.base));
    mark_dead(block, home.slot_bytes);
    home.states[number] = home.free;
    home.free = number;
    home.given_back_count.add(1);
    home.given_back_bytes.add(size);
}

} // namespace allot
