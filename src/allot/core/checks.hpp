// checks: how closely the library looks at its callers: check level off, on or full.
//
// Use ALLOT_CHECK for agreements whose test is worth its cost in production (level on, the default), and
// ALLOT_CHECK_FULL for what costs more than the call itself. What no program may pass by at any level takes
// ALLOT_EXPECT (contract.hpp). Level full also poisons and fills dead bytes (poison.hpp).
// The level is the public compile definition ALLOT_CHECK_LEVEL (0, 1, 2) of the target allot::allot: the
// CMake variable ALLOT_CHECK_LEVEL (off, on, full) sets it. No layout depends on it. Code of another level
// than the library's does not link: "undefined reference to allot::detail::library_has_check_level_off".
// Threads: constants.
// Cost: level off removes the checks, their operands included.
//
//     ALLOT_CHECK(owns(address), "pool: ", address, " is not of pool '", name_.view(), "'");
#pragma once

#include <allot/core/contract.hpp>

#ifndef ALLOT_CHECK_LEVEL
#    define ALLOT_CHECK_LEVEL 1
#endif

namespace allot {

enum class check_level : unsigned char { off, on, full };

inline constexpr check_level checks = static_cast<check_level>(ALLOT_CHECK_LEVEL);
static_assert(checks <= check_level::full, "ALLOT_CHECK_LEVEL is 0 (off), 1 (on) or 2 (full)");

namespace detail {

// The library defines the one of its own level; every source file refers to the one of its.
extern const char library_has_check_level_off;
extern const char library_has_check_level_on;
extern const char library_has_check_level_full;

[[gnu::used]] static const char* const check_level_of_this_file =
#if ALLOT_CHECK_LEVEL == 0
    &library_has_check_level_off;
#elif ALLOT_CHECK_LEVEL == 1
    &library_has_check_level_on;
#else
    &library_has_check_level_full;
#endif

} // namespace detail
} // namespace allot

#define ALLOT_CHECK(condition, ...)                                                                          \
    do {                                                                                                     \
        if constexpr (::allot::checks >= ::allot::check_level::on) ALLOT_EXPECT(condition, __VA_ARGS__);     \
    } while (false)

#define ALLOT_CHECK_FULL(condition, ...)                                                                     \
    do {                                                                                                     \
        if constexpr (::allot::checks == ::allot::check_level::full) ALLOT_EXPECT(condition, __VA_ARGS__);   \
    } while (false)
