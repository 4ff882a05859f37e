#include <allot/document/document_builder.hpp>

void document_builder_end_of_nothing() {
    allot::document message({.name = "message"});
    allot::document_builder build(message);
    build.end();
}
