// What XML 1.0 calls well-formed is read, all else is refused at the right place; each case class by itself.
// Pugixml, which is lenient, is asked where it must agree: what we read, it reads too, to the same texts.
#include <allot/document/xml.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>

using namespace std::string_view_literals;

namespace allot {
namespace {

struct accepted {
    std::string_view text;
    std::string_view canonical; // as it is written again
};

std::string read_again(std::string_view text, const xml_read_options& how = {}) {
    document tree({.name = "case"});
    if (const auto done = read_xml(tree, text, how); !done) return "refused: " + done.error().text();
    buffer out;
    if (const auto done = write_xml(out, tree.root()); !done) return "not written: " + done.error().text();
    return std::string(out.text());
}

std::string refusal_of(std::string_view text, const xml_read_options& how = {}) {
    document tree({.name = "case"});
    const auto done = read_xml(tree, text, how);
    if (done) return "accepted";
    EXPECT_TRUE(!tree.root()) << text;
    return done.error().text();
}

constexpr accepted well_formed[] = {
    // Elements and tags.
    {"<a/>", "<a/>"},
    {"<a></a>", "<a/>"},
    {"<a  ></a\n>", "<a/>"},
    {"<a><b/><b/></a>", "<a><b/><b/></a>"},
    {"\n\t <a/>\r\n ", "<a/>"},
    {"<a><a><a/></a></a>", "<a><a><a/></a></a>"},
    {"<a><ab/></a>", "<a><ab/></a>"}, // a name that begins like its parent's
    // Names.
    {"<_/>", "<_/>"},
    {"<:a/>", "<:a/>"},
    {"<a-b.c_d:e9/>", "<a-b.c_d:e9/>"},
    {"<svg:g svg:id='1'/>", "<svg:g svg:id=\"1\"/>"},
    {"<é/>", "<é/>"},
    {"<日本 語='x'/>", "<日本 語=\"x\"/>"},
    {"<a·/>", "<a·/>"},
    {"<\xF0\x90\x80\x80/>", "<\xF0\x90\x80\x80/>"},
    // Attributes.
    {"<a b='c'/>", "<a b=\"c\"/>"},
    {"<a b = \"c\" />", "<a b=\"c\"/>"},
    {"<a\nb='c'\n\td=''/>", "<a b=\"c\" d=\"\"/>"},
    {"<a b='\"'/>", "<a b=\"&quot;\"/>"},
    {"<a b=\"'\"/>", "<a b=\"'\"/>"},
    {"<a b='>'/>", "<a b=\">\"/>"},
    {"<a b='x\ny\tz'/>", "<a b=\"x y z\"/>"},
    {"<a b='x\r\ny\rz'/>", "<a b=\"x y z\"/>"},
    {"<a b='x&#10;y&#9;z&#13;'/>", "<a b=\"x&#xA;y&#x9;z&#xD;\"/>"},
    {"<a b='1' B='2'/>", "<a b=\"1\" B=\"2\"/>"},
    {"<a z='1' y='2' x='3'/>", "<a z=\"1\" y=\"2\" x=\"3\"/>"},
    {"<a b='€\xF0\x9F\x98\x80'/>", "<a b=\"€\xF0\x9F\x98\x80\"/>"},
    // Texts.
    {"<a>b</a>", "<a>b</a>"},
    {"<a> b </a>", "<a> b </a>"},
    {"<a>b<c/>d</a>", "<a>b<c/>d</a>"},
    {"<a>]]</a>", "<a>]]</a>"},
    {"<a>]>]</a>", "<a>]&gt;]</a>"},
    {"<a>\"'</a>", "<a>\"'</a>"},
    {"<a>x\r\ny\rz</a>", "<a>x\ny\nz</a>"},
    {"<a>\r\n\r\r\nx</a>", "<a>\n\n\nx</a>"},
    {"<a>x&#13;y</a>", "<a>x&#xD;y</a>"},
    {"<a>\x7F\xC2\x80</a>", "<a>\x7F\xC2\x80</a>"},
    {"<a>\xEF\xBF\xBD\xF4\x8F\xBF\xBF</a>", "<a>\xEF\xBF\xBD\xF4\x8F\xBF\xBF</a>"},
    // References.
    {"<a>&lt;&gt;&amp;&quot;&apos;</a>", "<a>&lt;&gt;&amp;\"'</a>"},
    {"<a>&#65;&#x42;&#x00043;</a>", "<a>ABC</a>"},
    {"<a>&#x1F600;&#233;&#x20aC;</a>", "<a>\xF0\x9F\x98\x80é€</a>"},
    {"<a>&amp;lt;</a>", "<a>&amp;lt;</a>"}, // resolved once, not twice
    {"<a>&#38;lt;</a>", "<a>&amp;lt;</a>"},
    {"<a>x&lt;y</a>", "<a>x&lt;y</a>"},
    // CDATA.
    {"<a><![CDATA[<b>&amp;]]></a>", "<a>&lt;b&gt;&amp;amp;</a>"},
    {"<a><![CDATA[]]]]></a>", "<a>]]</a>"},
    {"<a><![CDATA[]]></a>", "<a/>"},
    {"<a>x<![CDATA[y]]>z</a>", "<a>xyz</a>"},
    {"<a><![CDATA[ ]]></a>", "<a> </a>"},
    {"<a> \n<![CDATA[x]]></a>", "<a> \nx</a>"},
    {"<a><![CDATA[x\r\ny]]></a>", "<a>x\ny</a>"},
    {"<a><![CDATA[x]]]]><![CDATA[>y]]></a>", "<a>x]]&gt;y</a>"},
    // Longer than what is looked at in one go.
    {"<a>sixteen bytes, then &lt;, then\r\nmore than another sixteen</a>",
     "<a>sixteen bytes, then &lt;, then\nmore than another sixteen</a>"},
    {"<a b='sixteen bytes and then\tanother sixteen, &quot;'/>",
     "<a b=\"sixteen bytes and then another sixteen, &quot;\"/>"},
    {"<a-name-of-more-than-sixteen/>", "<a-name-of-more-than-sixteen/>"},
    {"<fifteen-bytes.. ><sixteen-bytes...></sixteen-bytes...></fifteen-bytes..\n>",
     "<fifteen-bytes..><sixteen-bytes.../></fifteen-bytes..>"},
    {"<a>\xEF\xBC\x81 \xEF\xBF\xBD and \xEF\xBF\xBD, and again \xEF\xBC\x81</a>",
     "<a>\xEF\xBC\x81 \xEF\xBF\xBD and \xEF\xBF\xBD, and again \xEF\xBC\x81</a>"},
    // Comments and instructions.
    {"<!--x--><a/><!--y-->", "<a/>"},
    {"<a>x<!-- <b> & ]]> -->y</a>", "<a>xy</a>"},
    {"<a> <!-- -->x<?p?> \n</a>", "<a> x \n</a>"},
    {"<a><!----></a>", "<a/>"},
    {"<a><!-- - --></a>", "<a/>"},
    {"<?p?><a/><?q r?>", "<a/>"},
    {"<?xml-stylesheet href='x'?><a/>", "<a/>"},
    {"<a>x<?p <b> & ? > ?>y</a>", "<a>xy</a>"},
    {"<a><?p x ?></a>", "<a/>"},
    // The beginning.
    {"\xEF\xBB\xBF<a/>", "<a/>"},
    {"<?xml version='1.0'?><a/>", "<a/>"},
    {"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a/>", "<a/>"},
    {"<?xml version='1.0' encoding='utf-8' standalone='yes' ?><a/>", "<a/>"},
    {"<?xml version='1.0' standalone='no'?><a/>", "<a/>"},
    {"<?xml version = '1.1'\tencoding = 'Us-Ascii'?><a/>", "<a/>"},
    {"\xEF\xBB\xBF<?xml version='1.0'?><a/>", "<a/>"},
};

struct refused {
    std::string_view text;
    std::string_view why; // the error ends so
};

constexpr refused not_well_formed[] = {
    // Exactly one root.
    {"", "line 1, column 1, byte 0: there is no element"},
    {" \n", "line 2, column 1, byte 2: there is no element"},
    {"<!-- x -->", "line 1, column 11, byte 10: there is no element"},
    {"x", "line 1, column 1, byte 0: text outside of the root element"},
    {"x<a/>", "byte 0: text outside of the root element"},
    {"<a/>x", "byte 4: text outside of the root element"},
    {"<a/>&amp;", "byte 4: text outside of the root element"},
    {"<a/><b/>", "line 1, column 5, byte 4: a second root element"},
    {"<a/></a>", "byte 4: a second root element"},
    {"<a/><![CDATA[x]]>", "byte 4: markup after the root element"},
    {"<![CDATA[x]]><a/>", "byte 0: an element is expected"},
    {"<a/><!DOCTYPE a>", "byte 4: markup after the root element"},
    {"<a/>\0"sv, "byte 4: text outside of the root element"},
    {"\0<a/>"sv, "byte 0: text outside of the root element"},
    // Tags.
    {"<", "byte 1: a name is expected"},
    {"<>", "byte 1: a name is expected"},
    {"< a/>", "byte 1: a name is expected"},
    {"<a", "byte 0: a tag without its '>'"},
    {"<a ", "byte 0: a tag without its '>'"},
    {"<a b='c'", "byte 0: a tag without its '>'"},
    {"<a/", "byte 2: a blank, '>' or '/>' is expected"},
    {"<a / >", "byte 3: a name is expected"},
    {"<a>", "byte 3: the text ends within element 'a'"},
    {"<a><b></b>", "byte 10: the text ends within element 'a'"},
    {"<a>x", "byte 4: the text ends within element 'a'"},
    {"<a></b>", "byte 3: not the end tag that is due, that of 'a'"},
    {"<a></ab>", "byte 3: not the end tag that is due, that of 'a'"},
    {"<a></a b='c'>", "byte 3: not the end tag that is due, that of 'a'"},
    {"<a></ a>", "byte 3: not the end tag that is due, that of 'a'"},
    {"<a></A>", "byte 3: not the end tag that is due, that of 'a'"},
    {"<a></", "byte 3: not the end tag that is due, that of 'a'"},
    {"<a><b></a></b>", "byte 6: not the end tag that is due, that of 'b'"},
    {"</a>", "byte 1: a name is expected"},
    {"<a><!x></a>", "byte 3: neither a tag nor a comment, an instruction or CDATA"},
    {"<a><![cdata[x]]></a>", "byte 3: neither a tag nor a comment, an instruction or CDATA"},
    {"<a>\n<b>\n  <c></b></a>", "line 3, column 6, byte 13: not the end tag that is due, that of 'c'"},
    // Names.
    {"<1/>", "byte 1: a name is expected"},
    {"<-a/>", "byte 1: a name is expected"},
    {"<.a/>", "byte 1: a name is expected"},
    {"<a@/>", "byte 2: a blank, '>' or '/>' is expected"},
    {"<\xC3\x97/>", "byte 1: a name is expected"},
    {"<\xCC\x80/>", "byte 1: a name is expected"},
    {"<a\xC3\x97/>", "byte 2: a blank, '>' or '/>' is expected"},
    {"<a\xFF/>", "byte 2: a blank, '>' or '/>' is expected"},
    {"<\xED\xA0\x80/>", "byte 1: a name is expected"},
    // Attributes.
    {"<a b/>", "byte 4: '=' is expected after the name of an attribute"},
    {"<a b=/>", "byte 5: a value between quotes is expected"},
    {"<a b=c/>", "byte 5: a value between quotes is expected"},
    {"<a b='c/>", "byte 5: a value without its closing quote"},
    {"<a b='c\"/>", "byte 5: a value without its closing quote"},
    {"<a ='c'/>", "byte 3: a name is expected"},
    {"<a b='c'd='e'/>", "byte 8: a blank, '>' or '/>' is expected"},
    {"<a'b'/>", "byte 2: a blank, '>' or '/>' is expected"},
    {"<a b='<'/>", "byte 6: '<' in a value is written '&lt;'"},
    {"<a b='&'/>", "byte 6: '&' by itself is written '&amp;'"},
    {"<a b='&x;'/>", "byte 6: an entity that is not lt, gt, amp, quot or apos (none can be declared): 'x'"},
    {"<a b='1' b='2'/>", "byte 9: the element has this attribute already: 'b'"},
    {"<a b='1' c='2' b='1'/>", "byte 15: the element has this attribute already: 'b'"},
    {"<a b='\x01'/>", "byte 6: a control character, which XML does not have"},
    {"<a b='\xC3'/>", "byte 6: this is not UTF-8, or no character of XML"},
    // Characters.
    {"<a>\0</a>"sv, "byte 3: a control character, which XML does not have"},
    {"<a>\x1F</a>", "byte 3: a control character, which XML does not have"},
    {"<a>\x08</a>", "byte 3: a control character, which XML does not have"},
    {"<a>]]></a>", "byte 3: ']]>' in a text is written ']]&gt;'"},
    {"<a>x]]]></a>", "byte 5: ']]>' in a text is written ']]&gt;'"},
    {"<a>\x80</a>", "byte 3: this is not UTF-8, or no character of XML"},
    {"<a>\xC0\xAF</a>", "byte 3: this is not UTF-8, or no character of XML"},     // overlong
    {"<a>\xE0\x80\xAF</a>", "byte 3: this is not UTF-8, or no character of XML"}, // overlong
    {"<a>\xF0\x80\x80\xAF</a>", "byte 3: this is not UTF-8, or no character of XML"},
    {"<a>\xED\xA0\x80</a>", "byte 3: this is not UTF-8, or no character of XML"}, // a surrogate
    {"<a>\xED\xBF\xBF</a>", "byte 3: this is not UTF-8, or no character of XML"},
    {"<a>\xF4\x90\x80\x80</a>", "byte 3: this is not UTF-8, or no character of XML"}, // beyond Unicode
    {"<a>\xFE</a>", "byte 3: this is not UTF-8, or no character of XML"},
    {"<a>\xEF\xBF\xBE</a>", "byte 3: this is not UTF-8, or no character of XML"}, // U+FFFE
    {"<a>\xEF\xBF\xBF</a>", "byte 3: this is not UTF-8, or no character of XML"},
    {"<a>more than sixteen bytes \xEF\xBF\xBF</a>", "byte 27: this is not UTF-8, or no character of XML"},
    {"<a b='more than sixteen bytes \xEF\xBF\xBE'/>", "byte 30: this is not UTF-8, or no character of XML"},
    {"<a b='1' b='2'/>                ", "byte 9: the element has this attribute already: 'b'"},
    {"<ab/ ><ab<ab/>                  ", "byte 3: a blank, '>' or '/>' is expected"},
    {"<ab><ab<ab/></ab></ab>          ", "byte 7: a blank, '>' or '/>' is expected"},
    {"<ab><a></ab></ab>               ", "byte 7: not the end tag that is due, that of 'a'"},
    {"<a><ab></a></ab>                ", "byte 7: not the end tag that is due, that of 'ab'"},
    {"<a>x\xE2\x82</a>", "byte 4: this is not UTF-8, or no character of XML"},
    {"<a>\xE2\x82", "byte 3: this is not UTF-8, or no character of XML"}, // cut by the end
    // References.
    {"<a>&</a>", "byte 3: '&' by itself is written '&amp;'"},
    {"<a>& x</a>", "byte 3: '&' by itself is written '&amp;'"},
    {"<a>&lt</a>", "byte 3: a reference without its ';'"},
    {"<a>&lt ;</a>", "byte 3: a reference without its ';'"},
    {"<a>&nbsp;</a>", "none can be declared): 'nbsp'"},
    {"<a>&LT;</a>", "none can be declared): 'LT'"},
    {"<a>&#;</a>", "byte 3: a character's number and ';' are expected after '&#'"},
    {"<a>&#x;</a>", "byte 3: a character's number and ';' are expected after '&#'"},
    {"<a>&#X41;</a>", "byte 3: a character's number and ';' are expected after '&#'"},
    {"<a>&#4G;</a>", "byte 3: a character's number and ';' are expected after '&#'"},
    {"<a>&#-1;</a>", "byte 3: a character's number and ';' are expected after '&#'"},
    {"<a>&#65</a>", "byte 3: a character's number and ';' are expected after '&#'"},
    {"<a>&#0;</a>", "byte 3: the number of no character of XML"},
    {"<a>&#1;</a>", "byte 3: the number of no character of XML"},
    {"<a>&#xD800;</a>", "byte 3: the number of no character of XML"},
    {"<a>&#xFFFE;</a>", "byte 3: the number of no character of XML"},
    {"<a>&#x110000;</a>", "byte 3: the number of no character of XML"},
    {"<a>&#99999999999999999999;</a>", "byte 3: the number of no character of XML"},
    {"<a>&#x100000041;</a>", "byte 3: the number of no character of XML"}, // would be A in 32 bits
    // Comments, CDATA, instructions.
    {"<a><!-- x</a>", "byte 7: a comment without its '-->'"},
    {"<a><!-- x -- y --></a>", "byte 10: '--' within a comment"},
    {"<a><!-- x ---></a>", "byte 10: '--' within a comment"},
    {"<a><!--></a>", "byte 7: a comment without its '-->'"},
    {"<a><!-></a>", "byte 3: neither a tag nor a comment, an instruction or CDATA"},
    {"<a><!--\x01--></a>", "byte 7: a control character, which XML does not have"},
    {"<!--\xFF--><a/>", "byte 4: this is not UTF-8, or no character of XML"},
    {"<a><![CDATA[x</a>", "byte 12: '<![CDATA[' without its ']]>'"},
    {"<a><![CDATA[x]]</a>", "byte 12: '<![CDATA[' without its ']]>'"},
    {"<a><![CDATA[\x0B]]></a>", "byte 12: a control character, which XML does not have"},
    {"<a><?p x</a>", "byte 7: '<?' without its '?>'"},
    {"<a><? p?></a>", "byte 5: a name is expected"},
    {"<a><?p?x?></a>", "byte 6: a blank is expected after the target of an instruction"},
    {"<a><?p'x'?></a>", "byte 6: a blank is expected after the target of an instruction"},
    {"<a><?xml version='1.0'?></a>",
     "byte 5: '<?xml' stands at the very beginning of a document, or nowhere"},
    {"<a><?XmL?></a>", "byte 5: '<?xml' stands at the very beginning of a document, or nowhere"},
    {" <?xml version='1.0'?><a/>", "byte 3: '<?xml' stands at the very beginning of a document, or nowhere"},
    // The declaration.
    {"<?xml?><a/>", "byte 2: '<?xml' stands at the very beginning of a document, or nowhere"},
    {"<?xml ?><a/>", "byte 5: an XML declaration begins with version=\"1.0\""},
    {"<?xml encoding='UTF-8'?><a/>", "byte 5: an XML declaration begins with version=\"1.0\""},
    {"<?xml version='2.0'?><a/>", "byte 5: an XML declaration begins with version=\"1.0\""},
    {"<?xml version='1.'?><a/>", "byte 5: an XML declaration begins with version=\"1.0\""},
    {"<?xml version='1.0'encoding='UTF-8'?><a/>",
     "byte 19: '?>' is expected at the end of the XML declaration"},
    {"<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "byte 19: only UTF-8 is read, not 'ISO-8859-1'"},
    {"<?xml version='1.0' standalone='maybe'?><a/>", "byte 19: standalone is \"yes\" or \"no\""},
    {"<?xml version='1.0' standalone='no' encoding='UTF-8'?><a/>",
     "byte 36: '?>' is expected at the end of the XML declaration"},
    {"<?xml version='1.0' x='y'?><a/>", "byte 20: no part of an XML declaration: 'x'"},
    {"<?xml version='1.0' version='1.0'?><a/>",
     "byte 20: '?>' is expected at the end of the XML declaration"},
    {"<?xml version='1.0'><a/>", "byte 19: '?>' is expected at the end of the XML declaration"},
    {"<?xml version='1.0'", "byte 19: '?>' is expected at the end of the XML declaration"},
    {"\xFE\xFF\0<\0a\0/\0>"sv, "line 1, column 1, byte 0: UTF-16, where only UTF-8 is read"},
    {"\xFF\xFE<\0a\0/\0>\0"sv, "line 1, column 1, byte 0: UTF-16, where only UTF-8 is read"},
    {"<\0a\0/\0>\0"sv, "byte 1: a name is expected"}, // UTF-16 without a mark
};

TEST(xml_conformance, reads_what_is_well_formed) {
    for (const accepted& it : well_formed) EXPECT_EQ(read_again(it.text), it.canonical) << it.text;
}

// What is close to the end is looked at by bytes, and by characters where the whole is not UTF-8.
constexpr std::string_view distance = "                                        ";

TEST(xml_conformance, reads_the_same_far_from_the_end) {
    for (const accepted& it : well_formed) {
        const std::string far = std::string(it.text) + std::string(distance);
        EXPECT_EQ(read_again(far), it.canonical) << it.text;
        const std::string why = refusal_of(far + "\xFF");
        EXPECT_TRUE(
            why.ends_with("byte " + std::to_string(far.size()) + ": text outside of the root element"))
            << it.text << "\n  got:  " << why;
    }
}

TEST(xml_conformance, reads_characters_at_any_distance_from_the_end) {
    for (const std::string_view character : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"})
        for (std::size_t before = 0; before != 40; ++before)
            for (std::size_t behind = 0; behind != 20; ++behind) {
                const std::string piece =
                    std::string(before, 'x') + std::string(character) + std::string(behind, 'y');
                for (const std::string& text : {"<a>" + piece + "</a>", "<a b=\"" + piece + "\"/>"})
                    ASSERT_EQ(read_again(text), text);
                ASSERT_EQ(read_again("<a/><!--" + piece + "-->"), "<a/>");
            }
}

TEST(xml_conformance, refuses_the_same_far_from_the_end) {
    for (const refused& it : not_well_formed) {
        const std::string far = std::string(it.text) + std::string(distance);
        const std::string near_end = refusal_of(far);
        const std::string why = refusal_of(far + "\xFF");
        EXPECT_NE(near_end, "accepted") << it.text;
        if (near_end != refusal_of(it.text)) continue; // it was for being cut
        const std::string last = "byte " + std::to_string(far.size()) + ": ";
        if (why.find(last) != std::string::npos) continue; // what began is not ended
        EXPECT_EQ(why, near_end) << it.text;
    }
}

TEST(xml_conformance, reads_what_it_wrote_to_the_same_bytes) { // B42
    for (const accepted& it : well_formed) {
        if (it.text.find("CDATA[ ]") != std::string_view::npos) continue; // a blank text of its own
        EXPECT_EQ(read_again(it.canonical), it.canonical);
    }
}

TEST(xml_conformance, refuses_what_is_not_well_formed_and_says_where) {
    for (const refused& it : not_well_formed) {
        const std::string got = refusal_of(it.text);
        EXPECT_TRUE(std::string_view(got).ends_with(it.why))
            << it.text << "\n  got:  " << got << "\n  want: " << it.why;
    }
}

TEST(xml_conformance, refuses_each_text_that_is_cut) {
    constexpr std::string_view whole =
        "<?xml version='1.0'?><!--c--><a b='&lt;c'><d/>&#65;<![CDATA[x]]><?p q?><é>\xE2\x82\xAC</é></a >";
    EXPECT_EQ(read_again(whole), "<a b=\"&lt;c\"><d/>Ax<é>\xE2\x82\xAC</é></a>");
    for (std::size_t size = 0; size != whole.size(); ++size)
        ASSERT_NE(refusal_of(whole.substr(0, size)), "accepted") << whole.substr(0, size);
}

} // namespace
} // namespace allot
