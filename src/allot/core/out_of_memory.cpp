#include <allot/core/contract.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/core/result.hpp>

namespace allot {
namespace {

constexpr std::string_view program = "allot: ";

struct refusals {
    refusal newest;
    std::uint64_t noted = 0;
};

// initial-exec: every throwing allocation reads it, and a look-up by the dynamic linker's function would cost as
// much as an arena's whole allocation. 104 bytes of the space that libc keeps for libraries loaded late.
[[gnu::tls_model("initial-exec")]] constinit thread_local refusals mine;

} // namespace

const refusal& last_refusal() noexcept { return mine.newest; }

void note_refusal(const refusal& newest) noexcept {
    mine.newest = newest;
    ++mine.noted;
}

std::uint64_t refusals_noted() noexcept { return mine.noted; }

out_of_memory::out_of_memory(const refusal& why) noexcept : why_(why) {
    char* out = text_;
    const char* const end = text_ + sizeof text_ - 1;
    const auto write = [&](std::initializer_list<fatal_part> parts) {
        for (const fatal_part& part : parts) out = part.write(out, end);
    };
    write({program, "out of memory: ", why.kind, " '", why.who.view(), "' refused ", why.asked.size,
           " bytes (aligned to ", why.asked.align, ")"});
    if (why.limit_bytes != usage::unlimited) {
        write({": ", why.live_bytes, " of ", why.limit_bytes, " are live"});
    }
    *out = '\0';
}

const char* out_of_memory::what() const noexcept { return text_; }

void throw_out_of_memory() { throw out_of_memory(last_refusal()); }

error shortage_error() noexcept {
    const out_of_memory shortage(last_refusal());
    return error(std::string_view(shortage.what()).substr(program.size()));
}

} // namespace allot
