#include <algorithm>
#include <allot/core/bytes.hpp>
#include <allot/core/client_report.hpp>
#include <allot/platform/threads.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_bounded_pool.hpp>
#include <new>

namespace allot {
namespace {

constexpr std::size_t line_bytes = 64;
constexpr const char* kind = "concurrent_bounded_pool";
constexpr std::uint64_t word_slot_count_max = 32;
constexpr std::uint64_t word_count_wanted = 16; // so that few slots are spread over many lines, too

constexpr layout slot_layout(const concurrent_bounded_pool_options& options) noexcept {
    std::size_t align = std::max(options.slot.align, alignof(std::uint64_t));
    if (options.line_aligned) align = std::max(align, line_bytes);
    return {options.slot.size, align};
}

constexpr std::size_t stride_of(layout slot) noexcept {
    return align_up(std::max(slot.size, sizeof(std::uint64_t)), slot.align);
}

constexpr bool is_possible(const concurrent_bounded_pool_options& options) noexcept {
    constexpr std::uint64_t slot_count_max = std::uint64_t{1} << 31;
    constexpr std::uint64_t bytes_max = std::uint64_t{1} << 62; // leaves room for the words
    std::uint64_t bytes = 0;
    return is_valid(options.slot) && is_valid(slot_layout(options)) && options.slot_count <= slot_count_max &&
           checked_multiply(options.slot_count, std::uint64_t{stride_of(slot_layout(options))}, bytes) &&
           bytes <= bytes_max && options.slot.align <= bytes_max;
}

} // namespace

concurrent_bounded_pool::concurrent_bounded_pool(const concurrent_bounded_pool_options& options) noexcept
    : slot_count_(options.slot_count),
      stride_(stride_of(slot_layout(options))),
      reciprocal_(static_cast<std::uint64_t>(-1) / stride_ + 1),
      slot_(slot_layout(options)),
      name_(options.name),
      upstream_(options.upstream ? *options.upstream : default_source()),
      observer_(options.observer) {
    ALLOT_EXPECT(is_possible(options), "concurrent_bounded_pool '", name_.view(), "': ", options.slot_count,
                 " slots of ", options.slot.size, " bytes (aligned to ", options.slot.align, ") cannot be");
    std::uint64_t exact = 0;
    if (!checked_multiply(slot_count_ * stride_, std::uint64_t{stride_}, exact)) reciprocal_ = 0;
    take_block();
}

std::size_t concurrent_bounded_pool::words_bytes() const noexcept {
    return align_up(word_count_ * sizeof(word), std::max(slot_.align, line_bytes));
}

layout concurrent_bounded_pool::block_layout() const noexcept {
    return {words_bytes() + slot_count_ * stride_, std::max(slot_.align, line_bytes)};
}

void concurrent_bounded_pool::take_block() noexcept {
    const std::uint64_t in_word =
        std::clamp(std::bit_floor(slot_count_ / word_count_wanted), std::uint64_t{1}, word_slot_count_max);
    word_shift_ = static_cast<unsigned>(std::countr_zero(in_word));
    word_count_ = (slot_count_ + in_word - 1) / in_word;
    auto* const block =
        slot_count_ == 0 ? nullptr : static_cast<std::byte*>(upstream_.try_allocate(block_layout()));
    if (!block) {
        slot_count_ = word_count_ = 0;
        return;
    }
    words_ = reinterpret_cast<word*>(block);
    home_mask_ = static_cast<std::uint32_t>(std::bit_floor(word_count_) - 1);
    if (home_mask_ >= detail::thread_slot_count)
        home_shift_ = static_cast<unsigned>(std::bit_width(home_mask_ / detail::thread_slot_count));
    base_ = block + words_bytes();
    for (std::uint64_t i = 0; i != word_count_; ++i) {
        word* const made = ::new (static_cast<void*>(words_ + i)) word;
        made->state.store(all_bits(i), std::memory_order_relaxed);
        made->last.store(static_cast<std::uint32_t>(i), std::memory_order_relaxed);
    }
    // Poisoned, not filled: no slot is touched before it is handed out.
    if constexpr (poisons) detail::mark_dead(base_, slot_count_ * stride_, false);
    held_bytes_ = upstream_.good_size(block_layout());
    tell_client(held_bytes_);
}

concurrent_bounded_pool::~concurrent_bounded_pool() {
    if (slot_count_ == 0) return;
    const allot::usage now = usage();
    if (observer_ && now.live_count != 0) {
        observer_->observe({.what = event::type::unbalanced,
                            .who = name_,
                            .kind = kind,
                            .bytes = now.live_bytes,
                            .count = now.live_count});
    }
    if constexpr (poisons) detail::mark_fresh(base_, slot_count_ * stride_, false);
    upstream_.deallocate(words_, block_layout());
    tell_client(0);
}

std::uint32_t concurrent_bounded_pool::all_bits(std::uint64_t word_index) const noexcept {
    const std::uint64_t first = word_index << word_shift_;
    const std::uint64_t count = std::min(std::uint64_t{1} << word_shift_, slot_count_ - first);
    return static_cast<std::uint32_t>((std::uint64_t{1} << count) - 1);
}

// Who loses a race for a word waits a little, longer in each round, and goes on to the next word: the winner works
// in its own cache meanwhile. Each lost race is another thread's success.
void* concurrent_bounded_pool::search(word& own, bool lost_a_race) noexcept {
    constexpr unsigned pause_doublings = 6;
    if (lost_a_race && detail::thread_slot() == 0) (void)detail::take_thread_slot(); // for a word of its own
    for (unsigned round = 0;; round += round != pause_doublings) {
        std::uint64_t at = own.last.load(std::memory_order_relaxed);
        for (std::uint64_t rest = word_count_; rest != 0; --rest) {
            std::uint64_t state = words_[at].state.load();
            if (free_bits(state) != 0) {
                const auto bit = static_cast<unsigned>(std::countr_zero(state));
                if (words_[at].state.compare_exchange_strong(state, state & (state - 1))) {
                    own.last.store(static_cast<std::uint32_t>(at), std::memory_order_relaxed);
                    return hand_out(at, bit);
                }
                for (unsigned i = 0; i != 1u << round; ++i) spin_pause();
            }
            at = at + 1 == word_count_ ? 0 : at + 1;
        }
        if (are_all_out()) return refuse_exhausted();
    }
}

// Two looks at all words. If no slot was free in either, and none came back between the two looks at its word, then
// at the moment between the looks all were out: a word's count of what came back only grows, so equal sums are
// equal counts. (A count would have to go round, by 2^32, during the call to deceive us.) The order of the looks
// is that of all sequentially consistent operations.
bool concurrent_bounded_pool::are_all_out() const noexcept {
    std::uint64_t sums[2] = {};
    for (std::uint64_t& sum : sums) {
        for (std::uint64_t i = 0; i != word_count_; ++i) {
            const std::uint64_t state = words_[i].state.load();
            if (free_bits(state) != 0) return false;
            sum += state >> 32;
        }
    }
    return sums[0] == sums[1];
}

void* concurrent_bounded_pool::refuse_exhausted() noexcept {
    seldom_.refused_count.fetch_add(1, std::memory_order_relaxed);
    seldom_.peak_live_count.store(slot_count_, std::memory_order_relaxed);
    const std::uint64_t bytes = slot_count_ * slot_.size;
    note_refusal({.who = name_, .kind = kind, .asked = slot_, .limit_bytes = bytes, .live_bytes = bytes});
    return nullptr;
}

void* concurrent_bounded_pool::refuse(layout wanted) noexcept {
    seldom_.refused_count.fetch_add(1, std::memory_order_relaxed);
    note_refusal({.who = name_, .kind = kind, .asked = wanted});
    return nullptr;
}

bool concurrent_bounded_pool::owns(const void* address) const noexcept {
    const std::uint64_t offset =
        reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(base_);
    if (offset >= slot_count_ * stride_) return false;
    const std::uint64_t index = offset / stride_;
    const word& place = words_[index >> word_shift_];
    return (place.used.load(std::memory_order_relaxed) >> (index & ((1u << word_shift_) - 1)) & 1) != 0;
}

void concurrent_bounded_pool::fatal_written(const void* slot) const noexcept {
    fatal({"concurrent_bounded_pool '", name_.view(), "': slot ", slot,
           " was written to after it was given back"});
}

void concurrent_bounded_pool::fatal_not_live(const void* address) const noexcept {
    if (!owns(address))
        fatal({"concurrent_bounded_pool '", name_.view(), "': ", address, " is no slot of this pool"});
    const auto inside = static_cast<std::uint64_t>(static_cast<const std::byte*>(address) - base_) % stride_;
    if (inside == 0)
        fatal({"concurrent_bounded_pool '", name_.view(), "': slot ", address, " given back twice"});
    fatal({"concurrent_bounded_pool '", name_.view(), "': ", address, " lies ", inside, " bytes into slot ",
           static_cast<const void*>(static_cast<const std::byte*>(address) - inside)});
}

void concurrent_bounded_pool::tell_client(std::uint64_t held_bytes) noexcept {
    report_to_client(
        client_id_,
        {.kind = kind, .who = name_, .held_bytes = held_bytes, .held_count = held_bytes != 0 ? 1u : 0u});
}

allot::usage concurrent_bounded_pool::usage() const noexcept {
    std::uint64_t free = 0, freed = 0;
    for (std::uint64_t i = 0; i != word_count_; ++i) {
        const std::uint64_t state = words_[i].state.load(std::memory_order_relaxed);
        free += static_cast<std::uint64_t>(std::popcount(free_bits(state)));
        freed += (state >> 32) + words_[i].wrap_count.load(std::memory_order_relaxed) * came_back;
    }
    const std::uint64_t live = slot_count_ - free;
    std::uint64_t peak = seldom_.peak_live_count.load(std::memory_order_relaxed);
    while (peak < live &&
           !seldom_.peak_live_count.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
    }
    return {.live_bytes = live * slot_.size,
            .live_count = live,
            .peak_live_bytes = std::max(peak, live) * slot_.size,
            .total_bytes = (freed + live) * slot_.size,
            .total_count = freed + live,
            .refused_count = seldom_.refused_count.load(std::memory_order_relaxed),
            .held_bytes = held_bytes_,
            .peak_held_bytes = held_bytes_,
            .held_count = held_bytes_ != 0,
            .slack_bytes = held_bytes_ - slot_count_ * slot_.size,
            .free_bytes = free * slot_.size,
            .limit_bytes = slot_count_ * slot_.size};
}

source_description concurrent_bounded_pool::do_describe() const noexcept {
    allot::usage now = usage();
    now.behind_bytes_max = now.limit_bytes;
    return {.name = name_, .kind = kind, .upstream = &upstream_, .usage = now};
}

void concurrent_bounded_pool::do_give_back(void* slot, layout given) noexcept {
    concurrent_bounded_pool::deallocate(slot, given);
}

bool concurrent_bounded_pool::do_try_resize(void*, layout given, std::size_t new_size) noexcept {
    return fits({new_size, given.align});
}

std::size_t concurrent_bounded_pool::do_good_size(layout wanted) const noexcept {
    return fits(wanted) ? slot_.size : wanted.size;
}

void concurrent_bounded_pool::check() const noexcept {
    for (std::uint64_t i = 0; i != word_count_; ++i) {
        const word& each = words_[i];
        const std::uint32_t all = all_bits(i);
        const std::uint32_t free = free_bits(each.state.load(std::memory_order_relaxed));
        const std::uint32_t used = each.used.load(std::memory_order_relaxed);
        ALLOT_EXPECT((free & ~all) == 0 && (used & ~all) == 0, "concurrent_bounded_pool: a slot too many");
        ALLOT_EXPECT((all & ~free & ~used) == 0, "concurrent_bounded_pool: a slot lives and was never used");
        ALLOT_EXPECT(each.last.load(std::memory_order_relaxed) < word_count_,
                     "concurrent_bounded_pool: a word is lost");
    }
}

} // namespace allot
