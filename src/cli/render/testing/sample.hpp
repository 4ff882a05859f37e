// sample: a small snapshot with a bit of everything, for the tests of renderers.
//
// Its modules are not on any disk, so every name is module+offset and does not change with the machine.
// Use it in tests only. Threads: safe.
//
//     const allot::snapshot shot = allot::cli::testing::sample();
#pragma once

#include <allot/observability/snapshot.hpp>

namespace allot::cli::testing {

// Two processes, three contexts at two sites; the numbers add up: 100 allocations, 1 MiB at the peak.
inline snapshot sample() {
    snapshot shot;
    shot.duration_ns = 1'500'000'000;
    shot.peak_rss_bytes = 3 << 20;
    shot.totals = {.allocations = 100,
                   .frees = 90,
                   .reallocations = 5,
                   .allocated_bytes = 4 << 20,
                   .live_blocks_at_exit = 10,
                   .live_bytes_at_exit = 4096,
                   .peak_live_bytes = 1 << 20,
                   .temporary_allocations = 40};
    shot.modules = {{"/nowhere/bin/prog", {1, 2, 3}, {}}, {"/nowhere/lib/lib\xFF.so", {4}, {}}};
    const row_numbers half{.allocations = 50,
                           .allocated_bytes = 2 << 20,
                           .live_blocks_at_exit = 10,
                           .live_bytes_at_exit = 4096,
                           .peak_live_bytes = 600 << 10,
                           .live_bytes_at_peak = 512 << 10,
                           .temporary_allocations = 10};
    const row_numbers quarter{.allocations = 25,
                              .allocated_bytes = 1 << 20,
                              .live_blocks_at_exit = 0,
                              .live_bytes_at_exit = 0,
                              .peak_live_bytes = 300 << 10,
                              .live_bytes_at_peak = 256 << 10,
                              .temporary_allocations = 15};
    shot.modules[0].numbers = half;
    shot.modules[1].numbers = {.allocations = 50,
                               .allocated_bytes = 2 << 20,
                               .live_blocks_at_exit = 0,
                               .live_bytes_at_exit = 0,
                               .peak_live_bytes = 600 << 10,
                               .live_bytes_at_peak = 512 << 10,
                               .temporary_allocations = 30};
    shot.sites = {{{0, 0x1200}, half}, {{1, 0x3400}, shot.modules[1].numbers}};
    shot.contexts = {{context_node::root, none, {0, 0x1000}, {}},   // main
                     {0, 0, {0, 0x1200}, half},                     // main → site 0
                     {0, 1, {1, 0x3400}, quarter},                  // main → site 1
                     {context_node::cut, 1, {1, 0x3400}, quarter}}; // … → site 1
    shot.processes = {{.pid = 10,
                       .parent_pid = 1,
                       .command = {"/nowhere/bin/prog", "a b", "\x1b[31m"},
                       .executable = "/nowhere/bin/prog",
                       .exit = {process_exit::kind::code, 3},
                       .observed = true,
                       .reason = "",
                       .totals = shot.totals,
                       .live_bytes_at_peak = 1 << 20},
                      {.pid = 11,
                       .parent_pid = 10,
                       .command = {"still"},
                       .executable = "/bin/still",
                       .exit = {process_exit::kind::signal, 11},
                       .observed = false,
                       .reason = "statically linked",
                       .totals = {},
                       .live_bytes_at_peak = 0}};
    shot.threads = {
        {.process = 0, .tid = 10, .name = "prog", .totals = shot.totals, .live_bytes_at_peak = 1 << 20}};
    shot.named_sources = {{.process = 0,
                           .kind = "arena",
                           .name = "request",
                           .held_bytes = 4096,
                           .peak_held_bytes = 64 << 10,
                           .held_count = 1,
                           .source_count = 12}};
    return shot;
}

} // namespace allot::cli::testing
