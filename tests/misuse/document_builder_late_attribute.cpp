#include <allot/document/document_builder.hpp>

void document_builder_late_attribute() {
    allot::document message({.name = "message"});
    allot::document_builder build(message);
    build.begin_element("a");
    build.text("b");
    build.attribute("c", "d");
}
