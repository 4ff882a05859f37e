// for_each_failure: runs a piece of code once for each point at which its memory can run out.
//
// Refuses the first request that the body makes, then in a new run the second, and so on until a run passes
// without a refusal: then every path that a shortage can take has been taken. (The manner is that of the
// exception loop of BDE's test allocator.) For one certain refusal take failing_source itself.
// The body takes its memory from the source that it is given; that one stands over an auditing_source, so
// that a run that leaks or breaks a block after its refusal is fatal, with the number of the request.
// An out_of_memory that leaves the body after the refusal is caught; every other exception goes through.
// Threads: the body's own; a body of several threads has no certain n-th request.
// Cost: the body runs once for each of its requests, and once more.
//
//     std::uint64_t points = for_each_failure([](failing_source& source) {
//         std::pmr::vector<int> numbers(&source);
//         for (int i = 0; i != 100; ++i) numbers.push_back(i); // throws in every run but the last
//     });
//     assert(points == 8); // the vector asks for memory eight times
#pragma once

#include <allot/testing/failing_source.hpp>
#include <memory>
#include <type_traits>

namespace allot {

struct failure_loop {
    memory_source* upstream = nullptr; // default_source()
    bool lasting = false;              // refuse also all that follows the n-th request of a run
    std::uint64_t point_count_max = 10'000;
};

namespace detail {
using failure_body = void (*)(void* context, failing_source& source);
std::uint64_t for_each_failure(failure_body body, void* context, const failure_loop& loop);
} // namespace detail

// How many requests were refused, one in each run before the last.
// Fatal: "for_each_failure: after the refusal of request N: …" when that run left blocks behind;
//        "for_each_failure: still refusing after N runs" at the bound.
template <class Body>
std::uint64_t for_each_failure(Body&& body, const failure_loop& loop = {}) {
    using plain = std::remove_reference_t<Body>;
    return detail::for_each_failure(
        [](void* context, failing_source& source) { (*static_cast<plain*>(context))(source); },
        const_cast<void*>(static_cast<const void*>(std::addressof(body))), loop);
}

} // namespace allot
