#include <allot/governance/tag.hpp>

int main() { (void)allot::tag::make(""); }
