// template_cache: messages of a few known shapes: each shape is parsed once, and a message is a copy of it with its
// slots filled.
//
// Use it where a program writes the same kinds of JSON again and again: requests to a model, events, replies. A text
// "${name}" that is a whole value is a slot; what fills it is any content. For single messages build a document.
// A message is a document and an arena for whatever else lives as long as it does. It comes from a pool, and goes back
// there with its handle: clean, but with its arena's chunks, so that in steady state filling allocates nothing.
// It shares no value with its template: an edit of it changes no other message (B74). Templates live in an arena of
// their own, which only clear() resets; with limit_bytes one that finds no room is refused, and the others stay.
// Keys of templates and messages are in one interner in that arena: keys that messages add to it stay, too.
// Owns templates and messages; messages must be back before its end. Borrows upstream. A template's address stays
// until clear(). A snapshot of a message must end before the message goes back.
// Threads: compatible (one thread at a time).
// Cost: a fill copies the template's cells and texts, and goes to each slot by its indices.
//
//     template_cache shapes({.name = "shapes", .limit_bytes = mebibytes(1)});
//     const auto call = shapes.get("call", R"({"model": "${model}", "messages": [{"text": "${text}"}], "n": 1})");
//     result<pooled<message>> first = shapes.fill(**call, {{"model", "small"}, {"text", "Hello"}});
//     assert((*first)->root()["messages"][0]["text"].as_text() == "Hello");
//     (void)(*first)->edit().set("n", 2); // of this message alone
//     result<pooled<message>> second = shapes.fill(**call, {{"model", "large"}, {"text", nullptr}});
//     assert((*second)->root()["n"].as_int() == 1 && shapes.find("call") == *call);
//     assert(shapes.fill(**call, {{"model", "small"}}).error().text() ==
//            "template 'call': slot 'text' is not filled");
#pragma once

#include <allot/document/document.hpp>
#include <allot/structure/arena.hpp>
#include <allot/structure/interner.hpp>
#include <allot/structure/object_pool.hpp>
#include <initializer_list>
#include <span>

namespace allot {

// A document in an arena. What else the arena is asked for goes with the message.
class message {
public:
    message(interner& keys, memory_source* upstream, std::size_t chunk_bytes_min) noexcept;
    message(const message&) = delete;
    message& operator=(const message&) = delete;

    value root() const noexcept { return tree_.root(); }
    node edit() noexcept { return tree_.edit(); }
    document& tree() noexcept { return tree_; }
    arena& memory() noexcept { return memory_; }
    // Empties both; the arena keeps its chunks.
    void reset() noexcept;

private:
    arena memory_;
    document tree_;
};

// What fills one slot, everywhere it stands in the template.
struct slot_content {
    std::string_view slot;
    content what;
};

// One shape. Made by template_cache.
class message_template {
public:
    std::string_view name() const noexcept { return name_; }
    std::size_t slot_count() const noexcept { return slots_.size(); } // places; a name may stand in several
    // The tree; null where a slot is.
    value root() const noexcept { return trees_->root()[index_]; }

private:
    friend class template_cache;
    struct slot {
        std::string_view name;
        std::span<const std::uint32_t> way; // the index in each container from the root on
    };
    std::string_view name_ = {};
    std::span<slot> slots_ = {};
    const document* trees_ = nullptr; // its tree is one of these
    std::size_t index_ = 0;
    message_template* older_ = nullptr;
};

struct template_cache_options {
    allot::name name = "template_cache";
    memory_source* upstream = nullptr;              // borrowed; nullptr: default_source()
    std::uint64_t limit_bytes = usage::unlimited;   // of templates and keys
    std::uint64_t kept_count_max = 64;              // messages kept ready
    std::uint64_t out_count_max = usage::unlimited; // messages out at a time
    std::size_t message_bytes = kibibytes(8);       // what a message takes from upstream at once
};

struct template_cache_numbers {
    std::uint64_t hits = 0;   // get() and find() that found their template
    std::uint64_t misses = 0; // that did not
    std::uint64_t template_count = 0;
    std::uint64_t template_bytes = 0; // of the templates' arena, keys included
    std::uint64_t fills = 0;          // messages that were filled
    object_counts messages = {};      // how they were reused
};

class template_cache {
public:
    // Takes nothing yet.
    explicit template_cache(const template_cache_options& options = {}) noexcept;
    template_cache(const template_cache&) = delete;
    template_cache& operator=(const template_cache&) = delete;

    // The template of this name; parsed from `text` if there is none yet. Errors: what read_json says; where it finds
    // no room, who refused. Then the templates are as they were, but for room lost in their arena.
    result<const message_template*> get(std::string_view name, std::string_view text) noexcept;
    const message_template* find(std::string_view name) noexcept; // nullptr

    // Every slot has to be filled, and everything that is given has to have a slot. Expects: `of` is of this cache.
    result<pooled<message>> fill(const message_template& of, std::span<const slot_content> with) noexcept;
    result<pooled<message>> fill(const message_template& of,
                                 std::initializer_list<slot_content> with) noexcept {
        return fill(of, std::span(with.begin(), with.size()));
    }
    // A message with nothing in it. Empty on shortage.
    pooled<message> try_message() noexcept { return messages_.try_acquire(); }

    // Forgets all templates and keys.
    // Expects: no message is out. Fatal: template_cache 'NAME': clear() with N messages out
    void clear() noexcept;

    template_cache_numbers numbers() const noexcept;
    // Of the templates' arena, keys included.
    allot::usage usage() const noexcept { return memory_.usage(); }
    const allot::name& name() const noexcept { return memory_.name(); }
    void check() const noexcept;

private:
    struct message_care : object_care<message> {
        message make() const noexcept;
        void clean(message& used) const noexcept { used.reset(); }
        template_cache* cache;
    };
    using slot = message_template::slot;
    struct found_slot;

    const message_template* look_up(std::string_view name) const noexcept;
    result<const message_template*> add(std::string_view name, std::string_view text) noexcept;
    message_template* keep(std::string_view name, document& parsed, arena& scratch) noexcept;
    bool find_slots(value root, arena& scratch, found_slot*& newest) noexcept;

    const template_cache_options options_;
    arena memory_; // of all below but messages_
    interner keys_;
    document templates_; // an array of all trees
    message_template* newest_ = nullptr;
    std::uint64_t hits_ = 0, misses_ = 0, fills_ = 0;
    object_pool<message, message_care> messages_;
};

} // namespace allot
