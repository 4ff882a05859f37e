// tracked_source: a decorator that enters every block in a ledger, under a tag.
//
// Below an arena or pool it counts chunks; above one it counts each object and learns of the ends that come
// without a free as the arena's bulk_observer. For a limit take budgeted_source; for a source per tag with
// its end, tagged_heap.
// Owns its account in the ledger. Borrows upstream, ledger and observer.
// Threads: as upstream; the books are for any thread.
// Cost: account.hpp's entry per call, no byte per block.
// Errors: usage() as account.hpp says.
// A wrong free (a block of another source) cannot be seen here, for no byte of the block tells: both sources'
// books are wrong until each of them dies, which heals them; tagged_heap sees it at once.
// Its end: with a balance other than zero it tells its observer, or else the ledger's (`unbalanced`), and the
// ledger's books are set right.
// Fatal (level on, without an observer): `allot: fatal: tracked_source 'x': died with 100 live bytes in 1
// blocks of tag 'node'`. At every level: `allot: fatal: tracked_source of tag 'node': made without a ledger`.
//
//     ledger books;
//     tracked_source nodes({.upstream = &source, .books = &books, .whose = tags::node});
//     {
//         std::pmr::vector<int> numbers(10, &nodes);
//         assert(nodes.usage().live_bytes == 10 * sizeof(int));
//     }
//     assert(books.usage(tags::node).live_bytes == 0 && books.usage(tags::node).total_count == 1);
#pragma once

#include <allot/core/bulk_observer.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/observer.hpp>
#include <allot/governance/account.hpp>
#include <allot/governance/ledger.hpp>
#include <allot/governance/tag.hpp>

namespace allot {

struct tracked_source_options {
    allot::name name = {};             // empty: the tag's
    memory_source* upstream = nullptr; // nullptr: default_source()
    ledger* books = nullptr;           // required
    tag whose = {};
    allot::observer* observer = nullptr; // nullptr: the ledger's
};

class tracked_source final : public memory_source, public bulk_observer {
public:
    // Throws: out_of_memory, when the ledger has no room for the tag's page.
    explicit tracked_source(tracked_source_options wanted);
    ~tracked_source() override;

    // Blocks handed out through this source died at once; see bulk_observer.
    void bulk_freed(bulk_free gone) noexcept override { account_.leave_many(gone); }

    allot::usage usage() const noexcept { return account_.usage(); }
    tag whose() const noexcept { return account_.whose(); }

private:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    block do_try_allocate_at_least(layout wanted) noexcept override;
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override;
    void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override;

    memory_source& upstream_;
    allot::observer* observer_;
    allot::name name_;
    account account_;
};

} // namespace allot
