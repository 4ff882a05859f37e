#include "subject.hpp"

namespace subject {
const scenario process_scenarios[] = {{"", nullptr}};
const std::size_t process_scenario_count = 1;
} // namespace subject
