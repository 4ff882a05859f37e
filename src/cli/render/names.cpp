#include <cli/render/names.hpp>

#include <cli/render/words.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fmt/format.h>

namespace allot::cli {

std::string location_text(const snapshot& shot, const source_frame& frame, code_address address) {
    if (!frame.file.empty()) {
        const std::string file = clean(base_name(frame.file));
        return frame.line == 0 ? file : fmt::format("{}:{}", file, frame.line);
    }
    if (address.module < shot.modules.size() && !frame.function.empty()) {
        return clean(base_name(shot.modules[address.module].path));
    }
    return {}; // the name is module+offset already
}

std::string place_text(const snapshot& shot, const source_frame& frame, code_address address,
                       std::size_t columns) {
    const std::string function =
        clean(frame.function.empty() ? module_and_offset(shot.modules, address) : frame.function);
    const std::string location = fit(location_text(shot, frame, address), columns / 2);
    if (location.empty()) {
        return fit_function(function, columns);
    }
    return fit_function(function, columns - width(location) - 2) + "  " + location;
}

std::string exit_text(const process_exit& exit) {
    switch (exit.how) {
    case process_exit::kind::code: return fmt::format("exit code {}", exit.value);
    case process_exit::kind::signal: {
        const char* name = sigabbrev_np(exit.value);
        return name == nullptr ? fmt::format("killed by signal {}", exit.value)
                               : fmt::format("killed by SIG{}", name);
    }
    case process_exit::kind::exec: return "became another program";
    case process_exit::kind::running: return "still running";
    case process_exit::kind::unknown: break;
    }
    return "end not known";
}

process_exit end_of_program(const snapshot& shot) {
    process_exit end;
    for (const process_row& process : shot.processes) {
        end = process.pid == shot.processes.front().pid ? process.exit : end;
    }
    return end;
}

std::uint64_t process_count(const snapshot& shot) {
    const auto became = [](const process_row& process) {
        return process.exit.how == process_exit::kind::exec;
    };
    const auto execs = std::count_if(shot.processes.begin(), shot.processes.end(), became);
    return shot.processes.size() - static_cast<std::uint64_t>(execs);
}

std::string command_text(const process_row& process, std::size_t columns) {
    std::vector<std::string> words = process.command;
    if (words.empty()) {
        words.push_back(process.executable);
    }
    words.front() = base_name(words.front());
    return words.front().empty() ? "(unknown program)" : fit_start(clean(shell_words(words)), columns);
}

std::string program_name(const process_row& process) {
    const std::string& path = process.command.empty() ? process.executable : process.command.front();
    return path.empty() ? "(unknown program)" : clean(base_name(path));
}

} // namespace allot::cli
