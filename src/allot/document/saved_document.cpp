#include <allot/core/saved_bytes.hpp>
#include <allot/document/json_writer.hpp>
#include <allot/document/saved_document.hpp>

namespace allot {
namespace {
constexpr saved_form form{.kind = {'J', 'S', 'O', 'N'}, .version = 1};
}

result<void> save_document(byte_store& store, value tree, memory_source& work) noexcept {
    buffer whole(work);
    if (!whole.try_extend(saved_header_bytes)) return shortage_error().during("saving");
    if (const result<void> done = write_json(whole, tree); !done) return error(done.error()).during("saving");
    seal_saved(whole.bytes(), form);
    if (const result<void> done = store.replace(whole.bytes()); !done)
        return error(done.error()).during("saving");
    return {};
}

result<void> load_document(byte_store& store, document& into, memory_source& work,
                           const json_read_options& limits) noexcept {
    const result<loaded_bytes> loaded = load_bytes(store, form, work);
    if (!loaded) return error(loaded.error()).during("loading");
    const std::string_view text(reinterpret_cast<const char*>(loaded->bytes().data()),
                                loaded->bytes().size());
    json_reader reader({.upstream = &work, .read = limits});
    if (const result<void> done = reader.read(into, text); !done)
        return error(done.error()).during("loading");
    return {};
}

} // namespace allot
