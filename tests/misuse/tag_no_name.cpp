#include <allot/governance/tag.hpp>

void tag_no_name() { (void)allot::tag::make(""); }
