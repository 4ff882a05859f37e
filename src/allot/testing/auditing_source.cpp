#include <algorithm>
#include <allot/core/bytes.hpp>
#include <allot/core/contract.hpp>
#include <allot/core/poison.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/no_allocation.hpp>
#include <array>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>

namespace allot {
namespace {

// What mark_dead fills with at level full, so that both agree.
constexpr unsigned char guard_fill = 0xDD;
constexpr std::size_t findings_kept_max = 64;
constexpr std::size_t gone_kept = 1024;
constexpr unsigned written_before = 1, written_after = 2;

std::string text(const void* address) {
    char digits[24];
    std::snprintf(digits, sizeof digits, "%p", address);
    return digits;
}

std::string text(layout block) {
    return std::to_string(block.size) + " bytes aligned to " + std::to_string(block.align);
}

std::string text(std::uint64_t count, std::uint64_t sum_bytes) {
    return std::to_string(count) + " blocks of " + std::to_string(sum_bytes) + " bytes together";
}

unsigned char* at(void* address, std::size_t offset) noexcept {
    return static_cast<unsigned char*>(address) + offset;
}

bool untouched(const unsigned char* first, std::size_t count) noexcept {
    return std::all_of(first, first + count, [](unsigned char byte) { return byte == guard_fill; });
}

void guard(unsigned char* first, std::size_t count) noexcept {
    if (count == 0) return;
    mark_live(first, count);
    std::memset(first, guard_fill, count);
    mark_dead(first, count);
}

} // namespace

std::string text(const audit_finding& finding) {
    allocation_allowed own;
    using type = audit_finding::type;
    const std::string address = text(finding.address);
    const std::string block = address + " (" + text(finding.block) + ")";
    switch (finding.what) {
    case type::foreign_block: return "foreign block: " + block;
    case type::given_back_twice: return "given back twice: " + block;
    case type::wrong_layout:
        return "wrong layout: " + address + " has " + text(finding.block) + ", came back as " +
               text(finding.claimed);
    case type::written_before: return "written before the block: " + block;
    case type::written_after: return "written after the block: " + block;
    case type::leaked: return "leaked: " + text(finding.count, finding.sum_bytes) + ", the oldest " + block;
    case type::bad_grant: return "bad grant: " + block + " is misaligned or overlaps a live block";
    case type::wrong_bulk_free:
        return "wrong bulk free: " + text(finding.count, finding.sum_bytes) + ", where the newest have " +
               std::to_string(finding.claimed.size) + " bytes";
    }
    return {};
}

struct auditing_source::record {
    layout inner = {};
    std::uint64_t number = 0; // the age of the block: it stays when the block is resized
};

struct auditing_source::books {
    mutable std::mutex mutex;
    std::map<std::uintptr_t, record> live;
    allot::usage numbers;
    std::uint64_t finding_counts[audit_finding::type_count] = {};
    std::vector<audit_finding> findings;
    std::array<const void*, gone_kept> gone = {}; // a ring of what came back last
    std::size_t gone_next = 0;

    void forget(std::map<std::uintptr_t, record>::iterator block) {
        numbers.live_bytes -= block->second.inner.size;
        --numbers.live_count;
        live.erase(block);
    }
    bool overlaps(std::uintptr_t begin, std::size_t size) const {
        const auto next = live.lower_bound(begin);
        if (next != live.end() && next->first - begin < size) return true;
        if (next == live.begin()) return false;
        const auto before = std::prev(next);
        return begin - before->first < before->second.inner.size;
    }
};

auditing_source::auditing_source(memory_source& upstream, const auditing_source_options& how)
    : name_(how.name), upstream_(upstream), on_finding_(how.on_finding), guard_bytes_(how.guard_bytes) {
    ALLOT_EXPECT(guard_bytes_ == 0 || is_power_of_two(guard_bytes_), "auditing_source '", name_.view(),
                 "': guard_bytes of ", guard_bytes_, " is no power of two");
    allocation_allowed own;
    books_ = std::make_unique<books>();
    books_->findings.reserve(findings_kept_max);
}

auditing_source::~auditing_source() {
    allocation_allowed own;
    check_nothing_live();
    if (upstream_.traits().bulk_free) return; // the blocks may be gone already
    for (const auto& [key, entry] : books_->live) {
        unsigned char* const address = reinterpret_cast<unsigned char*>(key);
        found_written(lift_guards(address, entry.inner), address, entry.inner);
        upstream_.deallocate(address - front_bytes(entry.inner.align), with_guards(entry.inner));
    }
}

// A block of upstream: [front: a multiple of the alignment, so that the block is
// aligned][block][guard_bytes].
std::size_t auditing_source::front_bytes(std::size_t align) const noexcept {
    return guard_bytes_ == 0 ? 0 : std::max(align, guard_bytes_);
}

layout auditing_source::with_guards(layout inner) const noexcept {
    return {inner.size + front_bytes(inner.align) + guard_bytes_, inner.align};
}

void auditing_source::set_guards(void* address, layout inner) const noexcept {
    const std::size_t front = front_bytes(inner.align);
    guard(static_cast<unsigned char*>(address) - front, front);
    guard(at(address, inner.size), guard_bytes_);
}

// Makes the guards readable and says on which sides they were written.
unsigned auditing_source::lift_guards(void* address, layout inner) const noexcept {
    if (guard_bytes_ == 0) return 0;
    const std::size_t front = front_bytes(inner.align);
    unsigned char* const first = at(address, 0) - front;
    unsigned char* const last = at(address, inner.size);
    mark_live(first, front);
    mark_live(last, guard_bytes_);
    return (untouched(first, front) ? 0 : written_before) |
           (untouched(last, guard_bytes_) ? 0 : written_after);
}

void auditing_source::found_written(unsigned sides, const void* address, layout inner) noexcept {
    using type = audit_finding::type;
    if (sides & written_before)
        found({.what = type::written_before, .address = address, .block = inner, .claimed = inner});
    if (sides & written_after)
        found({.what = type::written_after, .address = address, .block = inner, .claimed = inner});
}

void auditing_source::enter(void* address, const record& entry) noexcept {
    const std::uintptr_t key = reinterpret_cast<std::uintptr_t>(address);
    bool bad = key % entry.inner.align != 0;
    {
        const std::lock_guard hold(books_->mutex);
        allot::usage& now = books_->numbers;
        if (books_->overlaps(key, entry.inner.size)) {
            bad = true;
            if (const auto same = books_->live.find(key); same != books_->live.end()) books_->forget(same);
        }
        books_->live.emplace(key, entry);
        now.live_bytes += entry.inner.size;
        ++now.live_count;
        now.peak_live_bytes = std::max(now.peak_live_bytes, now.live_bytes);
    }
    if (bad) found({.what = audit_finding::type::bad_grant, .address = address, .block = entry.inner});
}

// Takes a block off the books, so that nobody else can meet it there while upstream works on it.
bool auditing_source::take_out(void* address, layout given, record& out) noexcept {
    audit_finding finding{.address = address, .block = given, .claimed = given};
    {
        const std::lock_guard hold(books_->mutex);
        const auto block = books_->live.find(reinterpret_cast<std::uintptr_t>(address));
        if (block == books_->live.end()) {
            const auto& gone = books_->gone;
            finding.what = std::find(gone.begin(), gone.end(), address) != gone.end()
                               ? audit_finding::type::given_back_twice
                               : audit_finding::type::foreign_block;
        } else {
            out = block->second;
            books_->forget(block);
            if (out.inner == given) return true;
            finding.what = audit_finding::type::wrong_layout;
            finding.block = out.inner;
        }
    }
    found(finding);
    return finding.what == audit_finding::type::wrong_layout;
}

void* auditing_source::do_try_allocate(layout wanted) noexcept {
    allocation_allowed own;
    void* const base = upstream_.try_allocate(with_guards(wanted));
    return base ? hand_out(at(base, front_bytes(wanted.align)), wanted) : nullptr;
}

block auditing_source::do_try_allocate_at_least(layout wanted) noexcept {
    allocation_allowed own;
    const layout outer = with_guards(wanted);
    const block given = upstream_.try_allocate_at_least(outer);
    if (!given) return {};
    const layout inner{wanted.size + (given.size - outer.size), wanted.align};
    return {hand_out(at(given.address, front_bytes(inner.align)), inner), inner.size};
}

void* auditing_source::hand_out(void* address, layout inner) noexcept {
    set_guards(address, inner);
    record entry{.inner = inner};
    {
        const std::lock_guard hold(books_->mutex);
        entry.number = ++books_->numbers.total_count;
        books_->numbers.total_bytes += inner.size;
    }
    enter(address, entry);
    return address;
}

void auditing_source::do_give_back(void* address, layout given) noexcept {
    allocation_allowed own;
    record entry;
    if (!take_out(address, given, entry)) return;
    note_gone(address);
    found_written(lift_guards(address, entry.inner), address, entry.inner);
    upstream_.deallocate(at(address, 0) - front_bytes(entry.inner.align), with_guards(entry.inner));
}

void auditing_source::note_gone(const void* address) noexcept {
    const std::lock_guard hold(books_->mutex);
    books_->gone[books_->gone_next++ % gone_kept] = address;
}

bool auditing_source::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    allocation_allowed own;
    record entry;
    if (!take_out(address, given, entry)) return false;
    const layout old = entry.inner;
    found_written(lift_guards(address, old), address, old);
    const std::size_t front = front_bytes(old.align);
    const std::size_t new_outer_size = with_guards({new_size, old.align}).size;
    const bool done = upstream_.try_resize(at(address, 0) - front, with_guards(old), new_outer_size);
    if (done) {
        entry.inner.size = new_size;
        if (new_size > old.size) mark_fresh(at(address, old.size), new_size - old.size);
    }
    set_guards(address, entry.inner);
    enter(address, entry);
    return done;
}

void* auditing_source::do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept {
    allocation_allowed own;
    record entry;
    if (!take_out(address, given, entry)) return nullptr;
    const layout old = entry.inner;
    found_written(lift_guards(address, old), address, old);
    const std::size_t front = front_bytes(old.align);
    const std::size_t new_outer_size = with_guards({new_size, old.align}).size;
    void* const base = upstream_.try_reallocate(at(address, 0) - front, with_guards(old), new_outer_size);
    void* const now = base ? at(base, front) : address;
    if (base) {
        entry.inner.size = new_size;
        if (new_size > old.size) mark_fresh(at(now, old.size), new_size - old.size);
        if (now != address) note_gone(address);
    }
    set_guards(now, entry.inner);
    enter(now, entry);
    return base ? now : nullptr;
}

std::size_t auditing_source::do_good_size(layout wanted) const noexcept {
    const layout outer = with_guards(wanted);
    return wanted.size + (upstream_.good_size(outer) - outer.size);
}

source_traits auditing_source::do_traits() const noexcept { return upstream_.traits(); }

source_description auditing_source::do_describe() const noexcept {
    return {.name = name_, .kind = "auditing_source", .upstream = &upstream_, .usage = usage()};
}

allot::usage auditing_source::usage() const noexcept {
    const std::lock_guard hold(books_->mutex);
    return books_->numbers;
}

void auditing_source::check() noexcept {
    allocation_allowed own;
    struct broken_block {
        const void* address;
        layout inner;
        unsigned sides;
    };
    // Under the lock nobody takes a block off the books, so every guard is there to be read; and findings are
    // made after it, because a fatal line takes it too.
    std::vector<broken_block> broken;
    {
        const std::lock_guard hold(books_->mutex);
        for (const auto& [key, entry] : books_->live) {
            void* const address = reinterpret_cast<void*>(key);
            const unsigned sides = lift_guards(address, entry.inner);
            set_guards(address, entry.inner);
            if (sides != 0) broken.push_back({address, entry.inner, sides});
        }
    }
    for (const broken_block& each : broken) found_written(each.sides, each.address, each.inner);
}

void auditing_source::check_nothing_live() noexcept {
    if (upstream_.traits().bulk_free) return;
    audit_finding finding{.what = audit_finding::type::leaked};
    {
        const std::lock_guard hold(books_->mutex);
        if (books_->live.empty()) return;
        const auto older = [](const auto& a, const auto& b) { return a.second.number < b.second.number; };
        const auto oldest = std::min_element(books_->live.begin(), books_->live.end(), older);
        finding.address = reinterpret_cast<const void*>(oldest->first);
        finding.block = oldest->second.inner;
        finding.count = books_->numbers.live_count;
        finding.sum_bytes = books_->numbers.live_bytes;
    }
    found(finding);
}

// The newest go first: an arena ends what was allocated since its mark.
void auditing_source::bulk_freed(bulk_free gone) noexcept {
    allocation_allowed own;
    audit_finding finding{
        .what = audit_finding::type::wrong_bulk_free, .count = gone.live_count, .sum_bytes = gone.live_bytes};
    std::uint64_t count = 0, sum_bytes = 0;
    {
        const std::lock_guard hold(books_->mutex);
        using block = std::map<std::uintptr_t, record>::iterator;
        std::vector<block> newest;
        newest.reserve(books_->live.size());
        for (block each = books_->live.begin(); each != books_->live.end(); ++each) newest.push_back(each);
        std::sort(newest.begin(), newest.end(),
                  [](block a, block b) { return a->second.number > b->second.number; });
        for (; count < gone.live_count && count < newest.size(); ++count) {
            const block each = newest[static_cast<std::size_t>(count)];
            sum_bytes += with_guards(each->second.inner).size;
            finding.address = reinterpret_cast<const void*>(each->first);
            finding.block = each->second.inner;
            books_->forget(each);
        }
    }
    finding.claimed = {.size = static_cast<std::size_t>(sum_bytes), .align = 1};
    if (count != gone.live_count || sum_bytes != gone.live_bytes) found(finding);
}

void auditing_source::found(const audit_finding& finding) noexcept {
    if (on_finding_ == on_finding::fatal)
        fatal({"auditing_source '", name_.view(), "': ", text(finding).c_str()});
    const std::lock_guard hold(books_->mutex);
    ++books_->finding_counts[static_cast<unsigned>(finding.what)];
    if (books_->findings.size() < findings_kept_max) books_->findings.push_back(finding);
}

std::uint64_t auditing_source::finding_count() const noexcept {
    const std::lock_guard hold(books_->mutex);
    std::uint64_t sum = 0;
    for (const std::uint64_t count : books_->finding_counts) sum += count;
    return sum;
}

std::uint64_t auditing_source::finding_count(audit_finding::type what) const noexcept {
    const std::lock_guard hold(books_->mutex);
    return books_->finding_counts[static_cast<unsigned>(what)];
}

std::vector<audit_finding> auditing_source::findings() const {
    allocation_allowed own;
    const std::lock_guard hold(books_->mutex);
    return books_->findings;
}

} // namespace allot
