// Danger: signals. All are blocked from before the fork until this process has its own dispositions, so that none is
// lost or kills the wrong one; afterwards the passed-on ones stay blocked except inside ppoll, so that the handler
// only counts them and no pid is signalled after it was reaped.
#include <recorder/collector/launcher.hpp>

#include <recorder/wire.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

extern char** environ;

namespace allot::recorder {
namespace {

constexpr std::array<int, 4> passed_on{SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
constexpr std::array<int, 2> ignored{SIGINT, SIGQUIT};

// What this process had before: the child gets it, and so do we at the end.
struct signal_state {
    sigset_t mask;
    struct sigaction child_action; // of SIGCHLD
    std::array<struct sigaction, passed_on.size()> actions;
} before{};

volatile sig_atomic_t pending[passed_on.size()];

void count_signal(int number, siginfo_t* info, void*) {
    for (std::size_t i = 0; i < passed_on.size(); ++i) {
        // The terminal's hang-up goes to the whole process group: the program got it by itself.
        if (passed_on[i] == number && info->si_code != SI_KERNEL) {
            pending[i] = pending[i] + 1;
        }
    }
}

bool read_fully(int from, void* to, std::size_t bytes) {
    auto* place = static_cast<char*>(to);
    while (bytes > 0) {
        const ssize_t got = read(from, place, bytes);
        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            return false;
        }
        place += got > 0 ? got : 0;
        bytes -= got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    return true;
}

bool is_variable(const char* entry, std::string_view name) {
    return std::strncmp(entry, name.data(), name.size()) == 0 && entry[name.size()] == '=';
}

// The caller's environment in its own order, with our two variables set.
std::vector<char*> child_environment(std::string& preload, std::string& segment) {
    std::vector<char*> entries;
    bool has_preload = false;
    bool has_segment = false;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        if (is_variable(*entry, "LD_PRELOAD")) {
            entries.push_back(preload.data());
            has_preload = true;
        } else if (is_variable(*entry, ALLOT_WIRE_ENVIRONMENT)) {
            entries.push_back(segment.data());
            has_segment = true;
        } else {
            entries.push_back(*entry);
        }
    }
    if (!has_preload) {
        entries.push_back(preload.data());
    }
    if (!has_segment) {
        entries.push_back(segment.data());
    }
    entries.push_back(nullptr);
    return entries;
}

// The child's side: waits for the segment's path, and becomes the program.
[[noreturn]] void become_program(char* const* arguments, const std::string& library, int go, int report) {
    std::size_t bytes = 0;
    if (!read_fully(go, &bytes, sizeof bytes)) {
        _exit(125); // the parent gave up
    }
    std::string path(bytes, '\0');
    if (!read_fully(go, path.data(), path.size())) {
        _exit(125);
    }
    std::string segment = ALLOT_WIRE_ENVIRONMENT "=" + path;
    std::string preload = "LD_PRELOAD=" + preload_list(library, getenv("LD_PRELOAD"));
    std::vector<char*> environment = child_environment(preload, segment);
    if (!path.empty()) {
        environ = environment.data();
    }
    sigaction(SIGCHLD, &before.child_action, nullptr);
    sigprocmask(SIG_SETMASK, &before.mask, nullptr);
    execvp(arguments[0], arguments);
    const int reason = errno;
    const ssize_t written = write(report, &reason, sizeof reason);
    _exit(written == sizeof reason ? exec_exit_code(reason) : 125);
}

} // namespace

int exec_exit_code(int error_number) noexcept { return error_number == ENOENT ? 127 : 126; }

std::string preload_list(const std::string& ours, const char* users) {
    std::string list = ours;
    std::string_view rest = users == nullptr ? "" : users;
    while (!rest.empty()) {
        const auto end = rest.find_first_of(": ");
        const std::string_view entry = rest.substr(0, end);
        if (!entry.empty() && entry != ours) { // an outer `allot run` may have put it there already
            list.append(":").append(entry);
        }
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
    return list;
}

result<child_process> child_process::fork_held(char* const* arguments, const std::string& library) {
    std::array<int, 2> go{};
    std::array<int, 2> report{};
    if (pipe2(go.data(), O_CLOEXEC) != 0) {
        return system_error(errno).during("cannot make a pipe");
    }
    if (pipe2(report.data(), O_CLOEXEC) != 0) {
        const int reason = errno;
        close(go[0]);
        close(go[1]);
        return system_error(reason).during("cannot make a pipe");
    }
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before.mask);
    struct sigaction plain{};
    plain.sa_handler = SIG_DFL; // an inherited SIG_IGN would lose the child's end
    sigaction(SIGCHLD, &plain, &before.child_action);

    child_process child;
    child.pid_ = fork();
    if (child.pid_ == 0) {
        close(go[1]);
        close(report[0]);
        become_program(arguments, library, go[0], report[1]);
    }
    const int reason = errno;
    close(go[0]);
    close(report[1]);
    child.go_ = go[1];
    child.report_ = report[0];
    if (child.pid_ < 0) {
        child.pid_ = 0;
        sigaction(SIGCHLD, &before.child_action, nullptr);
        sigprocmask(SIG_SETMASK, &before.mask, nullptr);
        return system_error(reason).during("cannot make a process");
    }
    return child;
}

child_process::child_process(child_process&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      go_(std::exchange(other.go_, -1)),
      report_(std::exchange(other.report_, -1)),
      pid_descriptor_(std::exchange(other.pid_descriptor_, -1)),
      running_(std::exchange(other.running_, false)),
      end_(other.end_) {}

child_process::~child_process() {
    const bool held = go_ >= 0;
    close_pipes();
    if (held && pid_ > 0) {
        waitpid(pid_, nullptr, 0); // it sees the pipe's end and goes
        sigaction(SIGCHLD, &before.child_action, nullptr);
        sigprocmask(SIG_SETMASK, &before.mask, nullptr);
    }
    if (pid_descriptor_ >= 0) {
        close(pid_descriptor_);
    }
}

void child_process::close_pipes() {
    for (int* end : {&go_, &report_}) {
        if (*end >= 0) {
            close(std::exchange(*end, -1));
        }
    }
}

int child_process::start(const std::string& segment) {
    const std::size_t bytes = segment.size();
    const iovec parts[] = {{.iov_base = const_cast<std::size_t*>(&bytes), .iov_len = sizeof bytes},
                           {.iov_base = const_cast<char*>(segment.data()), .iov_len = bytes}};
    // A path is shorter than PIPE_BUF: the pipe takes all or nothing. SIGPIPE is blocked with all others: a child
    // that was killed meanwhile shows as its death below.
    const ssize_t put = writev(go_, parts, 2);
    int reason = 0;
    const bool failed = put > 0 && read_fully(report_, &reason, sizeof reason);
    close_pipes();
    if (failed) {
        waitpid(pid_, nullptr, 0);
        sigaction(SIGCHLD, &before.child_action, nullptr);
        sigprocmask(SIG_SETMASK, &before.mask, nullptr);
        return reason;
    }
    pid_descriptor_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    running_ = true;
    take_over_signals();
    return 0;
}

void child_process::take_over_signals() {
    struct sigaction action{};
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_IGN;
    for (const int number : ignored) {
        sigaction(number, &action, nullptr);
    }
    action.sa_sigaction = count_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    for (std::size_t i = 0; i < passed_on.size(); ++i) {
        sigaction(passed_on[i], nullptr, &before.actions[i]);
        if (before.actions[i].sa_handler != SIG_IGN) { // under nohup the program ignores it as well
            sigaction(passed_on[i], &action, nullptr);
        }
    }
    sigset_t mask = before.mask;
    for (const int number : passed_on) {
        sigaddset(&mask, number);
    }
    sigaddset(&mask, SIGPIPE); // stderr may be gone; the exit is still the program's
    sigprocmask(SIG_SETMASK, &mask, nullptr);
}

void child_process::pass_signals_on() {
    for (std::size_t i = 0; i < passed_on.size(); ++i) {
        while (pending[i] > 0) {
            pending[i] = pending[i] - 1; // the signals are blocked here
            kill(pid_, passed_on[i]);
        }
    }
}

void child_process::give_signals_back() {
    for (std::size_t i = 0; i < passed_on.size(); ++i) {
        sigaction(passed_on[i], &before.actions[i], nullptr);
    }
    sigset_t mask = before.mask;
    sigaddset(&mask, SIGPIPE);
    sigprocmask(SIG_SETMASK, &mask, nullptr);
}

bool child_process::wait(std::uint64_t nap_ns) {
    if (!running_) {
        return true;
    }
    sigset_t mask = before.mask;
    for (const int number : passed_on) {
        sigdelset(&mask, number);
    }
    sigaddset(&mask, SIGPIPE);
    pollfd ended{.fd = pid_descriptor_, .events = POLLIN, .revents = 0};
    constexpr std::uint64_t second = 1'000'000'000;
    const timespec nap{.tv_sec = static_cast<time_t>(nap_ns / second),
                       .tv_nsec = static_cast<long>(nap_ns % second)};
    const int events = ppoll(&ended, 1, &nap, &mask);
    pass_signals_on();
    if (events <= 0 && pid_descriptor_ >= 0) {
        return false;
    }
    int status = 0;
    rusage usage{};
    pid_t got = 0;
    do {
        got = wait4(pid_, &status, WNOHANG, &usage);
    } while (got < 0 && errno == EINTR);
    if (got != pid_) {
        return false;
    }
    running_ = false;
    end_.wait_status = status;
    end_.by_signal = WIFSIGNALED(status);
    end_.value = end_.by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
    end_.peak_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
    give_signals_back();
    return true;
}

void end_like(const child_end& end) {
    if (!end.by_signal) {
        _exit(end.value);
    }
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); // a core_pattern that is a pipe does not heed the limit
    signal(end.value, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, end.value);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    raise(end.value);
    _exit(128 + end.value);
}

} // namespace allot::recorder
