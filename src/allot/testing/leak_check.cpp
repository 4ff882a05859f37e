#include <algorithm>
#include <allot/core/contract.hpp>
#include <allot/testing/leak_check.hpp>
#include <allot/testing/no_allocation.hpp>
#include <array>
#include <cstdio>
#include <dlfcn.h>
#include <execinfo.h>
#include <map>
#include <mutex>
#include <vector>

namespace allot {
namespace {

constexpr unsigned frame_count_max = 32;
// backtrace's own caller, and the do_… function that asked.
constexpr int frames_of_ours = 2;

struct call_frames {
    std::array<void*, frame_count_max> addresses = {};
    unsigned count = 0;
    auto operator<=>(const call_frames&) const = default;
};

// glibc's backtrace rather than platform's stack_cache, which wants rules and bounds set up once a process:
// here a stack may cost microseconds.
[[gnu::noinline]] call_frames frames_of_caller(unsigned wanted) noexcept {
    std::array<void*, frame_count_max + frames_of_ours> all = {};
    if (wanted == 0) return {};
    const int taken = ::backtrace(all.data(), static_cast<int>(wanted) + frames_of_ours);
    call_frames result;
    for (int i = frames_of_ours; i < taken; ++i)
        result.addresses[result.count++] = all[static_cast<std::size_t>(i)];
    return result;
}

// "/usr/bin/program+0x1234 (function)": module and offset are what addr2line takes.
std::string text_of_frame(void* address) {
    char line[512];
    Dl_info where{};
    if (dladdr(address, &where) == 0 || !where.dli_fname) {
        std::snprintf(line, sizeof line, "        %p\n", address);
        return line;
    }
    const std::size_t offset = static_cast<std::size_t>(static_cast<const char*>(address) -
                                                        static_cast<const char*>(where.dli_fbase));
    std::snprintf(line, sizeof line, "        %s+0x%zx%s%s%s\n", where.dli_fname, offset,
                  where.dli_sname ? " (" : "", where.dli_sname ? where.dli_sname : "",
                  where.dli_sname ? ")" : "");
    return line;
}

std::string blocks_and_bytes(std::uint64_t count, std::uint64_t bytes) {
    return std::to_string(count) + (count == 1 ? " block, " : " blocks, ") + std::to_string(bytes) + " bytes";
}

} // namespace

struct leak_check::books {
    struct block_entry {
        layout given = {};
        std::uint64_t number = 0; // which allocation it was, from 1
        call_frames frames;
    };
    mutable std::mutex mutex;
    std::map<void*, block_entry> live;
    allot::usage numbers;

    void enter(void* address, const block_entry& entry) {
        const std::lock_guard hold(mutex);
        block_entry& now = live[address] = entry;
        if (now.number == 0) {
            now.number = ++numbers.total_count;
            numbers.total_bytes += now.given.size;
        }
        numbers.live_bytes += now.given.size;
        numbers.live_count = live.size();
        numbers.peak_live_bytes = std::max(numbers.peak_live_bytes, numbers.live_bytes);
    }
    // Empty where the block is not of this source: leak_check does not judge that.
    block_entry take_out(void* address) {
        const std::lock_guard hold(mutex);
        const auto found = live.find(address);
        if (found == live.end()) return {};
        const block_entry entry = found->second;
        numbers.live_bytes -= entry.given.size;
        live.erase(found);
        numbers.live_count = live.size();
        return entry;
    }
};

leak_check::leak_check(memory_source& upstream, const leak_check_options& how)
    : name_(how.name),
      upstream_(upstream),
      on_finding_(how.on_finding),
      frame_count_(std::min(how.frame_count, frame_count_max)) {
    allocation_allowed own;
    books_ = std::make_unique<books>();
}

leak_check::~leak_check() {
    allocation_allowed own;
    if (on_finding_ != on_finding::fatal || upstream_.traits().bulk_free) return;
    if (books_->live.empty()) return;
    std::string first;
    constexpr int shown_max = 4;
    int shown = 0;
    for (const auto& [address, entry] : books_->live) {
        if (++shown > shown_max) {
            first += ", …";
            break;
        }
        char where[24];
        std::snprintf(where, sizeof where, "%p", address);
        first += (shown == 1 ? "" : ", ") + std::to_string(entry.given.size) + " bytes at " + where +
                 " (allocation " + std::to_string(entry.number) + ")";
    }
    fatal({"leak_check '", name_.view(), "': ", blocks_and_bytes(live_count(), live_bytes()).c_str(),
           " live: ", first.c_str()});
}

allot::usage leak_check::usage() const noexcept {
    const std::lock_guard hold(books_->mutex);
    return books_->numbers;
}

std::string leak_check::report(std::size_t row_count_max) const {
    allocation_allowed own;
    struct row {
        std::uint64_t count = 0;
        std::uint64_t bytes = 0;
        std::uint64_t number = 0;
    };
    std::map<call_frames, row> joined;
    row all;
    {
        const std::lock_guard hold(books_->mutex);
        for (const auto& [address, entry] : books_->live) {
            row& here = joined[entry.frames];
            if (here.count++ == 0 || entry.number < here.number) here.number = entry.number;
            here.bytes += entry.given.size;
        }
        all = {.count = books_->numbers.live_count, .bytes = books_->numbers.live_bytes};
    }
    if (joined.empty()) return {};
    std::vector<std::pair<call_frames, row>> rows(joined.begin(), joined.end());
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
        return a.second.bytes != b.second.bytes ? a.second.bytes > b.second.bytes : a.first < b.first;
    });
    std::string out = blocks_and_bytes(all.count, all.bytes) + " live\n";
    for (std::size_t i = 0; i != rows.size(); ++i) {
        const auto& [frames, here] = rows[i];
        if (i == row_count_max) {
            out += "    … and " + std::to_string(rows.size() - i) + " more stacks\n";
            break;
        }
        out += "    " + blocks_and_bytes(here.count, here.bytes) + ", the first in allocation " +
               std::to_string(here.number) + "\n";
        for (unsigned f = 0; f != frames.count; ++f) out += text_of_frame(frames.addresses[f]);
    }
    return out;
}

void* leak_check::do_try_allocate(layout wanted) noexcept {
    allocation_allowed own;
    void* const address = upstream_.try_allocate(wanted);
    if (address) books_->enter(address, {.given = wanted, .frames = frames_of_caller(frame_count_)});
    return address;
}

block leak_check::do_try_allocate_at_least(layout wanted) noexcept {
    allocation_allowed own;
    const block given = upstream_.try_allocate_at_least(wanted);
    if (given)
        books_->enter(given.address,
                      {.given = {given.size, wanted.align}, .frames = frames_of_caller(frame_count_)});
    return given;
}

void leak_check::do_give_back(void* address, layout given) noexcept {
    allocation_allowed own;
    books_->take_out(address); // before upstream can give the address to another thread
    upstream_.deallocate(address, given);
}

bool leak_check::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    allocation_allowed own;
    auto entry = books_->take_out(address);
    const bool done = upstream_.try_resize(address, given, new_size);
    entry.given = {done ? new_size : given.size, given.align};
    books_->enter(address, entry);
    return done;
}

void* leak_check::do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept {
    allocation_allowed own;
    auto entry = books_->take_out(address);
    void* const now = upstream_.try_reallocate(address, given, new_size);
    entry.given = {now ? new_size : given.size, given.align};
    books_->enter(now ? now : address, entry);
    return now;
}

std::size_t leak_check::do_good_size(layout wanted) const noexcept { return upstream_.good_size(wanted); }

source_traits leak_check::do_traits() const noexcept { return upstream_.traits(); }

source_description leak_check::do_describe() const noexcept {
    return {.name = name_, .kind = "leak_check", .upstream = &upstream_, .usage = usage()};
}

} // namespace allot
