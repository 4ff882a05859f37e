#include <allot/c/interner_handle.hpp>

using namespace allot;

namespace {

constexpr const char* no_interner = "no interner: NULL";

bool is_view(allot_view text) noexcept { return text.data || text.size == 0; }

} // namespace

allot_status allot_interner_create(const allot_interner_options* options, allot_interner** out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_interner_create: nowhere to put the interner");
    *out = nullptr;
    const allot_interner_options plain = {};
    if (!options) options = &plain;
    memory_source& memory = as_source(options->upstream);
    const interner_options how{.name = detail::name_or(options->name, "interner"),
                               .upstream = &memory,
                               .limit_bytes = detail::limit_or_none(options->limit_bytes)};
    return detail::make_handle(memory, out, [&] { return interner(how); });
}

void allot_interner_destroy(allot_interner* interner) { detail::destroy_handle(interner); }

allot_symbol allot_interner_intern(allot_interner* interner, allot_view text) {
    if (!interner || !is_view(text)) {
        detail::fail(ALLOT_BAD_ARGUMENT,
                     interner ? "allot_interner_intern: a text that is NULL" : no_interner);
        return 0;
    }
    const symbol got = interner->it.try_intern({text.data, text.size});
    if (!got) detail::fail(ALLOT_OUT_OF_MEMORY);
    return got.value();
}

allot_symbol allot_interner_find(const allot_interner* interner, allot_view text) {
    return interner && is_view(text) ? interner->it.find({text.data, text.size}).value() : 0;
}

allot_view allot_interner_text(const allot_interner* interner, allot_symbol symbol) {
    const allot::symbol wanted = allot::symbol::from_value(symbol);
    if (!interner || !interner->it.contains(wanted)) {
        detail::fail(ALLOT_BAD_ARGUMENT,
                     interner ? "allot_interner_text: a symbol that is not of it" : no_interner);
        return {nullptr, 0};
    }
    const std::string_view text = interner->it.resolve(wanted);
    return {text.data(), text.size()};
}

size_t allot_interner_count(const allot_interner* interner) { return interner ? interner->it.count() : 0; }

allot_usage allot_interner_usage(const allot_interner* interner) {
    return detail::to_c(interner ? interner->it.usage() : usage{.limit_bytes = 0});
}
