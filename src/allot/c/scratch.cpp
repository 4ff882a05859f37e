#include <allot/structure/scratch.hpp>

#include <allot/c/handles.hpp>
#include <cstring>

using namespace allot;

static_assert(sizeof(allot_scratch::storage_) >= sizeof(scratch) &&
              alignof(allot_scratch) >= alignof(scratch));

namespace {

scratch* opened(allot_scratch* handle) noexcept {
    if (!handle || !handle->source_) {
        detail::fail(ALLOT_BAD_ARGUMENT, "a scratch that is not open");
        return nullptr;
    }
    return std::launder(reinterpret_cast<scratch*>(handle->storage_));
}

void* allocate(allot_scratch* from, std::size_t size, std::size_t align) noexcept {
    scratch* const it = opened(from);
    return it ? detail::noting_shortage(it->try_allocate({size, align})) : nullptr;
}

} // namespace

allot_status allot_scratch_open(allot_scratch* where, const allot_scratch* beside) {
    if (!where) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_scratch_open: nowhere to put the scratch");
    if (where->source_) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_scratch_open: it is open");
    try { // the first one of a thread may find no memory
        scratch* const made = beside && beside->source_
                                  ? ::new (where->storage_)
                                        scratch(scratch::beside(as_source(beside->source_)))
                                  : ::new (where->storage_) scratch;
        where->source_ = as_c(*made);
        return ALLOT_OK;
    } catch (const out_of_memory&) {
        return detail::fail(ALLOT_OUT_OF_MEMORY);
    }
}

void allot_scratch_close(allot_scratch* scratch) {
    if (!scratch || !scratch->source_) return;
    scratch->source_ = nullptr;
    std::launder(reinterpret_cast<allot::scratch*>(scratch->storage_))->~scratch();
}

void* allot_scratch_alloc(allot_scratch* scratch, size_t size) {
    return allocate(scratch, size, alignof(std::max_align_t));
}

void* allot_scratch_alloc_aligned(allot_scratch* scratch, size_t size, size_t align) {
    if (!is_power_of_two(align))
        return detail::fail_empty(ALLOT_BAD_ARGUMENT,
                                  "allot_scratch_alloc_aligned: align is no power of two");
    return allocate(scratch, size, align);
}

void* allot_scratch_alloc_array(allot_scratch* scratch, size_t count, size_t item_size) {
    size_t size = 0;
    if (!checked_multiply(count, item_size, size))
        return detail::fail_empty(ALLOT_OUT_OF_RANGE,
                                  "allot_scratch_alloc_array: count * item_size overflows");
    void* const items = allocate(scratch, size, alignof(std::max_align_t));
    return items ? std::memset(items, 0, size) : nullptr;
}

allot_status allot_scratch_source(allot_scratch* scratch, allot_source** out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_scratch_source: nowhere to put the source");
    *out = nullptr;
    if (!opened(scratch)) return ALLOT_BAD_ARGUMENT;
    *out = scratch->source_;
    return ALLOT_OK;
}
