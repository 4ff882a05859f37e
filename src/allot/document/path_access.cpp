#include <allot/document/path_access.hpp>

#include <allot/core/out_of_memory.hpp>
#include <allot/document/path_error.hpp>
#include <cstdio>

namespace allot {
namespace {

const char* name_of(value_type type) noexcept {
    switch (type) {
    case value_type::none: return "nothing";
    case value_type::null: return "null";
    case value_type::boolean: return "a boolean";
    case value_type::integer:
    case value_type::unsigned_integer: return "an integer";
    case value_type::real: return "a real number";
    case value_type::paged_out: return "paged out";
    case value_type::text: return "a text";
    case value_type::array: return "an array";
    case value_type::object: return "an object";
    case value_type::element: return "an element";
    case value_type::comment: return "a comment";
    case value_type::cdata: return "a CDATA section";
    case value_type::instruction: return "an instruction";
    }
    return "?";
}

value child_at(value from, const path_step& step) noexcept {
    return detail::step_into(from, step.kind, step.position, step.text);
}

// Why `step` leads from `from` to nothing.
error nothing_at(const path_cursor& steps, value from, const path_step& step) noexcept {
    if (from.is_object() && step.kind == path_step::name)
        return steps.error_at(step.column, "nothing is there");
    if (from.is_element() && step.kind != path_step::item)
        return steps.error_at(step.column, "nothing is there");
    char said[80];
    if (from.is_array() && step.position != path_step::no_position)
        std::snprintf(said, sizeof said, "the array has %zu items", from.size());
    else if (from.is_element())
        std::snprintf(said, sizeof said, "the element has %zu children", from.size());
    else
        std::snprintf(said, sizeof said, "what stands before it is %s", name_of(from.type()));
    return steps.error_at(step.column, said);
}

// What set_at finds before it changes anything.
struct survey {
    std::size_t existing_count = 0; // steps that lead to what is there, from the first on
    bool is_root_new = false;
};

// Whether the last step, or one that leads to what is missing, could be added to `to`.
bool admits(value to, const path_step& step, bool is_last) noexcept {
    switch (to.type()) {
    case value_type::object: return step.kind == path_step::name;
    case value_type::array: return step.position == path_step::end || step.position == to.size();
    case value_type::element:
        return is_last && (step.kind == path_step::attribute ||
                           (step.kind == path_step::item &&
                            (step.position == path_step::end || step.position == to.size())));
    default: return false;
    }
}

// Whether a container that is made for this step would take it.
bool admits_as_first(const path_step& step) noexcept {
    return step.kind == path_step::name ||
           (step.kind == path_step::item && (step.position == 0 || step.position == path_step::end));
}

result<survey> look(value root, path way) noexcept {
    survey found{.is_root_new = !root};
    path_cursor steps(way);
    bool is_missing = found.is_root_new;
    value here = root;
    for (path_step step; steps.next(step);) {
        if (is_missing) {
            if (!admits_as_first(step))
                return steps.error_at(step.column, step.kind == path_step::attribute
                                                       ? "there is no element to have the attribute"
                                                       : "the array has 0 items");
            continue;
        }
        const value child = child_at(here, step);
        if (!child) {
            if (!admits(here, step, steps.is_at_end())) return nothing_at(steps, here, step);
            is_missing = true;
        } else {
            ++found.existing_count;
            here = child;
        }
    }
    if (const result<void> checked = steps.check(); !checked) return checked.error();
    return found;
}

std::size_t index_in(const node& in, const path_step& step) noexcept {
    if (step.kind == path_step::name && in.type() != value_type::array) {
        const std::size_t index = in.index_of(step.text);
        if (index != node::nowhere || in.type() == value_type::object) return index;
    }
    return step.position == path_step::end ? in.size() : static_cast<std::size_t>(step.position);
}

bool put(node in, const path_step& step, const content& what) noexcept {
    if (step.kind == path_step::attribute) return what.is_text() && in.set_attribute(step.text, what.text());
    if (in.type() == value_type::object) return in.set(step.text, what);
    const std::size_t index = index_in(in, step);
    return index < in.size() ? in.set(index, what) : in.push_back(what);
}

error refused(const path_cursor& steps, const path_step& step, std::uint64_t noted_before) noexcept {
    if (refusals_noted() != noted_before) return detail::path_shortage(steps, step.column);
    return steps.error_at(step.column, "that cannot stand there");
}

content container_for_next(const path_cursor& steps) noexcept {
    return steps.is_item_next() ? content::array() : content::object();
}

// Takes back what set_at created, unless that is meant to stay.
class creation {
public:
    explicit creation(document& in) noexcept : in_(in) {}
    creation(const creation&) = delete;
    ~creation() {
        if (has_root_)
            in_.clear();
        else if (top_)
            top_.erase(index_);
    }
    bool make_root(const content& container) noexcept { return has_root_ = in_.set_root(container); }
    // The new container; not live on shortage.
    node make(node parent, const path_step& step, const content& container) noexcept {
        const std::size_t index = parent.size();
        if (!put(parent, step, container)) return {};
        if (!has_root_ && !top_) {
            top_ = parent;
            index_ = index;
        }
        return parent.edit(index);
    }
    void keep() noexcept {
        has_root_ = false;
        top_ = {};
    }

private:
    document& in_;
    bool has_root_ = false;
    node top_ = {}; // where the first new container is
    std::size_t index_ = 0;
};

} // namespace

error detail::path_shortage(const path_cursor& of, std::size_t column) noexcept {
    return of.error_at(column, shortage_error().what());
}

value value_at(value from, path way) noexcept {
    path_cursor steps(way);
    for (path_step step; steps.next(step);) {
        from = child_at(from, step);
        if (!from) return {};
    }
    return steps.is_at_end() ? from : value();
}

result<value> find_at(value from, path way) noexcept {
    path_cursor steps(way);
    if (!from && steps.is_at_end()) return steps.error_at(1, "nothing is there");
    for (path_step step; steps.next(step);) {
        const value child = child_at(from, step);
        if (!child) {
            if (const result<void> checked = way.check(); !checked) return checked.error();
            return nothing_at(steps, from, step);
        }
        from = child;
    }
    if (const result<void> checked = steps.check(); !checked) return checked.error();
    return from;
}

result<void> set_at(document& in, path way, const content& what) noexcept {
    const result<survey> found = look(in.root(), way);
    if (!found) return found.error();
    const std::uint64_t noted_before = refusals_noted();
    path_cursor steps(way);
    path_step step;
    if (steps.is_at_end()) {
        if (in.set_root(what)) return {};
        return refused(steps, step, noted_before);
    }
    creation created(in);
    if (found->is_root_new && !created.make_root(container_for_next(steps)))
        return refused(steps, step, noted_before);
    node here = in.edit();
    for (std::size_t depth = 0; steps.next(step); ++depth) {
        if (steps.is_at_end()) {
            if (!here || !put(here, step, what)) break;
            created.keep();
            return {};
        }
        here = depth < found->existing_count ? here.edit(index_in(here, step))
                                             : created.make(here, step, container_for_next(steps));
        if (!here) break;
    }
    return refused(steps, step, noted_before);
}

result<bool> erase_at(document& in, path way) noexcept {
    if (const result<void> checked = way.check(); !checked) return checked.error();
    path_cursor steps(way);
    if (steps.is_at_end()) return steps.error_at(1, "the root is not erased by a path");
    if (!value_at(in.root(), way)) return false;
    const std::uint64_t noted_before = refusals_noted();
    node here = in.edit();
    path_step step;
    while (here && steps.next(step)) {
        if (!steps.is_at_end()) {
            here = here.edit(index_in(here, step));
            continue;
        }
        const bool is_gone = step.kind == path_step::attribute ? here.erase_attribute(step.text)
                                                               : here.erase(index_in(here, step));
        if (is_gone) return true;
    }
    return refused(steps, step, noted_before);
}

} // namespace allot
