// auditing_source: a source that checks its callers: each block comes back once, with its own layout,
// unharmed.
//
// Use it in tests below a structure, or above one. To know only who leaks, with call stacks and without
// guards, take leak_check. AddressSanitizer finds wrong accesses sooner; this one also knows layouts.
// Borrows its upstream. A block gets guards before and after it (at least guard_bytes each; poisoned, see
// poison.hpp), which good_size does not charge; guard_bytes = 0: none, and layouts go upstream as they came.
// Its books come from malloc, and no_allocation overlooks what it and its upstream take.
// Over a source of trait bulk_free blocks need not come back. Above an arena, name it as the arena's
// bulk_observer: a bulk free ends the newest blocks, and their sum must be right.
// Threads: as thread-safe as its upstream; every inquiry from any thread. The upstream is called without a
// lock.
// Cost: a lock and a tree of the live blocks. Where malloc has nothing for that tree the program ends.
//
// Fatal (on_finding::collect only counts them), each after "auditing_source 'NAME': ":
//     foreign block: ADDRESS (SIZE bytes aligned to ALIGN)
//     given back twice: ADDRESS (SIZE bytes aligned to ALIGN)
//     wrong layout: ADDRESS has SIZE bytes aligned to ALIGN, came back as SIZE bytes aligned to ALIGN
//     written before the block: ADDRESS (SIZE bytes aligned to ALIGN)
//     written after the block: ADDRESS (SIZE bytes aligned to ALIGN)
//     leaked: COUNT blocks of SUM bytes together, the oldest ADDRESS (SIZE bytes aligned to ALIGN)
//     bad grant: ADDRESS (SIZE bytes aligned to ALIGN) is misaligned or overlaps a live block
//     wrong bulk free: COUNT blocks of SUM bytes together, where the newest have SUM bytes
//
//     auditing_source audited(source);
//     void* row = audited.allocate({.size = 100, .align = 64});
//     audited.deallocate(row, {.size = 100, .align = 64});
//     assert(audited.live_count() == 0 && audited.finding_count() == 0);
#pragma once

#include <allot/core/bulk_observer.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/testing/on_finding.hpp>
#include <memory>
#include <string>
#include <vector>

namespace allot {

struct audit_finding {
    enum class type : std::uint8_t {
        foreign_block, // this source never gave it, or it moved away
        given_back_twice,
        wrong_layout,
        written_before,
        written_after,
        leaked,    // the oldest block; count and sum_bytes are of all
        bad_grant, // upstream's fault: misaligned, or it overlaps a live block
        wrong_bulk_free,
    };
    static constexpr unsigned type_count = 8;
    type what = type::foreign_block;
    const void* address = nullptr;
    layout block = {};       // as the books have it
    layout claimed = {};     // as the caller has it
    std::uint64_t count = 1; // blocks
    std::uint64_t sum_bytes = 0;
};

// As in the fatal line: "given back twice: 0x5581f0 (100 bytes aligned to 64)".
std::string text(const audit_finding& finding);

struct auditing_source_options {
    allot::name name = "auditing";
    allot::on_finding on_finding = allot::on_finding::fatal;
    std::size_t guard_bytes = 32; // a power of two, or 0
};

class auditing_source final : public memory_source, public bulk_observer {
public:
    explicit auditing_source(memory_source& upstream, const auditing_source_options& how = {});
    // What still lives is a finding, and goes back upstream.
    ~auditing_source() override;

    allot::usage usage() const noexcept;
    std::uint64_t live_count() const noexcept { return usage().live_count; }
    std::uint64_t live_bytes() const noexcept { return usage().live_bytes; }
    // Looks at the guards of all live blocks now rather than when they come back.
    void check() noexcept;
    // A finding `leaked` when anything lives that had to come back; for collectors, who cannot ask after the
    // destructor.
    void check_nothing_live() noexcept;

    std::uint64_t finding_count() const noexcept;
    std::uint64_t finding_count(audit_finding::type what) const noexcept;
    // The first 64.
    std::vector<audit_finding> findings() const;

    void bulk_freed(bulk_free gone) noexcept override;

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
    struct record;

    std::size_t front_bytes(std::size_t align) const noexcept;
    layout with_guards(layout inner) const noexcept;
    void set_guards(void* address, layout inner) const noexcept;
    unsigned lift_guards(void* address, layout inner) const noexcept;
    void found_written(unsigned sides, const void* address, layout inner) noexcept;
    void* hand_out(void* address, layout inner) noexcept;
    bool take_out(void* address, layout given, record& out) noexcept;
    void enter(void* address, const record& entry) noexcept;
    void note_gone(const void* address) noexcept;
    void found(const audit_finding& finding) noexcept;

    allot::name name_;
    memory_source& upstream_; // borrowed
    allot::on_finding on_finding_;
    std::size_t guard_bytes_;
    std::unique_ptr<books> books_;
};

} // namespace allot
