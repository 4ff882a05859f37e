#include <algorithm>
#include <allot/core/checks.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/governance/tagged_heap.hpp>
#include <allot/source/default_source.hpp>
#include <new>

namespace allot {

// What source() hands out: enters the books, and passes on to the factory's source, which end() replaces.
class tagged_heap::tag_source final : public memory_source {
public:
    tag_source(tagged_heap& heap, tag whose) : heap_(heap), account_(heap.books_, whose) {}
    ~tag_source() override { drop_made(); }

    const account& page() const noexcept { return account_; }
    memory_source* made() const noexcept { return made_.load(std::memory_order_acquire); }
    // What goes with it is a matter of its traits.
    void drop_made() noexcept {
        if (memory_source* const gone = made_.exchange(nullptr, std::memory_order_acq_rel))
            heap_.factory_.destroy(*gone);
    }
    memory_source* try_make() noexcept {
        const detail::fork_mutex::guard hold(heap_.mutex_);
        memory_source* there = made();
        if (!there) {
            there = heap_.factory_.try_make(account_.whose().name());
            made_.store(there, std::memory_order_release);
        }
        return there;
    }
    void all_gone() noexcept {
        const account::balance_sheet left = account_.balance();
        if (left.live_bytes >= 0 && left.live_count >= 0)
            account_.leave_many({.live_bytes = static_cast<std::uint64_t>(left.live_bytes),
                                 .live_count = static_cast<std::uint64_t>(left.live_count)});
        else
            account_.heal();
    }

private:
    memory_source* upstream() noexcept {
        memory_source* const there = made();
        return there ? there : try_make();
    }

    void* do_try_allocate(layout wanted) noexcept override {
        memory_source* const from = upstream();
        void* const address = from ? from->try_allocate(wanted) : nullptr;
        if (address) [[likely]]
            account_.enter(wanted.size);
        else
            account_.refused();
        return address;
    }
    block do_try_allocate_at_least(layout wanted) noexcept override {
        memory_source* const from = upstream();
        const block got = from ? from->try_allocate_at_least(wanted) : block{};
        if (got)
            account_.enter(got.size);
        else
            account_.refused();
        return got;
    }
    void do_give_back(void* address, layout given) noexcept override {
        if (tag_source* const other = wrong_owner(address, given)) {
            heap_.books_.wrong_free(other->account_, given.size);
            return other->do_give_back(address, given);
        }
        account_.leave(given.size); // first, as in tracked_source
        made()->deallocate(address, given);
    }
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override {
        if (tag_source* const other = wrong_owner(address, given))
            return other->do_try_resize(address, given, new_size);
        if (!made()->try_resize(address, given, new_size)) return false;
        account_.change(given.size, new_size);
        return true;
    }
    void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept override {
        if (tag_source* const other = wrong_owner(address, given))
            return other->do_try_reallocate(address, given, new_size);
        void* const moved = made()->try_reallocate(address, given, new_size);
        if (moved)
            account_.change(given.size, new_size);
        else
            account_.refused();
        return moved;
    }
    std::size_t do_good_size(layout wanted) const noexcept override {
        const memory_source* const there = made();
        return there ? there->good_size(wanted) : wanted.size;
    }
    source_traits do_traits() const noexcept override {
        const memory_source* const there = made();
        return there ? there->traits() : source_traits{};
    }
    source_description do_describe() const noexcept override {
        return {.name = account_.whose().name(),
                .kind = "tagged_heap",
                .upstream = made(),
                .usage = account_.usage()};
    }

    // nullptr: it is this one's, or nobody can tell.
    tag_source* wrong_owner(const void* address, layout given) noexcept {
        if constexpr (checks == check_level::off) return nullptr;
        const memory_source* const owner = heap_.factory_.owner_of(address);
        if (!owner || owner == made()) [[likely]]
            return nullptr;
        for (auto& each : heap_.sources_) {
            tag_source* const other = each.load(std::memory_order_acquire);
            if (!other || other->made() != owner) continue;
            ALLOT_CHECK(heap_.observer_, "tagged_heap '", heap_.name_.view(), "': block ", address, " of ",
                        given.size, " bytes of tag '", other->account_.whose().name().view(),
                        "' came back to '", account_.whose().name().view(), "'");
            return other;
        }
        return nullptr; // upstream's own check knows what it is
    }

    tagged_heap& heap_;
    std::atomic<memory_source*> made_ = nullptr;
    account account_;
};

tagged_heap::tagged_heap(tagged_heap_options wanted) noexcept
    : name_(wanted.name),
      upstream_(wanted.upstream ? *wanted.upstream : default_source()),
      observer_(wanted.observer),
      books_({.name = wanted.name, .upstream = &upstream_, .observer = wanted.observer}),
      own_factory_({.upstream = &upstream_}),
      factory_(wanted.factory ? *wanted.factory : own_factory_) {}

tagged_heap::~tagged_heap() {
    for (auto& each : sources_) {
        tag_source* const gone = each.load(std::memory_order_relaxed);
        if (!gone) continue;
        if (gone->traits().bulk_free) tell_balance(*gone); // else end_one does
        end_one(*gone);
        gone->~tag_source();
        upstream_.deallocate(gone, layout_of<tag_source>());
    }
}

void tagged_heap::tell_balance(const tag_source& source) noexcept {
    const account::balance_sheet left = source.page().balance();
    if (!observer_ || left.live_count <= 0) return;
    observer_->observe({.what = event::type::unbalanced,
                        .who = source.page().whose().name(),
                        .kind = "tagged_heap",
                        .bytes = static_cast<std::uint64_t>(std::max(left.live_bytes, std::int64_t{0})),
                        .count = static_cast<std::uint64_t>(left.live_count)});
}

memory_source* tagged_heap::try_source(tag whose) noexcept {
    std::atomic<tag_source*>& place = sources_[whose.index()];
    if (tag_source* const there = place.load(std::memory_order_acquire)) return there;
    if (!books_.try_open(whose)) return nullptr;
    void* const memory = upstream_.try_allocate(layout_of<tag_source>());
    if (!memory) return nullptr;
    auto* const made = new (memory) tag_source(*this, whose);
    tag_source* first = nullptr;
    if (made->try_make() &&
        place.compare_exchange_strong(first, made, std::memory_order_acq_rel, std::memory_order_acquire))
        return made;
    made->~tag_source();
    upstream_.deallocate(memory, layout_of<tag_source>());
    return first;
}

memory_source& tagged_heap::source(tag whose) {
    memory_source* const there = try_source(whose);
    if (!there) throw_out_of_memory();
    return *there;
}

std::uint64_t tagged_heap::end_one(tag_source& source) noexcept {
    const std::int64_t live_bytes = source.page().balance().live_bytes;
    const bool frees = source.traits().bulk_free;
    if (!frees && live_bytes != 0) {
        ALLOT_CHECK(observer_, "tagged_heap '", name_.view(), "': tag '", source.page().whose().name().view(),
                    "' ends with ", live_bytes, " live bytes that its source cannot free");
        tell_balance(source);
        return 0;
    }
    source.drop_made();
    source.all_gone();
    return static_cast<std::uint64_t>(std::max(live_bytes, std::int64_t{0}));
}

std::uint64_t tagged_heap::end(tag whose) noexcept {
    std::uint64_t freed = 0;
    for (std::size_t index = whose.index(); index < tag::count(); ++index) {
        tag_source* const each = sources_[index].load(std::memory_order_acquire);
        if (!each || !tag::at(index).is_within(whose)) continue;
        freed += end_one(*each);
        static_cast<void>(each->try_make()); // on shortage the next request tries again
    }
    return freed;
}

} // namespace allot
