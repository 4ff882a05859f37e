#include <allot/core/checks.hpp>

namespace allot::detail {

#if ALLOT_CHECK_LEVEL == 0
const char library_has_check_level_off = 0;
#elif ALLOT_CHECK_LEVEL == 1
const char library_has_check_level_on = 1;
#else
const char library_has_check_level_full = 2;
#endif

} // namespace allot::detail
