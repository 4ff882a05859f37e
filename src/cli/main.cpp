#include <cli/command_line.hpp>
#include <cli/commands/report.hpp>
#include <cli/commands/run.hpp>
#include <cli/exit_codes.hpp>
#include <cli/render/output.hpp>
#include <cli/render/words.hpp>

#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace {

template <class... Cases>
struct overloaded : Cases... {
    using Cases::operator()...;
};

// Where a standard descriptor is closed, the next file would get its number, and a message would be written
// into it. The observed program still finds it closed: ours is closed on exec.
void fill_standard_descriptors() {
    int opened = 0;
    do {
        opened = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (opened >= 0 && opened <= STDERR_FILENO);
    if (opened > STDERR_FILENO) {
        close(opened);
    }
}

int show(const std::string& text) {
    allot::cli::output out(STDOUT_FILENO);
    out.write(text);
    return out.flush() || out.reader_gone() ? allot::cli::exit_success : allot::cli::exit_failed;
}

int complain(const std::string& message) {
    fmt::print(stderr, "allot: {}\n", allot::cli::clean(message));
    return allot::cli::exit_bad_input;
}

} // namespace

int main(int argc, char** argv) {
    fill_standard_descriptors();
    try {
        return std::visit(
            overloaded{
                [](const allot::cli::run_options& run) { return allot::cli::run_command(run); },
                [](const allot::cli::report_options& report) { return allot::cli::report_command(report); },
                [](const allot::cli::text_answer& answer) { return show(answer.text); },
                [](const allot::cli::usage_error& wrong) { return complain(wrong.message); }},
            allot::cli::parse_command_line(argc, argv));
    } catch (const std::exception& failure) {
        fmt::print(stderr, "allot: {}\n", failure.what());
        return allot::cli::exit_failed;
    }
}
