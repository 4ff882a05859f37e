#include <algorithm>
#include <allot/source/default_source.hpp>
#include <allot/structure/ready_pools.hpp>

namespace allot::detail {

map_memory::map_memory(layout node, memory_source* upstream, const allot::name& who) noexcept
    : upstream_(upstream ? *upstream : default_source()),
      nodes_({.name = who,
              .slot = {align_up(node.size, std::max(node.align, alignof(void*))),
                       std::max(node.align, alignof(void*))},
              .upstream = upstream}) {}

source_description map_memory::do_describe() const noexcept {
    source_description all = nodes_.describe();
    all.kind = "map_memory";
    return all;
}

} // namespace allot::detail
