#include <allot/structure/pool.hpp>

#include <allot/c/handles.hpp>

struct allot_pool : allot::detail::handle<allot::pool> {};

using namespace allot;

allot_status allot_pool_create(const allot_pool_options* options, allot_pool** out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_pool_create: nowhere to put the pool");
    *out = nullptr;
    if (!options) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_pool_create: no options, so no slot_size");
    const layout slot{.size = options->slot_size,
                      .align = options->slot_align ? options->slot_align : alignof(std::max_align_t)};
    // An eighth of the address space is beyond what any slab can be, and spares the pool's sums.
    if (!is_valid(slot) || slot.size > static_cast<std::size_t>(-1) >> 4 || slot.align > mebibytes(1))
        return detail::fail(ALLOT_BAD_ARGUMENT, "allot_pool_create: such a slot cannot be");
    pool_options how{.name = detail::name_or(options->name, "pool"),
                     .slot = slot,
                     .upstream = &as_source(options->upstream),
                     .slot_count_max = detail::limit_or_none(options->slot_count_max),
                     .limit_bytes = detail::limit_or_none(options->limit_bytes)};
    if (options->slab_bytes) how.slabs = {.bytes_min = options->slab_bytes, .bytes_max = options->slab_bytes};
    return detail::make_handle(*how.upstream, out, [&] { return pool(how); });
}

void allot_pool_destroy(allot_pool* pool) { detail::destroy_handle(pool); }

void* allot_pool_alloc(allot_pool* pool) {
    if (!pool) return detail::fail_empty(ALLOT_BAD_ARGUMENT, "allot_pool_alloc: no pool: NULL");
    return detail::noting_shortage(pool->it.try_allocate());
}

void allot_pool_free(allot_pool* pool, void* slot) {
    if (pool && slot) pool->it.deallocate(slot);
}

bool allot_pool_owns(const allot_pool* pool, const void* address) { return pool && pool->it.owns(address); }

allot_usage allot_pool_usage(const allot_pool* pool) {
    return detail::to_c(pool ? pool->it.usage() : usage{.limit_bytes = 0});
}

allot_status allot_pool_source(allot_pool* pool, allot_source** out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_pool_source: nowhere to put the source");
    *out = nullptr;
    if (!pool) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_pool_source: no pool: NULL");
    *out = as_c(pool->it);
    return ALLOT_OK;
}
