#include <recorder/preload/state.hpp>

#include <recorder/preload/attach.hpp>

// Everything here has its first value when the file is loaded: hooks run before any constructor.

namespace allot::recorder {

namespace {
constexpr shared_slot without_entry() noexcept {
    shared_slot made{};
    made.slot.entry_distance =
        static_cast<std::int64_t>(offsetof(shared_slot, entry)) - thread_slot::to_stand_in;
    made.entry.live_headroom_bytes = unattached_headroom;
    return made;
}
} // namespace

constinit shared_slot unattached = without_entry();
constinit shared_slot past_end = without_entry();
constinit unwind_rules rules;
__thread thread_slot* current_slot = &unattached.slot;

} // namespace allot::recorder
