#include <allot/c/document_handle.hpp>
#include <allot/document/path_access.hpp>

using namespace allot;
using detail::from_c;
using detail::to_c;

namespace {
allot_view as_view(std::string_view text) noexcept { return {text.data(), text.size()}; }
} // namespace

allot_value allot_document_root(const allot_document* document) {
    return to_c(document ? document->it.root() : value());
}
allot_value allot_document_get(const allot_document* document, const char* path) {
    return allot_value_get(allot_document_root(document), path);
}
allot_value allot_value_get(allot_value from, const char* path) {
    return to_c(path ? value_at(from_c(from), path) : value());
}

allot_type allot_value_type(allot_value value) {
    switch (from_c(value).type()) {
    case value_type::none: return ALLOT_NONE;
    case value_type::null: return ALLOT_NULL;
    case value_type::boolean: return ALLOT_BOOL;
    case value_type::integer: return ALLOT_INT;
    case value_type::unsigned_integer: return ALLOT_UINT;
    case value_type::real: return ALLOT_DOUBLE;
    case value_type::text: return ALLOT_TEXT;
    case value_type::array: return ALLOT_ARRAY;
    case value_type::object: return ALLOT_OBJECT;
    case value_type::element: return ALLOT_ELEMENT;
    case value_type::paged_out:
    case value_type::comment:
    case value_type::cdata:
    case value_type::instruction: return ALLOT_OTHER;
    }
    return ALLOT_NONE;
}

size_t allot_value_count(allot_value value) { return from_c(value).size(); }
allot_value allot_value_at(allot_value value, size_t index) { return to_c(from_c(value)[index]); }
size_t allot_value_attribute_count(allot_value value) { return from_c(value).attribute_count(); }
allot_value allot_value_attribute_at(allot_value value, size_t index) {
    return to_c(from_c(value).attributes()[index]);
}
allot_view allot_value_key(allot_value value) { return as_view(from_c(value).key()); }
allot_view allot_value_text(allot_value value) { return as_view(from_c(value).as_text()); }
bool allot_value_bool(allot_value value, bool otherwise) { return from_c(value).as_bool(otherwise); }
int64_t allot_value_int(allot_value value, int64_t otherwise) { return from_c(value).as_int(otherwise); }
uint64_t allot_value_uint(allot_value value, uint64_t otherwise) { return from_c(value).as_uint(otherwise); }
double allot_value_double(allot_value value, double otherwise) { return from_c(value).as_double(otherwise); }
