#include <algorithm>
#include <allot/core/client_report.hpp>
#include <allot/core/contract.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/core/poison.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/soa_memory.hpp>

namespace allot::detail {

soa_memory::soa_memory(const soa_options& options) noexcept
    : name_(options.name),
      upstream_(options.upstream ? *options.upstream : default_source()),
      limit_bytes_(options.limit_bytes) {}

soa_memory::~soa_memory() {
    if (client_id_ != 0) tell_client();
}

void* soa_memory::take(layout wanted) noexcept {
    const std::uint64_t charge = upstream_.good_size(wanted);
    if (charge > limit_bytes_ - held_bytes_) {
        ++refused_count_;
        note_refusal({.who = name_,
                      .kind = "soa",
                      .asked = wanted,
                      .limit_bytes = limit_bytes_,
                      .live_bytes = held_bytes_});
        return nullptr;
    }
    void* const block = upstream_.try_allocate(wanted);
    if (!block) {
        ++refused_count_;
        return nullptr;
    }
    held_bytes_ += charge;
    peak_held_bytes_ = std::max(peak_held_bytes_, held_bytes_);
    ++held_count_;
    tell_client();
    return block;
}

void soa_memory::give_back(void* block, layout given) noexcept {
    if (!block) return;
    if constexpr (poisons) allot::mark_live(block, given.size); // upstream may be anything
    held_bytes_ -= upstream_.good_size(given);
    --held_count_;
    upstream_.deallocate(block, given);
}

allot::usage soa_memory::usage(const state& now) const noexcept {
    const std::uint64_t peak = std::max<std::uint64_t>(peak_row_count_, now.row_count);
    allot::usage all{.live_bytes = now.row_count * now.row_bytes + texts.used,
                     .live_count = now.row_count,
                     .peak_live_bytes = peak * now.row_bytes,
                     .total_bytes = (gone_row_count_ + now.row_count) * now.row_bytes,
                     .total_count = gone_row_count_ + now.row_count,
                     .refused_count = refused_count_,
                     .held_bytes = held_bytes_,
                     .peak_held_bytes = peak_held_bytes_,
                     .held_count = held_count_};
    all.free_bytes = (now.row_capacity - now.row_count) * now.row_bytes + texts.capacity - texts.used;
    all.slack_bytes = held_bytes_ - all.live_bytes - all.free_bytes;
    all.limit_bytes = limit_bytes_;
    return all;
}

void soa_memory::tell_client() noexcept {
    report_to_client(client_id_,
                     {.kind = "soa", .who = name_, .held_bytes = held_bytes_, .held_count = held_count_});
}

void soa_memory::expect(bool holds, const char* what) const noexcept {
    ALLOT_EXPECT(holds, "soa '", name_.view(), "': check: ", what);
}

void soa_memory::fatal_row(std::size_t row, std::size_t row_count) const noexcept {
    fatal({"soa '", name_.view(), "': row ", row, " of ", row_count});
}

} // namespace allot::detail
