// observer: who is told of the rare things that memory does: refusals, limits that come near, books that do not
// close, drift healed.
//
// Give one to a component whose trouble you want to log or count. Numbers are not events: pull them (usage).
// Owns nothing; borrowed by the component, and outlives it.
// Threads: observe() comes from whichever thread met the event, perhaps several at once.
// Cost: nothing until something happens.
// An observer allocates nothing from what it observes, blocks on nothing that its callers hold, and does not
// throw.
//
//     struct log_observer : observer {
//         void observe(const event& what) noexcept override {
//             std::fprintf(stderr, "%s %s: %s\n", what.kind, what.who.c_str(), text(what.what));
//         }
//     };
#pragma once

#include <allot/core/name.hpp>
#include <cstdint>

namespace allot {

struct event {
    enum class type : std::uint8_t {
        refused,    // a limit said no: bytes were asked, live_bytes of limit_bytes are live
        unbalanced, // died with live blocks: bytes and count are what is missing
        healed,     // books that had drifted were set right: bytes and count are the difference
        filling,    // passed its warning mark: live_bytes of limit_bytes are live
    };
    type what = type::refused;
    name who = {};
    const char* kind = ""; // the component's type; a string that lives for ever
    std::uint64_t bytes = 0;
    std::uint64_t count = 0;
    std::uint64_t live_bytes = 0;
    std::uint64_t limit_bytes = 0; // 0: none
};

constexpr const char* text(event::type what) noexcept {
    switch (what) {
    case event::type::refused: return "refused";
    case event::type::unbalanced: return "died with live blocks";
    case event::type::healed: return "healed its books";
    case event::type::filling: return "is nearly full";
    }
    return "";
}

class observer {
public:
    virtual void observe(const event& what) noexcept = 0;

protected:
    ~observer() = default;
};

} // namespace allot
