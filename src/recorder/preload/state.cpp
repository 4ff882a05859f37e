#include <recorder/preload/state.hpp>

#include <recorder/preload/attach.hpp>

// Everything here has its first value when the file is loaded: hooks run before any constructor.

namespace allot::recorder {

constinit thread_slot unattached_slot = {};
constinit thread_slot ended_slot = {};
constinit allot_wire_thread unattached_entry = [] {
    allot_wire_thread entry{};
    entry.live_headroom_bytes = unattached_headroom;
    return entry;
}();
constinit unwind_rules rules;
__thread thread_slot* current_slot = &unattached_slot;

} // namespace allot::recorder
