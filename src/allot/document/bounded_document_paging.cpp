#include <algorithm>
#include <allot/core/out_of_memory.hpp>
#include <allot/document/bounded_document.hpp>
#include <allot/document/json_writer.hpp>
#include <cstdio>

// What of a bounded_document goes to its cold_store, and comes back.
namespace allot {
namespace {

using detail::paged_subtrees;
using detail::tree_access;
using detail::tree_cell;

constexpr unsigned tries_max = 4;

error at_path(error inner, const char* doing, path way) noexcept {
    char where[200];
    const int size = static_cast<int>(std::min<std::size_t>(way.text().size(), 120));
    std::snprintf(where, sizeof where, "path '%.*s': %s", size, way.text().data() ? way.text().data() : "",
                  doing);
    return inner.during(where);
}

} // namespace

// Of what lies on the way, or at its end, the first that is paged out comes back, then the next one.
result<void> bounded_document::bring(path way, bool with_last) noexcept {
    for (unsigned tries = 0;;) {
        std::size_t depth = 0;
        path_cursor steps(way);
        value here = tree_.root();
        for (path_step step; here && !here.is_paged_out() && steps.next(step); ++depth)
            here = detail::step_into(here, step.kind, step.position, step.text);
        if (!here.is_paged_out() || (!with_last && steps.is_at_end())) return {};
        const std::uint64_t noted_before = refusals_noted();
        const std::uint64_t bytes = detail::tree_page::of(*tree_access::cell(here)).bytes;
        tree_cell* const at = paged_subtrees::reach(tree_, way, depth);
        const result<void> done = at ? paged_.page_in(tree_, *at) : shortage_error();
        if (!done && !(may_make_room(way.text().data()) && make_room(bytes, noted_before, tries)))
            return at_path(done.error(), "coming back", way);
    }
}

bool bounded_document::make_room(std::uint64_t bytes, std::uint64_t noted_before, unsigned& tries) noexcept {
    if (refusals_noted() == noted_before || tries++ == tries_max) return false;
    return page_out_cold(bytes).value_or(0) != 0;
}

result<value> bounded_document::find_at(path way) noexcept {
    if (const result<void> done = bring(way, true); !done) return done.error();
    touch(way);
    return allot::find_at(tree_.root(), way);
}

result<void> bounded_document::page_in(path way) noexcept {
    const result<value> found = find_at(way);
    return found ? result<void>() : found.error();
}

result<void> bounded_document::set_at(path way, const content& what) noexcept {
    const bool may_retry = may_make_room(way.text().data()) && may_make_room(what.borrowed());
    for (unsigned tries = 0;;) {
        if (const result<void> brought = bring(way, false); !brought) return brought;
        const std::uint64_t noted_before = refusals_noted();
        const result<void> done = allot::set_at(tree_, way, what);
        if (!done && may_retry && make_room(last_refusal().asked.size, noted_before, tries)) continue;
        if (done) touch(way);
        return done;
    }
}

result<bool> bounded_document::erase_at(path way) noexcept {
    if (const result<void> brought = bring(way, false); !brought) return brought.error();
    return allot::erase_at(tree_, way);
}

result<void> bounded_document::page_out(path way) noexcept {
    constexpr const char* doing = "paging out";
    const result<value> found = allot::find_at(tree_.root(), way);
    if (!found) return found.error();
    std::size_t depth = 0;
    path_cursor steps(way);
    for (path_step step; steps.next(step);) ++depth;
    if (depth == 0) return at_path(error("the root stays"), doing, way);
    tree_cell* const at = paged_subtrees::reach(tree_, way, depth);
    if (!at) return at_path(shortage_error(), doing, way);
    if (const result<void> done = paged_.page_out(tree_, *at); !done)
        return at_path(done.error(), doing, way);
    return {};
}

result<std::uint64_t> bounded_document::page_out_cold(std::uint64_t bytes_wanted) noexcept {
    const std::uint64_t before = tree_part_.live_bytes();
    result<void> outcome;
    constexpr unsigned none = 256;
    for (unsigned rank = 0; rank != none;) { // those of one rank, in their order, then those of the next one
        unsigned next = none;
        for (const path& way : pageable_) {
            std::size_t depth = 0;
            path_cursor steps(way);
            for (path_step step; steps.next(step);) ++depth;
            tree_cell* const home = paged_subtrees::reach(tree_, way, depth);
            if (!home || !home->has_node() || home->node->refs() != 1) continue;
            for (std::uint32_t i = 0; i != home->node->size(); ++i) {
                tree_cell& child = home->node->cells[i];
                if (!paged_subtrees::may_page_out(child)) continue;
                if (child.rank > rank) next = std::min<unsigned>(next, child.rank);
                if (child.rank != rank) continue;
                if (const result<void> done = paged_.page_out(tree_, child); !done) {
                    if (outcome) outcome = at_path(done.error(), "paging out of it", way);
                } else if (before - tree_part_.live_bytes() >= bytes_wanted) {
                    return before - tree_part_.live_bytes();
                }
            }
        }
        rank = next;
    }
    const std::uint64_t freed = before - tree_part_.live_bytes();
    if (freed == 0 && !outcome) return outcome.error();
    return freed;
}

// --- when children of the pageable containers were touched

void bounded_document::touch(path way) noexcept {
    if (pageable_.empty()) return;
    const detail::tree_node* homes[pageable_max] = {};
    for (std::size_t i = 0; i != pageable_.size(); ++i)
        if (const value home = value_at(tree_.root(), pageable_[i]); is_container(home.type()))
            homes[i] = tree_access::cell(home)->node;
    path_cursor steps(way);
    value here = tree_.root();
    for (path_step step; is_container(here.type()) && steps.next(step);) {
        const detail::tree_node* const home = tree_access::cell(here)->node;
        if (step.position == path_step::end) step.position = here.size() - 1;
        here = detail::step_into(here, step.kind, step.position, step.text);
        if (!here || std::ranges::find(homes, home) == std::end(homes)) continue;
        touch(const_cast<tree_cell&>(*tree_access::cell(here)));
    }
}

void bounded_document::touch(tree_cell& child) noexcept {
    if (child.type == value_type::paged_out || (last_touched_ == &child && child.rank == rank_)) return;
    if (rank_ == 255) age();
    child.rank = ++rank_;
    last_touched_ = &child;
}

// Half as many ranks do, in the same order: what was touched long ago is told apart more coarsely.
void bounded_document::age() noexcept {
    rank_ /= 2;
    for (const path& way : pageable_)
        for (const value child : value_at(tree_.root(), way).children())
            if (!child.is_paged_out()) const_cast<tree_cell*>(tree_access::cell(child))->rank /= 2;
}

} // namespace allot
