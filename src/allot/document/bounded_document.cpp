#include <algorithm>
#include <allot/document/bounded_document.hpp>
#include <cstdio>

namespace allot {
namespace {

// "agent" and ".keys", within a name's length.
name part_name(const name& whole) noexcept {
    char text[name::length_max + 1];
    const int written =
        std::snprintf(text, sizeof text, "%.*s.keys", static_cast<int>(name::length_max - 5), whole.c_str());
    return std::string_view(text, static_cast<std::size_t>(written));
}

} // namespace

namespace detail {

void* pool_part::do_try_allocate(layout wanted) noexcept {
    void* const block = pool_.try_allocate(wanted);
    if (!block) return nullptr;
    live_bytes_.add(wanted.size);
    live_count_.add(1);
    return block;
}

void pool_part::do_give_back(void* block, layout given) noexcept {
    pool_.deallocate(block, given);
    live_bytes_.add(0 - std::uint64_t{given.size});
    live_count_.add(~std::uint64_t{0});
}

source_description pool_part::do_describe() const noexcept {
    return {.name = name_,
            .kind = "pool_part",
            .upstream = &pool_,
            .usage = {.live_bytes = live_bytes_.load(), .live_count = live_count_.load()}};
}

} // namespace detail

bounded_document::bounded_document(const bounded_document_options& options) noexcept
    : pool_({.name = options.name,
             .tiers = options.tiers,
             .upstream = options.upstream,
             .promotes = options.promotes,
             .warn_percent = options.warn_percent,
             .observer = options.observer}),
      tree_part_(options.name, pool_),
      keys_part_(part_name(options.name), pool_),
      keys_(
          {.name = part_name(options.name), .upstream = &keys_part_, .limit_bytes = options.keys_bytes_max}),
      paged_(options.pages, options.page_bytes_max, options.page_count_max,
             options.upstream ? *options.upstream : default_source()),
      pageable_(options.pageable.first(std::min<std::size_t>(options.pageable.size(), pageable_max))),
      makes_room_(options.makes_room),
      tree_({.name = options.name, .upstream = &tree_part_, .keys = &keys_}),
      reader_({.upstream = options.upstream, .read = {.bytes_max = options.json_bytes_max}}),
      reads_json_(options.json_bytes_max != 0 && has_json() && reader_.try_reserve(options.json_bytes_max)) {
    (void)error("made at the start"); // this thread's memory for errors is taken now
}

// The observer hears of what close() says from the pool.
bounded_document::~bounded_document() { (void)close(); }

result<void> bounded_document::read_json(std::string_view text) noexcept {
    if (!reads_json_ && has_json())
        return error("bounded_document: no memory was reserved for JSON (json_bytes_max)");
    return reader_.read(tree_, text);
}

bounded_document_numbers bounded_document::numbers() const noexcept {
    bounded_document_numbers now{.tree_bytes = tree_part_.live_bytes(),
                                 .key_bytes = keys_part_.live_bytes(),
                                 .capacity_bytes = pool_.capacity()};
    const allot::usage all = pool_.usage();
    now.other_bytes = all.live_bytes - now.tree_bytes - now.key_bytes;
    now.free_bytes = all.free_bytes;
    now.paged_count = paged_.count();
    now.paged_bytes = paged_.bytes();
    now.page_outs = paged_.page_outs();
    now.page_ins = paged_.page_ins();
    now.slack_bytes = now.capacity_bytes - all.live_bytes - all.free_bytes;
    return now;
}

void bounded_document::check() const noexcept {
    pool_.check();
    keys_.check();
    tree_.check();
    const bounded_document_numbers now = numbers();
    ALLOT_EXPECT(now.other_bytes <= now.capacity_bytes && tree_.usage().live_bytes == now.tree_bytes &&
                     keys_.usage().held_bytes >= now.key_bytes,
                 "bounded_document '", name().view(), "': its tree has ", now.tree_bytes, " bytes, its keys ",
                 now.key_bytes, ", others ", now.other_bytes, " of ", now.capacity_bytes);
}

// Every step is gone, whatever the others find (B46).
result<void> bounded_document::close() noexcept {
    const std::uint64_t other_bytes = numbers().other_bytes;
    tree_.clear();
    keys_.clear();
    const std::uint64_t left_bytes = pool_.usage().live_bytes;
    const std::uint64_t lost_count = paged_.take_lost_count();
    char text[160];
    if (left_bytes == 0 && paged_.count() == 0 && lost_count == 0) return {};
    if (left_bytes == 0) {
        std::snprintf(
            text, sizeof text,
            "bounded_document '%s': the cold_store '%s' lost %llu of its pages, snapshots have %llu",
            name().c_str(), paged_.pages()->name().c_str(), static_cast<unsigned long long>(lost_count),
            static_cast<unsigned long long>(paged_.count()));
        return error(text);
    }
    std::snprintf(text, sizeof text, "%llu bytes are not free: snapshots have %llu, others %llu",
                  static_cast<unsigned long long>(left_bytes),
                  static_cast<unsigned long long>(tree_part_.live_bytes()),
                  static_cast<unsigned long long>(other_bytes));
    error whole(text);
    for (std::size_t i = pool_.tier_count(); i-- != 0;) {
        const size_tier_numbers tier = pool_.numbers(i);
        if (tier.live_count == 0) continue;
        std::snprintf(text, sizeof text, "'%s' has %llu live slots", tier.name.c_str(),
                      static_cast<unsigned long long>(tier.live_count));
        whole.during(text);
    }
    std::snprintf(text, sizeof text, "bounded_document '%s'", name().c_str());
    return std::move(whole).during(text);
}

} // namespace allot
