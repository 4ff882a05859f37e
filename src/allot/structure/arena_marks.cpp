#include <allot/structure/arena.hpp>

namespace allot {

using detail::arena_frame;
using detail::arena_owned;

// Nothing was allocated since the newest mark: the place is the same.
bool arena::at_newest_mark() const noexcept {
    if (!newest_mark_) return !current_ || (!current_->older && cursor_ == current_->begin());
    return newest_mark_->chunk == current_ && newest_mark_->sequence == chunks_used_ &&
           newest_mark_->resume() == cursor_;
}

arena_mark arena::mark() noexcept {
    if (parked_) settle_parked();
    if (!at_newest_mark()) {
        const layout wanted = layout_of<arena_frame>();
        std::byte* const position = cursor_;
        arena_frame* frame = current_->reserve();
        if (detail::fits(position, room_end(), wanted)) {
            const auto address = align_up(reinterpret_cast<std::uintptr_t>(position), wanted.align);
            frame = reinterpret_cast<arena_frame*>(address);
        } // else in the room kept for that, which closes the chunk
        allot::mark_live(frame, sizeof *frame);
        newest_mark_ = ::new (frame) arena_frame{.previous = newest_mark_,
                                                 .chunk = current_,
                                                 .position = position,
                                                 .live_bytes = live_bytes(),
                                                 .live_count = live_count(),
                                                 .owned = owned_,
                                                 .serial = ++serials_,
                                                 .sequence = chunks_used_};
        stand_behind(newest_mark_);
    }
    arena_mark made;
    made.frame_ = newest_mark_;
    made.serial_ = newest_mark_ ? newest_mark_->serial : beginning_serial_;
    made.open_scopes_ = open_scopes_;
    return made;
}

// The newest mark's place is where the next block goes.
void arena::stand_behind(arena_frame* mark) noexcept { go_on_in(mark->chunk, mark->resume()); }

// The place before the newest mark; the mark is forgotten.
void arena::stand_before(arena_frame* mark) noexcept {
    newest_mark_ = mark->previous;
    go_on_in(mark->chunk, mark->position);
}

void arena::rewind(arena_mark to) noexcept {
    arena_frame* const frame = checked(to);
    ALLOT_CHECK(open_scopes_ <= to.open_scopes_, "arena '", options_.name.view(),
                "': rewind past an open scope");
    rewind_to(frame, false);
}

// The mark's frame, when it lives.
arena_frame* arena::checked(arena_mark mark) const noexcept {
    ALLOT_CHECK(!runs_destructors_, "arena '", options_.name.view(),
                "': rewind by a destructor that the arena runs");
    if constexpr (checks >= check_level::on) {
        const arena_frame* frame = newest_mark_;
        while (frame && frame != mark.frame_) frame = frame->previous;
        ALLOT_CHECK(frame == mark.frame_ && mark.serial_ == (frame ? frame->serial : beginning_serial_),
                    "arena '", options_.name.view(), "': rewind to a mark that is dead or of another arena");
    }
    return mark.frame_;
}

void arena::check_can_end(const char* what) const noexcept {
    ALLOT_CHECK(open_scopes_ == 0, "arena '", options_.name.view(), "': ", what, " with ", open_scopes_,
                " open scopes");
    ALLOT_CHECK(!runs_destructors_, "arena '", options_.name.view(), "': ", what,
                " by a destructor that the arena runs");
}

// `to` == nullptr: the beginning.
void arena::rewind_to(arena_frame* to, bool drop_mark) noexcept {
    end_blocks(to);
    // No chunk was taken since: the chunks stay as they are, and what is published of them.
    bool chunks_changed = !to || to->sequence != chunks_used_;
    if (chunks_changed) {
        drop_chunks(to);
    } else {
        current_->used_end = cursor_;
    }
    newest_mark_ = to;
    if (!to) {
        cursor_ = end_ = segment_ = newest_block_ = nullptr;
        honour_wish();
        open_oldest_spare();
    } else {
        if (drop_mark) {
            stand_before(to);
        } else {
            stand_behind(to);
        }
        if (cursor_ < current_->used_end)
            allot::mark_dead(cursor_, static_cast<std::size_t>(current_->used_end - cursor_));
        if (newest_mark_ != current_->reserve()) allot::mark_dead(current_->reserve(), sizeof(arena_frame));
        if (honour_wish()) chunks_changed = true;
    }
    if (chunks_changed) publish();
}

void arena::end_everything() noexcept {
    end_blocks(nullptr);
    drop_chunks(nullptr);
    newest_mark_ = nullptr;
    beginning_serial_ = ++serials_;
    cursor_ = end_ = segment_ = newest_block_ = nullptr;
}

// Destructors first, since they may give back blocks, then the books, then whoever keeps books above.
void arena::end_blocks(const arena_frame* to) noexcept {
    if (const arena_owned* const last = to ? to->owned : nullptr; owned_ != last) {
        runs_destructors_ = true;
        while (owned_ != last) {
            const arena_owned* const entry = owned_;
            owned_ = entry->older;
            entry->destroy(entry->object);
        }
        runs_destructors_ = false;
    }
    const bulk_free gone{.live_bytes = live_bytes() - (to ? to->live_bytes : 0),
                         .live_count = live_count() - (to ? to->live_count : 0)};
    settle(gone.live_bytes, gone.live_count);
    published_.peak_live.store(peak_live_bytes_, std::memory_order_relaxed);
    if (options_.above && gone.live_count != 0) options_.above->bulk_freed(gone);
}

// Room for the entry of an object with a destructor; not counted as a block.
arena_owned* arena::try_reserve_owned() noexcept {
    constexpr layout wanted = layout_of<arena_owned>();
    void* const room = try_allocate(wanted);
    if (!room) return nullptr;
    fold_tally();
    total_bytes_ -= wanted.size;
    total_count_ -= 1;
    newest_block_ = nullptr;
    return static_cast<arena_owned*>(room);
}

void arena::own(arena_owned* entry, void* object, void (*destroy)(void*) noexcept) noexcept {
    owned_ = ::new (entry) arena_owned{.older = owned_, .destroy = destroy, .object = object};
}

arena::scope::scope(arena& of) noexcept : arena_(of) {
    const arena_frame* const before = of.newest_mark_;
    mark_ = of.mark();
    own_mark_ = of.newest_mark_ != before;
    mark_.open_scopes_ = ++of.open_scopes_;
}

arena::scope::~scope() {
    arena_frame* const frame = arena_.checked(mark_);
    ALLOT_CHECK(arena_.open_scopes_ == mark_.open_scopes_, "arena '", arena_.options_.name.view(),
                "': a scope ends before a newer one");
    arena_.rewind_to(frame, own_mark_);
    --arena_.open_scopes_;
}

} // namespace allot
