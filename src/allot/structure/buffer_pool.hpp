// buffer_pool: buffers of a few sizes that are used again and again.
//
// Use it for what comes and goes in blocks of some KiB up to some MiB: input, output, compression, scratch.
// For many small objects take pool; for a block that lives as long as the program, any source; across threads
// take concurrent_buffer_pool.
// A request gets the smallest tier that holds it, so that capacity >= wish; one beyond the largest tier, or
// aligned to more than 64 bytes, comes from upstream and goes back there at once. A buffer that grew comes
// back in the tier that it grew to. What comes back beyond a tier's kept_count_max goes upstream.
// Owns the buffers that it keeps: they go upstream by trim(), by reclaim() at the next call that notices, or
// with the pool. A buffer that is out must come back before. Borrows upstream and observer. As a
// memory_source it serves every layout, so that a `buffer` or a container over it works.
// Threads: compatible. describe() and reclaim() (deferred) from any.
// Cost: a pair takes 34 instructions at level off and 50 at level on in each tier, more by handle. See
// buffer_tier.hpp for bytes.
//
// Live bytes count a buffer with its tier's size. A tier's peak is exact; peak_live_bytes adds the tiers' up.
//
// Fatal, at level on and full (PLACE is an address):
//     buffer_pool 'NAME': buffer PLACE given back twice
//     buffer_pool 'NAME': buffer PLACE was written to after it was given back
//     buffer_pool 'NAME': PLACE is no buffer of this pool
//     buffer_pool 'NAME': buffer PLACE of N bytes is given back with N bytes
//     buffer_pool 'NAME': tiers must grow, in multiples of 64 bytes, and be 1 to 8 [at level off, too]
//
//     buffer_pool pool({.name = "input"});
//     buffer line = pool.acquire({.bytes = 100});
//     assert(line.capacity() == kibibytes(4) && line.empty());
//     line.append("some text");
//     const std::byte* place = line.data();
//     line.release();                                        // to the pool; as the destructor does
//     assert(pool.acquire({.bytes = 1}).data() == place);    // the same one, empty
//     assert(pool.statistics(0).hit_rate() == 0.5);
//     pool.trim();                                           // idle: keeps 2 MiB at most
#pragma once

#include <allot/core/observer.hpp>
#include <allot/core/reclaimable.hpp>
#include <allot/source/block_counters.hpp>
#include <allot/structure/buffer.hpp>
#include <allot/structure/buffer_tier.hpp>
#include <atomic>

namespace allot {

struct buffer_pool_options {
    allot::name name = "buffer_pool";
    memory_source* upstream = nullptr;                         // default_source()
    std::span<const buffer_tier> tiers = default_buffer_tiers; // copied
    std::uint64_t limit_bytes = usage::unlimited;              // of what is taken from upstream
    bool coloured = true;
    allot::observer* observer = nullptr; // is told when the pool dies with buffers out
};

class buffer_pool final : public memory_source, public reclaimable {
public:
    // Takes nothing from upstream yet.
    explicit buffer_pool(const buffer_pool_options& options) noexcept;
    ~buffer_pool() override;

    // An empty buffer of wish.bytes of capacity or more, that comes back by itself. capacity() 0 on shortage.
    [[nodiscard]] buffer try_acquire(const buffer_wish& wish) noexcept;
    // Throws: out_of_memory.
    [[nodiscard]] buffer acquire(const buffer_wish& wish);

    // The same without the handle. Kept buffers of other tiers go upstream before a request is refused.
    [[nodiscard]] void* try_allocate(layout wanted) noexcept { return take(tier_of(wanted), wanted, 0); }
    void deallocate(void* data, layout given) noexcept {
        if (data) give(tier_of(given), data, given);
    }
    using memory_source::allocate;
    using memory_source::deallocate;

    // Kept buffers, the largest first, go upstream until at most so many bytes are kept. Returns the bytes
    // that went.
    std::uint64_t trim(std::uint64_t kept_bytes_max = mebibytes(2)) noexcept;
    reclaim_manner manner() const noexcept override { return reclaim_manner::deferred; }
    std::uint64_t reclaim(reclaim_request wish) noexcept override;

    std::size_t tier_count() const noexcept { return tier_count_; }
    const buffer_tier& tier(std::size_t index) const noexcept { return tiers_[index].how; }
    buffer_tier_statistics statistics(std::size_t index) const noexcept;
    const allot::name& name() const noexcept { return name_; }
    // Exact, for the owner. describe() has the numbers of the last buffer that was made or disposed of, or
    // refusal.
    allot::usage usage() const noexcept;
    // Aborts where an invariant does not hold. Cost: O(kept buffers).
    void check() const noexcept;

private:
    // What is kept, hot or not, and what is out is what was made and not disposed of. So out need not be
    // counted.
    struct alignas(128) tier_state {        // an index becomes an address by a shift
        detail::buffer_head* hot = nullptr; // the kept buffer that came last
        std::uint64_t acquired_count = 0;
        std::size_t size = 0;
        // False: no buffer becomes hot, each passes through the list. In a tier that keeps none or has an
        // out_count_max, in the one behind the last, and while another thread wants memory back: reclaim().
        std::atomic<bool> may_be_hot = false;
        std::atomic<bool> is_wanted_back = false;
        detail::buffer_head* kept = nullptr; // the others
        std::uint64_t kept_count = 0;        // without hot
        std::uint64_t made_count = 0;
        std::uint64_t disposed_count = 0;
        std::uint64_t peak_count = 0; // of out + kept: a buffer is made only when all are out
        buffer_tier how;
        std::uint64_t all_kept_count() const noexcept { return kept_count + (hot != nullptr); }
        std::uint64_t out_count() const noexcept { return made_count - disposed_count - all_kept_count(); }
        bool wants_hot() const noexcept {
            return how.kept_count_max != 0 && how.out_count_max == usage::unlimited;
        }
    };

    void* do_try_allocate(layout wanted) noexcept override { return buffer_pool::try_allocate(wanted); }
    void do_give_back(void* data, layout given) noexcept override { buffer_pool::deallocate(data, given); }
    bool do_try_resize(void* data, layout given, std::size_t new_size) noexcept override;
    void* do_try_reallocate(void* data, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_description do_describe() const noexcept override;

    std::size_t tier_of(layout wanted) const noexcept { // tier_count_: none
        return wanted.align <= detail::buffer_align ? sizes_.tier_of(wanted.size) : tier_count_;
    }
    void* take(std::size_t at, layout wanted, std::uint64_t tenant) noexcept;
    void give(std::size_t at, void* data, layout given) noexcept;
    // Than the hot one. at may be tier_count_: outsized.
    [[gnu::noinline]] void* take_other(std::size_t at, layout wanted, std::uint64_t tenant) noexcept;
    void* take_new(std::size_t at, std::uint64_t tenant) noexcept;
    void* hand_out(tier_state& from, detail::buffer_head* head, std::uint64_t tenant) noexcept;
    [[gnu::noinline]] void keep_other(std::size_t at, void* data, layout given) noexcept;
    void* allocate_outsized(layout wanted, std::uint64_t tenant = 0) noexcept;
    void deallocate_outsized(void* data, layout given) noexcept;
    detail::buffer_head* make(std::size_t at) noexcept;
    void dispose(std::size_t at, detail::buffer_head* head) noexcept;
    bool fits_limit(layout more) const noexcept;
    void honour_wish() noexcept;
    void* refuse(layout wanted, std::uint64_t limit, std::uint64_t live) noexcept;
    std::uint64_t kept_bytes() const noexcept;
    void hold(std::uint64_t more) noexcept;
    void publish() noexcept;
    void tell_client() noexcept;
    [[noreturn, gnu::cold]] void fatal_written(const void* data) const noexcept;
    [[noreturn, gnu::cold]] void fatal_give(std::size_t at, const void* data) const noexcept;

    detail::buffer_tier_sizes sizes_;
    tier_state tiers_[detail::buffer_tier_count_max + 1]; // the one behind the last is always empty
    std::size_t tier_count_ = 0;
    const allot::name name_;
    memory_source& upstream_;   // borrowed
    allot::observer* observer_; // borrowed
    const std::uint64_t limit_bytes_;
    const bool coloured_;
    bool has_tenants_ = false; // a tenant other than 0 was named
    detail::buffer_colours colours_;
    std::uint64_t outsized_live_bytes_ = 0, outsized_live_count_ = 0, outsized_held_bytes_ = 0;
    std::uint64_t outsized_total_bytes_ = 0, outsized_total_count_ = 0, outsized_peak_bytes_ = 0;
    std::uint64_t held_bytes_ = 0, peak_held_bytes_ = 0, refused_count_ = 0;
    std::uint64_t client_id_ = 0; // under `allot run`; 0: never told
    struct {
        detail::owned_counter live_bytes, live_count, peak_live, total_bytes, total_count, refused, held,
            peak_held, held_count, free;
    } published_;
};

inline void* buffer_pool::take(std::size_t at, layout wanted, std::uint64_t tenant) noexcept {
    tier_state& from = tiers_[at];
    detail::buffer_head* const head = from.hot;
    if (!head) [[unlikely]]
        return take_other(at, wanted, tenant);
    from.hot = nullptr;
    return hand_out(from, head, tenant);
}

inline void* buffer_pool::hand_out(tier_state& from, detail::buffer_head* head,
                                   std::uint64_t tenant) noexcept {
    ++from.acquired_count;
    const bool changes_tenant = head->tenant != tenant;
    if (!detail::mark_buffer_out(head, from.size)) [[unlikely]]
        fatal_written(head->data());
    if (changes_tenant) [[unlikely]]
        detail::pass_on_buffer(head, from.size, tenant);
    return head->data();
}

// The tier comes from the size, not from the head: a store whose address waits for the head delays the next
// call.
inline void buffer_pool::give(std::size_t at, void* data, layout given) noexcept {
    tier_state& to = tiers_[at];
    if constexpr (checks != check_level::off) {
        if (at == tier_count_) [[unlikely]]
            return keep_other(at, data, given);
        detail::buffer_head* const head = detail::buffer_head::of(data);
        if constexpr (poisons) allot::mark_live(head, sizeof *head);
        if (head->state != detail::buffer_state::out || head->owner != this || head->tier != at) [[unlikely]]
            fatal_give(at, data);
    }
    if (to.hot || !to.may_be_hot.load(std::memory_order_relaxed)) [[unlikely]]
        return keep_other(at, data, given);
    to.hot = detail::buffer_head::of(data);
    detail::mark_buffer_kept(to.hot, to.size);
}

inline buffer buffer_pool::try_acquire(const buffer_wish& wish) noexcept {
    const layout wanted{wish.bytes + (wish.bytes == 0), detail::buffer_align};
    const std::size_t at = tier_of(wanted);
    if (wish.tenant != 0) has_tenants_ = true;
    void* const data = take(at, wanted, wish.tenant);
    const std::size_t size = at == tier_count_ ? wanted.size : tiers_[at].size;
    return buffer::adopt(
        {.address = data, .block = {data ? size : 0, detail::buffer_align}, .size = 0, .source = this});
}

} // namespace allot
