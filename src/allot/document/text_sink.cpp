#include <allot/document/text_sink.hpp>

#include <allot/core/out_of_memory.hpp>

namespace allot {

bool string_sink::try_write(std::string_view more) noexcept {
    const std::uint64_t noted = refusals_noted();
    try {
        into_.append(more);
        return true;
    } catch (const std::exception&) { // bad_alloc, or length_error
        if (noted == refusals_noted())
            note_refusal({.who = "std::pmr::string",
                          .kind = "text_sink",
                          .asked = {.size = more.size(), .align = 1},
                          .live_bytes = into_.size()});
        return false;
    }
}

bool span_sink::try_write(std::string_view more) noexcept {
    if (more.size() > into_.size() - size_) {
        note_refusal({.who = "span_sink",
                      .kind = "text_sink",
                      .asked = {.size = more.size(), .align = 1},
                      .limit_bytes = into_.size(),
                      .live_bytes = size_});
        return false;
    }
    if (!more.empty()) std::memcpy(into_.data() + size_, more.data(), more.size());
    size_ += more.size();
    return true;
}

} // namespace allot
