#include <algorithm>
#include <allot/core/client.h>
#include <allot/core/out_of_memory.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/slot_map_table.hpp>
#include <cstring>
#include <memory>
#include <utility>

namespace allot::detail {
namespace {

// What stands in place of a block that is not there. Nobody writes to it.
alignas(64) constinit std::byte no_block[slot_shape::zeros_bytes] = {};

constexpr std::uint32_t generation_of(std::uint64_t bits) noexcept {
    return static_cast<std::uint32_t>(bits >> 32);
}

constexpr std::uint32_t bits_of_words(std::uint32_t segments) noexcept { return (segments + 63) / 64; }

constexpr std::uint64_t low_bits(std::uint32_t count) noexcept {
    return count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

} // namespace

std::byte* slot_table::zeros() noexcept { return no_block; }

slot_table::slot_table(const slot_map_options& options, const slot_shape& shape) noexcept
    : bases(no_bases_),
      slot_mask(shape.slot_count - 1),
      segments(no_segments_),
      open_words(reinterpret_cast<slot_words*>(zeros())),
      spare_segments(no_spare_),
      count_max(options.count_max),
      shape_(shape),
      name_(options.name),
      upstream_(options.upstream ? *options.upstream : default_source()),
      limit_bytes_(options.limit_bytes),
      generation_max_(std::min((options.generation_max - 1) | 1, retired - 1)),
      no_segments_{{.block = zeros()}} {
    set_block(0, zeros());
}

void slot_table::set_block(std::uint32_t segment, std::byte* block) noexcept {
    segments[segment].block = block;
    bases[segment] =
        block + shape_.bits_offset() - std::size_t{segment} * shape_.slot_count * shape_.bits_stride();
}

slot_table::~slot_table() {
    for (std::uint32_t at = 0; at != segment_count(); ++at) {
        if (segments[at].packed)
            give_back(segments[at].packed, shape_.packed_layout(segments[at].packed_count));
        if (is_present(at)) give_back(segments[at].block, segment_layout());
    }
    give_up_table();
    if (client_id_ != 0) tell_client();
}

slot_table::index slot_table::refuse_more() noexcept {
    refuse();
    return no_slot;
}

bool slot_table::open() noexcept {
    if (open_in(open_slot / shape_.slot_count)) return true;
    for (std::uint32_t i = spare_segments_from; i != bits_of_words(segment_count()); ++i) {
        while (spare_segments[i] != 0)
            if (open_in(i * 64 + static_cast<std::uint32_t>(std::countr_zero(spare_segments[i]))))
                return true;
        spare_segments_from = i + 1;
    }
    const std::uint32_t added = add_segment();
    return added != no_slot && open_in(added);
}

// Bits are set at once and cleared here, when the word is met and found full.
bool slot_table::open_in(std::uint32_t segment) noexcept {
    for (std::uint64_t& bits = segments[segment].spare_words; bits != 0; bits &= bits - 1) {
        const auto word = static_cast<std::uint32_t>(std::countr_zero(bits));
        if (segments[segment].words()[word].spare != 0) {
            open_words = segments[segment].words() + word;
            open_slot = segment * shape_.slot_count + word * 64;
            return true;
        }
    }
    if (slot_bound != 0) spare_segments[segment / 64] &= ~(std::uint64_t{1} << segment % 64);
    return false;
}

bool slot_table::try_reserve(std::uint64_t slot_count) noexcept {
    if (slot_count > count_max - live_count()) {
        refuse();
        return false;
    }
    while (capacity() - live_count() < slot_count)
        if (add_segment() == no_slot) return false;
    return true;
}

std::uint32_t slot_table::add_segment() noexcept {
    std::uint32_t at = segment_count();
    if (gone_count_ != 0) {
        at = 0;
        while (is_present(at) || segments[at].packed || segments[at].floor > generation_max_) ++at;
    } else if (slot_bound > no_slot - shape_.slot_count) {
        refuse();
        return no_slot;
    } else if (at == segment_capacity_ && !make_room_in_table()) {
        return no_slot;
    }
    auto* const block = static_cast<std::byte*>(take(segment_layout()));
    if (!block) return no_slot;
    if (at == segment_count()) {
        slot_bound += shape_.slot_count;
    } else {
        --gone_count_;
    }
    set_block(at, block);
    std::uninitialized_fill_n(segments[at].words(), shape_.word_count(), slot_words{.spare = low_bits(64)});
    for (std::uint32_t slot = 0; slot != shape_.slot_count; ++slot)
        ::new (&bits(at, slot))
            std::uint64_t{std::uint64_t{segments[at].floor} << 32 | (at * shape_.slot_count + slot)};
    // Poisoned, not filled: no slot is touched before it is handed out.
    if constexpr (poisons) {
        std::byte* value = block + shape_.values_offset();
        for (std::uint32_t i = 0; i != shape_.slot_count; ++i, value += shape_.value_stride())
            detail::mark_dead(value, shape_.value_size, false);
    }
    segments[at].spare_words = low_bits(shape_.word_count());
    spare_segments[at / 64] |= std::uint64_t{1} << at % 64;
    spare_segments_from = std::min(spare_segments_from, at / 64);
    ++present_count_;
    tell_client();
    return at;
}

layout slot_table::table_layout(std::uint32_t capacity) const noexcept {
    return {capacity * (sizeof(slot_segment) + sizeof(std::byte*)) +
                bits_of_words(capacity) * sizeof(std::uint64_t),
            alignof(slot_segment)};
}

bool slot_table::make_room_in_table() noexcept {
    const std::uint32_t capacity = std::max(segment_capacity_ * 2, 16U);
    void* const block = take(table_layout(capacity));
    if (!block) return false;
    auto* const next_segments = static_cast<slot_segment*>(block);
    auto* const next_bases = reinterpret_cast<std::byte**>(next_segments + capacity);
    auto* const next_spare = reinterpret_cast<std::uint64_t*>(next_bases + capacity);
    std::uninitialized_value_construct_n(next_segments, capacity);
    std::uninitialized_value_construct_n(next_spare, bits_of_words(capacity));
    std::copy_n(segments, segment_count(), next_segments);
    std::copy_n(spare_segments, bits_of_words(segment_count()), next_spare);
    give_up_table();
    segments = next_segments;
    bases = next_bases;
    slot_mask = capacity * shape_.slot_count - 1;
    for (std::uint32_t at = 0; at != capacity; ++at)
        set_block(at, segments[at].block ? segments[at].block : zeros());
    spare_segments = next_spare;
    segment_capacity_ = capacity;
    return true;
}

void slot_table::give_up_table() noexcept {
    if (segment_capacity_ != 0) give_back(segments, table_layout(segment_capacity_));
}

std::uint64_t slot_table::trim() noexcept {
    const std::uint64_t before = held_bytes_;
    for (std::uint32_t at = 0; at != segment_count(); ++at)
        if (live_count_in(at) == 0 &&
            (segments[at].packed ? packed_depth == 0 : is_present(at) && is_settled(at)))
            replace(at, {});
    return before - held_bytes_;
}

slot_packed slot_table::allocate_packed(std::uint32_t count) noexcept {
    void* const block = take(shape_.packed_layout(count));
    if (!block) return {};
    slot_segment made{.packed = static_cast<slot_packed_words*>(block), .packed_count = count};
    std::uninitialized_value_construct_n(made.packed, shape_.word_count());
    return packed(made);
}

slot_packed slot_table::packed(const slot_segment& segment) const noexcept {
    return {.words = segment.packed,
            .generations = reinterpret_cast<std::uint32_t*>(segment.packed + shape_.word_count()),
            .values = reinterpret_cast<std::byte*>(segment.packed) +
                      shape_.packed_values_offset(segment.packed_count),
            .count = segment.packed_count};
}

void slot_table::replace(std::uint32_t at, const slot_packed& next) noexcept {
    slot_segment& segment = segments[at];
    if (is_present(at)) {
        segment.floor = floor_of(at);
        retired_count -= retired_in(at);
        give_back(segment.block, segment_layout());
        set_block(at, zeros());
        if (open_slot / shape_.slot_count == at) open_words = segment.words(); // nothing is spare there
        segment.spare_words = 0;
        --present_count_;
    }
    if (segment.packed) {
        give_back(segment.packed, shape_.packed_layout(segment.packed_count));
        --packed_segment_count;
    }
    segment.packed = next.words;
    segment.packed_count = next.count;
    packed_segment_count += next.words != nullptr;
    gone_count_ += !next.words && segment.floor <= generation_max_;
    tell_client();
}

// Even, and above every generation that a handle to the segment's slots may have.
std::uint32_t slot_table::floor_of(std::uint32_t segment) const noexcept {
    std::uint32_t highest = 0;
    for (std::uint32_t slot = 0; slot != shape_.slot_count; ++slot)
        highest = std::max(highest, generation_of(bits(segment, slot)));
    return (highest + 1) & ~1U;
}

std::uint32_t slot_table::retired_in(std::uint32_t segment) const noexcept {
    std::uint32_t count = 0;
    for (std::uint32_t slot = 0; slot != shape_.slot_count; ++slot)
        count += generation_of(bits(segment, slot)) == retired;
    return count;
}

std::uint32_t slot_table::live_count_in(std::uint32_t at) const noexcept {
    const slot_segment& segment = segments[at];
    int live = 0;
    for (std::uint32_t i = 0; i != shape_.word_count(); ++i)
        live += std::popcount(segment.packed ? segment.packed[i].live : segment.words()[i].live);
    return static_cast<std::uint32_t>(live);
}

bool slot_table::is_settled(std::uint32_t segment) const noexcept {
    std::uint32_t settled = 0;
    for (std::uint32_t i = 0; i != shape_.word_count(); ++i) {
        const slot_words& word = segments[segment].words()[i];
        settled += static_cast<std::uint32_t>(std::popcount(word.live | word.spare));
    }
    return settled == shape_.slot_count || settled + retired_in(segment) == shape_.slot_count;
}

void* slot_table::take(layout wanted) noexcept {
    const std::uint64_t charge = upstream_.good_size(wanted);
    if (charge > limit_bytes_ - held_bytes_) return refuse();
    void* const block = upstream_.try_allocate(wanted);
    if (!block) {
        ++refused_count_;
        return nullptr;
    }
    held_bytes_ += charge;
    peak_held_bytes_ = std::max(peak_held_bytes_, held_bytes_);
    ++held_count_;
    return block;
}

void slot_table::give_back(void* block, layout given) noexcept {
    if constexpr (poisons) allot::mark_live(block, given.size); // upstream may be anything
    held_bytes_ -= upstream_.good_size(given);
    --held_count_;
    upstream_.deallocate(block, given);
}

void* slot_table::refuse() noexcept {
    ++refused_count_;
    const allot::usage now = usage();
    note_refusal({.who = name_,
                  .kind = "slot_map",
                  .asked = {shape_.value_size, shape_.value_align},
                  .limit_bytes = now.limit_bytes,
                  .live_bytes = now.live_bytes});
    return nullptr;
}

allot::usage slot_table::usage() const noexcept {
    allot::usage now{.live_bytes = live_count() * shape_.value_size,
                     .live_count = live_count(),
                     .peak_live_bytes = peak_live_count * shape_.value_size,
                     .total_bytes = inserted_count * shape_.value_size,
                     .total_count = inserted_count,
                     .refused_count = refused_count_,
                     .held_bytes = held_bytes_,
                     .peak_held_bytes = peak_held_bytes_,
                     .held_count = held_count_};
    now.free_bytes = (capacity() - live_count()) * shape_.value_size;
    now.slack_bytes = held_bytes_ - now.live_bytes - now.free_bytes;
    if (limit_bytes_ != allot::usage::unlimited)
        now.limit_bytes = limit_bytes_;
    else if (count_max != allot::usage::unlimited)
        now.limit_bytes = count_max * shape_.value_size;
    return now;
}

void slot_table::tell_client() noexcept {
    allot_client_source self{};
    self.size = sizeof self;
    self.id = client_id_;
    self.kind = "slot_map";
    self.name = name_.c_str();
    self.held_bytes = held_bytes_;
    self.held_count = held_count_;
    if (allot_client_report_source(&self) == 0) client_id_ = self.id;
}

void slot_table::fatal_stale(std::uint32_t slot, std::uint32_t generation) const noexcept {
    fatal({"slot_map '", name_.view(), "': handle ", slot, ":", generation, " is stale"});
}

void slot_table::expect(bool holds, const char* what) const noexcept {
    ALLOT_EXPECT(holds, "slot_map '", name_.view(), "': check: ", what);
}

std::uint64_t slot_table::check_segment(std::uint32_t at) const noexcept {
    std::uint64_t retired_here = 0;
    for (std::uint32_t slot = 0; slot != shape_.slot_count; ++slot) {
        const slot_words& word = segments[at].words()[slot / 64];
        const std::uint64_t bit = std::uint64_t{1} << slot % 64;
        const std::uint32_t generation = generation_of(bits(at, slot));
        expect(static_cast<std::uint32_t>(bits(at, slot)) == at * shape_.slot_count + slot,
               "a slot has another's index");
        expect((word.live & word.spare) == 0, "a slot is live and spare");
        expect(!(word.live & bit) || generation % 2 == 1, "a live slot has an even generation");
        expect(!(word.spare & bit) || generation % 2 == 0, "a spare slot has an odd generation");
        expect(!(word.spare & bit) || generation < generation_max_,
               "a spare slot has had all its generations");
        expect(word.spare == 0 || segments[at].spare_words >> slot / 64 & 1,
               "a word with spare slots is not found");
        retired_here += generation == retired;
    }
    expect(segments[at].spare_words == 0 || spare_segments[at / 64] >> at % 64 & 1,
           "a segment with spare slots is not found");
    expect(segments[at].spare_words == 0 || at / 64 >= spare_segments_from, "spare segments begin too late");
    return retired_here;
}

void slot_table::check() const noexcept {
    std::uint64_t live = 0;
    std::uint64_t live_packed = 0;
    std::uint64_t retired_slots = 0;
    std::uint64_t bytes = segment_capacity_ != 0 ? upstream_.good_size(table_layout(segment_capacity_)) : 0;
    for (std::uint32_t at = 0; at != segment_count(); ++at) {
        const slot_segment& segment = segments[at];
        live += live_count_in(at);
        expect(!is_present(at) || !segment.packed, "a segment is present and packed");
        if (is_present(at)) {
            retired_slots += check_segment(at);
            bytes += upstream_.good_size(segment_layout());
        } else if (segment.packed) {
            live_packed += live_count_in(at);
            bytes += upstream_.good_size(shape_.packed_layout(segment.packed_count));
        }
    }
    expect(live == live_count(), "the words do not hold what is counted as live");
    expect(live_packed == packed_live_count, "packed values are counted wrongly");
    expect(retired_slots == retired_count, "retired slots are counted wrongly");
    expect(bytes == held_bytes_ && held_bytes_ <= limit_bytes_,
           "the bytes held are not what the blocks take");
    expect(live <= count_max && peak_live_count >= live, "more is live than was ever counted");
}

} // namespace allot::detail
