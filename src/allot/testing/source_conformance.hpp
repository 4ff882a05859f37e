// source_conformance: the laws that every memory_source keeps, as checks for any test framework.
//
// Use it when you write a source, a decorator, or a structure that is one: make a fresh subject for each law
// and run it. What it is for besides those laws needs tests of its own. Best over an auditing_source, which
// finds what the subject does to its upstream.
// Owns nothing; takes what it needs from the subject and gives all of it back.
// Threads: laws `describe_from_another_thread` and `thread_safe` start threads of their own and join them;
// run them under ThreadSanitizer as well.
// Cost: some milliseconds a law, and at most `conformance_limits::bytes_max` from the subject at a time.
//
//     for (const conformance_law& law : conformance_laws()) {
//         malloc_source subject;
//         for (const std::string& finding : check_law(law, subject)) std::puts(finding.c_str());
//     }
#pragma once

#include <allot/core/memory_source.hpp>
#include <span>
#include <string>
#include <vector>

namespace allot {

// What the subject is made for. Within the limits it must serve; beyond them it may, or refuses in good
// order.
struct conformance_limits {
    std::size_t size_max = mebibytes(2); // of one block; 0: it refuses everything
    std::size_t align_max = kibibytes(64);
    std::uint64_t bytes_max = mebibytes(32); // together, from a fresh subject, whether given back or not
};

class conformance_trial;

struct conformance_law {
    const char* name = ""; // "alignment", "zero_size", … : fit for the name of a test
    void (*check)(conformance_trial& trial) = nullptr;
};

std::span<const conformance_law> conformance_laws() noexcept;

// What the subject does wrong, in sentences; empty when it keeps the law. Expects: a fresh subject, of which
// nobody else takes memory.
std::vector<std::string> check_law(const conformance_law& law, memory_source& subject,
                                   const conformance_limits& limits = {});

} // namespace allot
