// Danger: a thread's arenas pass to a later thread, and threads end in the middle of things. The order:
// - A thread finds its arenas in threads_[slot], and they are its own while `owner` is its serial, which no
//   other thread ever has. It alone opens and ends scopes there.
// - Another thread that gets the slot continues them only when open_count is 0, loaded with acquire: the last
//   end stored that with release after it had finished. Else it leaves them aside: they are no longer bound to a
//   slot, and whoever next needs arenas takes them when their count has come down to 0.
// - A thread without a slot (slot 0) takes unbound arenas for each scope: they are nobody else's until its
//   count is 0 again. Between its look under the mutex and its count, `claimed` keeps others away; it is taken
//   back with release after the count went up, so that who sees it gone sees the count.
// - A fork copies the counts: what another thread had open stays open in the child, so nobody goes in there.
#include <allot/source/default_source.hpp>
#include <allot/structure/scratch.hpp>
#include <allot/structure/usage_sum.hpp>
#include <memory>

namespace allot {

using detail::scratch_thread;

namespace {

std::atomic<std::uint64_t> serials = 0;

} // namespace

constinit thread_local std::uint64_t detail::scratch_thread_serial = 0;

scratch_arenas& default_scratch() noexcept {
    alignas(scratch_arenas) static std::byte room[sizeof(scratch_arenas)];
    static scratch_arenas* const made = ::new (room) scratch_arenas();
    return *made;
}

scratch_arenas::scratch_arenas(const scratch_options& options) noexcept : options_(options) {
    if (!options_.upstream) options_.upstream = &default_source();
    ALLOT_EXPECT(options_.upstream->traits().thread_safe, "scratch '", options_.name.view(),
                 "': its upstream is not thread_safe");
}

scratch_arenas::~scratch_arenas() {
    const std::uint64_t open = numbers().open_count;
    ALLOT_EXPECT(open == 0, "scratch '", options_.name.view(), "': ends with ", open, " open scopes");
    while (scratch_thread* const each = first_) {
        first_ = each->next;
        std::destroy_at(each);
        options_.upstream->deallocate(each, layout_of<scratch_thread>());
    }
}

scratch_thread& scratch_arenas::own_slow() {
    scratch_thread* const mine = try_own_slow();
    if (!mine) throw_out_of_memory();
    return *mine;
}

bool scratch_arenas::try_prepare() noexcept {
    scratch_thread* const mine = try_own_slow();
    if (mine && detail::thread_slot() == 0) mine->claimed.store(false, std::memory_order_release);
    return mine && detail::thread_slot() != 0;
}

scratch_thread* scratch_arenas::try_own_slow() noexcept {
    if (detail::scratch_thread_serial == 0)
        detail::scratch_thread_serial = serials.fetch_add(1, std::memory_order_relaxed) + 1;
    const std::uint32_t slot = detail::take_thread_slot();
    const detail::fork_mutex::guard hold(mutex_);
    scratch_thread* found = threads_[slot].load(std::memory_order_relaxed);
    if (found && found->open_count.load(std::memory_order_acquire) != 0 &&
        found->owner.load(std::memory_order_relaxed) != detail::scratch_thread_serial) {
        found->bound = false; // of a thread that ended in a scope
        found = nullptr;
    }
    if (!found) found = try_take_unbound();
    if (!found) return nullptr;
    found->owner.store(detail::scratch_thread_serial, std::memory_order_relaxed);
    if (slot != 0) {
        found->bound = true;
        threads_[slot].store(found, std::memory_order_relaxed);
    } else {
        found->claimed.store(true, std::memory_order_relaxed);
    }
    return found;
}

// Idle ones, or new ones.
scratch_thread* scratch_arenas::try_take_unbound() noexcept {
    for (scratch_thread* each = first_; each; each = each->next)
        if (!each->bound && !each->claimed.load(std::memory_order_acquire) &&
            each->open_count.load(std::memory_order_acquire) == 0)
            return each;
    void* const room = options_.upstream->try_allocate(layout_of<scratch_thread>());
    if (!room) return nullptr;
    auto* const made = ::new (room) scratch_thread(arena_options{
        .name = options_.name,
        .upstream = options_.upstream,
        .chunk_bytes_min = options_.ready_bytes,
        .chunk_bytes_max = options_.ready_bytes, // a larger one might be more than is retained, each time
        .limit_bytes = options_.limit_bytes,
        .retain_bytes_max = options_.retain_bytes_max,
    });
    made->next = first_;
    return first_ = made;
}

scratch_numbers scratch_arenas::numbers() const noexcept {
    const detail::fork_mutex::guard hold(mutex_);
    scratch_numbers now;
    for (const scratch_thread* each = first_; each; each = each->next) {
        ++now.thread_count;
        now.open_count += each->open_count.load(std::memory_order_relaxed);
        now.opened_count += each->opened_count.load(std::memory_order_relaxed);
        for (const arena& one : each->arenas) detail::add_usage(now.usage, one.describe().usage);
    }
    return now;
}

scratch::scratch(scratch_arenas& of, conflict_list conflicts) : scratch(of, of.own(), conflicts) {}

scratch::scratch(scratch_arenas& of, scratch_thread& thread, conflict_list conflicts) noexcept
    : of_(of),
      thread_(thread),
      index_(choose(of, thread, conflicts)),
      arena_(thread.arenas[index_]),
      around_(thread.newest),
      outer_(thread.newest_on[index_]) {
    constexpr auto relaxed = std::memory_order_relaxed;
    thread.open_count.store(thread.open_count.load(relaxed) + 1, relaxed);
    thread.opened_count.store(thread.opened_count.load(relaxed) + 1, relaxed);
    if (thread.claimed.load(relaxed)) [[unlikely]]
        thread.claimed.store(false, std::memory_order_release);
    if (outer_) scope_.emplace(arena_);
    thread.newest = thread.newest_on[index_] = this;
}

scratch::~scratch() {
    ALLOT_EXPECT(thread_.owner.load(std::memory_order_relaxed) == detail::scratch_thread_serial, "scratch '",
                 of_.options_.name.view(), "': a scope ends on another thread than it began on");
    ALLOT_EXPECT(thread_.newest == this, "scratch '", of_.options_.name.view(),
                 "': a scope ends before a newer one");
    if (scope_) {
        scope_.reset();
    } else {
        arena_.reset();
    }
    thread_.newest = around_;
    thread_.newest_on[index_] = outer_;
    const std::uint64_t open = thread_.open_count.load(std::memory_order_relaxed) - 1;
    thread_.open_count.store(open, std::memory_order_release);
}

// The first arena after that of the scope around which is in no conflict; of the first two where they are free.
std::size_t scratch::choose(const scratch_arenas& of, const scratch_thread& thread,
                            conflict_list conflicts) noexcept {
    bool taken[detail::scratch_arena_count] = {};
    for (std::size_t i = 0; i < conflicts.count; ++i) {
        const memory_source* const conflict = conflicts.first[i];
        for (const scratch* open = thread.newest; open; open = open->around_)
            if (conflict == open) taken[open->index_] = true;
        for (std::size_t k = 0; k < detail::scratch_arena_count; ++k)
            if (conflict == &thread.arenas[k]) taken[k] = true;
    }
    const std::size_t turn = thread.newest && thread.newest->index_ == 0 ? 1 : 0;
    for (const std::size_t index : {turn, 1 - turn, std::size_t{2}, std::size_t{3}})
        if (!taken[index]) return index;
    fatal({"scratch '", of.options_.name.view(), "': a conflict with each of this thread's ",
           detail::scratch_arena_count, " arenas"});
}

void scratch::fatal_use() const noexcept {
    const bool ours = thread_.owner.load(std::memory_order_relaxed) == detail::scratch_thread_serial;
    fatal({"scratch '", of_.options_.name.view(),
           ours ? "': an outer scope is used while a newer one is open on its arena"
                : "': a scope is used on another thread than it began on"});
}

source_description scratch::do_describe() const noexcept {
    source_description self = arena_.describe();
    self.kind = "scratch";
    return self;
}

} // namespace allot
