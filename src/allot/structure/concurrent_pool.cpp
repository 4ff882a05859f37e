#include <algorithm>
#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_pool.hpp>

namespace allot {
namespace {

constexpr std::size_t line_bytes = 64;

constexpr layout slot_layout(const concurrent_pool_options& options) noexcept {
    std::size_t align = std::max(options.slot.align, alignof(void*));
    if (options.line_aligned) align = std::max(align, line_bytes);
    return {options.slot.size, align};
}

constexpr std::size_t stride_of(layout slot) noexcept {
    return align_up(std::max(slot.size, sizeof(std::uint64_t)), slot.align);
}

// A thread keeps 32 KiB of slots at most, or four. Where there are few, other threads get some, too.
constexpr std::uint32_t magazine_slots(const concurrent_pool_options& options) noexcept {
    if (options.magazine_slots != 0) return options.magazine_slots;
    constexpr std::uint64_t usual = detail::magazine_options::items_usual;
    const std::uint64_t by_size = std::max<std::uint64_t>(kibibytes(16) / stride_of(slot_layout(options)), 2);
    const std::uint64_t by_count = std::max<std::uint64_t>(options.slot_count_max / 32, 1);
    return static_cast<std::uint32_t>(std::min({usual, by_size, by_count}));
}

} // namespace

concurrent_pool::concurrent_pool(const concurrent_pool_options& options) noexcept
    : stride_(stride_of(slot_layout(options))),
      reciprocal_(static_cast<std::uint64_t>(-1) / stride_ + 1),
      guard_(reciprocal_ * 0x9E37'79B9'7F4A'7C15 ^ reinterpret_cast<std::uintptr_t>(this)),
      slot_(slot_layout(options)),
      name_(options.name),
      observer_(options.observer),
      slot_count_max_(options.slot_count_max),
      slab_sizes_(options.slabs),
      upstream_(options.upstream ? *options.upstream : default_source(), name_, options.limit_bytes),
      cache_(upstream_, {.magazine_items = magazine_slots(options)}),
      slabs_(upstream_),
      next_slab_bytes_(options.slabs.bytes_min) {
    ALLOT_EXPECT(is_valid(options.slot), "concurrent_pool '", name_.view(), "': a slot of ",
                 options.slot.size, " bytes (aligned to ", options.slot.align, ") cannot be");
    ALLOT_EXPECT(upstream_.raw().traits().thread_safe, "concurrent_pool '", name_.view(), "': upstream '",
                 upstream_.raw().describe().name.view(), "' is not for many threads");
}

concurrent_pool::~concurrent_pool() {
    const std::uint64_t left = usage().live_count;
    if (observer_ && left != 0) {
        observer_->observe({.what = event::type::unbalanced,
                            .who = name_,
                            .kind = "concurrent_pool",
                            .bytes = left * slot_.size,
                            .count = left});
    }
    release();
}

// Under the lock one thread at a time cuts a magazine full of slots; who waited finds them, or cuts its own.
void* concurrent_pool::allocate_new() noexcept {
    std::byte* first = nullptr;
    std::uint64_t count = 0;
    {
        const detail::fork_mutex::guard hold(growing_);
        if (void* const slot = cache_.try_take()) {
            if constexpr (checks != check_level::off) check_out(slot);
            mark_fresh(slot, slot_.size);
            return slot;
        }
        std::size_t from = slabs_.with_uncut();
        if (from == slabs_.size() && grow(1)) from = slabs_.with_uncut();
        if (from == slabs_.size()) {
            refused_count_.add(1);
            return nullptr;
        }
        auto& record = slabs_.at(from);
        count = std::min<std::uint64_t>(record.count - record.cut, cache_.magazine_items());
        first = reinterpret_cast<std::byte*>(slabs_.range(from).first) + record.cut * stride_;
        record.cut += count;
        slabs_.set_bytes(from, record.cut * stride_);
        peak_cut_count_.raise(cut_count_.add(count));
        first_count_.add(1);
    }
    for (std::uint64_t i = count; i-- > 1;) {
        std::byte* const slot = first + i * stride_;
        if constexpr (checks != check_level::off) mark_in(slot);
        if (!cache_.try_put(slot)) fatal_no_magazine();
    }
    if constexpr (checks != check_level::off) mark_out(first); // it may hold the guard of an earlier pool
    mark_fresh(first, slot_.size);
    return first;
}

// Remembers the slab in this thread's cell.
void concurrent_pool::look_up(const void* slot) noexcept {
    const std::uint64_t version = slabs_.version();
    const detail::slab_range home = slabs_.find(slot);
    if (!home || (reinterpret_cast<std::uintptr_t>(slot) - home.first) % stride_ != 0) fatal_foreign(slot);
    cache_.note({home.first, home.bytes, version});
}

bool concurrent_pool::is_filled(void* slot) const noexcept {
    constexpr std::byte dead_fill{0xDD};
    mark_live(slot, stride_);
    const auto* const bytes = static_cast<const std::byte*>(slot);
    return std::all_of(bytes + sizeof guard_, bytes + stride_,
                       [](std::byte each) { return each == dead_fill; });
}

void concurrent_pool::fatal_twice(const void* slot) const noexcept {
    fatal({"concurrent_pool '", name_.view(), "': slot ", slot, " given back twice"});
}

void concurrent_pool::fatal_written(const void* slot) const noexcept {
    fatal({"concurrent_pool '", name_.view(), "': slot ", slot, " was written to after it was given back"});
}

void concurrent_pool::fatal_foreign(const void* address) const noexcept {
    const detail::slab_range home = slabs_.find(address);
    if (!home) fatal({"concurrent_pool '", name_.view(), "': ", address, " is no slot of this pool"});
    const auto inside = (reinterpret_cast<std::uintptr_t>(address) - home.first) % stride_;
    fatal({"concurrent_pool '", name_.view(), "': ", address, " lies ", inside, " bytes into slot ",
           static_cast<const void*>(static_cast<const std::byte*>(address) - inside)});
}

// Only more slots than were ever cut come here: grow() reserved for all.
void concurrent_pool::fatal_no_magazine() const noexcept {
    fatal({"concurrent_pool '", name_.view(), "': more slots came back than there are"});
}

void* concurrent_pool::refuse(layout wanted) noexcept {
    refused_count_.add(1);
    note_refusal({.who = name_, .kind = "concurrent_pool", .asked = wanted});
    return nullptr;
}

void concurrent_pool::note_limit() noexcept {
    const allot::usage now = usage();
    note_refusal({.who = name_,
                  .kind = "concurrent_pool",
                  .asked = slot_,
                  .limit_bytes = now.limit_bytes,
                  .live_bytes = now.live_bytes});
}

allot::usage concurrent_pool::usage() const noexcept {
    const detail::magazine_cache::numbers now = cache_.read();
    const std::uint64_t cut = cut_count_.load();
    const std::uint64_t capacity = slabs_.slot_count();
    const std::uint64_t live = cut > now.kept ? cut - now.kept : 0; // others may be between the two
    const std::uint64_t total = now.taken + first_count_.load();
    allot::usage all{.live_bytes = live * slot_.size,
                     .live_count = live,
                     .peak_live_bytes = peak_cut_count_.load() * slot_.size,
                     .total_bytes = total * slot_.size,
                     .total_count = total,
                     .refused_count = refused_count_.load(),
                     .held_bytes = upstream_.held_bytes(),
                     .peak_held_bytes = upstream_.peak_held_bytes(),
                     .held_count = slab_count_.load()};
    all.free_bytes = capacity > live ? (capacity - live) * slot_.size : 0;
    const std::uint64_t used = all.live_bytes + all.free_bytes;
    all.slack_bytes = all.held_bytes > used ? all.held_bytes - used : 0;
    all.behind_bytes_max = cache_.cell_count() * cache_.magazine_items() * slot_.size;
    if (upstream_.limit_bytes() != allot::usage::unlimited)
        all.limit_bytes = upstream_.limit_bytes();
    else if (slot_count_max_ != allot::usage::unlimited)
        all.limit_bytes = slot_count_max_ * slot_.size;
    if (all.limit_bytes != allot::usage::unlimited)
        all.early_bytes_max = cache_.early_count_max() * slot_.size;
    return all;
}

source_description concurrent_pool::do_describe() const noexcept {
    return {.name = name_, .kind = "concurrent_pool", .upstream = &upstream_.raw(), .usage = usage()};
}

bool concurrent_pool::owns(const void* address) const noexcept {
    return static_cast<bool>(slabs_.find(address));
}

} // namespace allot
