// compiled_path: a path whose names were interned once: looking up compares numbers.
//
// Use it for a way that is gone often, in documents that share an interner. For a single look-up value_at of the
// text does; to edit go to a place's container and take its node.
// Is for documents with the interner of the one that it was made for, as long as that keeps its keys: a document
// with an interner of its own forgets them with clear(), and every look-up finds nothing then.
// Owns one block of its upstream, 12 bytes a step. Threads: a value; look-ups from any thread that may read the tree.
// Cost: a look-up allocates nothing and reads no text: a step takes a scan of 32 keys at most, above that a look into
// the object's index.
//
//     document packages;
//     assert(set_at(packages, R"(versions["3.21.1"].dist.tarball)", "express-3.21.1.tgz"));
//     const result<compiled_path> way = compiled_path::make(R"(versions["3.21.1"].dist.tarball)", packages);
//     assert(value_at(packages.root(), *way).as_text() == "express-3.21.1.tgz");
#pragma once

#include <allot/document/path_access.hpp>
#include <span>
#include <utility>

namespace allot {

namespace detail {

struct compiled_step {
    symbol key = {};            // of a name or attribute
    std::uint32_t position = 0; // an item's; no_position where there can be none
    path_step::step_kind kind = path_step::name;
    static constexpr std::uint32_t no_position = ~std::uint32_t{0}; // more than a container holds
};

} // namespace detail

class compiled_path {
public:
    // An error where the path does not follow its grammar, and on shortage. nullptr: default_source().
    static result<compiled_path> make(path way, document& keys_of,
                                      memory_source* upstream = nullptr) noexcept;

    compiled_path(compiled_path&& from) noexcept
        : upstream_(from.upstream_), steps_(std::exchange(from.steps_, {})) {}
    compiled_path& operator=(compiled_path&& from) noexcept {
        std::swap(upstream_, from.upstream_);
        std::swap(steps_, from.steps_);
        return *this;
    }
    ~compiled_path();

    std::span<const detail::compiled_step> steps() const noexcept { return steps_; }

private:
    explicit compiled_path(memory_source& upstream) noexcept : upstream_(&upstream) {}
    bool fill(path way, document& keys_of) noexcept;

    memory_source* upstream_; // borrowed
    std::span<detail::compiled_step> steps_ = {};
};

// Empty where nothing is there.
inline value value_at(value from, const compiled_path& way) noexcept {
    for (const detail::compiled_step& step : way.steps())
        from = detail::step_into(from, step.kind, step.position, step.key);
    return from;
}

} // namespace allot
