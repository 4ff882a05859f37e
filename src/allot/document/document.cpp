#include <allot/core/contract.hpp>
#include <allot/document/document.hpp>
#include <allot/document/tree_page.hpp>
#include <allot/document/tree_stack.hpp>
#include <allot/source/default_source.hpp>
#include <utility>

namespace allot {
namespace {

using detail::tree_cell;
using detail::tree_node;
using detail::tree_store;

// A level of a copy in progress.
struct copied_level {
    const tree_node* from;
    tree_node* to;
    std::uint32_t at; // cells before it are done
};

class tree_copier {
public:
    // Texts and pages are shared within a store; a page's content shares nothing.
    tree_copier(const tree_store& from, tree_store& to, bool shares_texts) noexcept
        : from_(from),
          to_(to),
          above_(to.upstream()),
          same_keys_(from.same_keys(to)),
          shares_texts_(shares_texts && &from == &to) {}

    bool run(tree_cell root, tree_cell& made) noexcept {
        if (const tree_cell* const inside = within(root))
            root = *inside;
        else
            return false;
        made = root;
        if (!copy_own(root, made)) return false;
        if (!made.has_node()) return true;
        copied_level here{root.node, made.node, 0};
        for (;;) {
            if (here.at == here.from->size()) {
                if (here.to->index_slots() != 0) to_.build_index(here.to);
                if (above_.empty()) return true;
                here = above_.pop();
                continue;
            }
            const tree_cell* const inside = within(here.from->cells[here.at]);
            if (!inside) return undo(here, made);
            const tree_cell& source = *inside;
            tree_cell& target = here.to->cells[here.at];
            target = source;
            if (!copy_own(source, target)) return undo(here, made);
            ++here.at;
            if (!target.has_node() || target.node->size() == 0) continue;
            if (!above_.try_push(here)) return undo({source.node, target.node, 0}, made, here);
            here = {source.node, target.node, 0};
        }
    }

private:
    // Of a page that the copy cannot share its content; nullptr where that cannot be read.
    const tree_cell* within(const tree_cell& cell) noexcept {
        return cell.type == value_type::paged_out && !shares_texts_ ? detail::page_content(cell) : &cell;
    }
    // The cell alone; of a container the header and room for its cells.
    bool copy_own(const tree_cell& source, tree_cell& target) noexcept {
        if (source.key != 0 && !same_keys_) {
            target.key = to_.try_intern(from_.key_text(symbol::from_value(source.key))).value();
            if (target.key == 0) return false;
        }
        if (source.has_node()) {
            const std::uint32_t size = source.node->size();
            target.node = to_.make_node(
                size, size, source.type == value_type::object && size >= tree_store::indexed_from);
            return target.node != nullptr;
        }
        if (!source.has_text_block()) return true;
        if (!shares_texts_) return to_.make_text(target, source.view());
        to_.retain(source); // a text never changes
        return true;
    }
    static void fill(const copied_level& level) noexcept {
        for (std::uint32_t at = level.at; at != level.to->size(); ++at) level.to->cells[at] = {};
    }
    bool undo(const copied_level& here, const tree_cell& made) noexcept {
        fill(here);
        while (!above_.empty()) fill(above_.pop());
        to_.release(made);
        return false;
    }
    bool undo(const copied_level& here, const tree_cell& made, const copied_level& above) noexcept {
        fill(here);
        return undo(above, made);
    }

    const tree_store& from_;
    tree_store& to_;
    detail::tree_stack<copied_level> above_;
    bool same_keys_;
    bool shares_texts_;
};

} // namespace

document::document(document&& from) noexcept
    : options_(from.options_),
      store_(std::exchange(from.store_, nullptr)),
      root_(std::exchange(from.root_, {})),
      refused_count_(from.refused_count_) {
    ++from.epoch_;
}

document& document::operator=(document&& from) noexcept {
    if (this == &from) return *this;
    clear();
    options_ = from.options_;
    store_ = std::exchange(from.store_, nullptr);
    root_ = std::exchange(from.root_, {});
    ++from.epoch_;
    return *this;
}

detail::tree_store* document::have_store() noexcept {
    if (!store_) store_ = tree_store::try_make(options_);
    refused_count_ += !store_;
    return store_;
}

void document::clear() noexcept {
    ++epoch_;
    const tree_cell gone = std::exchange(root_, {});
    tree_store* store = std::exchange(store_, nullptr);
    if (!store) return;
    if (store->is_shared() || !store->forgets()) store->release(gone);
    store->unshare();
}

void document::replace_root(tree_cell cell) noexcept {
    ++epoch_;
    store_->release(std::exchange(root_, cell));
}

bool document::set_root(const content& what) noexcept {
    tree_cell made;
    if (!make_cell(what, made)) return false;
    if (!detail::has_own_name(made.type_within())) made.key = 0;
    replace_root(made);
    return true;
}

node document::edit() noexcept {
    if (!root_.has_node() || !store_->unshare_node(root_)) return {};
    return {this, root_.node, root_.type};
}

document document::snapshot() noexcept {
    document made(options_);
    ++epoch_;
    if (!store_) return made;
    ALLOT_EXPECT(store_->sharer_count() <= 1'000'000, "document '", name().view(),
                 "': more than 1000000 snapshots");
    store_->share();
    store_->retain(root_);
    made.store_ = store_;
    made.root_ = root_;
    return made;
}

bool document::make_cell(const content& what, tree_cell& cell) noexcept {
    const value_type type = what.copied_ ? what.copied_.type() : what.cell_.type;
    if (type == value_type::none || !have_store()) return false;
    if (what.copied_) return deep_copy(what.copied_, cell);
    cell = what.cell_;
    if (detail::has_own_name(type)) {
        cell.key = store_->try_intern(what.name_).value();
        if (cell.key == 0) return false;
    }
    if (has_text(type)) return store_->make_text(cell, what.text_);
    if (!is_container(type)) return true;
    cell.node = store_->make_node(0);
    return cell.node != nullptr;
}

bool document::deep_copy(value from, tree_cell& cell, bool shares_texts) noexcept {
    tree_cell root = *from.cell_;
    if (!detail::has_own_name(root.type_within())) root.key = 0;
    root.is_attribute = false;
    return tree_copier(*from.store_, *store_, shares_texts).run(root, cell);
}

symbol document::try_intern(std::string_view key) noexcept {
    return have_store() ? store_->try_intern(key) : symbol();
}

symbol document::find_key(std::string_view key) const noexcept {
    return store_ ? store_->find_key(key) : symbol();
}

std::string_view document::key_text(symbol key) const noexcept {
    return store_ ? store_->key_text(key) : std::string_view();
}

usage document::usage() const noexcept {
    allot::usage now = store_ ? store_->usage() : allot::usage{.limit_bytes = options_.limit_bytes};
    now.refused_count += refused_count_;
    return now;
}

void document::check() const noexcept {
    if (!store_) return;
    detail::tree_stack<tree_cell> rest(default_source()); // a check changes no numbers
    tree_cell at = root_;
    for (;;) {
        if (at.has_node()) {
            store_->check_node(*at.node, at.type);
            for (std::uint32_t i = 0; i != at.node->size(); ++i)
                ALLOT_EXPECT(rest.try_push(at.node->cells[i]), "document '", name().view(),
                             "': check() has no memory");
        }
        if (rest.empty()) return;
        at = rest.pop();
    }
}

} // namespace allot
