// Reads bytes as XML. The first byte chooses the options: a bit each to keep blank texts, comments, instructions,
// CDATA, and to skip a document type; the rest is the text.
//
// What is read must be written, read again to an equal tree, and written to the same bytes; pugixml, where it is
// there, must read the same where all is kept. A refused text leaves the document empty and names a place within it.
#include <allot/document/xml.hpp>

#include <cstdlib>
#include <string>

#if ALLOT_HAS_PUGIXML
#    include <pugixml.hpp>
#endif

namespace {

using namespace allot;

void need(bool holds) {
    if (!holds) std::abort();
}

#if ALLOT_HAS_PUGIXML
// It keeps the line ends of instructions as they are.
std::string with_plain_line_ends(std::string text) {
    for (std::size_t at = 0; (at = text.find('\r', at)) != text.npos;)
        text.replace(at, at + 1 < text.size() && text[at + 1] == '\n' ? 2 : 1, "\n");
    return text;
}

void need_same(value ours, pugi::xml_node theirs) { // recurs, at most 1024 deep
    need(ours.key() == theirs.name());
    if (ours.type() == value_type::instruction)
        return need(ours.as_text() == with_plain_line_ends(theirs.value()));
    if (!ours.is_element()) return need(ours.as_text() == theirs.value());
    pugi::xml_attribute attribute = theirs.first_attribute();
    for (const value each : ours.attributes()) {
        need(each.key() == attribute.name() && each.as_text() == attribute.value());
        attribute = attribute.next_attribute();
    }
    pugi::xml_node child = theirs.first_child();
    for (const value each : ours.children()) {
        need_same(each, child);
        child = child.next_sibling();
    }
    need(!attribute && !child);
}
#endif

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1); // exactly as large
    const xml_read_options how{
        .doctype = (data[0] & 16) != 0 ? xml_doctype::skip : xml_doctype::refuse,
        .keep_blank_texts = (data[0] & 1) != 0,
        .keep_comments = (data[0] & 2) != 0,
        .keep_instructions = (data[0] & 4) != 0,
        .keep_cdata = (data[0] & 8) != 0,
    };
    document tree;
    const auto done = read_xml(tree, text, how);
    tree.check();
    if (!done) {
        need(!tree.root() && done.error().text().starts_with("line "));
        return 0;
    }
    buffer once;
    need(bool(write_xml(once, tree.root())));
    document again;
    const xml_read_options all{
        .keep_blank_texts = true, .keep_comments = true, .keep_instructions = true, .keep_cdata = true};
    need(bool(read_xml(again, once.text(), all)));
    need(same_tree(tree.root(), again.root()) == true);
    buffer twice;
    need(bool(write_xml(twice, again.root())));
    need(once.text() == twice.text());
    buffer pretty;
    need(bool(write_xml(pretty, tree.root(), {.indent = 2, .declaration = true})));
    need(bool(read_xml(again, pretty.text(), how)));
#if ALLOT_HAS_PUGIXML
    if ((data[0] & 0xF) != 0xF) return 0;
    pugi::xml_document peer;
    const unsigned options =
        pugi::parse_default | pugi::parse_comments | pugi::parse_pi | pugi::parse_ws_pcdata;
    const auto parsed = peer.load_buffer(text.data(), text.size(), options, pugi::encoding_utf8);
    if ((data[0] & 16) == 0) need(bool(parsed)); // it looks closer at document types
    if (parsed) need_same(tree.root(), peer.document_element());
#endif
    return 0;
}
