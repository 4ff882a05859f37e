#include <allot/document/document_builder.hpp>

void document_builder_still_open() {
    allot::document message({.name = "message"});
    allot::document_builder build(message);
    build.begin_array();
    (void)build.commit();
}
