#include <allot/document/document_builder.hpp>

void document_builder_second_root() {
    allot::document message({.name = "message"});
    allot::document_builder build(message);
    build.integer(1);
    build.integer(2);
}
