#include <allot/document/document_builder.hpp>

void document_builder_too_many() {
    allot::document message({.name = "message"});
    allot::document_builder build(message);
    build.begin_array(1);
    build.integer(1);
    build.integer(2);
}
