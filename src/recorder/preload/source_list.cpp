#include <recorder/preload/source_list.hpp>

// It runs inside the program, maybe in a forked child of a process that was in the middle of it: ids come from plain
// memory, which the child inherits, so that no id of the child is one that it knows from its parent.

namespace allot::recorder {
namespace {

std::uint64_t last_id;

bool same(const char* kept, const char* given, std::size_t capacity) noexcept {
    return __builtin_strncmp(kept, given, capacity - 1) == 0;
}

void copy(char* into, const char* text, std::size_t capacity) noexcept {
    for (std::size_t i = 0; i + 1 != capacity && text[i] != '\0'; ++i) into[i] = text[i];
}

// The only writer stands under a lock; others read.
void add(std::uint64_t& shared, std::uint64_t amount) noexcept {
    __atomic_store_n(&shared, shared + amount, __ATOMIC_RELAXED);
}

} // namespace

std::uint16_t* source_list::link_to(std::uint64_t id) noexcept {
    std::uint16_t* link = &buckets_[id % bucket_count];
    while (*link != 0 && sources_[*link - 1].id != id) link = &sources_[*link - 1].next;
    return link;
}

source_list::source* source_list::add(std::uint64_t id) noexcept {
    std::uint16_t place = free_;
    if (place != 0)
        free_ = sources_[place - 1].next;
    else if (used_ != count_max)
        place = ++used_;
    else
        return nullptr;
    std::uint16_t& first = buckets_[id % bucket_count];
    sources_[place - 1] = {id, 0, 0, 0, first};
    first = place;
    return &sources_[place - 1];
}

std::uint32_t source_list::entry_of(const segment_view& segment, std::uint32_t process,
                                    const allot_client_source& newest) noexcept {
    const char* const kind = newest.kind != nullptr ? newest.kind : "";
    const char* const name = newest.name != nullptr ? newest.name : "";
    for (std::uint32_t i = 0; i != own_count_; ++i) {
        const allot_wire_source& entry = *segment.source(own_[i]);
        if (same(entry.kind, kind, sizeof entry.kind) && same(entry.name, name, sizeof entry.name)) return i;
    }
    if (own_count_ == ALLOT_WIRE_SOURCES) return own_count_;
    allot_wire_process& owner = *segment.process(process);
    __atomic_store_n(&owner.source_entries, owner.source_entries + 1, __ATOMIC_RELEASE);
    std::uint32_t index = 0;
    allot_wire_source* const entry = claim_free(segment.source_count < 65536 ? segment.source_count : 65536,
                                                0, index, [&](std::uint32_t i) { return segment.source(i); });
    if (entry == nullptr) return own_count_;
    entry->process_serial = owner.serial; // the rest is zeroes
    entry->process = process;
    copy(entry->kind, kind, sizeof entry->kind);
    copy(entry->name, name, sizeof entry->name);
    __atomic_store_n(&entry->state, ALLOT_LIVE, __ATOMIC_RELEASE);
    own_[own_count_] = static_cast<std::uint16_t>(index);
    return own_count_++;
}

void source_list::report(const segment_view& segment, std::uint32_t process,
                         allot_client_source& newest) noexcept {
    if (first_id_ == 0) first_id_ = __atomic_load_n(&last_id, __ATOMIC_RELAXED) + 1;
    const bool fresh = newest.id == 0;
    if (fresh) newest.id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    const std::uint64_t held_count = newest.held_bytes != 0 ? newest.held_count : 0;
    std::uint16_t* link = link_to(newest.id);
    source* known = *link != 0 ? &sources_[*link - 1] : nullptr;
    if (known == nullptr) {
        if (newest.held_bytes == 0 && !fresh) return;
        const std::uint32_t entry = entry_of(segment, process, newest);
        if (entry != own_count_) known = add(newest.id);
        if (known == nullptr) {
            __atomic_add_fetch(&segment.header->source_reports_lost, 1, __ATOMIC_RELAXED);
            return;
        }
        known->entry = static_cast<std::uint16_t>(entry);
        link = link_to(newest.id);
        if (fresh || newest.id < first_id_)
            recorder::add(segment.source(own_[entry])->source_count, std::uint64_t{1});
    }
    allot_wire_source& sum = *segment.source(own_[known->entry]);
    recorder::add(sum.held_bytes, newest.held_bytes - known->held_bytes);
    recorder::add(sum.held_count, held_count - known->held_count);
    if (sum.held_bytes > sum.peak_held_bytes)
        __atomic_store_n(&sum.peak_held_bytes, sum.held_bytes, __ATOMIC_RELAXED);
    known->held_bytes = newest.held_bytes, known->held_count = held_count;
    if (newest.held_bytes != 0) return;
    const std::uint16_t place = *link;
    *link = known->next;
    known->next = free_;
    free_ = place;
}

} // namespace allot::recorder
