#include <allot/document/document_builder.hpp>

void document_builder_key_elsewhere() {
    allot::document message({.name = "message"});
    allot::document_builder build(message);
    build.begin_array();
    build.key("a");
}
