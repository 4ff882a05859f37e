#include <algorithm>
#include <allot/structure/concurrent_buffer_pool.hpp>

// The numbers of a concurrent_buffer_pool, and what it says of misuse.

namespace allot {

using detail::buffer_head;

// Read one after the other while others work: differences are kept from wrapping.
buffer_tier_statistics concurrent_buffer_pool::statistics(std::size_t index) const noexcept {
    const tier_state& of = tiers_[index];
    buffer_tier_statistics now{.disposed_count = of.disposed_count.load()};
    const detail::magazine_cache::numbers cached = of.cache->read();
    now.made_count = std::max(of.made_count.load(), now.disposed_count + cached.kept);
    now.acquired_count = cached.taken + of.made_count.load();
    const std::uint64_t out = now.made_count - now.disposed_count - cached.kept;
    now.acquired_count = std::max(now.acquired_count, out);
    now.returned_count = now.acquired_count - out;
    return now;
}

allot::usage concurrent_buffer_pool::usage() const noexcept {
    allot::usage now = outsized_.read();
    now.held_bytes = held_bytes_.load(std::memory_order_relaxed);
    now.peak_held_bytes = peak_held_bytes_.load();
    now.refused_count = refused_count_.load();
    now.limit_bytes = limit_bytes_;
    for (std::size_t at = 0; at != tier_count_; ++at) {
        const tier_state& each = tiers_[at];
        const buffer_tier_statistics of = statistics(at);
        now.live_bytes += of.out_count() * each.size;
        now.live_count += of.out_count();
        now.free_bytes += of.kept_count() * each.size;
        now.peak_live_bytes += each.peak_count.load() * each.size;
        now.total_bytes += of.acquired_count * each.size;
        now.total_count += of.acquired_count;
        now.held_count += of.made_count - of.disposed_count;
        now.held_bytes += each.cache->held_bytes(); // the magazines are slack
        now.early_bytes_max += each.cache->early_count_max() * each.size;
    }
    if (limit_bytes_ == usage::unlimited) now.early_bytes_max = 0;
    now.peak_held_bytes = std::max(now.peak_held_bytes, now.held_bytes);
    const std::uint64_t used = now.live_bytes + now.free_bytes;
    now.slack_bytes = now.held_bytes > used ? now.held_bytes - used : 0;
    return now;
}

source_description concurrent_buffer_pool::do_describe() const noexcept {
    return {.name = name_, .kind = "concurrent_buffer_pool", .upstream = &upstream_, .usage = usage()};
}

void concurrent_buffer_pool::check() const noexcept {
    const auto expect = [this](bool holds, const char* what) {
        ALLOT_EXPECT(holds, "concurrent_buffer_pool '", name_.view(), "': check: ", what);
    };
    std::uint64_t held = 0;
    for (std::size_t at = 0; at != tier_count_; ++at) {
        const tier_state& each = tiers_[at];
        each.cache->check();
        const std::uint64_t kept = each.cache->read().kept;
        const std::uint64_t all = each.made_count.load() - each.disposed_count.load();
        expect(kept <= each.how.kept_count_max, "more buffers are kept than may be");
        expect(kept <= all, "more buffers are kept than there are");
        if (each.out_count_max != usage::unlimited) {
            expect(all - kept == each.out_count.load(), "another count is out than the books say");
            expect(all - kept <= each.out_count_max, "more buffers are out than may be");
        }
        held += all * each.size;
    }
    const std::uint64_t now = held_bytes_.load();
    expect(held + outsized_.live_bytes() <= now && now <= limit_bytes_, "held bytes are wrong");
}

void concurrent_buffer_pool::fatal_written(const void* data) const noexcept {
    fatal({"concurrent_buffer_pool '", name_.view(), "': buffer ", data,
           " was written to after it was given back"});
}

void concurrent_buffer_pool::fatal_give(std::size_t at, const void* data) const noexcept {
    const buffer_head* const head = buffer_head::of(data);
    if (head->owner != this || head->tier >= tier_count_)
        fatal({"concurrent_buffer_pool '", name_.view(), "': ", data, " is no buffer of this pool"});
    if (head->state != detail::buffer_state::out)
        fatal({"concurrent_buffer_pool '", name_.view(), "': buffer ", data, " given back twice"});
    fatal({"concurrent_buffer_pool '", name_.view(), "': buffer ", data, " of ", tiers_[head->tier].size,
           " bytes is given back with ", tiers_[at].size, " bytes"});
}

} // namespace allot
