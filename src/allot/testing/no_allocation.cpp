#include <allot/core/contract.hpp>
#include <allot/testing/no_allocation.hpp>
#include <cstdlib>

// Defined by the object library allot_no_allocation_hooks, where it is linked.
extern "C" [[gnu::weak]] void allot_no_allocation_hooks_linked() noexcept;

namespace allot {
namespace {

struct watch {
    std::uint64_t count = 0; // of allocations that were not allowed, ever
    std::uint64_t bytes = 0;
    unsigned depth = 0; // of no_allocation scopes
    unsigned allowed = 0;
    bool fatal = false;
    bool probing = false;
    bool probe_seen = false;
};

// constinit and initial-exec: reading it inside malloc allocates nothing, wherever this library is linked.
[[gnu::tls_model("initial-exec")]] constinit thread_local watch mine;

bool probe() noexcept {
    // Through a volatile pointer, for a compiler may leave out a malloc whose block is not used.
    void* (*volatile allocate)(std::size_t) = std::malloc;
    mine.probing = true;
    mine.probe_seen = false;
    std::free(allocate(1));
    mine.probing = false;
    return mine.probe_seen;
}

} // namespace

no_allocation::no_allocation(const no_allocation_options& options) noexcept
    : count_before_(mine.count), bytes_before_(mine.bytes), fatal_before_(mine.fatal) {
    ALLOT_EXPECT(&allot_no_allocation_hooks_linked != nullptr,
                 "no_allocation: this executable is not linked with allot::no_allocation_hooks");
    mine.fatal = options.on_finding == on_finding::fatal;
    ++mine.depth;
}

no_allocation::~no_allocation() {
    --mine.depth;
    mine.fatal = fatal_before_;
}

std::uint64_t no_allocation::count() const noexcept { return mine.count - count_before_; }
std::uint64_t no_allocation::bytes() const noexcept { return mine.bytes - bytes_before_; }

bool no_allocation::sees() noexcept {
    static const bool seen = &allot_no_allocation_hooks_linked != nullptr && probe();
    return seen;
}

allocation_allowed::allocation_allowed() noexcept { ++mine.allowed; }
allocation_allowed::~allocation_allowed() { --mine.allowed; }

void detail::allocation_seen(std::size_t size) noexcept {
    watch& now = mine;
    if (now.probing) now.probe_seen = true;
    if (now.depth == 0 || now.allowed != 0 || now.probing) return;
    ++now.count;
    now.bytes += size;
    if (!now.fatal) return;
    now.depth = 0; // so that abort's own handlers may allocate
    fatal({"no_allocation: ", size, " bytes were allocated"});
}

} // namespace allot
