#include <allot/document/document_builder.hpp>

void document_builder_key_without_value() {
    allot::document message({.name = "message"});
    allot::document_builder build(message);
    build.begin_object();
    build.key("a");
    build.end();
}
