// Recovers a snapshot from any bytes: a segment is taken on no trust at all. What is recovered must hold together, so
// that it can be written as a recording.
//
// The first bytes of an input are a small segment's header and parts; a segment is sparse, so an input is at most as
// long as a mutation makes it and what is missing behind reads as a file that was cut.
#include <allot/observability/recording.hpp>
#include <cstdio>
#include <cstdlib>
#include <recorder/collector/recovery.hpp>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

namespace {

// A file without a name, kept for all inputs.
int scratch() {
    static const int descriptor = memfd_create("segment", MFD_CLOEXEC);
    return descriptor;
}

void refill(const std::uint8_t* data, std::size_t size) {
    const int file = scratch();
    if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    refill(data, size);
    const std::string path = "/proc/self/fd/" + std::to_string(scratch());
    auto found = allot::recorder::recover(path);
    if (!found) {
        if (found.error().text().empty() || found.error().text().find('\n') != std::string::npos)
            std::abort();
        return 0;
    }
    allot::memory_sink sink;
    if (auto done = allot::write_recording(*found, sink); !done) {
        std::fprintf(stderr, "%s\n", done.error().text().c_str());
        std::abort();
    }
    return 0;
}
