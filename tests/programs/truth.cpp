// truth SEED: a random program of many threads that knows its own numbers. It prints them as JSON at its end,
// for comparison with what the recorder saw.
//
// The program is a row of phases between barriers, so that its peak is determined although its threads race:
//   grow    all threads allocate, and realloc up; some blocks go into a queue that all threads share
//   shrink  all threads free their own and each other's blocks, and realloc down
//   solo    one thread does anything: temporaries, failing calls, realloc to nothing; its books are exact at each step
//   hand    a thread allocates, another one frees that before the first allocates again: a temporary
//   renew   a thread ends and leaves its blocks to the queue, another takes its place
//   summit  a grow that goes 4 MiB above everything before: the peak of the whole process is at its end
// All blocks come out of the functions churn_…, by which a report tells them from the C library's own. What
// the program needs for itself is static: it allocates nothing else.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include <malloc.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr int thread_count = 5;
constexpr int phase_count = 60;
constexpr std::size_t mine_max = 4096;
constexpr std::size_t queue_max = 1 << 16;

struct block {
    void* address;
    std::size_t size;
    bool by_new; // goes back by operator delete
};

struct books { // of one thread; sums are taken behind barriers
    std::uint64_t allocations, allocated_bytes, reallocations, temporaries;
    std::int64_t live_bytes, live_blocks;
};

struct worker {
    std::uint64_t random;
    block mine[mine_max];
    std::size_t count;
    void* last; // its newest block: freed now, it was a temporary
    books sum;
};

worker workers[thread_count];
block queue[queue_max];
std::size_t queue_count;
pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_barrier_t barrier;
std::uint64_t seed;
std::uint64_t peak;
block handed;

std::uint64_t splitmix64(std::uint64_t& state) {
    std::uint64_t z = state += 0x9e37'79b9'7f4a'7c15;
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
    return z ^ (z >> 31);
}

std::uint64_t next(worker& self) { return splitmix64(self.random); }

std::size_t random_size(worker& self) {
    const std::uint64_t kind = next(self) % 20;
    if (kind == 0) return 0;
    if (kind == 1) return 100'000 + next(self) % 200'000; // beyond glibc's mmap threshold
    return next(self) % (kind < 12 ? 128 : 4096);
}

[[noreturn]] void die(const char* what) {
    std::fprintf(stderr, "truth: %s (seed %llu)\n", what, static_cast<unsigned long long>(seed));
    std::abort();
}

// ---- what is counted

void enter(worker& self, void* address, std::size_t size) {
    if (address == nullptr) die("no memory");
    std::memset(address, 0x5a, size);
    self.last = address;
    self.sum.allocations += 1;
    self.sum.allocated_bytes += size;
    self.sum.live_blocks += 1;
    self.sum.live_bytes += static_cast<std::int64_t>(size);
}

void leave(worker& self, const block& old) {
    if (old.address == self.last) {
        self.sum.temporaries += 1;
        self.last = nullptr;
    }
    self.sum.live_blocks -= 1;
    self.sum.live_bytes -= static_cast<std::int64_t>(old.size);
}

[[gnu::noinline]] block churn_allocate(worker& self) {
    std::size_t size = random_size(self);
    const std::size_t align = std::size_t{16} << next(self) % 9;
    block made{nullptr, 0, false};
    switch (next(self) % 10) {
    case 0: made.address = std::calloc(size, 1); break;
    case 1: made.address = aligned_alloc(align, size); break;
    case 2: made.address = memalign(align, size); break;
    case 3:
        if (posix_memalign(&made.address, align, size) != 0) die("posix_memalign");
        break;
    case 4: made.address = std::realloc(nullptr, size); break;
    case 5: made.address = reallocarray(nullptr, size, 1); break;
    case 6:
        if (size == 0) size = 1; // what operator new asks malloc for then
        made.address = ::operator new(size);
        made.by_new = true;
        break;
    default: made.address = std::malloc(size);
    }
    made.size = size;
    enter(self, made.address, size);
    return made;
}

[[gnu::noinline]] void churn_free(worker& self, const block& old) {
    leave(self, old);
    if (old.by_new)
        ::operator delete(old.address);
    else
        std::free(old.address);
}

[[gnu::noinline]] void churn_realloc(worker& self, block& old, std::size_t size) {
    if (old.by_new || size == 0) return;
    void* address = std::realloc(old.address, size);
    leave(self, old);
    enter(self, address, size);
    self.sum.reallocations += 1;
    old = {address, size, false};
}

// Calls that fail count nothing, and realloc(p, 0) is a free.
[[gnu::noinline]] void churn_fail(worker& self) {
    volatile std::size_t huge = SIZE_MAX / 2;
    volatile std::size_t crooked = 24;
    void* none = nullptr;
    if (std::malloc(huge) || std::calloc(huge, 4) || posix_memalign(&none, crooked, 8) == 0)
        die("a call succeeded");
    if (self.count == 0) return;
    block& some = self.mine[next(self) % self.count];
    if (some.by_new) return;
    if (std::realloc(some.address, huge) || reallocarray(some.address, huge, 4)) die("a realloc succeeded");
    std::free(none);
}

[[gnu::noinline]] void churn_realloc_to_nothing(worker& self, const block& old) {
    leave(self, old);
    volatile std::size_t nothing = 0;
    if (std::realloc(old.address, nothing) != nullptr) die("realloc(p, 0) gave a block");
}

// ---- phases

void keep(worker& self, const block& made) {
    if (self.count == mine_max) die("too many blocks");
    self.mine[self.count++] = made;
}

bool give(const block& made) {
    pthread_mutex_lock(&queue_lock);
    const bool room = queue_count < queue_max;
    if (room) queue[queue_count++] = made;
    pthread_mutex_unlock(&queue_lock);
    return room;
}

bool take(block& found) {
    pthread_mutex_lock(&queue_lock);
    const bool any = queue_count != 0;
    if (any) found = queue[--queue_count];
    pthread_mutex_unlock(&queue_lock);
    return any;
}

block drop(worker& self, std::size_t index) {
    const block old = self.mine[index];
    self.mine[index] = self.mine[--self.count];
    return old;
}

// A block that stays with its thread behind each phase that gave blocks away: nobody else frees a thread's
// last one.
void fence(worker& self) { keep(self, churn_allocate(self)); }

void grow(worker& self, std::size_t steps) {
    for (std::size_t step = 0; step < steps; ++step) {
        const std::uint64_t dice = next(self) % 8;
        if (dice == 0 && self.count != 0) {
            block& some = self.mine[next(self) % self.count];
            churn_realloc(self, some, some.size + 1 + next(self) % 2000);
        } else {
            const block made = churn_allocate(self);
            if (self.count + 8 > mine_max || dice < 4) {
                if (!give(made)) die("the queue is full");
            } else {
                keep(self, made);
            }
        }
    }
    fence(self);
}

void shrink(worker& self) {
    for (std::size_t step = next(self) % 200; step-- > 0 && self.count > 1;) {
        const std::size_t index = next(self) % self.count;
        block& some = self.mine[index];
        if (next(self) % 4 == 0 && some.size > 1)
            churn_realloc(self, some, 1 + next(self) % (some.size - 1));
        else
            churn_free(self, drop(self, index));
    }
    block found;
    for (std::size_t step = next(self) % 200; step-- > 0 && take(found);) churn_free(self, found);
}

std::uint64_t live_now() {
    std::int64_t live = 0;
    for (const auto& one : workers) live += one.sum.live_bytes;
    return static_cast<std::uint64_t>(live);
}

void note_peak() {
    const std::uint64_t live = live_now();
    if (live > peak) peak = live;
}

void solo(worker& self) {
    for (std::size_t step = next(self) % 400; step-- > 0;) {
        switch (next(self) % 8) {
        case 0:
        case 1: {
            const block brief = churn_allocate(self);
            note_peak();
            churn_free(self, brief);
            break;
        }
        case 2: churn_fail(self); break;
        case 3:
            if (self.count != 0) churn_realloc(self, self.mine[self.count - 1], 1 + next(self) % 5000);
            break;
        case 4:
            if (self.count > 1 && !self.mine[0].by_new) churn_realloc_to_nothing(self, drop(self, 0));
            break;
        case 5:
            if (self.count != 0) churn_free(self, drop(self, self.count - 1));
            break;
        default:
            if (self.count + 8 < mine_max) keep(self, churn_allocate(self));
        }
        note_peak();
    }
    fence(self);
}

[[gnu::noinline]] void churn_summit(worker& self) {
    const std::size_t size = static_cast<std::size_t>(peak / thread_count) + (std::size_t{1} << 20);
    block made{std::malloc(size), size, false};
    enter(self, made.address, size);
    keep(self, made);
    fence(self);
}

// What the phases are is the same for all threads: drawn from the seed, not from the thread's own numbers.
enum class phase { grow, shrink, solo, hand, renew, summit };

phase phase_at(int index) {
    std::uint64_t dice = seed * 1000 + static_cast<std::uint64_t>(index);
    const int summit = phase_count / 3 + static_cast<int>(seed % (phase_count / 2));
    if (index == summit) return phase::summit;
    // No thread begins behind the summit: what the C library keeps for threads is then constant beside the
    // peak.
    return static_cast<phase>(splitmix64(dice) % (index < summit ? 5 : 4));
}

void wait_for_all() { pthread_barrier_wait(&barrier); }

void hand(worker& self, int number, int giver) {
    const int taker = (giver + 1) % thread_count;
    if (number == giver) handed = churn_allocate(self);
    wait_for_all();
    if (number == taker) {
        note_peak();
        workers[giver].last = nullptr;
        workers[giver].sum.temporaries += 1;
        churn_free(self, handed);
    }
    wait_for_all();
    if (number == giver) fence(self);
}

// Leaves all but its newest block to the others; that one stays until the end of the program.
void leave_behind(worker& self) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < self.count; ++i) {
        if (self.mine[i].address == self.last || !give(self.mine[i])) self.mine[kept++] = self.mine[i];
    }
    self.count = 0;
}

void* run(void* argument);

struct start {
    int number, phase;
};
start starts[thread_count];

void begin_thread(int number, int phase) {
    starts[number] = {number, phase};
    pthread_t thread;
    if (pthread_create(&thread, nullptr, run, &starts[number]) != 0) die("pthread_create");
    pthread_detach(thread);
}

// Answers whether this thread ends here. Thread 0, the main one, never does.
bool step(worker& self, int number, int index) {
    const int chosen = static_cast<int>((seed + static_cast<std::uint64_t>(index) * 7) % thread_count);
    switch (phase_at(index)) {
    case phase::grow: grow(self, next(self) % 300); break;
    case phase::shrink: shrink(self); break;
    case phase::solo:
        if (number == chosen) solo(self);
        break;
    case phase::hand: hand(self, number, chosen); break;
    case phase::renew:
        if (number == chosen && number != 0) {
            leave_behind(self);
            self.last = nullptr;
            begin_thread(number, index + 1); // waits at the barrier in this one's place
            return true;
        }
        break;
    case phase::summit: churn_summit(self); break;
    }
    return false;
}

void* run(void* argument) {
    const start from = *static_cast<start*>(argument);
    worker& self = workers[from.number];
    if (from.phase != 0) { // the end of the phase in which the thread before this one ended
        wait_for_all();
        wait_for_all();
    }
    for (int index = from.phase; index < phase_count; ++index) {
        if (step(self, from.number, index)) return nullptr;
        wait_for_all();
        if (from.number == 0) note_peak();
        wait_for_all();
    }
    return nullptr;
}

// Detached threads free what libc keeps for them at their very end. Killed by exit in the middle of that free, a
// thread has counted it and not told it: the one call a thread that a count may be ahead.
void wait_for_ends() {
    struct stat threads{}; // the folder has two links of its own
    for (int tries = 0; stat("/proc/self/task", &threads) == 0 && threads.st_nlink > 3; ++tries) {
        if (tries == 10'000) die("waiting for the other threads to end");
        usleep(1000);
    }
}

void print_truth() {
    books all{};
    for (const auto& one : workers) {
        all.allocations += one.sum.allocations;
        all.allocated_bytes += one.sum.allocated_bytes;
        all.reallocations += one.sum.reallocations;
        all.temporaries += one.sum.temporaries;
        all.live_bytes += one.sum.live_bytes;
        all.live_blocks += one.sum.live_blocks;
    }
    char text[512];
    const int size = std::snprintf(
        text, sizeof text,
        "{\"seed\":%llu,\"allocations\":%llu,\"allocated_bytes\":%llu,\"reallocations\":%llu,"
        "\"live_blocks_at_exit\":%lld,\"live_bytes_at_exit\":%lld,\"peak_live_bytes\":%llu,\"temporary_allocations\":%llu}\n",
        static_cast<unsigned long long>(seed), static_cast<unsigned long long>(all.allocations),
        static_cast<unsigned long long>(all.allocated_bytes),
        static_cast<unsigned long long>(all.reallocations), static_cast<long long>(all.live_blocks),
        static_cast<long long>(all.live_bytes), static_cast<unsigned long long>(peak),
        static_cast<unsigned long long>(all.temporaries));
    if (write(STDOUT_FILENO, text, static_cast<std::size_t>(size)) != size) std::abort();
}

} // namespace

int main(int count, char** arguments) {
    seed = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1;
    pthread_barrier_init(&barrier, nullptr, thread_count);
    for (int number = 0; number < thread_count; ++number)
        workers[number].random = seed * 31 + static_cast<std::uint64_t>(number) * 0x1'0000'0001;
    for (int number = 1; number < thread_count; ++number) begin_thread(number, 0);
    starts[0] = {0, 0};
    run(&starts[0]);
    wait_for_ends();
    print_truth();
    return 0;
}
