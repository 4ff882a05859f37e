// The newest failure of this thread, and the words for it.
#include <allot/c/handles.hpp>

#include <algorithm>
#include <allot/core/out_of_memory.hpp>
#include <cstring>

namespace {

struct failure {
    allot_status status = ALLOT_OK;
    const char* what = "";
    allot::refusal why = {}; // where what is nullptr
};
constinit thread_local failure newest;
constinit thread_local char words[256] = {};
constinit thread_local char said[512] = {}; // what newest.what is where it was copied

} // namespace

namespace allot::detail {

allot_status fail(allot_status status, const char* what) noexcept {
    newest.status = status;
    newest.what = what;
    if (!what) newest.why = last_refusal();
    return status;
}

allot_status fail(allot_status status, const error& why) noexcept {
    const auto copy = [](std::string_view text) {
        const std::size_t size = std::min(text.size(), sizeof said - 1);
        std::memcpy(said, text.data(), size);
        said[size] = '\0';
    };
    try {
        copy(why.text());
    } catch (const std::bad_alloc&) {
        copy(why.what());
    }
    return fail(status, said);
}

allot_usage to_c(const usage& now) noexcept {
    return {.live_bytes = now.live_bytes,
            .live_count = now.live_count,
            .peak_live_bytes = now.peak_live_bytes,
            .total_bytes = now.total_bytes,
            .total_count = now.total_count,
            .refused_count = now.refused_count,
            .held_bytes = now.held_bytes,
            .peak_held_bytes = now.peak_held_bytes,
            .held_count = now.held_count,
            .slack_bytes = now.slack_bytes,
            .free_bytes = now.free_bytes,
            .limit_bytes = now.limit_bytes,
            .behind_bytes_max = now.behind_bytes_max};
}

} // namespace allot::detail

const char* allot_status_text(allot_status status) {
    switch (status) {
    case ALLOT_OK: return "ok";
    case ALLOT_OUT_OF_MEMORY: return "out of memory";
    case ALLOT_BAD_ARGUMENT: return "bad argument";
    case ALLOT_TOO_SMALL: return "the destination is too small";
    case ALLOT_OVERLAPS: return "source and destination overlap";
    case ALLOT_OUT_OF_RANGE: return "out of range";
    case ALLOT_STILL_LIVE: return "blocks are still live";
    case ALLOT_BAD_INPUT: return "bad input";
    case ALLOT_NOT_FOUND: return "nothing is there";
    }
    return "no status of allot";
}

allot_status allot_last_status(void) { return newest.status; }

const char* allot_last_error(void) {
    if (newest.what) return newest.what;
    const allot::out_of_memory shortage(newest.why);
    std::strncpy(words, shortage.what(), sizeof words - 1);
    return words;
}
