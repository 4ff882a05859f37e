#include <allot/structure/reap.hpp>

namespace allot {

reap::reap(const reap_options& options) noexcept
    : arena_({.name = options.name,
              .upstream = options.upstream,
              .chunk_bytes_min = options.chunk_bytes_min,
              .chunk_bytes_max = options.chunk_bytes_max,
              .limit_bytes = options.limit_bytes,
              .retain_bytes_max = options.retain_bytes_max}) {}

// Or of no bytes: that is a block of one.
void* reap::try_allocate_large(layout wanted) noexcept {
    if (wanted.size == 0) return try_allocate({1, wanted.align});
    void* const block = arena_.try_allocate(wanted);
    if (!block) return nullptr;
    total_bytes_.add(wanted.size);
    total_count_.add(1);
    return block;
}

void reap::forget_lists() noexcept {
    for (link*& each : lists_) each = nullptr;
    waiting_bytes_.store(0);
    gone_bytes_.store(total_bytes_.load());
    gone_count_.store(total_count_.load());
}

void reap::reset() noexcept {
    forget_lists();
    arena_.reset();
}

void reap::release() noexcept {
    forget_lists();
    arena_.release();
}

// The arena counts blocks that wait as live, and each with what it was rounded up to.
usage reap::with_lists(allot::usage now) const noexcept {
    const auto difference = [](std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; };
    const std::uint64_t gone_bytes = gone_bytes_.load();
    const std::uint64_t gone_count = gone_count_.load();
    now.total_bytes = total_bytes_.load();
    now.total_count = total_count_.load();
    now.live_bytes = difference(now.total_bytes, gone_bytes);
    now.live_count = difference(now.total_count, gone_count);
    now.peak_live_bytes = 0;
    // describe()'s chunks are as of another instant: what lives by now may lie in what was free then.
    now.free_bytes =
        std::min(now.free_bytes + waiting_bytes_.load(), difference(now.held_bytes, now.live_bytes));
    now.slack_bytes = difference(now.held_bytes, now.free_bytes + now.live_bytes);
    return now;
}

usage reap::usage() const noexcept { return with_lists(arena_.usage()); }

source_description reap::do_describe() const noexcept {
    source_description self = arena_.describe();
    self.kind = "reap";
    self.usage = with_lists(self.usage);
    return self;
}

void reap::fatal_block(const void* block, const char* what) const noexcept {
    fatal({"reap '", name().view(), "': ", block, what});
}

void reap::check() const noexcept {
    arena_.check();
    std::uint64_t bytes = 0;
    for (std::size_t index = 0; index < listed_size_max / grain; ++index)
        for (link* each = lists_[index]; each;) {
            ALLOT_EXPECT(arena_.owns(each), "reap '", name().view(),
                         "': check: a block that waits is not its own");
            bytes += (index + 1) * grain;
            allot::mark_live(each, sizeof *each);
            link* const next = each->next;
            if (checks >= check_level::on && each->check != mark_of(each))
                fatal_block(each, " was written to after it was given back");
            if constexpr (poisons) detail::mark_dead(each, sizeof *each, false);
            each = next;
        }
    const allot::usage now = usage();
    ALLOT_EXPECT(bytes == waiting_bytes_.load() &&
                     now.live_bytes + now.free_bytes + now.slack_bytes == now.held_bytes,
                 "reap '", name().view(), "': check: the lists have ", bytes, " bytes, and the books ",
                 waiting_bytes_.load());
}

} // namespace allot
