// small_tables: a small segment with its tables, for tests of what works on tables alone.
//
// Owns both and their file. Threads: one.
#pragma once

#include <cstdlib>
#include <memory>
#include <recorder/collector/tables.hpp>
#include <recorder/collector/testing/scratch.hpp>

namespace allot::recorder::testing {

struct small_tables {
    explicit small_tables(std::uint32_t contexts_max = 1u << 12) {
        const tables_options options{.contexts_max = contexts_max};
        auto made = segment::make({.path = files.path("x"),
                                   .process_count = 4,
                                   .thread_count = 8,
                                   .ring_count = 2,
                                   .ring_words = 64,
                                   .pages_start = 4096,
                                   .pages_max = 4096,
                                   .collected_bytes = tables::bytes(options)});
        if (!made || !tables::prepare(*made, options)) std::abort();
        file = std::make_unique<segment>(std::move(*made));
        all = std::make_unique<tables>(*file);
    }
    scratch files;
    std::unique_ptr<segment> file;
    std::unique_ptr<tables> all;
};

} // namespace allot::recorder::testing
