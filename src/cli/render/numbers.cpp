#include <cli/render/numbers.hpp>

#include <array>
#include <cstddef>
#include <fmt/format.h>

namespace allot::cli {

std::string bytes_text(std::uint64_t bytes) {
    static constexpr std::array<const char*, 6> units{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        return fmt::format("{} B", bytes);
    }
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    while (value >= 1023.95 && unit + 1 < units.size()) { // 1023.96 would be written as 1024.0
        value /= 1024;
        ++unit;
    }
    return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string count_text(std::uint64_t count) {
    const std::string digits = fmt::format("{}", count);
    std::string text;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) {
            text.push_back(',');
        }
        text.push_back(digits[i]);
    }
    return text;
}

std::string share_text(std::uint64_t part, std::uint64_t whole) {
    if (whole == 0) {
        return "–";
    }
    return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string time_text(std::uint64_t nanoseconds) {
    const double seconds = static_cast<double>(nanoseconds) * 1e-9;
    if (seconds < 0.9995) {
        return seconds < 0.00995 ? fmt::format("{:.1f} ms", seconds * 1e3)
                                 : fmt::format("{:.0f} ms", seconds * 1e3);
    }
    if (seconds < 120) {
        return fmt::format("{:.2f} s", seconds);
    }
    const auto minutes = static_cast<std::uint64_t>(seconds) / 60;
    const auto rest = static_cast<std::uint64_t>(seconds) % 60;
    return minutes < 120 ? fmt::format("{} min {} s", minutes, rest)
                         : fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
    return count_text(count) + ' ' + std::string(count == 1 ? one : many);
}

} // namespace allot::cli
