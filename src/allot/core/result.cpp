// The chain of an error is a list of notes, outermost first, each written once and never changed: copies of
// an error share it. In a ring (the default memory) a note may be overwritten while an old error still points
// to it. So each pointer to a note goes with the ring and the note's position in it, and the ring says
// whether the note is still in place. An overwritten note is never looked at.
#include <allot/core/bytes.hpp>
#include <allot/core/result.hpp>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <new>

namespace allot {
namespace detail {

// A bump allocator that starts again at its beginning. A position is the count of bytes given before.
class error_ring final : public std::pmr::memory_resource {
public:
    static constexpr std::size_t capacity = kibibytes(16);

    // Whether what begins at `position` is still as it was written.
    bool holds(std::uint64_t position) const noexcept { return given() - position <= capacity; }
    std::uint64_t given() const noexcept { return given_.load(std::memory_order_relaxed); }

    error_ring* next_free = nullptr; // in the list of rings without a thread

private:
    void* do_allocate(std::size_t size, std::size_t align) override {
        if (size > capacity || align > alignof(std::max_align_t)) throw std::bad_alloc();
        std::uint64_t start = align_up(given(), std::uint64_t{align});
        if (start % capacity + size > capacity) start = align_up(start, std::uint64_t{capacity});
        given_.store(start + size, std::memory_order_relaxed);
        return bytes_ + start % capacity;
    }
    void do_deallocate(void*, std::size_t, std::size_t) override {} // overwritten in its turn
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    std::atomic<std::uint64_t> given_{0}; // only the ring's thread writes it
    alignas(std::max_align_t) std::byte bytes_[capacity];
};

} // namespace detail

namespace {

using detail::error_ring;

constexpr std::size_t ring_text_max = 4000; // so that a chain of a few long messages fits into a ring
constexpr std::string_view text_overwritten = "(the text of an older error, overwritten since)";
constexpr std::string_view text_without_memory = "(no memory for the message)";

// Rings outlive their threads, because errors do: an ended thread's ring waits here for the next thread.
constinit std::mutex free_rings_mutex;
constinit error_ring* free_rings = nullptr;

constinit thread_local error_ring* thread_ring = nullptr;
constinit thread_local bool thread_ring_returned = false;

struct ring_return {
    bool armed = false;
    ~ring_return() {
        const std::lock_guard hold(free_rings_mutex);
        thread_ring->next_free = free_rings;
        free_rings = thread_ring;
        thread_ring = nullptr;
        thread_ring_returned = true;
    }
};

error_ring* take_free_ring() noexcept {
    const std::lock_guard hold(free_rings_mutex);
    error_ring* ring = free_rings;
    if (ring) free_rings = ring->next_free;
    return ring;
}

error_ring* own_ring() noexcept {
    if (thread_ring || thread_ring_returned) return thread_ring;
    thread_ring = take_free_ring();
    if (!thread_ring) thread_ring = new (std::nothrow) error_ring;
    if (thread_ring) {
        thread_local ring_return at_thread_end;
        at_thread_end.armed = true; // its first use registers the destructor
    }
    return thread_ring;
}

} // namespace

// Its text follows it.
struct error::note {
    const note* inner;
    const error_ring* inner_ring;
    std::uint64_t inner_position;
    std::size_t size;

    std::string_view text() const noexcept { return {reinterpret_cast<const char*>(this + 1), size}; }
};

std::pmr::memory_resource& error_memory() noexcept {
    error_ring* ring = own_ring();
    return ring ? *ring : *std::pmr::null_memory_resource();
}

error::error(std::string_view what, std::pmr::memory_resource& memory) noexcept : memory_(&memory) {
    if (&memory == thread_ring) memory_ = nullptr;
    add(what);
}

error& error::during(std::string_view what) & noexcept {
    add(what);
    return *this;
}

void error::add(std::string_view what) noexcept {
    // A ring is its thread's alone: an error handed over goes on growing in the ring of whoever holds it.
    error_ring* const ring = memory_ ? nullptr : own_ring();
    std::pmr::memory_resource* const memory = ring ? ring : memory_;
    if (!memory) return;
    const bool too_long = ring && what.size() > ring_text_max;
    const std::string_view ending = too_long ? "..." : "";
    if (too_long) what = what.substr(0, ring_text_max - ending.size());
    const std::size_t size = what.size() + ending.size();
    void* place = nullptr;
    try {
        place = memory->allocate(sizeof(note) + size, alignof(note));
    } catch (...) {
        return; // the chain stays as it was
    }
    auto* added = new (place) note{outermost_, ring_, position_, size};
    char* text = reinterpret_cast<char*>(added + 1);
    if (!what.empty()) std::memcpy(text, what.data(), what.size());
    if (!ending.empty()) std::memcpy(text + what.size(), ending.data(), ending.size());
    outermost_ = added;
    ring_ = ring;
    position_ = ring ? ring->given() - sizeof(note) - size : 0;
}

template <class Visit>
void error::for_each_note(Visit visit) const {
    if (!outermost_) visit(text_without_memory);
    const note* at = outermost_;
    const error_ring* ring = ring_;
    for (std::uint64_t position = position_; at;) {
        if (ring && !ring->holds(position)) {
            visit(text_overwritten);
            return;
        }
        visit(at->text());
        ring = at->inner_ring;
        position = at->inner_position;
        at = at->inner;
    }
}

std::string error::text() const {
    std::string all;
    for_each_note([&all](std::string_view text) {
        if (!all.empty()) all += ": ";
        all += text;
    });
    return all;
}

std::string_view error::what() const noexcept {
    std::string_view innermost;
    for_each_note([&innermost](std::string_view text) { innermost = text; });
    return innermost;
}

error system_error(int number, std::pmr::memory_resource& memory) noexcept {
    return error(std::strerror(number), memory);
}

void detail::fatal_no_value(const error* failure) noexcept {
    fatal({"result: value() of a result that holds an error: ", failure ? failure->text().c_str() : "none"});
}

} // namespace allot
