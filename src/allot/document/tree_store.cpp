#include <algorithm>
#include <allot/core/poison.hpp>
#include <allot/document/tree_page.hpp>
#include <allot/document/tree_store.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_interner.hpp>
#include <allot/structure/interner.hpp>
#include <cstring>
#include <memory>
#include <new>
#include <typeinfo>

namespace allot::detail {

// A block of headers.
struct tree_store::slab {
    slab* older;
    std::uint32_t count;
    std::uint32_t spare;

    tree_node* nodes() noexcept { return reinterpret_cast<tree_node*>(this + 1); }
    std::size_t bytes() const noexcept { return sizeof(slab) + count * sizeof(tree_node); }
};

// The document's own interner, whose memory counts as the document's.
struct tree_store::own_keys final : memory_source {
    explicit own_keys(tree_store& store) noexcept
        : owner(store), table({.name = store.name_, .upstream = this}) {}
    void* do_try_allocate(layout wanted) noexcept override { return owner.take(wanted.size, wanted.align); }
    void do_give_back(void* address, layout given) noexcept override {
        owner.give_back(address, given.size, given.align);
    }
    source_traits do_traits() const noexcept override { return {.bulk_free = owner.bulk_free_}; }

    tree_store& owner;
    interner table;
};

tree_store::tree_store(const document_options& options, memory_source& upstream) noexcept
    : name_(options.name),
      upstream_(upstream),
      arena_(typeid(upstream) == typeid(arena) ? static_cast<arena*>(&upstream) : nullptr),
      keys_(options.keys),
      shared_keys_(options.shared_keys),
      bulk_free_(upstream.traits().bulk_free),
      limit_bytes_(options.limit_bytes) {}

tree_store* tree_store::try_make(const document_options& options) noexcept {
    memory_source& upstream = options.upstream ? *options.upstream : default_source();
    void* memory = nullptr;
    if (options.limit_bytes >= sizeof(tree_store))
        memory = upstream.try_allocate({sizeof(tree_store), alignof(tree_store)});
    else
        note_refusal({.who = options.name,
                      .kind = "document",
                      .asked = {sizeof(tree_store), alignof(tree_store)},
                      .limit_bytes = options.limit_bytes,
                      .live_bytes = 0});
    if (!memory) return nullptr;
    auto* made = ::new (memory) tree_store(options, upstream);
    made->live_bytes_ = made->peak_live_bytes_ = made->total_bytes_ = sizeof(tree_store);
    made->live_count_ = made->total_count_ = 1;
    return made;
}

void tree_store::unshare() noexcept {
    if (--sharers_ == 0) end();
}

void tree_store::end() noexcept {
    memory_source& upstream = upstream_;
    if (bulk_free_) return; // all of it lies in upstream, the interner's, too
    if (own_keys_) {
        std::destroy_at(own_keys_);
        give_back(own_keys_, sizeof(own_keys), alignof(own_keys));
    }
    while (slabs_) {
        slab* gone = slabs_;
        slabs_ = gone->older;
        give_back(gone, gone->bytes());
    }
    ALLOT_CHECK(live_count_ == 1, "document '", name_.view(), "': ends with ", live_count_ - 1, " blocks of ",
                live_bytes_ - sizeof(tree_store), " bytes that no value refers to");
    upstream.deallocate(this, {sizeof(tree_store), alignof(tree_store)});
}

// --- blocks

bool tree_store::refuse(std::size_t asked) noexcept {
    ++refused_count_;
    note_refusal({.who = name_,
                  .kind = "document",
                  .asked = {asked, 8},
                  .limit_bytes = limit_bytes_,
                  .live_bytes = live_bytes_});
    return false;
}

void* tree_store::take_none(std::size_t size) noexcept {
    if (size > limit_bytes_ || live_bytes_ > limit_bytes_ - size)
        refuse(size);
    else
        ++refused_count_; // upstream has noted it
    return nullptr;
}

void tree_store::give_back(void* block, std::size_t size, std::size_t align) noexcept {
    live_bytes_ -= size;
    --live_count_;
    upstream_.deallocate(block, {size, align});
}

usage tree_store::usage() const noexcept {
    allot::usage now;
    now.live_bytes = live_bytes_;
    now.live_count = live_count_;
    now.peak_live_bytes = peak_live_bytes_;
    now.total_bytes = total_bytes_;
    now.total_count = total_count_;
    now.refused_count = refused_count_;
    now.limit_bytes = limit_bytes_;
    now.held_bytes = now.live_bytes;
    return now;
}

// --- keys

bool tree_store::have_keys() noexcept {
    if (keys_ || shared_keys_) return true;
    void* memory = take(sizeof(own_keys), alignof(own_keys));
    if (!memory) return false;
    own_keys_ = ::new (memory) own_keys(*this);
    keys_ = &own_keys_->table;
    return true;
}

symbol tree_store::try_intern(std::string_view text) noexcept {
    if (!have_keys()) return {};
    const symbol made = keys_ ? keys_->try_intern(text) : shared_keys_->try_intern(text);
    refused_count_ += !made && !own_keys_; // who has its own counts where it asks for memory
    return made;
}

symbol tree_store::find_key(std::string_view text) const noexcept {
    if (keys_) return keys_->find(text);
    return shared_keys_ ? shared_keys_->find(text) : symbol();
}

std::string_view tree_store::key_text(symbol key) const noexcept {
    if (!key) return {};
    return keys_ ? keys_->resolve(key) : shared_keys_->resolve(key);
}

bool tree_store::same_keys(const tree_store& other) const noexcept {
    return keys_ == other.keys_ && shared_keys_ == other.shared_keys_;
}

std::string_view key_text(const tree_store* store, std::uint32_t key) noexcept {
    return store->key_text(symbol::from_value(key));
}

std::uint32_t find_key(const tree_store* store, std::string_view text) noexcept {
    return store->find_key(text).value();
}

// --- headers

bool tree_store::add_slab() noexcept {
    // 16 bytes for the slab's own head: blocks of 256 bytes to 4 KiB.
    const std::uint32_t count = slabs_ ? std::min(slabs_->count * 2 + 1, 255u) : 15;
    void* memory = take(sizeof(slab) + count * sizeof(tree_node));
    if (!memory) return false;
    slabs_ = ::new (memory) slab{slabs_, count, 0};
    fresh_node_ = slabs_->nodes();
    fresh_end_ = fresh_node_ + count;
    allot::mark_dead(fresh_node_, count * sizeof(tree_node));
    return true;
}

tree_node* tree_store::make_node(std::uint32_t size, std::uint32_t capacity, bool indexed) noexcept {
    if (!free_nodes_ && fresh_node_ == fresh_end_ && !add_slab()) return nullptr;
    tree_cell* cells = nullptr;
    const bool is_extended = indexed || capacity != size;
    if (capacity != 0) {
        cells = make_cells(capacity, indexed ? slots_for(capacity) : 0, is_extended);
        if (!cells) return nullptr;
        if (capacity != size) allot::mark_dead(cells + size, (capacity - size) * sizeof(tree_cell));
    }
    tree_node* made = free_nodes_;
    std::uint32_t generation = 1;
    if (made) {
        free_nodes_ = reinterpret_cast<tree_node*>(made->cells);
        generation = made->generation();
    } else {
        made = fresh_node_++;
        allot::mark_live(made, sizeof *made);
    }
    return ::new (made)
        tree_node{cells, size | (is_extended ? tree_node::extended : 0), generation << 20 | 1};
}

void tree_store::free_node(tree_node* node) noexcept {
    if (node->cells) give_back_cells(*node);
    node->cells = reinterpret_cast<tree_cell*>(free_nodes_);
    node->size_bits = 0;
    node->refs_bits = (node->generation() + 1) << 20; // wraps
    free_nodes_ = node;
}

// --- texts

bool tree_store::make_text(tree_cell& cell, std::string_view text) noexcept {
    if (text.size() <= tree_cell::inline_max) {
        cell.length = static_cast<std::uint8_t>(text.size());
        cell.integer = 0;
        if (!text.empty()) std::memcpy(cell.chars, text.data(), text.size());
        return true;
    }
    if (text.size() > tree_node::size_max) return refuse(text.size());
    void* memory = take(tree_text::block_size(text.size()));
    if (!memory) return false;
    cell.text = ::new (memory) tree_text{1, static_cast<std::uint32_t>(text.size())};
    cell.length = tree_cell::in_block;
    std::memcpy(cell.text->bytes(), text.data(), text.size());
    cell.text->bytes()[text.size()] = 0;
    return true;
}

void tree_store::release(tree_cell cell) noexcept {
    // A container whose last reference goes is emptied from its end. Its last cell, emptied first, is where the walk
    // keeps its place meanwhile: the container above, and how many cells are left.
    tree_node* up = nullptr;
    const auto place = [](tree_node* in) -> tree_cell& { return in->cells[in->size() - 1]; };
    for (;;) {
        if (cell.has_node() && cell.node->refs() == 1 && cell.node->size() != 0) {
            tree_node* node = cell.node;
            cell = place(node);
            place(node).key = node->size() - 1;
            place(node).node = up;
            up = node;
            continue;
        }
        if (cell.has_node()) {
            if (cell.node->refs() == 1)
                free_node(cell.node);
            else
                --cell.node->refs_bits;
        } else if (cell.has_text_block() && --cell.text->refs == 0) {
            if (cell.type == value_type::paged_out)
                drop_page(cell);
            else
                give_back(cell.text, tree_text::block_size(cell.text->size));
        }
        while (up && place(up).key == 0) {
            tree_node* done = up;
            up = place(done).node;
            free_node(done);
        }
        if (!up) return;
        cell = up->cells[--place(up).key];
    }
}

} // namespace allot::detail
