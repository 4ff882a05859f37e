// xml_tree: a document's tree made in the order of a text of XML: elements, their attributes, their children.
//
// For xml_reader alone; whoever makes a tree of anything else takes document_builder. Children are gathered, for
// nobody knows how many there will be, and copied to a block of their own when their element ends; until then all
// that is gathered is complete, so that nothing has to be remembered of open elements but where their children begin.
// Owns what is made until commit(); borrows the document, and `scratch` for what it remembers of open elements.
// All that answers false did so for shortage, but attribute(); then nothing more may be added.
// Threads: compatible.
//
//     xml_tree tree(config, scratch);
//     if (!tree.begin("size", tree.intern("size"))) return shortage;
//     if (!tree.text("80") || !tree.end()) return shortage;
//     tree.commit();
#pragma once

#include <allot/document/document.hpp>
#include <allot/document/tree_stack.hpp>
#include <allot/document/tree_store.hpp>

namespace allot::detail {

class xml_tree {
public:
    xml_tree(document& into, memory_source& scratch) noexcept
        : into_(into), store_(into.have_store()), open_(scratch) {}
    xml_tree(const xml_tree&) = delete;
    xml_tree& operator=(const xml_tree&) = delete;
    ~xml_tree();

    symbol intern(std::string_view text) noexcept { return store_ ? store_->try_intern(text) : symbol(); }
    std::size_t depth() const noexcept { return open_.size(); }
    // The name of the innermost element, as a view of what stays.
    std::string_view called() noexcept { return open_.top().called; }

    bool begin(std::string_view called, symbol name) noexcept {
        if (!open_.try_push({called, name.value(), first_})) return false;
        first_ = count_;
        return true;
    }
    // Does the innermost element, which has no children yet, have it?
    bool has_attribute(symbol name) const noexcept {
        for (std::uint32_t at = first_; at != count_; ++at)
            if (cells_[at].key == name.value()) return true;
        return false;
    }
    bool attribute(symbol name, std::string_view text) noexcept {
        return put_text({.type = value_type::text, .is_attribute = true, .key = name.value(), .integer = 0},
                        text);
    }
    // With the target of an instruction.
    bool text(std::string_view text, value_type type = value_type::text, symbol target = {}) noexcept {
        return put_text({.type = type, .key = target.value(), .integer = 0}, text);
    }
    bool end() noexcept;
    // Expects: the root has ended.
    void commit() noexcept;

private:
    struct element {
        std::string_view called;
        std::uint32_t name;
        std::uint32_t first_above; // first_ of the element around it
    };

    bool put_text(tree_cell cell, std::string_view text) noexcept {
        if (count_ == capacity_ && !grow()) return false;
        if (!store_->make_text(cell, text)) return false;
        cells_[count_++] = cell;
        return true;
    }
    bool grow() noexcept;

    document& into_;
    tree_store* store_; // nullptr: there was no memory for one
    tree_cell* cells_ = nullptr;
    std::uint32_t count_ = 0;
    std::uint32_t capacity_ = 0;
    std::uint32_t first_ = 0; // where the children of the innermost element begin
    tree_stack<element> open_;
};

} // namespace allot::detail
