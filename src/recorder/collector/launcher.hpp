// launcher: starts the observed program as if allot were not there, and waits for it.
//
// The program gets allot's own environment (with the preload library and the segment's path added), descriptors,
// signal mask and dispositions, in the same process group, so that ^C and ^Z reach it from the terminal. Meanwhile
// this process ignores SIGINT and SIGQUIT (the recording is still to be written) and passes SIGTERM, SIGHUP, SIGUSR1
// and SIGUSR2 on. Use it once, in a process that has no other children and no handlers of its own; it is not a
// general way to start programs.
// The fork comes first and waits for `start`, so that what needs the pid (the names of files) can be made before the
// program runs, and the child's peak RSS does not begin with our mappings.
// Owns the child until it has ended; dropped before start, the program never runs. Threads: one, and the process
// must have no other. Cost: one fork.
//
//     auto child = allot::recorder::child_process::fork_held(argv, library);
//     if (!child) return child.error();
//     if (const int why = child->start(segment_path); why != 0)
//         return exec_exit_code(why); // 126 or 127, as the shell and env say it
//     while (!child->wait(200'000))
//         poll_something();
//     end_like(child->ended());
#pragma once

#include <allot/core/result.hpp>

#include <array>
#include <cstdint>
#include <string>

namespace allot::recorder {

struct child_end {
    int wait_status = 0; // as waitpid gives it
    bool by_signal = false;
    int value = 0;                    // exit code, or the signal's number
    std::uint64_t peak_rss_bytes = 0; // of the largest among the program and all that it waited for
};

class child_process {
public:
    // `arguments` is the program's argv, ended by a null pointer; `library` the absolute path of what to preload.
    static result<child_process> fork_held(char* const* arguments, const std::string& library);

    child_process(child_process&& other) noexcept;
    child_process& operator=(child_process&&) = delete;
    ~child_process();

    int pid() const noexcept { return pid_; }

    // Lets the child become the program, with this absolute path in ALLOT_SEGMENT; with an empty one it runs
    // unobserved, in an unchanged environment. Answers 0, or the errno that exec gave: then the child is gone and
    // this process's signals are as before. Expects: shorter than 4000 bytes.
    [[nodiscard]] int start(const std::string& segment);

    // Sleeps until the program ends or the time is over, whichever is first; passes signals on meanwhile.
    // Answers whether it has ended. SIGTERM and the like are this process's own again from then on; SIGINT and
    // SIGQUIT stay ignored.
    bool wait(std::uint64_t nap_ns);

    // Expects: wait answered true.
    const child_end& ended() const noexcept { return end_; }

private:
    child_process() = default;
    void take_over_signals();
    void pass_signals_on();
    void give_signals_back();
    void close_pipes();

    int pid_ = 0;
    int go_ = -1;     // we write: the child may go on
    int report_ = -1; // we read: why exec failed, or the end when it did not
    int pid_descriptor_ =
        -1; // readable when the program has ended; -1 on kernels without: then naps end late
    bool running_ = false;
    child_end end_;
};

// 127 where the program was not found, 126 where it could not be run.
int exec_exit_code(int error_number) noexcept;

// Ends this process as the program ended: with its exit code, or by the same signal, without a core file of our
// own. Streams must be flushed before.
[[noreturn]] void end_like(const child_end& end);

// What the child's LD_PRELOAD becomes: ours first, the user's behind.
std::string preload_list(const std::string& ours, const char* users);

} // namespace allot::recorder
