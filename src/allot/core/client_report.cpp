#include <allot/core/client.h>
#include <allot/core/client_report.hpp>

namespace allot {

void report_to_client(std::uint64_t& id, const client_report& now) noexcept {
    allot_client_source self{};
    self.size = sizeof self;
    self.id = id;
    self.kind = now.kind;
    self.name = now.who.c_str();
    self.held_bytes = now.held_bytes;
    self.held_count = now.held_count;
    if (allot_client_report_source(&self) == 0) id = self.id;
}

} // namespace allot
