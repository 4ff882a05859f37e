#include <allot/document/document_builder.hpp>

void document_builder_element_in_object() {
    allot::document message({.name = "message"});
    allot::document_builder build(message);
    build.begin_object();
    build.key("a");
    build.begin_element("b");
}
