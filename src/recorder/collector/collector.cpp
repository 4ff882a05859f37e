#include <recorder/collector/collector.hpp>

#include <allot/platform/clock.hpp>
#include <allot/platform/threads.hpp>
#include <filesystem>
#include <optional>
#include <recorder/collector/accounts.hpp>
#include <recorder/collector/merger.hpp>
#include <recorder/collector/pace.hpp>
#include <recorder/collector/processes.hpp>
#include <recorder/collector/snapshot_builder.hpp>
#include <recorder/collector/threads.hpp>
#include <recorder/collector/wire_stamp.hpp>

namespace allot::recorder {
namespace {

// A thread's `busy` may be seen this much later than the stamp that it took after setting it: 65,000 cycles.
constexpr std::uint64_t visibility = 1u << 13;
// Threads get their names soon after they start, or much later.
constexpr std::uint64_t names_interval_min_ns = 20'000'000, names_interval_max_ns = 320'000'000;
constexpr std::uint64_t threads_interval_ns = 5'000'000;
constexpr std::uint64_t stop_patience_ns =
    50'000'000;                           // for hooks in the middle of an event at the recording's end
constexpr std::uint64_t full_margin = 32; // words: a producer that finds less room may wait for more

} // namespace

struct collector::state {
    struct ring_owner {
        event_origin from;
        std::uint64_t serial = 0;
        std::uint32_t thread_entry = none; // none: shared
    };

    state(segment&& made, const collector_options& options)
        : options_(options),
          file_(std::move(made)),
          all_(file_),
          tree_(file_, all_, options.sites),
          books_(all_),
          processes_(file_, all_, tree_, options.inspector),
          threads_(file_, all_, processes_),
          merge_(options.held_bytes_max),
          pace_(file_.mode()),
          owners_(file_.ring_count()) {}

    enum class ends { now_and_then, now };
    bool tick(std::uint64_t limit, ends look_for = ends::now_and_then);
    void find_threads(std::uint64_t now_ns, bool& changed);
    bool look_at_rings(std::uint64_t limit);
    std::uint32_t fill_of(std::uint32_t ring);
    void open_ring(std::uint32_t ring);
    bool drain(std::uint64_t limit);
    void give_room(std::uint32_t ring);
    bool free_rings();
    void begin_ends(std::uint64_t limit);
    bool finish_ends();
    void release(processes::process& which);
    void settle_count_mode(processes::process& which);
    void stop();

    // merger's receiver
    void take(std::uint32_t ring, const ring_event& event, bool late);
    void prefetch(std::uint32_t ring, std::uint64_t address) {
        books_.prefetch(owners_[ring].from.process, address);
    }
    void progress(std::uint32_t ring) { give_room(ring); }
    void ended(std::uint32_t process);

    collector_options options_;
    std::string path_;
    segment file_;
    tables all_;
    call_tree tree_;
    accounts books_;
    processes processes_;
    threads threads_;
    merger merge_;
    pace pace_;
    std::vector<ring_owner> owners_;        // by ring, of open ones
    std::vector<std::uint32_t> to_release_; // process records whose events are all taken in
    std::uint32_t root_pid_ = 0;
    std::uint32_t fill_ = 0; // of the fullest ring, in parts of pace::whole_ring
    std::uint64_t names_ns_ = 0, names_interval_ns_ = names_interval_min_ns, threads_ns_ = 0;
    bool overflow_ = false; // a ring is shared: then threads are found without one
};

result<std::unique_ptr<collector>> collector::make(const collector_options& options) {
    const tables_options sizes{.contexts_max = options.contexts_max};
    segment_options wanted{.path = options.path,
                           .mode = options.mode,
                           .replace = options.replace,
                           .batch_bytes = options.batch_bytes,
                           .collected_bytes = tables::bytes(sizes)};
    if (options.ring_count != 0) wanted.ring_count = options.ring_count;
    if (options.ring_words != 0) wanted.ring_words = options.ring_words;
    if (options.mode == recording_mode::count) wanted.pages_start = 64;
    std::error_code failure;
    wanted.path = std::filesystem::absolute(options.path, failure).string();
    auto file = segment::make(wanted);
    if (!file) return file.error();
    if (auto ready = tables::prepare(*file, sizes); !ready) {
        (void)remove_file(wanted.path);
        return ready.error();
    }
    auto all = std::make_unique<state>(std::move(*file), options);
    all->path_ = wanted.path;
    all->all_.head().start_monotonic_ns = all->all_.head().last_monotonic_ns = monotonic_ns();
    return std::unique_ptr<collector>(new collector(std::move(all)));
}

collector::collector(std::unique_ptr<state> all) noexcept : state_(std::move(all)) {}
collector::~collector() = default;

const std::string& collector::segment_path() const noexcept { return state_->path_; }
void collector::set_root(std::uint32_t pid) noexcept { state_->root_pid_ = pid; }
result<void> collector::remove_segment() { return remove_file(state_->path_); }
bool collector::poll() { return state_->tick(wire_stamp() - visibility); }
std::uint64_t collector::rest_ns() const noexcept { return state_->pace_.rest_ns(); }

bool collector::state::tick(std::uint64_t limit, ends look_for) {
    const std::uint64_t now_ns = monotonic_ns();
    all_.head().last_monotonic_ns = now_ns;
    __atomic_fetch_add(&file_.header().heartbeat, 1u, __ATOMIC_RELAXED);
    // Ends are looked for first: what has ended by then is known in full below.
    bool changed = processes_.look(limit, now_ns, look_for == ends::now);
    find_threads(now_ns, changed);
    changed = look_at_rings(limit) || changed;
    begin_ends(limit);
    const bool given = drain(limit);
    changed = free_rings() || changed;
    changed = threads_.free_ended([&](std::uint32_t entry) {
        const std::uint32_t ring = file_.thread(entry)->ring;
        return ring == 0 || ring > file_.ring_count() || !merge_.is_open(ring - 1) ||
               owners_[ring - 1].thread_entry != entry;
    }) || changed;
    changed = finish_ends() || changed;
    file_.grow_pages();
    if (now_ns - names_ns_ >= names_interval_ns_) {
        names_ns_ = now_ns;
        names_interval_ns_ = std::min(names_interval_ns_ * 2, names_interval_max_ns);
        threads_.refresh_names(32);
    }
    pace_.looked({.now_ns = now_ns, .fill = fill_, .given = given, .changed = changed});
    return changed || given;
}

void collector::state::find_threads(std::uint64_t now_ns, bool& changed) {
    if (!overflow_ && now_ns - threads_ns_ < threads_interval_ns) return;
    threads_ns_ = now_ns;
    if (!threads_.find_new()) return;
    names_interval_ns_ = names_interval_min_ns;
    changed = true;
}

// Opens rings that have a new producer, looks at the threads, then at how far each ring was written: in this
// order, so that a thread seen outside of its hooks has published what it stamped before `limit`.
bool collector::state::look_at_rings(std::uint64_t limit) {
    fill_ = 0;
    bool changed = false;
    for (std::uint32_t ring = 0; ring < file_.ring_count(); ++ring)
        if (!merge_.is_open(ring) &&
            __atomic_load_n(&file_.ring(ring)->state, __ATOMIC_ACQUIRE) >= ALLOT_LIVE) {
            open_ring(ring);
            changed = changed || merge_.is_open(ring);
        }
    changed = threads_.look(limit) || changed;
    for (std::uint32_t ring = 0; ring < file_.ring_count(); ++ring) {
        if (!merge_.is_open(ring)) continue;
        merger::source& source = merge_[ring];
        const ring_owner& owner = owners_[ring];
        const bool at_end = __atomic_load_n(&file_.ring(ring)->state, __ATOMIC_ACQUIRE) == ALLOT_ENDED;
        std::uint64_t horizon = owner.thread_entry == none ? threads_.shared_horizon(owner.serial, limit)
                                                           : threads_.horizon(owner.thread_entry);
        if (at_end) horizon = merger::for_ever;
        source.reader.extend(__atomic_load_n(&file_.ring(ring)->head, __ATOMIC_ACQUIRE));
        fill_ = std::max(fill_, fill_of(ring));
        source.horizon = std::max({source.horizon, horizon, source.reader.stamp()});
    }
    return changed;
}

std::uint32_t collector::state::fill_of(std::uint32_t ring) {
    const std::uint64_t words = file_.ring_word_count();
    const std::uint64_t unread = __atomic_load_n(&file_.ring(ring)->head, __ATOMIC_RELAXED) -
                                 __atomic_load_n(&file_.ring(ring)->tail, __ATOMIC_RELAXED);
    return static_cast<std::uint32_t>((std::min(unread, words) * pace::whole_ring + words - 1) / words);
}

void collector::state::open_ring(std::uint32_t ring) {
    const allot_wire_ring& wire = *file_.ring(ring);
    processes::process* owner = processes_.at_entry(wire.process, wire.process_serial);
    if (owner == nullptr) return; // its process is not seen yet
    ring_owner made;
    made.serial = wire.process_serial;
    made.from.process = owner->record;
    made.from.ring = ring;
    made.from.shared_ring = wire.thread == 0;
    if (wire.thread == 0) {
        overflow_ = true;
        made.from.thread = processes_.others_of(*owner);
    } else {
        made.thread_entry = wire.thread - 1;
        if (made.thread_entry >= file_.thread_count()) return;
        if (!threads_.enter(made.thread_entry)) return; // not yet live
        made.from.thread = threads_.record_of(made.thread_entry, made.serial);
    }
    if (made.from.thread == none) return;
    owners_[ring] = made;
    books_.open_process(owner->record);
    const std::uint64_t tail = __atomic_load_n(&wire.tail, __ATOMIC_RELAXED);
    merge_.open(ring, file_.ring_words(ring), file_.ring_word_count(), wire.base_stamp, tail);
}

bool collector::state::drain(std::uint64_t limit) {
    const std::size_t given = merge_.run(limit, *this);
    merge_.relieve();
    for (std::uint32_t ring = 0; ring < file_.ring_count(); ++ring)
        if (merge_.is_open(ring)) give_room(ring);
    books_.settle_before(std::min(merge_.merged(), limit));
    all_.head().corrupt = merge_.corrupt();
    return given != 0;
}

void collector::state::give_room(std::uint32_t ring) {
    allot_wire_ring& wire = *file_.ring(ring);
    const std::uint64_t before = __atomic_load_n(&wire.tail, __ATOMIC_RELAXED);
    const std::uint64_t read = merge_[ring].reader.read();
    if (read == before) return;
    // The store comes before the load: a producer that found the ring full either sees the new tail or is
    // seen here.
    __atomic_store_n(&wire.tail, read, __ATOMIC_SEQ_CST);
    const std::uint64_t head = __atomic_load_n(&wire.head, __ATOMIC_SEQ_CST);
    if (head - before + full_margin > file_.ring_word_count())
        futex_wake(reinterpret_cast<const std::uint32_t*>(&wire.tail), ~0u >> 1, futex_scope::process_shared);
}

void collector::state::take(std::uint32_t ring, const ring_event& event, bool late) {
    const event_origin& from = owners_[ring].from;
    std::uint32_t row = 0;
    if (event.kind == ALLOT_EVENT_ALLOCATE || event.kind == ALLOT_EVENT_REALLOCATE_ALLOCATE)
        row = tree_.row_of(from.process, event.node);
    if (late) {
        ++all_.head().late_events;
        all_.head().late_bytes += event.size;
    }
    books_.apply(from, event, row);
}

// A ring whose producer has ended and that is drained goes back to the processes.
bool collector::state::free_rings() {
    bool any = false;
    for (std::uint32_t ring = 0; ring < file_.ring_count(); ++ring) {
        if (!merge_.is_open(ring)) continue;
        allot_wire_ring& wire = *file_.ring(ring);
        if (__atomic_load_n(&wire.state, __ATOMIC_ACQUIRE) != ALLOT_ENDED) continue;
        // ENDED was stored after the last head, so an extend() since then has seen it all.
        ring_reader& reader = merge_[ring].reader;
        if (reader.peek() != nullptr || reader.read() != __atomic_load_n(&wire.head, __ATOMIC_ACQUIRE))
            continue;
        give_room(ring);
        merge_.close(ring);
        __atomic_store_n(&wire.state, unsigned{ALLOT_FREE}, __ATOMIC_RELEASE);
        any = true;
    }
    return any;
}

// Processes that have ended: all they wrote is there now.
void collector::state::begin_ends(std::uint64_t limit) {
    for (processes::process* each : processes_.take_ended()) {
        for (std::uint32_t ring = 0; ring < file_.ring_count(); ++ring)
            if (merge_.is_open(ring) && owners_[ring].serial == each->serial && each->entry != none) {
                merge_[ring].reader.extend(__atomic_load_n(&file_.ring(ring)->head, __ATOMIC_ACQUIRE));
                merge_[ring].horizon = merger::for_ever;
            }
        merge_.end_process(each->record, std::min(each->alive_stamp, limit));
    }
}

// merger: everything up to the process's end was given. What it wrote later than it was last seen alive comes
// first.
void collector::state::ended(std::uint32_t process) {
    processes::process* which = processes_.of_record(process);
    if (which == nullptr) return;
    std::uint64_t next = merger::for_ever;
    for (std::uint32_t ring = 0; which->entry != none && ring < file_.ring_count(); ++ring)
        if (merge_.is_open(ring) && owners_[ring].serial == which->serial)
            if (const ring_event* event = merge_[ring].reader.peek()) next = std::min(next, event->stamp);
    if (next != merger::for_ever) return merge_.end_process(process, next);
    books_.close_process(process);
    to_release_.push_back(process);
}

bool collector::state::finish_ends() {
    if (to_release_.empty()) return false;
    for (std::uint32_t record : to_release_)
        if (processes::process* which = processes_.of_record(record)) release(*which);
    to_release_.clear();
    return true;
}

void collector::state::release(processes::process& which) {
    if (which.entry != none) {
        for (std::uint32_t ring = 0; ring < file_.ring_count(); ++ring) {
            allot_wire_ring& wire = *file_.ring(ring);
            const std::uint32_t state = __atomic_load_n(&wire.state, __ATOMIC_ACQUIRE);
            if (state == ALLOT_FREE || wire.process_serial != which.serial) continue;
            if (merge_.is_open(ring)) {
                give_room(ring);
                merge_.close(ring);
            } else {
                __atomic_store_n(&wire.tail, __atomic_load_n(&wire.head, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
            }
            __atomic_store_n(&wire.state, unsigned{ALLOT_FREE}, __ATOMIC_RELEASE);
        }
        if (file_.mode() == recording_mode::count) settle_count_mode(which);
        threads_.free_all_of(which);
        all_.processes[which.record].counters = read_counters(file_.process(which.entry)->ended);
    }
    processes_.release(which);
}

// Count mode: what its threads had not flushed counts for the peaks; then its live bytes leave the sum of
// all.
void collector::state::settle_count_mode(processes::process& which) {
    std::int64_t unflushed_max = 0;
    const std::uint32_t end = file_.thread_end();
    for (std::uint32_t entry = 0; entry < end; ++entry)
        if (const allot_wire_thread& thread = *file_.thread(entry);
            thread.process_serial == which.serial &&
            __atomic_load_n(&thread.state, __ATOMIC_ACQUIRE) >= ALLOT_LIVE)
            unflushed_max = gauge::sum(unflushed_max, thread.live_unflushed_max_bytes);
    const allot_wire_process& wire = *file_.process(which.entry);
    const std::int64_t flushed = __atomic_load_n(&wire.live_flushed_bytes, __ATOMIC_RELAXED);
    all_.processes[which.record].count_peak_bytes = std::max(
        __atomic_load_n(&wire.peak_live_bytes, __ATOMIC_RELAXED), gauge::sum(flushed, unflushed_max));
    allot_wire_header& header = file_.header();
    const std::int64_t reached =
        gauge::sum(__atomic_load_n(&header.live_bytes, __ATOMIC_RELAXED), unflushed_max);
    std::int64_t peak = __atomic_load_n(&header.peak_live_bytes, __ATOMIC_RELAXED);
    while (reached > peak && !__atomic_compare_exchange_n(&header.peak_live_bytes, &peak, reached, true,
                                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    __atomic_fetch_sub(&header.live_bytes, flushed, __ATOMIC_RELAXED);
}

// Hooks that see `stop` count nothing more; those in the middle of an event get a moment to finish it.
void collector::state::stop() {
    __atomic_store_n(&file_.header().stop, 1u, __ATOMIC_SEQ_CST);
    const std::uint64_t begun_ns = monotonic_ns();
    const std::uint32_t end = file_.thread_end();
    auto in_hook = [&] {
        for (const auto& process : processes_.all())
            if (!process->ended && process->entry != none)
                for (std::uint32_t entry = 0; entry < end; ++entry)
                    if (const allot_wire_thread& thread = *file_.thread(entry);
                        thread.process_serial == process->serial &&
                        __atomic_load_n(&thread.state, __ATOMIC_ACQUIRE) == ALLOT_LIVE &&
                        __atomic_load_n(&thread.busy, __ATOMIC_ACQUIRE) != 0)
                        return true;
        return false;
    };
    while (in_hook() && monotonic_ns() - begun_ns < stop_patience_ns) spin_pause();
}

snapshot collector::finish(int wait_status, std::uint64_t peak_rss_bytes) {
    state& all = *state_;
    all.tick(wire_stamp() - visibility, state::ends::now);
    all.stop();
    all.processes_.finish(all.root_pid_, wait_status, all.options_.root_command);
    all.threads_.find_new();
    all.threads_.assume_idle();
    all.tick(merger::for_ever, state::ends::now);
    // What is still running keeps its entries: its counters are read where they are, its live blocks are live
    // at exit.
    for (const auto& process : all.processes_.all()) all.books_.close_process(process->record);
    snapshot made = build_snapshot(tables_view::of(all.all_), all.file_);
    made.peak_rss_bytes = peak_rss_bytes;
    return made;
}

} // namespace allot::recorder
