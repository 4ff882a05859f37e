#include <allot/core/checks.hpp>
#include <allot/document/json_tape.hpp>
#include <bit>
#include <utility>

namespace allot::detail {
namespace {

// Texts are short: two moves that overlap, no call. Expects: 16 bytes behind `from` may be read, 8 ≤ size.
void copy_text(char* to, const char* from, std::size_t size) noexcept {
    if (size > 32) {
        std::memcpy(to, from, size);
    } else if (size >= 16) {
        std::uint64_t part[4];
        std::memcpy(part, from, 16);
        std::memcpy(part + 2, from + size - 16, 16);
        std::memcpy(to, part, 16);
        std::memcpy(to + size - 16, part + 2, 16);
    } else {
        std::uint64_t first = 0, last = 0;
        std::memcpy(&first, from, 8);
        std::memcpy(&last, from + size - 8, 8);
        std::memcpy(to, &first, 8);
        std::memcpy(to + size - 8, &last, 8);
    }
}

// One cell, in two moves.
void put(tree_cell* cell, value_type type, std::uint64_t key, std::uint64_t payload,
         std::uint64_t length = 0) noexcept {
    const std::uint64_t parts[2] = {key << 32 | length << 8 | static_cast<std::uint64_t>(type), payload};
    static_assert(sizeof parts == sizeof *cell && std::endian::native == std::endian::little);
    std::memcpy(static_cast<void*>(cell), parts, sizeof parts);
}

template <class T>
std::uint64_t payload_of(T* block) noexcept {
    return reinterpret_cast<std::uintptr_t>(block);
}

// The header and the cells of the container at `at`, with more than few children; nullptr on shortage.
[[gnu::noinline]] tree_node* open_large(tree_store& store, const json_tape& tape, std::size_t at) noexcept {
    const std::size_t count = tape.count(at);
    if (count > tree_node::size_max / 2) {
        store.refuse(count);
        return nullptr;
    }
    const auto size = static_cast<std::uint32_t>(count);
    return store.make_node(size, size, tape.kind_at(at) == '{');
}

tree_node* open(tree_store& store, const json_tape& tape, std::size_t at) noexcept {
    const auto count = static_cast<std::uint32_t>(tape.words[at] >> 32 & json_tape::count_max);
    return count < tree_store::indexed_from ? store.make_node(count) : open_large(store, tape, at);
}

// nullptr on shortage. Expects: 8 bytes of text or more, with a zero and more behind them.
tree_text* make_text(tree_store& store, std::string_view text) noexcept {
    if (text.size() > tree_node::size_max) [[unlikely]]
        return store.refuse(text.size()), nullptr;
    void* const memory = store.take(tree_text::block_size(text.size()));
    if (!memory) [[unlikely]]
        return nullptr;
    auto* const made = ::new (memory) tree_text{1, static_cast<std::uint32_t>(text.size())};
    copy_text(made->bytes(), text.data(), text.size() + 1);
    return made;
}

} // namespace

std::size_t json_tape::counted(std::size_t container) const noexcept {
    const bool is_object = kind_at(container) == '{';
    std::size_t count = 0;
    for (std::size_t at = container + 1; at != behind(container) - 1; ++count)
        at = behind_value(at + is_object);
    return count;
}

json_tree::outcome json_tree::run() noexcept {
    store_ = into_.have_store();
    if (!store_) return outcome::shortage;
    const outcome ended = walk();
    if (ended == outcome::done)
        into_.replace_root(std::exchange(root_, {}));
    else
        undo();
    return ended;
}

json_tree::outcome json_tree::walk() noexcept {
    // Copies, for a cell that is written might be a part of *this as far as a compiler knows.
    const json_tape tape = tape_;
    tree_store& store = *store_;
    std::size_t at = 1;
    tree_cell* next = &root_;
    tree_cell* innermost = nullptr;
    std::uint64_t depth = 0;
    bool in_object = false;
    const auto stop = [&](outcome why) {
        at_ = at;
        next_ = next;
        innermost_ = innermost;
        depth_ = depth;
        return why;
    };
    do {
        std::uint32_t key = 0;
        std::uint64_t word = tape.words[at];
        if (in_object && json_tape::kind(word) != '}') {
            key = keys_.symbol_of(tape.text(word), store).value();
            if (key == 0) [[unlikely]]
                return stop(outcome::shortage);
            word = tape.words[++at];
        }
        switch (const char kind = json_tape::kind(word)) {
        case '"': {
            const std::string_view text = tape.text(word);
            if (text.size() <= tree_cell::inline_max) {
                std::uint64_t chars = 0;
                std::memcpy(&chars, text.data(), sizeof chars);
                chars &= (UINT64_C(1) << (8 * text.size())) - 1;
                put(next, value_type::text, key, chars, text.size());
                break;
            }
            tree_text* const made = make_text(store, text);
            if (!made) [[unlikely]]
                return stop(outcome::shortage);
            put(next, value_type::text, key, payload_of(made), tree_cell::in_block);
            break;
        }
        case '{':
        case '[': {
            if (depth == options_.depth_max) [[unlikely]]
                return stop(outcome::too_deep);
            tree_node* const node = open(store, tape, at);
            if (!node) [[unlikely]]
                return stop(outcome::shortage);
            put(next, kind == '{' ? value_type::object : value_type::array, key, payload_of(node));
            if (node->size() == 0) {
                ++at;
                break;
            }
            innermost = std::exchange(next, std::exchange(node->cells, innermost));
            in_object = kind == '{';
            ++depth;
            ++at;
            continue;
        }
        case '}':
        case ']': {
            tree_node* const node = innermost->node;
            tree_cell* const outer = std::exchange(node->cells, next - node->size());
            ALLOT_CHECK(tape.behind(word & json_tape::payload_mask) == at + 1, "document '",
                        into_.name().view(), "': simdjson's tape is broken");
            if (kind == '}') {
                duplicate_ = store.settle_keys(node, options_.duplicates);
                if (duplicate_) [[unlikely]] {
                    node->cells = outer;
                    return stop(outcome::duplicate);
                }
            }
            next = innermost + 1;
            innermost = outer;
            in_object = outer && outer->type == value_type::object;
            --depth;
            ++at;
            continue;
        }
        case 'l': put(next, value_type::integer, key, tape.words[++at]); break;
        case 'u':
            put(next, value_type::unsigned_integer, key, tape.words[++at]);
            break; // beyond the signed ones
        case 'd': put(next, value_type::real, key, tape.words[++at]); break;
        case 't':
        case 'f': put(next, value_type::boolean, key, kind == 't'); break;
        default: put(next, value_type::null, key, 0);
        }
        ++next;
        ++at;
    } while (innermost);
    return outcome::done;
}

// Each open container's header leads out. Turned round they lead in, and the tape tells how many children stand before
// the one that leads on, thus where the cells begin. What is not written yet becomes empty.
void json_tree::undo() noexcept {
    tree_cell* inner = next_;
    for (tree_cell* own = innermost_; own;) {
        tree_cell* const outer = std::exchange(own->node->cells, inner);
        inner = std::exchange(own, outer);
    }
    tree_cell* own = &root_;
    std::size_t container = 1;
    for (std::uint64_t levels = depth_; levels != 0; --levels) {
        const bool is_object = own->type == value_type::object;
        tree_node* const node = own->node;
        std::uint32_t passed = 0;
        std::size_t at = container + 1 + is_object;
        while (at < at_ && tape_.behind_value(at) <= at_) {
            at = tape_.behind_value(at) + is_object;
            ++passed;
        }
        own = node->cells;
        container = at;
        node->cells -= passed;
        for (std::uint32_t i = passed + (levels != 1); i < node->size(); ++i) node->cells[i] = {};
    }
    store_->release(std::exchange(root_, {}));
}

std::uint64_t json_tree::duplicate_ordinal(std::uint64_t* levels) const noexcept {
    const std::string_view key = store_->key_text(duplicate_);
    const std::size_t object = static_cast<std::uint32_t>(tape_.words[at_]);
    std::uint64_t found = 0, ordinal = 0, level = 0;
    const auto bit_of = [](std::uint64_t at) { return UINT64_C(1) << (at % 64); };
    for (std::size_t at = 1; at < at_; ++at) {
        char kind = tape_.kind_at(at);
        const bool inside = level != 0 && (levels[(level - 1) / 64] & bit_of(level - 1)) != 0;
        if (inside && kind != '}') {
            ++ordinal;
            const bool is_member = at > object && level == depth_;
            if (is_member && tape_.text(tape_.words[at]) == key && ++found == 2) return ordinal;
            kind = tape_.kind_at(++at);
        }
        if (kind == 'l' || kind == 'u' || kind == 'd') ++at;
        if (kind == '{' || kind == '[') {
            std::uint64_t& word = levels[level / 64];
            word = kind == '{' ? word | bit_of(level) : word & ~bit_of(level);
            ++level;
        }
        if (kind == '}' || kind == ']') --level;
    }
    return 0;
}

} // namespace allot::detail
