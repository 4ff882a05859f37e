#include <allot/core/contract.hpp>
#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <string>

namespace allot {
namespace {

// One run of the body; whether a request was refused.
bool run(detail::failure_body body, void* context, const failure_loop& loop, std::uint64_t point) {
    auditing_source audited(loop.upstream ? *loop.upstream : default_source(),
                            {.name = "for_each_failure", .on_finding = on_finding::collect});
    failing_source failing(audited,
                           {.name = "for_each_failure", .plan = {.at = point, .lasting = loop.lasting}});
    try {
        body(context, failing);
    } catch (const std::bad_alloc&) {
        if (failing.refused_count() == 0) throw;
    }
    audited.check_nothing_live();
    if (audited.finding_count() != 0) {
        const std::string first = text(audited.findings().front());
        if (failing.refused_count() == 0)
            fatal({"for_each_failure: in the run without a refusal: ", first.c_str()});
        fatal({"for_each_failure: after the refusal of request ", point, ": ", first.c_str()});
    }
    return failing.refused_count() != 0;
}

} // namespace

std::uint64_t detail::for_each_failure(failure_body body, void* context, const failure_loop& loop) {
    for (std::uint64_t point = 1; point <= loop.point_count_max; ++point) {
        if (!run(body, context, loop, point)) return point - 1;
    }
    fatal({"for_each_failure: still refusing after ", loop.point_count_max, " runs"});
}

} // namespace allot
