// source_factory: makes a memory source for whoever needs one of its own: a tag, a tenant, a plug-in.
//
// tagged_heap takes one, so that what stands behind a tag (malloc, pages, another allocator's heap) is the
// application's choice. For a source that you can name in code, just construct it.
// Owns: the factory owns what it makes, until destroy().
// Threads: any.
//
//     memory_source* parser = factory.try_make("parser");
//     …
//     factory.destroy(*parser);
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>

namespace allot {

class source_factory {
public:
    // nullptr on shortage.
    [[nodiscard]] virtual memory_source* try_make(const name& who) noexcept = 0;
    // Expects: a source that this factory made. Blocks of it that are still out go with it where its traits
    // say bulk_free.
    virtual void destroy(memory_source& made) noexcept = 0;
    // The source that a block came from, so that a free through the wrong one is found; nullptr: the factory
    // cannot tell. Expects: a live block of a source that this factory made.
    virtual memory_source* owner_of(const void* block) const noexcept {
        static_cast<void>(block);
        return nullptr;
    }

protected:
    ~source_factory() = default;
};

} // namespace allot
