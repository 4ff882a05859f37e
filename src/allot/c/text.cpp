#include <allot/structure/bounded_string.hpp>

#include <allot/c/handles.hpp>

#include <array>

struct allot_text_pool : allot::detail::handle<allot::tiered_pool> {};

using namespace allot;

static_assert(sizeof(allot_text::storage_) >= sizeof(bounded_string) &&
              alignof(allot_text) >= alignof(bounded_string));

namespace {

bounded_string* opened(allot_text* handle) noexcept {
    if (!handle || !handle->pool_) {
        detail::fail(ALLOT_BAD_ARGUMENT, "a text that is not open");
        return nullptr;
    }
    return std::launder(reinterpret_cast<bounded_string*>(handle->storage_));
}

const bounded_string* looked_at(const allot_text* handle) noexcept {
    return handle && handle->pool_ ? std::launder(reinterpret_cast<const bounded_string*>(handle->storage_))
                                   : nullptr;
}

allot_status answer(bool done) noexcept { return done ? ALLOT_OK : detail::fail(ALLOT_OUT_OF_MEMORY); }

using tier_table = std::array<size_tier, detail::size_tier_count_max>;

// What the pool takes for a bug is an answer here.
bool take_tiers(const allot_text_pool_options& options, tier_table& out) noexcept {
    if (!options.tiers || options.tier_count == 0 || options.tier_count > out.size()) return false;
    std::size_t before = 0;
    for (std::size_t i = 0; i != options.tier_count; ++i) {
        const allot_text_tier& tier = options.tiers[i];
        if (tier.slot_bytes % 16 != 0 || tier.slot_bytes <= before || tier.slot_bytes >= std::size_t{1} << 28)
            return false;
        if (tier.slot_count == 0 || tier.slot_count >= std::size_t{1} << 31) return false;
        out[i] = {.slot_bytes = tier.slot_bytes, .slot_count = static_cast<std::uint32_t>(tier.slot_count)};
        before = tier.slot_bytes;
    }
    return true;
}

} // namespace

allot_status allot_text_pool_create(const allot_text_pool_options* options, allot_text_pool** out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_text_pool_create: nowhere to put the pool");
    *out = nullptr;
    tier_table tiers = {};
    if (!options || !take_tiers(*options, tiers))
        return detail::fail(ALLOT_BAD_ARGUMENT,
                            "allot_text_pool_create: tiers are 1 to 16, of multiples of 16 bytes "
                            "below 2^28, each larger than the one before, with slots");
    memory_source& memory = as_source(options->upstream);
    const tiered_pool_options how{.name = detail::name_or(options->name, "texts"),
                                  .tiers = std::span(tiers.data(), options->tier_count),
                                  .upstream = &memory};
    allot_text_pool* made = nullptr;
    const allot_status done = detail::make_handle(memory, &made, [&] { return tiered_pool(how); });
    if (done != ALLOT_OK) return done;
    if (made->it.capacity() == 0) { // upstream refused its block
        detail::fail(ALLOT_OUT_OF_MEMORY);
        detail::destroy_handle(made);
        return ALLOT_OUT_OF_MEMORY;
    }
    *out = made;
    return ALLOT_OK;
}

void allot_text_pool_destroy(allot_text_pool* pool) { detail::destroy_handle(pool); }

allot_usage allot_text_pool_usage(const allot_text_pool* pool) {
    return detail::to_c(pool ? pool->it.usage() : usage{.limit_bytes = 0});
}

allot_status allot_text_open(allot_text* where, allot_text_pool* pool) {
    if (!where || !pool)
        return detail::fail(ALLOT_BAD_ARGUMENT, where ? "allot_text_open: no pool: NULL"
                                                      : "allot_text_open: nowhere to put the text");
    if (where->pool_) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_text_open: it is open");
    ::new (where->storage_) bounded_string(pool->it);
    where->pool_ = pool;
    return ALLOT_OK;
}

void allot_text_close(allot_text* text) {
    if (!text || !text->pool_) return;
    opened(text)->~bounded_string();
    text->pool_ = nullptr;
}

allot_status allot_text_set(allot_text* text, allot_view to) {
    bounded_string* const it = opened(text);
    if (!it) return ALLOT_BAD_ARGUMENT;
    if (!to.data && to.size != 0) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_text_set: a view of NULL");
    return answer(it->try_set({to.data, to.size}));
}

allot_status allot_text_append(allot_text* text, allot_view more) {
    bounded_string* const it = opened(text);
    if (!it) return ALLOT_BAD_ARGUMENT;
    if (!more.data && more.size != 0)
        return detail::fail(ALLOT_BAD_ARGUMENT, "allot_text_append: a view of NULL");
    return answer(it->try_append(std::string_view(more.data, more.size)));
}

allot_status allot_text_resize(allot_text* text, size_t size, char fill) {
    bounded_string* const it = opened(text);
    return it ? answer(it->try_resize(size, fill)) : ALLOT_BAD_ARGUMENT;
}

bool allot_text_shrink(allot_text* text) {
    bounded_string* const it = opened(text);
    return it && it->try_shrink();
}

allot_view allot_text_view(const allot_text* text) {
    const bounded_string* const it = looked_at(text);
    return it ? allot_view{it->view().data(), it->size()} : allot_view{nullptr, 0};
}

size_t allot_text_capacity(const allot_text* text) {
    const bounded_string* const it = looked_at(text);
    return it ? it->capacity() : 0;
}
