#include <allot/document/document_builder.hpp>

void document_builder_no_root() {
    allot::document message({.name = "message"});
    allot::document_builder build(message);
    (void)build.commit();
}
