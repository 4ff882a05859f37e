#include <allot/core/contract.hpp>
#include <allot/platform/clock.hpp>
#include <allot/platform/fork.hpp>
#include <allot/platform/thread_slots.hpp>
#include <utility>

namespace allot::detail {

constinit thread_local std::uint32_t current_thread_slot = 0;

namespace {

constexpr std::uint32_t slot_total = thread_slot_count + 1;

struct alignas(64) padded_mutex {
    light_mutex mutex;
};
constinit padded_mutex slot_mutexes[slot_total];

// Whether this thread may still take a slot: it has none and its thread-local objects live.
constinit thread_local bool ended = false;

// Where all slots are taken: the registry is asked again only now and then.
constinit thread_local std::uint32_t tries_to_skip = 0;

struct slot_holder {
    ~slot_holder();
};

void nap() noexcept {
    constexpr std::uint64_t nap_ns = 20'000;
    const std::uint32_t never_written = 0;
    futex_wait(&never_written, 0, nap_ns);
}

} // namespace

// All state is constant-initialised, so that it is there for threads and objects of any start-up order.
struct fork_registry {
    light_mutex slots; // guards `taken`
    bool taken[slot_total] = {};
    bool handlers_installed = false; // under `slots`

    light_mutex mutexes; // guards the list
    fork_mutex* first = nullptr;

    void give(std::uint32_t slot) noexcept {
        const light_mutex::guard hold(slots);
        taken[slot] = false;
    }

    std::uint32_t take() noexcept {
        const light_mutex::guard hold(slots);
        for (std::uint32_t slot = 1; slot < slot_total; ++slot)
            if (!taken[slot]) {
                taken[slot] = true;
                return slot;
            }
        return 0;
    }

    bool try_take(std::uint32_t slot) noexcept {
        const light_mutex::guard hold(slots);
        return !std::exchange(taken[slot], true);
    }

    void install_handlers() noexcept;

    // Another thread may hold one of the mutexes and wait for a second one: so all or none.
    void lock_all() noexcept {
        for (;;) {
            mutexes.lock();
            fork_mutex* const busy = try_lock_mutexes();
            if (!busy) break;
            unlock_mutexes(busy);
            mutexes.unlock();
            nap();
        }
        for (padded_mutex& each : slot_mutexes) each.mutex.lock();
        slots.lock();
    }

    void unlock_all() noexcept {
        slots.unlock();
        for (padded_mutex& each : slot_mutexes) each.mutex.unlock();
        unlock_mutexes(nullptr);
        mutexes.unlock();
    }

    // The first one that another thread holds; those before it are taken.
    fork_mutex* try_lock_mutexes() noexcept {
        for (fork_mutex* each = first; each; each = each->next_) {
            each->held_at_fork_ = each->is_mine();
            if (!each->held_at_fork_ && !each->mutex_.try_lock()) return each;
        }
        return nullptr;
    }
    void unlock_mutexes(const fork_mutex* end) noexcept {
        for (fork_mutex* each = first; each != end; each = each->next_)
            if (!each->held_at_fork_) each->mutex_.unlock();
    }

    void be_the_child() noexcept {
        forget_thread_id();
        for (fork_mutex* each = first; each; each = each->next_)
            if (each->held_at_fork_) each->set_owner(thread_id());
        // The other threads are not here: whoever takes their slots continues their cells.
        for (std::uint32_t slot = 1; slot < slot_total; ++slot) taken[slot] = slot == current_thread_slot;
        unlock_all();
    }

    void insert(fork_mutex& added) noexcept {
        install_handlers();
        const light_mutex::guard hold(mutexes);
        added.next_ = first;
        if (first) first->previous_ = &added;
        first = &added;
    }

    void erase(fork_mutex& gone) noexcept {
        const light_mutex::guard hold(mutexes);
        (gone.previous_ ? gone.previous_->next_ : first) = gone.next_;
        if (gone.next_) gone.next_->previous_ = gone.previous_;
    }
};

namespace {
constinit fork_registry registry;

slot_holder::~slot_holder() {
    ended = true;
    registry.give(current_thread_slot);
    current_thread_slot = 0;
}
} // namespace

void fork_registry::install_handlers() noexcept {
    {
        const light_mutex::guard hold(slots);
        if (handlers_installed) return;
        handlers_installed = true;
    }
    // Outside of the lock: the C library allocates, and its allocator may be one of ours.
    const bool installed = on_fork({.prepare = [] { registry.lock_all(); },
                                    .parent = [] { registry.unlock_all(); },
                                    .child = [] { registry.be_the_child(); }});
    ALLOT_EXPECT(installed, "thread_slots: no memory to register the handlers of fork");
}

std::uint32_t take_thread_slot() noexcept {
    if (current_thread_slot != 0 || ended) return current_thread_slot;
    if (tries_to_skip != 0) return --tries_to_skip, 0;
    registry.install_handlers();
    const std::uint32_t slot = registry.take();
    if (slot == 0) {
        tries_to_skip = 255;
        return 0;
    }
    current_thread_slot = slot;
    // Made only now: registering its destructor may allocate, and that may come back here.
    [[maybe_unused]] static thread_local slot_holder holder;
    return slot;
}

light_mutex& slot_mutex(std::uint32_t slot) noexcept { return slot_mutexes[slot].mutex; }

bool try_borrow_thread_slot(std::uint32_t slot) noexcept { return registry.try_take(slot); }
void return_thread_slot(std::uint32_t slot) noexcept { registry.give(slot); }

fork_mutex::fork_mutex() noexcept { registry.insert(*this); }
fork_mutex::~fork_mutex() { registry.erase(*this); }

bool fork_mutex::is_mine() const noexcept {
    // A stale value is never this thread's own id: that one only this thread writes and clears.
    return __atomic_load_n(&owner_, __ATOMIC_RELAXED) == thread_id();
}

void fork_mutex::set_owner(std::uint32_t id) noexcept { __atomic_store_n(&owner_, id, __ATOMIC_RELAXED); }

void fork_mutex::lock() noexcept {
    mutex_.lock();
    set_owner(thread_id());
}

bool fork_mutex::try_lock_until(std::uint64_t deadline_ns) noexcept {
    if (is_mine()) return false;
    for (backoff pause; !mutex_.try_lock();)
        if (!pause.again()) {
            if (monotonic_ns() >= deadline_ns) return false;
            nap();
        }
    set_owner(thread_id());
    return true;
}

void fork_mutex::unlock() noexcept {
    set_owner(0);
    mutex_.unlock();
}

} // namespace allot::detail
