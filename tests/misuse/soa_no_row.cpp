#include <allot/structure/soa.hpp>

void soa_no_row() {
    allot::soa<allot::field<"x", float>> rows({.name = "particles"});
    rows.push_back(1.0F);
    rows.erase_unordered(1);
}
