// suggestion: the known name that a misspelt one probably meant.
//
// Use it for messages only. Owns nothing. Threads: safe. Cost: O(length²) a name.
//
//     suggest("--formt", {"--format", "--top"}) == "--format";
//     suggest("--zzz", {"--format", "--top"}) == "";
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace allot::cli {

// Empty where nothing is near: more than a third of the letters wrong.
std::string suggest(std::string_view unknown, std::span<const std::string> known);

} // namespace allot::cli
