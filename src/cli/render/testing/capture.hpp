// capture: what a renderer writes, as a string, for tests.
//
// Use it in tests only. Owns the file that it writes into. Threads: one.
//
//     const std::string text = captured([&](allot::cli::output& out) { write_json(shot, names, options, out); });
#pragma once

#include <cli/render/output.hpp>

#include <array>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace allot::cli::testing {

template <class Renderer>
std::string captured(const Renderer& render) {
    const int file = memfd_create("captured", MFD_CLOEXEC);
    {
        output out(file);
        render(out);
        out.flush();
    }
    std::string text;
    std::array<char, 4096> part{};
    lseek(file, 0, SEEK_SET);
    for (ssize_t got = 0; (got = read(file, part.data(), part.size())) > 0;) {
        text.append(part.data(), static_cast<std::size_t>(got));
    }
    close(file);
    return text;
}

} // namespace allot::cli::testing
