#include <allot/core/contract.hpp>
#include <allot/governance/tag.hpp>
#include <allot/platform/thread_slots.hpp>
#include <atomic>
#include <iterator>
#include <new>

namespace allot {
namespace {

struct node {
    allot::name name;
    std::uint16_t parent = 0;
    std::uint16_t depth = 1;
};

constexpr node ready_made[] = {
    {.name = "untagged", .depth = 0},
    {.name = "general"},
    {.name = "edge"},
    {.name = "node"},
    {.name = "parse"},
    {.name = "cbor"},
    {.name = "plugin"},
    {.name = "cache"},
    {.name = "temp"},
};
static_assert(std::size(ready_made) == tags::count);

// Grows only: a node is written under the mutex before `made_count` counts it (release), and never again.
// Whoever holds a tag got it from someone who saw that count.
constinit node made[tag::count_max - tags::count];
constinit std::atomic<std::size_t> made_count = 0;

const node& node_of(std::size_t index) noexcept {
    return index < tags::count ? ready_made[index] : made[index - tags::count];
}

// Never destroyed: tags may be made to the very end of the process.
detail::fork_mutex& making() noexcept {
    alignas(detail::fork_mutex) static unsigned char place[sizeof(detail::fork_mutex)];
    static detail::fork_mutex* const mutex = new (place) detail::fork_mutex;
    return *mutex;
}

constexpr bool is_good_name(std::string_view text) noexcept {
    return !text.empty() && text.size() <= name::length_max;
}

} // namespace

std::optional<tag> tag::try_make(std::string_view text, tag parent) noexcept {
    if (!is_good_name(text)) return {};
    const allot::name wanted(text);
    const detail::fork_mutex::guard hold(making());
    const std::size_t count = tag::count();
    for (std::size_t i = 1; i < count; ++i)
        if (node_of(i).parent == parent.index_ && node_of(i).name == wanted) return at(i);
    if (count == count_max) return {};
    made[count - tags::count] = {
        .name = wanted, .parent = parent.index_, .depth = static_cast<std::uint16_t>(parent.depth() + 1)};
    made_count.store(count + 1 - tags::count, std::memory_order_release);
    return tag(static_cast<std::uint16_t>(count));
}

tag tag::make(std::string_view text, tag parent) noexcept {
    ALLOT_EXPECT(is_good_name(text), "tag: a name of ", text.size(), " bytes (1 to ", name::length_max,
                 " are allowed)");
    const std::optional<tag> made = try_make(text, parent);
    ALLOT_EXPECT(made, "tag '", text, "': no room for more than ", count_max, " tags");
    return *made;
}

std::size_t tag::count() noexcept { return tags::count + made_count.load(std::memory_order_acquire); }

tag tag::at(std::size_t index) noexcept {
    ALLOT_EXPECT(index < count(), "tag: index ", index, " of ", count());
    return tag(static_cast<std::uint16_t>(index));
}

const allot::name& tag::name() const noexcept { return node_of(index_).name; }

tag tag::parent() const noexcept { return tag(node_of(index_).parent); }

std::size_t tag::depth() const noexcept { return node_of(index_).depth; }

bool tag::is_within(tag ancestor) const noexcept {
    tag each = *this;
    while (each != ancestor && each.index_ != 0) each = each.parent();
    return each == ancestor;
}

} // namespace allot
