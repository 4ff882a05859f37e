// Documents: what is read, written and set. What is looked at stands in value.cpp.
#include <allot/c/buffer_handle.hpp>
#include <allot/c/document_handle.hpp>
#include <allot/c/interner_handle.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/document/json_reader.hpp>
#include <allot/document/json_writer.hpp>
#include <allot/document/path_access.hpp>
#include <allot/document/xml.hpp>

using namespace allot;

namespace {

constexpr const char* no_document = "no document: NULL";

// A result of the library's as a status: a shortage, where one was noted meanwhile, or the input's fault.
class outcome {
public:
    template <class T>
    allot_status of(const result<T>& done) const noexcept {
        if (done) return ALLOT_OK;
        if (refusals_noted() != before_) return detail::fail(ALLOT_OUT_OF_MEMORY);
        return detail::fail(ALLOT_BAD_INPUT, done.error());
    }

private:
    std::uint64_t before_ = refusals_noted();
};

template <class Read>
allot_status read_into(allot_document* document, allot_view text, Read read) noexcept {
    if (!document) return detail::fail(ALLOT_BAD_ARGUMENT, no_document);
    if (!text.data && text.size != 0) return detail::fail(ALLOT_BAD_ARGUMENT, "a text of NULL is read");
    const outcome is;
    return is.of(read(document->it, std::string_view(text.data, text.size)));
}

template <class Write>
allot_status write_into(const allot_document* document, allot_buffer* out, Write write) noexcept {
    if (!document) return detail::fail(ALLOT_BAD_ARGUMENT, no_document);
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "no buffer: NULL");
    if (!document->it.root())
        return detail::fail(ALLOT_NOT_FOUND, "the document is empty: there is nothing to write");
    const outcome is;
    return is.of(write(out->it, document->it.root()));
}

allot_status set(allot_document* document, const char* path, const content& what) noexcept {
    if (!document) return detail::fail(ALLOT_BAD_ARGUMENT, no_document);
    if (!path) return detail::fail(ALLOT_BAD_ARGUMENT, "no path: NULL");
    const outcome is;
    return is.of(set_at(document->it, path, what));
}

} // namespace

allot_status allot_document_create(const allot_document_options* options, allot_document** out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_document_create: nowhere to put the document");
    *out = nullptr;
    const allot_document_options plain = {};
    if (!options) options = &plain;
    memory_source& memory = as_source(options->upstream);
    const document_options how{.name = detail::name_or(options->name, "document"),
                               .upstream = &memory,
                               .keys = options->keys ? &options->keys->it : nullptr,
                               .limit_bytes = detail::limit_or_none(options->limit_bytes)};
    return detail::make_handle(memory, out, [&] { return document(how); });
}

void allot_document_destroy(allot_document* document) { detail::destroy_handle(document); }

void allot_document_clear(allot_document* document) {
    if (document) document->it.clear();
}

allot_usage allot_document_usage(const allot_document* document) {
    return detail::to_c(document ? document->it.usage() : usage{.limit_bytes = 0});
}

allot_status allot_document_read_json(allot_document* document, allot_view text) {
    return read_into(document, text, [](auto& into, std::string_view from) { return read_json(into, from); });
}

allot_status allot_document_read_xml(allot_document* document, allot_view text) {
    return read_into(document, text, [](auto& into, std::string_view from) { return read_xml(into, from); });
}

allot_status allot_document_write_json(const allot_document* document, allot_buffer* out, unsigned indent) {
    return write_into(document, out,
                      [&](buffer& to, value root) { return write_json(to, root, {.indent = indent}); });
}

allot_status allot_document_write_xml(const allot_document* document, allot_buffer* out, unsigned indent) {
    return write_into(document, out,
                      [&](buffer& to, value root) { return write_xml(to, root, {.indent = indent}); });
}

allot_status allot_document_set_null(allot_document* document, const char* path) {
    return set(document, path, nullptr);
}
allot_status allot_document_set_bool(allot_document* document, const char* path, bool truth) {
    return set(document, path, truth);
}
allot_status allot_document_set_int(allot_document* document, const char* path, int64_t number) {
    return set(document, path, number);
}
allot_status allot_document_set_double(allot_document* document, const char* path, double number) {
    return set(document, path, number);
}
allot_status allot_document_set_text(allot_document* document, const char* path, allot_view text) {
    if (!text.data && text.size != 0)
        return detail::fail(ALLOT_BAD_ARGUMENT, "allot_document_set_text: a view of NULL");
    return set(document, path, std::string_view(text.data, text.size));
}
allot_status allot_document_set_array(allot_document* document, const char* path) {
    return set(document, path, content::array());
}
allot_status allot_document_set_object(allot_document* document, const char* path) {
    return set(document, path, content::object());
}

allot_status allot_document_remove(allot_document* document, const char* path) {
    if (!document) return detail::fail(ALLOT_BAD_ARGUMENT, no_document);
    if (!path) return detail::fail(ALLOT_BAD_ARGUMENT, "no path: NULL");
    const outcome is;
    const result<bool> done = erase_at(document->it, path);
    if (!done || *done) return is.of(done);
    return detail::fail(ALLOT_NOT_FOUND, "allot_document_remove: nothing is there");
}
