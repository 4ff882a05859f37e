#include <allot/document/document_builder.hpp>

void document_cleared_while_built() {
    allot::document message({.name = "message"});
    allot::document_builder build(message);
    build.begin_array(1);
    message.clear();
}
