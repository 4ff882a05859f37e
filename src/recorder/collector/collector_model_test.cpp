// The collector against a naive oracle: random programs of several processes and threads, and real threads.
#include <recorder/collector/collector.hpp>

#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <recorder/collector/testing/fake_process.hpp>
#include <recorder/collector/testing/scratch.hpp>
#include <thread>
#include <tuple>

namespace allot::recorder {
namespace {

using testing::fake_process;
using testing::fake_thread;
using testing::scratch;

std::unique_ptr<collector> make_small(const std::string& path, std::uint32_t ring_words = 512) {
    auto made =
        collector::make({.path = path, .contexts_max = 1u << 16, .ring_count = 8, .ring_words = ring_words});
    return made ? std::move(*made) : nullptr;
}

void expect_sums(const snapshot& all) {
    auto sum = [](const auto& rows, auto&& of) {
        return std::accumulate(rows.begin(), rows.end(), std::uint64_t{0},
                               [&](std::uint64_t so_far, const auto& row) { return so_far + of(row); });
    };
    auto check = [&](const char* what, const auto& rows) {
        EXPECT_EQ(sum(rows, [](const auto& r) { return r.numbers.live_bytes_at_peak; }),
                  all.totals.peak_live_bytes)
            << what;
        EXPECT_EQ(sum(rows, [](const auto& r) { return r.numbers.allocations; }), all.totals.allocations)
            << what;
        EXPECT_EQ(sum(rows, [](const auto& r) { return r.numbers.allocated_bytes; }),
                  all.totals.allocated_bytes)
            << what;
        EXPECT_EQ(sum(rows, [](const auto& r) { return r.numbers.live_bytes_at_exit; }),
                  all.totals.live_bytes_at_exit)
            << what;
        EXPECT_EQ(sum(rows, [](const auto& r) { return r.numbers.live_blocks_at_exit; }),
                  all.totals.live_blocks_at_exit)
            << what;
        EXPECT_EQ(sum(rows, [](const auto& r) { return r.numbers.temporary_allocations; }),
                  all.totals.temporary_allocations)
            << what;
    };
    check("contexts", all.contexts);
    check("sites", all.sites);
    check("modules", all.modules);
    for (const auto* rows : {&all.threads})
        EXPECT_EQ(sum(*rows, [](const auto& r) { return r.live_bytes_at_peak; }), all.totals.peak_live_bytes);
    EXPECT_EQ(sum(all.processes, [](const auto& r) { return r.live_bytes_at_peak; }),
              all.totals.peak_live_bytes);
    EXPECT_EQ(sum(all.threads, [](const auto& r) { return r.totals.allocations; }), all.totals.allocations);
    EXPECT_EQ(all.dropped_events, 0u);
}

// What the numbers mean, in the most naive way.
struct oracle {
    struct block {
        std::uint64_t size;
        int row, thread;
    };
    struct row {
        std::uint64_t allocations = 0, bytes = 0, live = 0, blocks = 0, peak = 0, at_peak = 0,
                      temporaries = 0;
        void add(std::uint64_t size) { live += size, ++blocks, peak = std::max(peak, live); }
    };
    std::map<std::pair<int, std::uint64_t>, block> live;
    std::map<int, row> rows, threads, processes;
    std::map<int, std::pair<int, std::uint64_t>> newest; // of a thread
    row total;
    std::uint64_t frees = 0, reallocations = 0;

    void allocate(int process, std::uint64_t address, std::uint64_t size, int context, int thread) {
        live[{process, address}] = {size, context, thread};
        newest[thread] = {process, address};
        for (row* each : {&total, &rows[context], &threads[thread], &processes[process]}) {
            ++each->allocations;
            each->bytes += size;
            each->add(size);
        }
        remember_peak();
    }
    void remember_peak() {
        if (total.live != total.peak || total.peak == total.at_peak) return;
        total.at_peak = total.peak;
        for (auto* table : {&rows, &threads, &processes})
            for (auto& [key, each] : *table) each.at_peak = each.live;
    }
    void free(int process, std::uint64_t address) {
        const block gone = live.at({process, address});
        live.erase({process, address});
        ++frees;
        const bool temporary = newest[gone.thread] == std::pair(process, address);
        if (temporary) newest[gone.thread] = {-1, 0};
        for (row* each : {&total, &rows[gone.row], &threads[gone.thread], &processes[process]}) {
            each->live -= gone.size;
            --each->blocks;
            each->temporaries += temporary;
        }
    }
};

struct random_program {
    explicit random_program(unsigned seed) : random(seed) {}

    struct thread {
        std::unique_ptr<fake_thread> fake;
        int process, number;
    };
    scratch files;
    std::unique_ptr<collector> collect = make_small(files.path("x"));
    std::mt19937_64 random;
    oracle truth;
    std::vector<std::unique_ptr<fake_process>> processes;
    std::vector<std::vector<std::uint32_t>> nodes; // by process, by context number
    std::vector<thread> threads;
    std::uint64_t now = wire_stamp();
    int threads_made = 0;
    std::uint64_t steps = 0;

    static constexpr int context_count = 6;

    void start() {
        collect->set_root(static_cast<std::uint32_t>(::getpid()));
        for (std::uint32_t i = 0; i < 2; ++i) {
            // Both are this process, alive: the pids differ by nothing that the collector could look at.
            processes.push_back(std::make_unique<fake_process>(
                collect->segment_path(),
                testing::fake_options{.pid = i == 0 ? static_cast<std::uint32_t>(::getpid())
                                                    : static_cast<std::uint32_t>(::getppid())}));
            processes.back()->module(1, 0x10000 * (i + 1),
                                     "/usr/bin/same"); // at another place: the same contexts
            nodes.emplace_back();
            std::uint32_t parent = ALLOT_NODE_ROOT;
            for (std::uint64_t c = 0; c < context_count; ++c) {
                parent = processes.back()->node(0x10000 * (i + 1) + c * 16, parent, 1);
                nodes.back().push_back(parent);
            }
        }
    }
    void start_thread() {
        const int process = static_cast<int>(random() % processes.size());
        threads.push_back(
            {std::make_unique<fake_thread>(*processes[static_cast<std::size_t>(process)],
                                           static_cast<std::uint32_t>(++threads_made), true, now),
             process, threads_made});
    }
    void end_thread(std::size_t index) {
        threads[index].fake->end();
        threads.erase(threads.begin() + static_cast<std::ptrdiff_t>(index));
    }
    std::uint64_t unused_address(int process) {
        std::uint64_t address = 0;
        do address = 0x1000 + random() % 4096 * 8;
        while (truth.live.contains({process, address}));
        return address;
    }
    void allocate(thread& by, bool reallocation = false) {
        const std::uint64_t address = unused_address(by.process), size = random() % 2000;
        const int context = static_cast<int>(random() % context_count);
        by.fake->allocate(address, size,
                          nodes[static_cast<std::size_t>(by.process)][static_cast<std::size_t>(context)],
                          reallocation);
        truth.allocate(by.process, address, size, context, by.number);
        truth.reallocations += reallocation;
    }
    void end_one(thread& by) { // any thread's block of the same process
        std::vector<std::uint64_t> own;
        for (const auto& [key, block] : truth.live)
            if (key.first == by.process) own.push_back(key.second);
        if (own.empty()) return;
        const std::uint64_t address = own[random() % own.size()];
        const auto what = random() % 8;
        if (what == 0) { // a realloc that fails: as if nothing had happened
            by.fake->reallocate_free(address);
            by.fake->reallocate_failed(address);
        } else if (what < 3) {
            by.fake->reallocate_free(address);
            truth.free(by.process, address);
            allocate(by, true);
        } else {
            by.fake->free(address);
            truth.free(by.process, address);
        }
    }
    void step() {
        for (auto& each : threads) each.fake->set_stamp(now);
        now += random() % 500 == 0 ? 100'000 : 1 + random() % 50;
        if (threads.empty() || (random() % 500 == 0 && threads.size() < 6)) return start_thread();
        const std::size_t index = random() % threads.size();
        if (random() % 700 == 0) return end_thread(index);
        if (random() % 5 < 2)
            allocate(threads[index]);
        else
            end_one(threads[index]);
        if (++steps % 50 == 0 || random() % 20 == 0)
            collect->poll(); // before a ring can be full: nobody else would
    }
};

void expect_row(const row_numbers& found, const oracle::row& true_row) {
    EXPECT_EQ(std::tuple(found.allocations, found.allocated_bytes, found.live_blocks_at_exit,
                         found.live_bytes_at_exit, found.peak_live_bytes, found.live_bytes_at_peak,
                         found.temporary_allocations),
              std::tuple(true_row.allocations, true_row.bytes, true_row.blocks, true_row.live, true_row.peak,
                         true_row.at_peak, true_row.temporaries));
}

TEST(collector_model, agrees_with_a_naive_oracle_in_every_row) {
    for (int round = 0; round < 5; ++round) {
        const unsigned seed = std::random_device{}();
        SCOPED_TRACE("seed " + std::to_string(seed));
        random_program program(seed);
        program.start();
        for (int step = 0; step < 20'000; ++step) program.step();
        const snapshot all = program.collect->finish(0, 0);
        const oracle& truth = program.truth;
        EXPECT_EQ(all.totals, (heap_totals{truth.total.allocations, truth.frees, truth.reallocations,
                                           truth.total.bytes, truth.total.blocks, truth.total.live,
                                           truth.total.peak, truth.total.temporaries}));
        ASSERT_EQ(all.contexts.size(), std::size_t{random_program::context_count});
        for (const context_node& node : all.contexts)
            expect_row(node.numbers, truth.rows.at(static_cast<int>(node.address.offset / 16)));
        ASSERT_EQ(all.threads.size(), static_cast<std::size_t>(program.threads_made));
        for (const thread_row& row : all.threads) {
            const auto& true_row =
                program.truth.threads[static_cast<int>(row.tid)]; // none: it allocated nothing
            EXPECT_EQ(row.totals.allocations, true_row.allocations);
            EXPECT_EQ(row.totals.peak_live_bytes, true_row.peak);
            EXPECT_EQ(row.live_bytes_at_peak, true_row.at_peak);
            EXPECT_EQ(row.totals.live_bytes_at_exit, true_row.live);
            EXPECT_EQ(row.totals.temporary_allocations, true_row.temporaries);
        }
        for (std::size_t i = 0; i < 2; ++i) {
            EXPECT_EQ(all.processes[i].totals.peak_live_bytes, truth.processes.at(static_cast<int>(i)).peak);
            EXPECT_EQ(all.processes[i].live_bytes_at_peak, truth.processes.at(static_cast<int>(i)).at_peak);
        }
        expect_sums(all);
        EXPECT_TRUE(all.notes.empty()) << all.notes[0];
    }
}

// Two real threads, one allocates what the other frees, at the same few addresses, with true stamps: the
// alternation at each address must come out although the rings are read at any time.
TEST(collector_model, follows_blocks_from_thread_to_thread) {
    constexpr std::uint64_t rounds = 100'000, window = 64;
    scratch files;
    auto collect = make_small(files.path("x"));
    collect->set_root(static_cast<std::uint32_t>(::getpid()));
    fake_process process(collect->segment_path(), {.pid = static_cast<std::uint32_t>(::getpid())});
    const std::uint32_t main = process.node(0x1000, ALLOT_NODE_ROOT);
    fake_thread producer(process, 1), consumer(process, 2);
    std::atomic<std::uint64_t> made{0}, used{0};
    std::thread produces([&] {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            while (i - used.load(std::memory_order_acquire) >= window) std::this_thread::yield();
            producer.allocate(0x1000 + i % window * 16, 100, main);
            made.store(i + 1, std::memory_order_release);
        }
    });
    std::thread consumes([&] {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            while (made.load(std::memory_order_acquire) <= i) std::this_thread::yield();
            consumer.free(0x1000 + i % window * 16);
            used.store(i + 1, std::memory_order_release);
        }
    });
    while (used.load(std::memory_order_acquire) != rounds)
        if (!collect->poll()) std::this_thread::yield();
    produces.join();
    consumes.join();
    const snapshot all = collect->finish(0, 0);
    EXPECT_EQ(all.totals.allocations, rounds);
    EXPECT_EQ(all.totals.frees, rounds);
    EXPECT_EQ(all.totals.live_blocks_at_exit, 0u);
    EXPECT_LE(all.totals.peak_live_bytes, window * 100);
    expect_sums(all);
    EXPECT_TRUE(all.notes.empty()) << all.notes[0];
}

// Phases with a barrier between: each thread's blocks of a phase are freed before any of the next is made, so
// the true peak is that of one phase, whatever the threads do.
TEST(collector_model, knows_the_exact_peak_of_threads_that_work_in_phases) {
    constexpr int phases = 200, blocks = 50;
    constexpr std::uint32_t workers = 3;
    scratch files;
    auto collect = make_small(files.path("x"));
    collect->set_root(static_cast<std::uint32_t>(::getpid()));
    fake_process process(collect->segment_path(), {.pid = static_cast<std::uint32_t>(::getpid())});
    const std::uint32_t main = process.node(0x1000, ALLOT_NODE_ROOT);
    std::vector<std::unique_ptr<fake_thread>> fakes;
    for (std::uint32_t i = 0; i < workers; ++i)
        fakes.push_back(std::make_unique<fake_thread>(process, i + 1));
    std::atomic<std::uint32_t> arrived{0}, finished{0};
    auto barrier = [&](std::uint32_t number) {
        arrived.fetch_add(1, std::memory_order_acq_rel);
        while (arrived.load(std::memory_order_acquire) < number * workers) std::this_thread::yield();
    };
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < workers; ++i)
        threads.emplace_back([&, i] {
            std::uint32_t number = 0;
            for (int phase = 0; phase < phases; ++phase) {
                for (std::uint64_t b = 0; b < blocks; ++b)
                    fakes[i]->allocate((i + 1) * 0x10000 + b * 16, 100, main);
                barrier(++number);
                for (std::uint64_t b = 0; b < blocks; ++b) fakes[i]->free((i + 1) * 0x10000 + b * 16);
                barrier(++number);
            }
            finished.fetch_add(1, std::memory_order_acq_rel);
        });
    while (finished.load(std::memory_order_acquire) != workers)
        if (!collect->poll()) std::this_thread::yield();
    for (std::thread& each : threads) each.join();
    const snapshot all = collect->finish(0, 0);
    EXPECT_EQ(all.totals.peak_live_bytes, workers * blocks * 100);
    expect_sums(all);
}

} // namespace
} // namespace allot::recorder
