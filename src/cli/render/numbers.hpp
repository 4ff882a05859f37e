// numbers: how allot writes sizes, counts, shares and times for people.
//
// Use these in every text that people read; machines get plain integers. Binary units (1 KiB = 1024 bytes),
// one digit after the point, separators in counts, no locale.
// Owns what it returns. Threads: safe. Cost: a formatting call each.
//
//     bytes_text(12'897'484) == "12.3 MiB";   bytes_text(999) == "999 B";
//     count_text(1234567) == "1,234,567";
//     share_text(1, 3) == "33.3 %";           share_text(1, 0) == "–";
//     time_text(1'234'000'000) == "1.23 s";
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace allot::cli {

std::string bytes_text(std::uint64_t bytes);
std::string count_text(std::uint64_t count);
std::string share_text(std::uint64_t part, std::uint64_t whole);
std::string time_text(std::uint64_t nanoseconds);

// "1 block", "2 blocks", "1 process", "2 processes".
std::string counted(std::uint64_t count, std::string_view one, std::string_view many);

} // namespace allot::cli
