#include <allot/core/client.h>
#include <allot/structure/arena.hpp>

namespace allot {

using detail::arena_chunk;
using detail::arena_frame;

usage arena::usage() const noexcept {
    allot::usage now;
    now.live_bytes = live_bytes();
    now.live_count = live_count();
    now.peak_live_bytes = std::max(peak_live_bytes_, now.live_bytes);
    now.total_bytes = total_bytes();
    now.total_count = total_count();
    now.refused_count = refused_count_;
    now.held_bytes = held_bytes_;
    now.peak_held_bytes = peak_held_bytes_;
    now.held_count = held_count_;
    now.free_bytes = free_bytes();
    now.slack_bytes = now.held_bytes - now.free_bytes - now.live_bytes;
    now.limit_bytes = options_.limit_bytes;
    return now;
}

void arena::publish() noexcept {
    constexpr auto relaxed = std::memory_order_relaxed;
    const bool tell = published_.held.load(relaxed) != held_bytes_;
    published_.total_bytes.store(total_bytes(), relaxed);
    published_.total_count.store(total_count(), relaxed);
    published_.peak_live.store(std::max(peak_live_bytes_, live_bytes()), relaxed);
    published_.refused.store(refused_count_, relaxed);
    published_.held.store(held_bytes_, relaxed);
    published_.peak_held.store(peak_held_bytes_, relaxed);
    published_.held_count.store(held_count_, relaxed);
    published_.free.store(free_bytes(), relaxed);
    published_.behind.store(current_ ? current_->room() : 0, relaxed);
    if (tell) tell_client();
}

// Totals as of the last publication, what was given back as of now.
source_description arena::do_describe() const noexcept {
    constexpr auto relaxed = std::memory_order_relaxed;
    const auto difference = [](std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; };
    source_description self{.name = options_.name, .kind = "arena", .upstream = options_.upstream};
    allot::usage& seen = self.usage;
    seen.total_bytes = published_.total_bytes.load(relaxed);
    seen.total_count = published_.total_count.load(relaxed);
    seen.live_bytes = difference(seen.total_bytes, gone_bytes_.load(relaxed));
    seen.live_count = difference(seen.total_count, gone_count_.load(relaxed));
    seen.peak_live_bytes = published_.peak_live.load(relaxed);
    seen.refused_count = published_.refused.load(relaxed);
    seen.held_bytes = published_.held.load(relaxed);
    seen.peak_held_bytes = published_.peak_held.load(relaxed);
    seen.held_count = published_.held_count.load(relaxed);
    // Not published at one instant: what is live by now may lie in what was free then.
    seen.free_bytes = std::min(published_.free.load(relaxed), difference(seen.held_bytes, seen.live_bytes));
    seen.slack_bytes = difference(seen.held_bytes, seen.free_bytes + seen.live_bytes);
    seen.limit_bytes = options_.limit_bytes;
    seen.behind_bytes_max = published_.behind.load(relaxed);
    return self;
}

void arena::tell_client() noexcept {
    if (held_bytes_ == 0 && client_id_ == 0) return;
    allot_client_source self{};
    self.size = sizeof self;
    self.id = client_id_;
    self.kind = "arena";
    self.name = options_.name.c_str();
    self.held_bytes = held_bytes_;
    self.held_count = held_count_;
    if (allot_client_report_source(&self) == 0) client_id_ = self.id;
}

bool arena::owns(const void* address) const noexcept {
    const auto* const byte = static_cast<const std::byte*>(address);
    for (arena_chunk* chunk = current_; chunk; chunk = chunk->older)
        if (chunk->contains(byte)) return byte < (chunk == current_ ? cursor_ : chunk->used_end);
    return false;
}

void arena::check() const noexcept {
    std::uint64_t bytes = 0;
    std::uint64_t count = 0;
    std::uint64_t room = 0;
    const auto expect = [this](bool holds, const char* what) {
        ALLOT_EXPECT(holds, "arena '", options_.name.view(), "': check: ", what);
    };
    for (arena_chunk* chunk = spare_; chunk; chunk = chunk->older) {
        bytes += chunk->size;
        room += chunk->room();
        ++count;
    }
    expect(room == spare_bytes_, "the spare chunks have another room than the books");
    for (arena_chunk* chunk = current_; chunk; chunk = chunk->older) {
        const std::byte* const used_end = chunk == current_ ? cursor_ : chunk->used_end;
        expect(chunk->begin() <= used_end && used_end <= chunk->end, "blocks stand outside their chunk");
        expect(chunk->sequence >= 1 && chunk->sequence <= chunks_used_, "a chunk's sequence is out of range");
        bytes += chunk->size;
        ++count;
    }
    expect(bytes == held_bytes_ && count == held_count_, "other chunks are held than the books say");
    expect(!current_ || (segment_ >= current_->begin() && segment_ <= cursor_),
           "the segment is not in the chunk");
    expect(cursor_ <= end_ && (!current_ || end_ <= current_->end), "the cursor is beyond the end");
    expect(!parked_ || (current_ && parked_ == current_->older), "the parked chunk is not below the current");
    expect(live_bytes() >= live_count(), "fewer bytes live than blocks");
    const allot::usage now = usage();
    expect(now.live_bytes + now.free_bytes <= now.held_bytes, "more is live and free than held");
    std::uint64_t serial = serials_ + 1;
    for (arena_frame* mark = newest_mark_; mark; mark = mark->previous) {
        expect(mark->serial < serial && mark->sequence <= chunks_used_, "the marks are out of order");
        expect(mark->chunk->begin() <= mark->position && mark->resume() <= mark->chunk->end,
               "a mark stands outside its chunk");
        serial = mark->serial;
    }
}

} // namespace allot
