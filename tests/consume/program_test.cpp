// A foreign project's test with allot's test doubles: a vector takes memory from its source alone, gives it back, and
// takes it from malloc where its source is malloc.
#include <allot/allot.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/no_allocation.hpp>

#include <array>
#include <cstdio>
#include <memory_resource>
#include <vector>

int main() {
    std::array<std::byte, 4096> bytes;
    allot::buffer_source buffer(bytes);
    allot::auditing_source audited(buffer);
    allot::malloc_source heap;

    allot::no_allocation scope({.on_finding = allot::on_finding::collect});
    {
        std::pmr::vector<int> numbers(100, &audited);
    }
    const auto from_buffer = scope.count();
    {
        std::pmr::vector<int> numbers(100, &heap);
    }
    std::printf("%d and %d allocations, %d findings\n", static_cast<int>(from_buffer),
                static_cast<int>(scope.count()), static_cast<int>(audited.finding_count()));
}
