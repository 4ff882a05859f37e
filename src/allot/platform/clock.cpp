#include <allot/platform/clock.hpp>

#include <ctime>

#if defined(__x86_64__)
#    include <cpuid.h>
#endif

namespace allot {
namespace {

std::uint64_t read_clock(clockid_t clock) noexcept {
    timespec now{};
    ::clock_gettime(clock, &now); // cannot fail for these clocks
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace

std::uint64_t monotonic_ns() noexcept { return read_clock(CLOCK_MONOTONIC); }
std::uint64_t realtime_ns() noexcept { return read_clock(CLOCK_REALTIME); }

bool invariant_stamp() noexcept {
#if defined(__x86_64__)
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    constexpr unsigned power_leaf = 0x8000'0007, invariant_tsc = 1u << 8;
    return __get_cpuid(power_leaf, &eax, &ebx, &ecx, &edx) != 0 && (edx & invariant_tsc) != 0;
#else
    return true; // the generic timer of aarch64, or CLOCK_MONOTONIC
#endif
}

} // namespace allot
