#include <allot/structure/soa.hpp>

int main() {
    allot::soa<allot::field<"x", float>> rows({.name = "particles"});
    rows.push_back(1.0F);
    rows.erase_unordered(1);
}
