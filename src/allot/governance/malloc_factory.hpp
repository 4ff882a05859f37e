// malloc_factory: makes a listed_source for each name, over malloc or another source.
//
// tagged_heap's factory as long as the application chooses no other. A factory whose sources take pages can
// give a tag's memory back without walking its blocks.
// Owns what it made, until destroy(). Borrows upstream.
// Threads: any.
// Cost: 1.1 KiB of upstream's per source; listed_source.hpp per block.
// Fatal (level on): `allot: fatal: malloc_factory: died with 2 sources`.
//
//     malloc_factory factory({.upstream = &source});
//     memory_source* parser = factory.try_make("parser");
//     void* block = parser->allocate(layout{.size = 100});
//     assert(factory.owner_of(block) == parser);
//     factory.destroy(*parser);                // and the block
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/source_factory.hpp>
#include <atomic>
#include <cstddef>

namespace allot {

struct malloc_factory_options {
    memory_source* upstream = nullptr; // nullptr: default_source(); thread_safe
};

class malloc_factory final : public source_factory {
public:
    explicit malloc_factory(malloc_factory_options wanted = {}) noexcept;
    ~malloc_factory();
    malloc_factory(const malloc_factory&) = delete;
    malloc_factory& operator=(const malloc_factory&) = delete;

    [[nodiscard]] memory_source* try_make(const name& who) noexcept override;
    void destroy(memory_source& made) noexcept override;
    memory_source* owner_of(const void* block) const noexcept override;

private:
    memory_source& upstream_;
    std::atomic<std::size_t> made_count_ = 0;
};

} // namespace allot
