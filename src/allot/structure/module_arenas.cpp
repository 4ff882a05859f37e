#include <allot/source/default_source.hpp>
#include <allot/structure/module_arenas.hpp>
#include <allot/structure/usage_sum.hpp>
#include <memory>

namespace allot {

using guard = detail::fork_mutex::guard;

struct module_arenas::module {
    arena it;
    allot::name name;
    const void* key;
    std::uint64_t serial; // of the registry's modules; never used twice
    std::uint64_t lease_count = 0;
    module* next = nullptr;
};

namespace {

error about(std::string_view name, const char* what) noexcept {
    char text[96];
    std::size_t length = 0;
    for (const std::string_view piece : {std::string_view("module '"), name, std::string_view(what)})
        for (const char c : piece)
            if (length < sizeof text) text[length++] = c;
    return error(std::string_view(text, length));
}

} // namespace

module_arenas::module_arenas(const module_arenas_options& options) noexcept
    : options_(options), upstream_(options.upstream ? *options.upstream : default_source()) {
    ALLOT_EXPECT(upstream_.traits().thread_safe, "module_arenas '", options.name.view(),
                 "': its upstream is not thread_safe");
}

module_arenas::~module_arenas() {
    ALLOT_EXPECT(membership_count_ == 0, "module_arenas '", options_.name.view(), "': ends with ",
                 membership_count_, " memberships");
    while (module* const each = first_) {
        unlink(each);
        (void)end(each);
    }
}

template <class Is>
module_arenas::module* module_arenas::find_if(Is is) const noexcept {
    for (module* each = first_; each; each = each->next)
        if (is(*each)) return each;
    return nullptr;
}

// The arena is made outside the lock, and is dropped where another thread was faster.
result<module_arenas::module*> module_arenas::try_make(const module_options& how, bool joined) noexcept {
    const auto is_same = [&how](const module& each) {
        return each.name == how.name || (how.key && each.key == how.key);
    };
    void* const room = upstream_.try_allocate(layout_of<module>());
    if (!room) return shortage_error();
    auto* const made = ::new (room) module{.it = arena({.name = how.name,
                                                        .upstream = &upstream_,
                                                        .chunk_bytes_min = how.chunk_bytes_min,
                                                        .chunk_bytes_max = how.chunk_bytes_max,
                                                        .limit_bytes = how.limit_bytes}),
                                           .name = how.name,
                                           .key = how.key,
                                           .serial = 0};
    {
        const guard hold(mutex_);
        if (!find_if(is_same)) {
            made->serial = ++serials_;
            made->next = first_;
            first_ = made;
            ++open_count_;
            membership_count_ += joined;
            return made;
        }
    }
    std::destroy_at(made);
    upstream_.deallocate(made, layout_of<module>());
    return about(how.name.view(), "' is open already");
}

result<arena*> module_arenas::try_open(const module_options& how) noexcept {
    const result<module*> made = try_make(how, false);
    if (!made) return made.error();
    return &(*made)->it;
}

result<module_arenas::membership> module_arenas::try_join(const module_options& how) noexcept {
    const result<module*> made = try_make(how, true);
    if (!made) return made.error();
    return membership(*this, (*made)->it, (*made)->serial);
}

arena* module_arenas::find(std::string_view name) const noexcept {
    const guard hold(mutex_);
    module* const found = find_if([name](const module& each) { return each.name.view() == name; });
    return found ? &found->it : nullptr;
}

arena* module_arenas::find_by_key(const void* key) const noexcept {
    const guard hold(mutex_);
    module* const found = find_if([key](const module& each) { return key && each.key == key; });
    return found ? &found->it : nullptr;
}

template <class Is>
result<module_report> module_arenas::close_if(Is is) noexcept {
    module* found = nullptr;
    {
        const guard hold(mutex_);
        found = find_if(is);
        if (!found) return error("no such module is open");
        if (found->lease_count != 0) return about(found->name.view(), "' is leased");
        unlink(found);
    }
    return end(found);
}

result<module_report> module_arenas::try_close(std::string_view name) noexcept {
    return close_if([name](const module& each) { return each.name.view() == name; });
}

result<module_report> module_arenas::try_close_by_key(const void* key) noexcept {
    return close_if([key](const module& each) { return key && each.key == key; });
}

void module_arenas::unlink(module* gone) noexcept {
    ALLOT_EXPECT(gone->lease_count == 0, "module_arenas '", options_.name.view(), "': module '",
                 gone->name.view(), "' ends with ", gone->lease_count, " leases");
    module** link = &first_;
    while (*link != gone) link = &(*link)->next;
    *link = gone->next;
    --open_count_;
    ++closed_count_;
}

module_report module_arenas::end(module* gone) noexcept {
    const module_report report{.name = gone->name, .released = gone->it.usage()};
    std::destroy_at(gone);
    upstream_.deallocate(gone, layout_of<module>());
    if (options_.observer && report.released.live_count != 0)
        options_.observer->observe({.what = event::type::unbalanced,
                                    .who = report.name,
                                    .kind = "module_arenas",
                                    .bytes = report.released.live_bytes,
                                    .count = report.released.live_count,
                                    .live_bytes = report.released.live_bytes});
    return report;
}

module_arenas::lease module_arenas::try_lease(std::string_view name) noexcept {
    const guard hold(mutex_);
    module* const found = find_if([name](const module& each) { return each.name.view() == name; });
    if (!found) return {};
    ++found->lease_count;
    return lease(*this, *found);
}

void module_arenas::lease::end() noexcept {
    module* const of = std::exchange(of_, nullptr);
    if (!of) return;
    const guard hold(in_->mutex_);
    --of->lease_count;
}

void module_arenas::membership::end() noexcept {
    module_arenas* const in = std::exchange(in_, nullptr);
    if (!in) return;
    module* found = nullptr;
    {
        const guard hold(in->mutex_);
        --in->membership_count_;
        found = in->find_if([this](const module& each) { return each.serial == serial_; });
        if (!found) return; // closed before
        in->unlink(found);
    }
    (void)in->end(found);
}

std::uint64_t module_arenas::open_count() const noexcept {
    const guard hold(mutex_);
    return open_count_;
}

std::uint64_t module_arenas::closed_count() const noexcept {
    const guard hold(mutex_);
    return closed_count_;
}

usage module_arenas::usage() const noexcept {
    const guard hold(mutex_);
    allot::usage sum;
    for (const module* each = first_; each; each = each->next)
        detail::add_usage(sum, each->it.describe().usage);
    return sum;
}

} // namespace allot
