#include "parts.hpp"

#include <allot/governance/budget.hpp>
#include <allot/governance/budgeted_source.hpp>
#include <allot/governance/ledger.hpp>
#include <allot/governance/listed_source.hpp>
#include <allot/governance/placement.hpp>
#include <allot/governance/tagged_heap.hpp>
#include <allot/governance/tracked_source.hpp>
#include <allot/source/buffer_source.hpp>
#include <allot/source/chunk_cache_source.hpp>
#include <allot/source/fallback_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/source/null_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/source/pmr_source.hpp>
#include <allot/source/region.hpp>
#include <allot/source/synchronized_source.hpp>
#include <allot/structure/arena.hpp>
#include <allot/structure/buffer_pool.hpp>
#include <allot/structure/concurrent_arena.hpp>
#include <allot/structure/concurrent_bounded_pool.hpp>
#include <allot/structure/concurrent_buffer_pool.hpp>
#include <allot/structure/concurrent_pool.hpp>
#include <allot/structure/operation_context.hpp>
#include <allot/structure/pool.hpp>
#include <allot/structure/reap.hpp>
#include <allot/structure/scratch.hpp>
#include <allot/structure/tiered_pool.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/leak_check.hpp>

namespace allot::composition {
namespace {

constexpr std::size_t buffer_bytes = mebibytes(16);

// There are thousands of stacks, one at a time: the pages of a buffer of each one's own, and a sanitizer's marks for
// them, would be most of the time.
class lent_bytes {
public:
    explicit lent_bytes(std::size_t size) : all(bytes_.get(), size) {
        if (std::exchange(is_lent_, true) || size > buffer_bytes) std::abort();
    }
    ~lent_bytes() { is_lent_ = false; }
    lent_bytes(const lent_bytes&) = delete;
    lent_bytes& operator=(const lent_bytes&) = delete;

    const std::span<std::byte> all;

private:
    static inline const std::unique_ptr<std::byte[]> bytes_ =
        std::make_unique_for_overwrite<std::byte[]>(buffer_bytes);
    static inline bool is_lent_ = false;
};

std::span<std::byte> put_buffer(stack& tower, std::size_t size) {
    return tower.put<lent_bytes>([](auto&) { return std::string(); }, size).all;
}

const part all_bases[] = {
    {"malloc_source", [](stack& tower) { tower.put_source<malloc_source>(); }},
    {"page_source", [](stack& tower) { tower.put_source<page_source>(); }},
    {"buffer_source",
     [](stack& tower) {
         tower.put_source<buffer_source>(put_buffer(tower, buffer_bytes));
         tower.limits.bytes_max = buffer_bytes / 2;
     }},
    {"region",
     [](stack& tower) { tower.put_source<region>(region_options{.reserved_bytes = gibibytes(1)}); }},
    {"fallback_source",
     [](stack& tower) {
         auto& first = tower.put_source<buffer_source>(put_buffer(tower, kibibytes(64)));
         auto& second = tower.put_source<malloc_source>();
         tower.put_source<fallback_source>(first, second);
     }},
    {"pmr_source",
     [](stack& tower) {
         // Not over operator new, at whose shortage AddressSanitizer ends the program.
         auto& system = tower.put_source<malloc_source>();
         auto& pool =
             tower.put<std::pmr::unsynchronized_pool_resource>([](auto&) { return std::string(); }, &system);
         tower.put_source<pmr_source>(pool);
     }},
    {"chunk_cache_source",
     [](stack& tower) {
         auto& system = tower.put_source<malloc_source>();
         tower.put_source<chunk_cache_source>(system);
     }},
    {"null_source",
     [](stack& tower) {
         tower.put_source<null_source>();
         tower.limits.size_max = 0;
     }},
};

// What a decorator adds to a block, where the structure below has slots of a fixed size.
void spend(stack& tower, std::size_t bytes) {
    std::size_t& size_max = tower.limits.size_max;
    size_max -= std::min(size_max, bytes);
}

const part all_decorators[] = {
    {"synchronized_source", [](stack& tower) { tower.put_source<synchronized_source>(tower.top()); }},
    {"pmr_source",
     [](stack& tower) {
         const source_traits below = tower.top().traits();
         tower.put_source<pmr_source>(
             tower.top(), pmr_source_options{.thread_safe = below.thread_safe, .bulk_free = below.bulk_free});
     }},
    {"failing_source", [](stack& tower) { tower.put_source<failing_source>(tower.top()); }},
    {"auditing_source",
     [](stack& tower) {
         constexpr auditing_source_options collecting{.on_finding = on_finding::collect};
         tower.set_top(tower.put<auditing_source>(
             [](auditing_source& audited) {
                 audited.check_nothing_live();
                 return audited.finding_count() == 0 ? std::string() : text(audited.findings().front());
             },
             tower.top(), collecting));
         spend(tower, tower.limits.align_max + collecting.guard_bytes);
     }},
    {"leak_check",
     [](stack& tower) {
         tower.put_source<leak_check>(
             tower.top(), leak_check_options{.on_finding = on_finding::collect, .frame_count = 0});
     }},
    {"budgeted_source",
     [](stack& tower) {
         auto& limit = tower.put<budget>([](budget& left) { return stack::live_of(left); },
                                         budget_options{.upstream = &tower.bottom()});
         tower.put_source<budgeted_source>(
             budgeted_source_options{.upstream = &tower.top(), .limit = &limit});
     }},
    {"tracked_source",
     [](stack& tower) {
         auto& books =
             tower.put<ledger>([](ledger& left) { return stack::text_of_live(left.usage_of_tree(tag())); },
                               ledger_options{.upstream = &tower.bottom()});
         tower.put_source<tracked_source>(
             tracked_source_options{.upstream = &tower.top(), .books = &books, .whose = tags::node});
     }},
    {"listed_source",
     [](stack& tower) {
         tower.put_source<listed_source>(listed_source_options{.upstream = &tower.top()});
         spend(tower, tower.limits.align_max);
     }},
    {"placement", // without an inline buffer, which no limit below would bind
     [](stack& tower) {
         auto& where = tower.put<placement>([](auto&) { return std::string(); },
                                            placement_options{.arena = &tower.top(), .heap = &tower.top()});
         tower.put_source<placed_source>(where, placement_class{.lives = lifetime::call});
     }},
    {"tagged_heap",
     [](stack& tower) {
         if (!tower.top().traits().thread_safe) tower.put_source<synchronized_source>(tower.top());
         auto& heap = tower.put<tagged_heap>(
             [](tagged_heap& left) { return stack::text_of_live(left.usage(tags::node)); },
             tagged_heap_options{.upstream = &tower.top()});
         tower.set_top(heap.source(tags::node));
         spend(tower, tower.limits.align_max);
     }},
};

const part all_structures[] = {
    {"arena",
     [](stack& tower) {
         auto& it = tower.put_source<arena>(arena_options{.upstream = &tower.top(), .above = tower.above()});
         tower.ends_in_bulk([&it] { it.reset(); });
     }},
    {"pool",
     [](stack& tower) {
         constexpr layout slot{.size = 4096, .align = 64};
         tower.put_source<pool>(pool_options{.slot = slot, .upstream = &tower.top()});
         tower.limits.size_max = slot.size;
         tower.limits.align_max = slot.align;
     }},
    {"concurrent_pool",
     [](stack& tower) {
         constexpr layout slot{.size = 4096, .align = 64};
         if (!tower.top().traits().thread_safe) tower.put_source<synchronized_source>(tower.top());
         tower.put_source<concurrent_pool>(concurrent_pool_options{.slot = slot, .upstream = &tower.top()});
         tower.limits.size_max = slot.size;
         tower.limits.align_max = slot.align;
     }},
    {"buffer_pool",
     [](stack& tower) { tower.put_source<buffer_pool>(buffer_pool_options{.upstream = &tower.top()}); }},
    {"concurrent_buffer_pool",
     [](stack& tower) {
         if (!tower.top().traits().thread_safe) tower.put_source<synchronized_source>(tower.top());
         tower.put_source<concurrent_buffer_pool>(buffer_pool_options{.upstream = &tower.top()});
     }},
    {"concurrent_arena",
     [](stack& tower) {
         if (!tower.top().traits().thread_safe) tower.put_source<synchronized_source>(tower.top());
         tower.put_source<concurrent_arena>(concurrent_arena_options{.upstream = &tower.top()});
     }},
    {"operation_context",
     [](stack& tower) {
         auto& from = tower.put<arena>([](arena&) { return std::string(); },
                                       arena_options{.upstream = &tower.top(), .limit_bytes = kibibytes(64)});
         tower.put_source<operation_context>(
             operation_context_options{.from = &from, .upstream = &tower.top()});
         spend(tower, tower.limits.align_max);
     }},
    {"reap", [](stack& tower) { tower.put_source<reap>(reap_options{.upstream = &tower.top()}); }},
    {"scratch",
     [](stack& tower) {
         if (!tower.top().traits().thread_safe) tower.put_source<synchronized_source>(tower.top());
         auto& arenas = tower.put<scratch_arenas>(
             [](scratch_arenas&) { return std::string(); },
             scratch_options{.upstream = &tower.top(), .ready_bytes = kibibytes(4)});
         auto& scope =
             tower.put<scratch>([](scratch& open) { return stack::live_of(*open.operator->()); }, arenas);
         tower.set_top(scope);
     }},
};

const part all_fixed_structures[] = {
    {"concurrent_bounded_pool",
     [](stack& tower) {
         constexpr layout slot{.size = 4096, .align = 64};
         tower.put_source<concurrent_bounded_pool>(
             concurrent_bounded_pool_options{.slot = slot, .slot_count = 400, .upstream = &tower.top()});
         tower.limits.size_max = slot.size;
         tower.limits.align_max = slot.align;
     }},
    {"tiered_pool",
     [](stack& tower) {
         static constexpr size_tier tiers[] = {{.slot_bytes = 64, .slot_count = 400},
                                               {.slot_bytes = 4096, .slot_count = 400}};
         tower.put_source<tiered_pool>(tiered_pool_options{.tiers = tiers, .upstream = &tower.top()});
         tower.limits.size_max = 4096;
         tower.limits.align_max = 16;
     }},
};

} // namespace

std::span<const part> bases() { return all_bases; }
std::span<const part> decorators() { return all_decorators; }
std::span<const part> structures() { return all_structures; }
std::span<const part> fixed_structures() { return all_fixed_structures; }

std::vector<std::string> stack::take_down() {
    std::vector<std::string> left;
    while (!parts_.empty()) {
        const std::string remains = parts_.back().remains();
        if (!remains.empty()) left.push_back(remains);
        parts_.pop_back();
    }
    return left;
}

std::string stack::text_of_live(const usage& now) {
    if (now.live_bytes == 0 && now.live_count == 0) return {};
    return std::to_string(now.live_count) + " blocks, " + std::to_string(now.live_bytes) + " bytes live";
}

} // namespace allot::composition
