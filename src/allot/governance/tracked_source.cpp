#include <allot/core/checks.hpp>
#include <allot/core/contract.hpp>
#include <allot/governance/tracked_source.hpp>
#include <allot/source/default_source.hpp>

namespace allot {
namespace {

ledger& checked(ledger* books, tag whose) noexcept {
    ALLOT_EXPECT(books, "tracked_source of tag '", whose.name().view(), "': made without a ledger");
    return *books;
}

} // namespace

tracked_source::tracked_source(tracked_source_options wanted)
    : upstream_(wanted.upstream ? *wanted.upstream : default_source()),
      observer_(wanted.observer ? wanted.observer
                : wanted.books  ? wanted.books->observer()
                                : nullptr),
      name_(wanted.name == allot::name() ? wanted.whose.name() : wanted.name),
      account_(checked(wanted.books, wanted.whose), wanted.whose) {}

tracked_source::~tracked_source() {
    const account::balance_sheet left = account_.balance();
    if (left.live_bytes == 0 && left.live_count == 0) return;
    ALLOT_CHECK(observer_, "tracked_source '", name_.view(), "': died with ", left.live_bytes,
                " live bytes in ", left.live_count, " blocks of tag '", whose().name().view(), "'");
    if (!observer_) return;
    const auto magnitude = [](std::int64_t value) {
        return static_cast<std::uint64_t>(value < 0 ? -value : value);
    };
    observer_->observe({.what = event::type::unbalanced,
                        .who = name_,
                        .kind = "tracked_source",
                        .bytes = magnitude(left.live_bytes),
                        .count = magnitude(left.live_count),
                        .live_bytes = account_.usage().live_bytes});
}

void* tracked_source::do_try_allocate(layout wanted) noexcept {
    void* const address = upstream_.try_allocate(wanted);
    if (address) [[likely]]
        account_.enter(wanted.size);
    else
        account_.refused();
    return address;
}

void tracked_source::do_give_back(void* address, layout given) noexcept {
    // First: once upstream has the block, another thread may get it, and the peak must not count it twice.
    account_.leave(given.size);
    upstream_.deallocate(address, given);
}

block tracked_source::do_try_allocate_at_least(layout wanted) noexcept {
    const block got = upstream_.try_allocate_at_least(wanted);
    if (got)
        account_.enter(got.size);
    else
        account_.refused();
    return got;
}

bool tracked_source::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    if (!upstream_.try_resize(address, given, new_size)) return false;
    account_.change(given.size, new_size);
    return true;
}

void* tracked_source::do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept {
    void* const moved = upstream_.try_reallocate(address, given, new_size);
    if (moved)
        account_.change(given.size, new_size);
    else
        account_.refused();
    return moved;
}

std::size_t tracked_source::do_good_size(layout wanted) const noexcept { return upstream_.good_size(wanted); }

source_traits tracked_source::do_traits() const noexcept { return upstream_.traits(); }

source_description tracked_source::do_describe() const noexcept {
    return {.name = name_, .kind = "tracked_source", .upstream = &upstream_, .usage = usage()};
}

} // namespace allot
