#include <allot/document/xml_lexer.hpp>

#if ALLOT_HAS_SIMDJSON
#    include <simdjson.h>
#endif

namespace allot::detail {

bool is_surely_utf8([[maybe_unused]] std::string_view text) noexcept {
#if ALLOT_HAS_SIMDJSON
    return simdjson::validate_utf8(text.data(), text.size());
#else
    return false;
#endif
}

} // namespace allot::detail
