// leak_check: a source that knows what is still live, by call stack; at its end nothing may be.
//
// Use it in a test between the code and its source to find who forgets to give back. To check also layouts
// and overruns take auditing_source; for a program that was not rebuilt, `allot run`.
// Borrows its upstream; a block goes upstream as it came. Its books come from malloc; no_allocation overlooks
// what it and its upstream take.
// Stacks are return addresses with their module and offset, as addr2line takes them; none with frame_count =
// 0.
// Over a source of trait bulk_free nothing need come back, and nothing is a leak.
// Threads: as thread-safe as its upstream; report() from any thread.
// Cost: a lock and a tree of the live blocks, and some microseconds for a stack.
//
// Fatal: "leak_check 'NAME': COUNT blocks, SUM bytes live: SIZE bytes at ADDRESS (allocation N), …" when it
// dies, unless on_finding::collect.
//
//     leak_check leaks(source, {.on_finding = on_finding::collect});
//     void* lost = leaks.allocate({.size = 24});
//     std::puts(leaks.report().c_str()); // "1 block, 24 bytes live", then whence
//     assert(leaks.live_count() == 1 && leaks.live_bytes() == 24);
//     leaks.deallocate(lost, {.size = 24});
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/testing/on_finding.hpp>
#include <memory>
#include <string>

namespace allot {

struct leak_check_options {
    allot::name name = "leak_check";
    allot::on_finding on_finding = allot::on_finding::fatal;
    unsigned frame_count = 16; // of each block's stack, at most 32
};

class leak_check final : public memory_source {
public:
    explicit leak_check(memory_source& upstream, const leak_check_options& how = {});
    ~leak_check() override; // the blocks stay as they are: whose they are is not known

    allot::usage usage() const noexcept;
    std::uint64_t live_count() const noexcept { return usage().live_count; }
    std::uint64_t live_bytes() const noexcept { return usage().live_bytes; }
    // Live blocks, joined by stack, the most bytes first; at most row_count_max rows, and how many more there
    // are. Empty when nothing is live.
    std::string report(std::size_t row_count_max = 20) const;

protected:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    block do_try_allocate_at_least(layout wanted) noexcept override;
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override;
    void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override;

private:
    struct books;

    allot::name name_;
    memory_source& upstream_; // borrowed
    allot::on_finding on_finding_;
    unsigned frame_count_;
    std::unique_ptr<books> books_;
};

} // namespace allot
