// Adds up one field of eight, of 100,000 rows: columns ROUNDS or structs ROUNDS.
#include <allot/structure/soa.hpp>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t row_count = 100'000;

struct struct_of_8 {
    float fields[8] = {};
};

float columns(int rounds) {
    using allot::field;
    allot::soa<field<"a", float>, field<"b", float>, field<"c", float>, field<"d", float>, field<"e", float>,
               field<"f", float>, field<"g", float>, field<"h", float>>
        rows;
    for (std::size_t i = 0; i != row_count; ++i)
        rows.push_back(1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 1.0F);
    float sum = 0;
    for (int round = 0; round != rounds; ++round)
        for (const float each : rows.column<"d">()) sum += each;
    return sum;
}

float structs(int rounds) {
    const std::vector<struct_of_8> rows(row_count);
    float sum = 0;
    for (int round = 0; round != rounds; ++round)
        for (const struct_of_8& each : rows) sum += each.fields[3];
    return sum;
}

} // namespace

int main(int count, char** words) {
    if (count != 3) return 2;
    const int rounds = std::atoi(words[2]);
    std::printf("%g\n", static_cast<double>(std::string_view(words[1]) == "columns" ? columns(rounds)
                                                                                    : structs(rounds)));
}
