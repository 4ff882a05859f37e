#include <allot/document/compiled_path.hpp>

#include <allot/document/path_error.hpp>
#include <allot/source/default_source.hpp>
#include <memory>

namespace allot {
namespace {

constexpr layout layout_of_steps(std::size_t count) noexcept {
    return {.size = count * sizeof(detail::compiled_step), .align = alignof(detail::compiled_step)};
}

} // namespace

result<compiled_path> compiled_path::make(path way, document& keys_of, memory_source* upstream) noexcept {
    path_cursor steps(way);
    std::size_t count = 0;
    for (path_step step; steps.next(step);) ++count;
    if (const result<void> checked = steps.check(); !checked) return checked.error();

    compiled_path made(upstream ? *upstream : default_source());
    if (count == 0) return made;
    auto* const block =
        static_cast<detail::compiled_step*>(made.upstream_->try_allocate(layout_of_steps(count)));
    if (!block) return detail::path_shortage(steps, 1);
    made.steps_ = std::span(block, count);
    std::uninitialized_value_construct(block, block + count);
    return made.fill(way, keys_of) ? result<compiled_path>(std::move(made))
                                   : result<compiled_path>(detail::path_shortage(steps, 1));
}

bool compiled_path::fill(path way, document& keys_of) noexcept {
    path_cursor cursor(way);
    path_step step;
    for (detail::compiled_step& each : steps_) {
        (void)cursor.next(step);
        each.kind = step.kind;
        each.position =
            step.position < each.no_position ? static_cast<std::uint32_t>(step.position) : each.no_position;
        if (step.kind == path_step::item) continue;
        each.key = keys_of.try_intern(step.text);
        if (!each.key) return false;
    }
    return true;
}

compiled_path::~compiled_path() {
    if (!steps_.empty()) upstream_->deallocate(steps_.data(), layout_of_steps(steps_.size()));
}

} // namespace allot
