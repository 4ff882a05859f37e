// output: text on its way to a descriptor, gathered into large writes.
//
// Use it for reports, which may be long and whose reader may go away (`| head`): then it falls silent and
// `reader_gone` says so. Messages go through fmt::print(stderr, …) instead.
// Borrows the descriptor. Threads: one. Cost: a copy; one system call for 64 KiB.
//
//     allot::cli::output out(STDOUT_FILENO);
//     out.write("totals\n");
//     if (!out.flush() && !out.reader_gone()) {
//         complain(out.error_number());
//     }
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace allot::cli {

class output {
public:
    explicit output(int descriptor) : descriptor_(descriptor) { buffer_.reserve(buffer_bytes); }
    output(const output&) = delete;
    output& operator=(const output&) = delete;

    void put(char c) {
        buffer_.push_back(c);
        if (buffer_.size() >= buffer_bytes) {
            flush();
        }
    }
    void write(std::string_view text) {
        buffer_.append(text);
        if (buffer_.size() >= buffer_bytes) {
            flush();
        }
    }

    // False once a write has failed; what follows is dropped.
    bool flush();

    int error_number() const noexcept { return error_number_; }
    bool reader_gone() const noexcept;

private:
    static constexpr std::size_t buffer_bytes = std::size_t{64} * 1024;
    std::string buffer_;
    int descriptor_;
    int error_number_ = 0;
};

// Whether colours may be used there: a terminal, and the user did not ask otherwise (NO_COLOR, TERM=dumb).
bool takes_colour(int descriptor);

} // namespace allot::cli
