#include <cli/commands/run.hpp>

#include <cli/exit_codes.hpp>
#include <cli/render/output.hpp>
#include <cli/render/summary.hpp>
#include <cli/render/words.hpp>

#include <allot/analysis/debug_info.hpp>
#include <allot/analysis/sites.hpp>
#include <allot/core/result.hpp>
#include <allot/observability/recording.hpp>
#include <recorder/collector/collector.hpp>
#include <recorder/collector/inspect.hpp>
#include <recorder/collector/launcher.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace allot::cli {
namespace {

void say(std::string_view message) { fmt::print(stderr, "allot: {}\n", clean(message)); }

// What the collector asks about code and files, answered by analysis and inspect.
class symbol_sites final : public recorder::site_finder {
public:
    bool is_allocator_wrapper(const module_row& module, std::uint64_t offset) override {
        return wrappers_.contains(module, offset);
    }

private:
    wrapper_functions wrappers_;
};

class file_inspector final : public recorder::process_inspector {
public:
    std::string reason_not_observed(const std::string& executable) override {
        return recorder::inspect_program(executable, nullptr).reason;
    }
};

// bin/allot finds ../lib/allot/liballot_preload.so, in the build tree and where it is installed.
result<std::string> find_preload_library() {
    std::array<char, 4096> self{};
    const ssize_t length = readlink("/proc/self/exe", self.data(), self.size());
    if (length <= 0 || static_cast<std::size_t>(length) == self.size()) {
        return error("cannot find allot's own folder: /proc/self/exe can't be read");
    }
    std::string folder(self.data(), static_cast<std::size_t>(length));
    folder.resize(folder.rfind('/'));
    folder.resize(folder.rfind('/') + 1);
    std::string library = folder + "lib/allot/liballot_preload.so";
    if (access(library.c_str(), R_OK) != 0) {
        return error("the preload library is missing: " + library);
    }
    if (library.find_first_of(" :") != std::string::npos) {
        return error("LD_PRELOAD can't hold a path with a space or a colon; install allot elsewhere than " +
                     library);
    }
    return library;
}

bool exists(const std::string& path) {
    struct stat info{};
    return lstat(path.c_str(), &info) == 0;
}

// What must hold before the program starts, when the user named the file.
std::optional<std::string> problem_with(const std::string& output) {
    const auto slash = output.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : output.substr(0, slash);
    struct stat info{};
    if (stat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
        return fmt::format("-o {}: there is no folder {}", output, folder);
    }
    if (access(folder.c_str(), W_OK) != 0) {
        return fmt::format("-o {}: the folder {} can't be written to", output, folder);
    }
    if (slash != std::string::npos && slash + 1 == output.size()) {
        return fmt::format("-o {}: names a folder, not a file", output);
    }
    if (exists(output)) {
        return fmt::format("-o {}: exists already: name another file, or remove it first", output);
    }
    if (exists(output + ".partial")) {
        return fmt::format(
            "-o {}: {}.partial exists, from a run that is going on or was killed: name another file, "
            "or remove it first",
            output, output);
    }
    return std::nullopt;
}

std::string default_output(const char* program, int pid) {
    const std::string start = fmt::format("allot.{}.{}", base_name(program), pid);
    std::string name = start + ".allot";
    for (int i = 2; exists(name) || exists(name + ".partial"); ++i) {
        name = fmt::format("{}-{}.allot", start, i);
    }
    return name;
}

class run {
public:
    explicit run(const run_options& options) : options_(options), output_(options.output) {}

    int operator()();

private:
    // What went wrong is said in any case.
    void say_unless_quiet(std::string_view message) const {
        if (!options_.quiet) {
            say(message);
        }
    }
    static int say_and_fail(const std::string& message, int code) {
        say(message);
        return code;
    }
    void make_collector(int pid);
    void observe(recorder::child_process& child);
    void tell(snapshot& shot);

    const run_options& options_;
    std::string output_;
    recorder::inspection seen_;
    symbol_sites sites_;
    file_inspector inspector_;
    std::unique_ptr<recorder::collector> collector_; // none: the program runs unobserved
};

int run::operator()() {
    const char* program = options_.program[0];
    if (!output_.empty()) {
        if (auto problem = problem_with(output_)) {
            return say_and_fail(*problem, exit_bad_input);
        }
    }
    auto library = find_preload_library();
    if (!library) {
        return say_and_fail(library.error().text(), exit_failed);
    }
    seen_ = recorder::inspect_program(program, std::getenv("PATH"));
    auto child = recorder::child_process::fork_held(options_.program, *library);
    if (!child) {
        return say_and_fail(child.error().text(), exit_failed);
    }
    make_collector(child->pid());
    if (!seen_.observed) {
        say_unless_quiet(
            fmt::format("{} is {}: its allocations are not observed", base_name(seen_.name), seen_.reason));
    }
    const bool preload = collector_ != nullptr && seen_.preload;
    if (const int reason = child->start(preload ? collector_->segment_path() : ""); reason != 0) {
        if (collector_ != nullptr) {
            static_cast<void>(collector_->remove_segment());
        }
        return say_and_fail(fmt::format("cannot run {}: {}", program, system_error(reason).text()),
                            recorder::exec_exit_code(reason));
    }
    observe(*child);
    std::fflush(stderr);
    recorder::end_like(child->ended());
}

void run::make_collector(int pid) {
    if (output_.empty()) {
        output_ = default_output(options_.program[0], pid);
    }
    recorder::collector_options wish;
    wish.path = output_ + ".partial";
    wish.mode = options_.mode;
    for (char** argument = options_.program; *argument != nullptr; ++argument) {
        wish.root_command.emplace_back(*argument);
    }
    wish.sites = &sites_;
    wish.inspector = &inspector_;
    auto made = recorder::collector::make(wish);
    if (!made) {
        say(fmt::format("no recording, the program runs unobserved: {}", made.error().text()));
        return;
    }
    collector_ = std::move(*made);
    collector_->set_root(static_cast<std::uint32_t>(pid));
}

void run::observe(recorder::child_process& child) {
    if (collector_ == nullptr) {
        while (!child.wait(1'000'000'000)) {
        }
        return;
    }
    do {
        collector_->poll();
    } while (!child.wait(collector_->rest_ns()));
    const recorder::child_end& end = child.ended();
    snapshot shot = collector_->finish(end.wait_status, end.peak_rss_bytes);
    if (!shot.processes.empty() && !seen_.observed) {
        shot.processes.front().observed = false;
        shot.processes.front().reason = seen_.reason;
    }
    tell(shot);
}

void run::tell(snapshot& shot) {
    if (!options_.arguments_stored) {
        for (process_row& process : shot.processes) {
            process.command.resize(std::min<std::size_t>(process.command.size(), 1));
        }
    }
    auto saved = save_recording(shot, output_);
    if (saved) {
        saved = collector_->remove_segment();
    } else {
        say(fmt::format("{}; what is known stays in {}.partial", saved.error().text(), output_));
        output_.clear();
    }
    if (options_.quiet) {
        return;
    }
    debug_info names(shot.modules);
    std::string text;
    for (const std::string& line : summary_lines(shot, names, {.recording = output_})) {
        text.append("allot: ").append(line).append("\n");
    }
    output err(STDERR_FILENO);
    err.write(text);
    err.flush();
}

} // namespace

int run_command(const run_options& options) { return run(options)(); }

} // namespace allot::cli
