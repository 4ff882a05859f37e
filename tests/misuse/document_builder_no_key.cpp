#include <allot/document/document_builder.hpp>

void document_builder_no_key() {
    allot::document message({.name = "message"});
    allot::document_builder build(message);
    build.begin_object();
    build.integer(1);
}
