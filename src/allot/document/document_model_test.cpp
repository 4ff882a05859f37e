#include <allot/document/document.hpp>

#include <allot/core/bytes.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/interner.hpp>
#include <allot/testing/auditing_source.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

using model = nlohmann::ordered_json; // keeps the order of members

model as_model(value from) {
    switch (from.type()) {
    case value_type::null: return nullptr;
    case value_type::boolean: return from.as_bool();
    case value_type::integer: return from.as_int();
    case value_type::unsigned_integer: return from.as_uint();
    case value_type::real: return from.as_double();
    case value_type::text: return std::string(from.as_text());
    case value_type::array: {
        model made = model::array();
        for (value each : from.children()) made.push_back(as_model(each));
        return made;
    }
    default: {
        model made = model::object();
        for (value each : from.children()) made[std::string(each.key())] = as_model(each);
        return made;
    }
    }
}

// Random edits of a document and of nlohmann's tree, side by side.
class twins {
public:
    twins(memory_source& source, interner& keys, std::uint64_t seed)
        : random_(seed), real_({.upstream = &source, .keys = &keys}) {
        EXPECT_TRUE(real_.set_root(content::object()));
        expected_ = model::object();
    }

    void step() {
        node at = real_.edit();
        model* in = &expected_;
        descend(at, in, below(6));
        switch (below(12)) {
        case 0:
        case 1:
        case 2:
        case 3: return add(at, *in);
        case 4: return replace(at, *in);
        case 5: return erase(at, *in);
        case 6: return copy(at, *in);
        case 7:
        case 8: return move(at, *in);
        case 9: return swap(at, *in);
        case 10: return snapshot();
        default: return restore();
        }
    }
    void compare() const {
        real_.check();
        ASSERT_EQ(as_model(real_.root()).dump(), expected_.dump());
        for (const auto& [kept, was] : kept_) {
            kept.check();
            ASSERT_EQ(as_model(kept.root()).dump(), was.dump());
        }
    }
    std::size_t value_count() const { return expected_.flatten().size(); }

private:
    std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }
    std::string key() { return "key number " + std::to_string(below(60)); }

    void descend(node& at, model*& in, std::size_t levels) {
        for (; levels != 0 && !in->empty(); --levels) {
            const std::size_t index = below(in->size());
            model& child = *std::next(in->begin(), static_cast<std::ptrdiff_t>(index));
            if (!child.is_structured()) return;
            at = at.edit(index);
            in = &child;
            ASSERT_TRUE(at.is_live());
            ASSERT_EQ(at.size(), in->size());
        }
    }
    std::pair<content, model> fresh() {
        switch (below(8)) {
        case 0: return {nullptr, nullptr};
        case 1: return {true, true};
        case 2: return {-5, -5};
        case 3: return {UINT64_MAX, UINT64_MAX};
        case 4: return {0.25, 0.25};
        case 5: return {content::array(), model::array()};
        case 6: return {content::object(), model::object()};
        default:
            text_ = std::string(below(20), static_cast<char>('a' + below(26)));
            return {std::string_view(text_), text_};
        }
    }
    static void put(model& in, std::size_t index, const std::string& key, const model& what) {
        if (in.is_array()) {
            in.insert(in.begin() + static_cast<std::ptrdiff_t>(index), what);
            return;
        }
        model next = model::object();
        std::size_t at = 0;
        for (const auto& [name, each] : in.items()) {
            if (at++ == index) next[key] = what;
            next[name] = each;
        }
        if (at <= index) next[key] = what;
        in = next;
    }
    static void remove(model& in, std::size_t index) {
        in.erase(std::next(in.begin(), static_cast<std::ptrdiff_t>(index)));
    }

    void add(node at, model& in) {
        const auto [what, same] = fresh();
        const std::size_t index = below(in.size() + 1);
        const std::string name = key();
        if (in.is_array()) {
            ASSERT_TRUE(at.insert(index, what));
            return put(in, index, name, same);
        }
        const bool known = in.contains(name);
        ASSERT_EQ(at.insert(index, name, what), !known);
        if (known) {
            ASSERT_TRUE(at.set(name, what));
            in[name] = same;
        } else {
            put(in, index, name, same);
        }
    }
    void replace(node at, model& in) {
        if (in.empty()) return;
        const auto [what, same] = fresh();
        const std::size_t index = below(in.size());
        ASSERT_TRUE(at.set(index, what));
        *std::next(in.begin(), static_cast<std::ptrdiff_t>(index)) = same;
    }
    void erase(node at, model& in) {
        const std::size_t index = below(in.size());
        ASSERT_EQ(at.erase(index), !in.empty());
        if (!in.empty()) remove(in, index);
    }
    void copy(node at, model& in) {
        value from = real_.root();
        const model* same = &expected_;
        for (std::size_t levels = below(4); levels != 0 && from.size() != 0; --levels) {
            const std::size_t index = below(from.size());
            from = from[index];
            same = &*std::next(same->begin(), static_cast<std::ptrdiff_t>(index));
        }
        if (same->flatten().size() + value_count() > 3000) return;
        const model was = *same; // it may lie in what changes
        const std::string name = key();
        if (in.is_object() && in.contains(name)) return;
        ASSERT_TRUE(in.is_array() ? at.insert(0, from) : at.insert(0, name, from));
        put(in, 0, name, was);
    }
    static bool lies_in(const model& root, const model* wanted) {
        if (&root == wanted) return true;
        for (const model& each : root)
            if (&each == wanted || (each.is_structured() && lies_in(each, wanted))) return true;
        return false;
    }
    void move(node at, model& in) {
        node from = real_.edit();
        model* source = &expected_;
        descend(from, source, below(4));
        if (source->empty()) return;
        const std::size_t from_index = below(source->size());
        const bool is_here = source == &in;
        const std::size_t index = below(in.size() + 1 - is_here);
        const std::string name = key();
        model& moved = *std::next(source->begin(), static_cast<std::ptrdiff_t>(from_index));
        const bool is_cycle = moved.is_structured() && lies_in(moved, &in);
        const bool is_known = in.is_object() && in.contains(name) && !(is_here && &in[name] == &moved);
        const bool done =
            in.is_array() ? at.take(index, from, from_index) : at.take(index, name, from, from_index);
        ASSERT_EQ(done, !is_cycle && !is_known);
        if (!done) return;
        const model was = moved;
        if (is_here || !lies_in(*source, &in)) {
            remove(*source, from_index);
            put(in, index, name, was);
        } else { // taking out would move what `in` points to: put first
            put(in, index, name, was);
            remove(*source, from_index);
        }
    }
    void swap(node at, model& in) {
        node other = real_.edit();
        model* with = &expected_;
        descend(other, with, below(4));
        if (in.empty() || with->empty()) return;
        const std::size_t a = below(in.size());
        const std::size_t b = below(with->size());
        model& mine = *std::next(in.begin(), static_cast<std::ptrdiff_t>(a));
        model& theirs = *std::next(with->begin(), static_cast<std::ptrdiff_t>(b));
        const bool is_refused = &mine != &theirs && (lies_in(mine, &theirs) || lies_in(theirs, &mine));
        ASSERT_EQ(at.swap(a, other, b), !is_refused);
        if (!is_refused && &mine != &theirs) std::swap(mine, theirs);
    }
    void snapshot() {
        if (kept_.size() == 4) kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(below(4)));
        kept_.emplace_back(real_.snapshot(), expected_);
    }
    void restore() {
        if (kept_.empty() || below(4) != 0) return;
        auto& [kept, was] = kept_[below(kept_.size())];
        real_ = kept.snapshot();
        expected_ = was;
    }

    std::mt19937_64 random_;
    document real_;
    model expected_;
    std::vector<std::pair<document, model>> kept_;
    std::string text_;
};

TEST(document_model, random_edits_with_snapshots_are_as_a_naive_tree_has_them) {
    for (std::uint64_t seed = 1; seed != 13; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        auditing_source audited(default_source());
        interner keys;
        {
            twins both(audited, keys, seed);
            for (int step = 0; step != 400 && !testing::Test::HasFailure(); ++step) {
                both.step();
                if (step % 16 == 0 || both.value_count() < 30) both.compare();
            }
            if (testing::Test::HasFailure()) return;
        }
        ASSERT_EQ(audited.live_count(), 0u); // every count of references came down to nothing
    }
}

} // namespace
} // namespace allot
