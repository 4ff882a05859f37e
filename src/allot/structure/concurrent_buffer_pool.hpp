// concurrent_buffer_pool: a buffer_pool for many threads: acquired on one, given back on another.
//
// Use it where threads share buffers, or hand them on. For one thread take buffer_pool, which says more of
// tiers, growth, tenants and colours: all of that holds here too.
// Owns the buffers that it keeps, in per-thread magazines (magazine.hpp). Borrows upstream, which must be
// thread_safe, and the observer.
// Threads: any; construction, destruction and check() need quiet. A buffer itself is one thread's at a time.
// Cost: a pair takes 61 instructions at level off and 78 at level on, without an atomic read-modify-write
// unless the tier has an out_count_max, and a lock once for so many as a magazine holds (an eighth of
// kept_count_max). About 10 KiB for itself.
//
// kept_count_max and out_count_max are exact with any number of threads: never overrun. A thread makes a new
// buffer though kept ones lie in the magazines of other running threads (at most 2 magazines each), which may
// also refuse it for limit_bytes, as early as early_bytes_max says; kept buffers within its reach go upstream
// first. usage() is exact when no other thread is inside a call. limit_bytes does not count the magazines.
// peak_live_bytes is what was made at once, and so an upper bound.
// Fork: the child goes on with all; a buffer that another thread had just in hand is lost to it.
//
// Fatal, at level on and full: as buffer_pool's, beginning with concurrent_buffer_pool; and at level off,
// too:
//     concurrent_buffer_pool 'NAME': its upstream is not thread_safe
// A buffer that two threads give back at the very same moment may pass.
//
//     concurrent_buffer_pool pool({.name = "network"});
//     buffer request = pool.acquire({.bytes = 100});
//     request.append("GET /");
//     std::thread([mine = std::move(request)]() mutable {
//         assert(mine.text() == "GET /");
//     }).join();                                              // came back on that thread
//     assert(pool.usage().live_count == 0);
//     assert(pool.statistics(0).kept_count() == 1);
#pragma once

#include <allot/core/observer.hpp>
#include <allot/core/reclaimable.hpp>
#include <allot/source/block_counters.hpp>
#include <allot/structure/buffer.hpp>
#include <allot/structure/buffer_pool.hpp>
#include <allot/structure/buffer_tier.hpp>
#include <allot/structure/magazine.hpp>
#include <optional>

namespace allot {

class concurrent_buffer_pool final : public memory_source, public reclaimable {
public:
    // Takes nothing from upstream yet. The default name is "buffer_pool".
    explicit concurrent_buffer_pool(const buffer_pool_options& options) noexcept;
    ~concurrent_buffer_pool() override;

    // An empty buffer of wish.bytes of capacity or more, that comes back by itself. capacity() 0 on shortage.
    [[nodiscard]] buffer try_acquire(const buffer_wish& wish) noexcept;
    // Throws: out_of_memory.
    [[nodiscard]] buffer acquire(const buffer_wish& wish);

    // The same without the handle.
    [[nodiscard]] void* try_allocate(layout wanted) noexcept {
        const std::size_t at = tier_of(wanted);
        return at != tier_count_ ? take(at, 0) : allocate_outsized(wanted);
    }
    void deallocate(void* data, layout given) noexcept {
        const std::size_t at = tier_of(given);
        if (at == tier_count_ || !data) return deallocate_outsized(data, given);
        give(at, data);
    }
    using memory_source::allocate;
    using memory_source::deallocate;

    // Kept buffers within reach, the largest first, go upstream until at most so many bytes are kept. Returns
    // the bytes that went.
    std::uint64_t trim(std::uint64_t kept_bytes_max = mebibytes(2)) noexcept;
    reclaim_manner manner() const noexcept override { return reclaim_manner::concurrent; }
    std::uint64_t reclaim(reclaim_request wish) noexcept override;

    std::size_t tier_count() const noexcept { return tier_count_; }
    const buffer_tier& tier(std::size_t index) const noexcept { return tiers_[index].how; }
    buffer_tier_statistics statistics(std::size_t index) const noexcept;
    const allot::name& name() const noexcept { return name_; }
    allot::usage usage() const noexcept;
    // Aborts where an invariant does not hold. Needs quiet.
    void check() const noexcept;

private:
    // Quiet: kept + out == made - disposed, where kept is what the cache has.
    struct tier_state {
        std::size_t size = 0;
        std::uint64_t out_count_max = usage::unlimited;
        std::optional<detail::magazine_cache> cache;          // of heads
        alignas(64) std::atomic<std::uint64_t> out_count = 0; // only where out_count_max bounds it
        detail::shared_counter made_count, disposed_count, peak_count;
        buffer_tier how;
    };

    void* do_try_allocate(layout wanted) noexcept override {
        return concurrent_buffer_pool::try_allocate(wanted);
    }
    void do_give_back(void* data, layout given) noexcept override {
        concurrent_buffer_pool::deallocate(data, given);
    }
    bool do_try_resize(void* data, layout given, std::size_t new_size) noexcept override;
    void* do_try_reallocate(void* data, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_traits do_traits() const noexcept override { return {.thread_safe = true}; }
    source_description do_describe() const noexcept override;

    std::size_t tier_of(layout wanted) const noexcept { // tier_count_: none
        return wanted.align <= detail::buffer_align ? sizes_.tier_of(wanted.size) : tier_count_;
    }
    void* take(std::size_t at, std::uint64_t tenant) noexcept;
    void give(std::size_t at, void* data) noexcept;
    [[gnu::noinline]] void* take_new(std::size_t at, std::uint64_t tenant) noexcept;
    [[gnu::noinline]] bool count_out(tier_state& of) noexcept; // false: as many are out as may be
    void* allocate_outsized(layout wanted, std::uint64_t tenant = 0) noexcept;
    void deallocate_outsized(void* data, layout given) noexcept;
    detail::buffer_head* make(std::size_t at) noexcept;
    [[gnu::noinline]] void dispose(std::size_t at, detail::buffer_head* head) noexcept;
    std::uint64_t empty_tier(std::size_t at, std::uint64_t bytes, std::uint64_t deadline_ns) noexcept;
    bool try_hold(std::uint64_t more) noexcept;
    void let_go(std::uint64_t less) noexcept;
    void* refuse(layout wanted, std::uint64_t limit, std::uint64_t live) noexcept;
    void tell_client() noexcept;
    [[noreturn, gnu::cold]] void fatal_written(const void* data) const noexcept;
    [[noreturn, gnu::cold]] void fatal_give(std::size_t at, const void* data) const noexcept;

    detail::buffer_tier_sizes sizes_;
    tier_state tiers_[detail::buffer_tier_count_max];
    std::size_t tier_count_ = 0;
    const allot::name name_;
    memory_source& upstream_;   // borrowed
    allot::observer* observer_; // borrowed
    const std::uint64_t limit_bytes_;
    const bool coloured_;
    std::atomic<bool> has_tenants_ = false; // a tenant other than 0 was named
    detail::buffer_colours colours_;
    detail::shared_block_counters outsized_;
    std::atomic<std::uint64_t> held_bytes_ = 0; // all buffers' blocks, outsized ones included
    detail::shared_counter peak_held_bytes_, refused_count_;
    detail::fork_mutex client_mutex_;
    std::uint64_t client_id_ = 0; // under `allot run`; 0: never told
};

inline void* concurrent_buffer_pool::take(std::size_t at, std::uint64_t tenant) noexcept {
    tier_state& from = tiers_[at];
    if (from.out_count_max != usage::unlimited && !count_out(from)) [[unlikely]]
        return nullptr;
    auto* const head = static_cast<detail::buffer_head*>(from.cache->try_take());
    if (!head) [[unlikely]]
        return take_new(at, tenant);
    const bool changes_tenant = head->tenant != tenant;
    if (!detail::mark_buffer_out(head, from.size)) [[unlikely]]
        fatal_written(head->data());
    if (changes_tenant) [[unlikely]]
        detail::pass_on_buffer(head, from.size, tenant);
    return head->data();
}

inline void concurrent_buffer_pool::give(std::size_t at, void* data) noexcept {
    detail::buffer_head* const head = detail::buffer_head::of(data);
    if constexpr (poisons) allot::mark_live(head, sizeof *head);
    if constexpr (checks != check_level::off) {
        if (head->state != detail::buffer_state::out || head->owner != this || head->tier != at) [[unlikely]]
            fatal_give(at, data);
    }
    tier_state& to = tiers_[at];
    detail::mark_buffer_kept(head, to.size);
    if (!to.cache->try_put(head)) [[unlikely]]
        dispose(at, head);
    if (to.out_count_max != usage::unlimited) to.out_count.fetch_sub(1, std::memory_order_relaxed);
}

} // namespace allot
