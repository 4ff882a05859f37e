#include <allot/document/document_builder.hpp>

int main() {
    allot::document message({.name = "message"});
    allot::document_builder build(message);
    build.begin_object();
    build.integer(1);
}
