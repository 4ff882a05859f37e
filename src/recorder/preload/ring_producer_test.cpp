#include <recorder/preload/ring_producer.hpp>

#include <random>
#include <recorder/preload/ring_wait.hpp>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace allot::recorder {
namespace {

struct event {
    allot_wire_event kind;
    std::uint64_t stamp, address, size;
    std::uint32_t node;
    bool operator==(const event&) const = default;
};

struct ring_memory {
    explicit ring_memory(std::uint64_t count) : words(count, ~std::uint64_t{0}) {}
    allot_wire_ring ring{};
    std::vector<std::uint64_t> words;

    // As the wire's text says, and nothing more.
    std::vector<event> read(std::uint64_t& stamp) {
        std::vector<event> seen;
        const std::uint64_t head = __atomic_load_n(&ring.head, __ATOMIC_ACQUIRE);
        std::uint64_t tail = ring.tail;
        const auto word = [&] { return words[tail++ % words.size()]; };
        while (tail != head) {
            const std::uint64_t first_index = tail % words.size(), first = word();
            const auto kind = static_cast<allot_wire_event>(first >> 60);
            if (kind == ALLOT_EVENT_PAD) continue;
            if (kind == ALLOT_EVENT_STAMP) {
                stamp = first & ((std::uint64_t{1} << 60) - 1);
                continue;
            }
            event e{kind, stamp += first >> 44 & 0xffff, (first & ALLOT_WIRE_ADDRESS_FIELD) << 3, 0, 0};
            if (kind == ALLOT_EVENT_ALLOCATE || kind == ALLOT_EVENT_REALLOCATE_ALLOCATE) {
                const std::uint64_t second = word();
                e.node = static_cast<std::uint32_t>(second >> ALLOT_WIRE_SIZE_BITS);
                e.size = second & ALLOT_WIRE_SIZE_FIELD;
                if (e.size == ALLOT_WIRE_SIZE_FIELD) e.size = word();
            }
            EXPECT_LT(first_index, (tail - 1) % words.size() + 1) << "an event wraps";
            seen.push_back(e);
        }
        __atomic_store_n(&ring.tail, tail, __ATOMIC_RELEASE);
        return seen;
    }
};

void write(ring_producer& out, const event& e) {
    const void* address = reinterpret_cast<const void*>(e.address);
    if (e.kind == ALLOT_EVENT_ALLOCATE || e.kind == ALLOT_EVENT_REALLOCATE_ALLOCATE)
        out.allocate(e.kind, e.stamp, address, e.size, e.node);
    else
        out.free(e.kind, e.stamp, address);
}

// Often small, sometimes as large as it may be.
event random_event(std::mt19937_64& random, std::uint64_t& stamp) {
    switch (random() % 8) {
    case 0: stamp += random() % (1 << 24); break;
    case 1: stamp -= random() % 100; break; // another processor's counter
    default: stamp += random() % 1000;
    }
    constexpr allot_wire_event kinds[] = {ALLOT_EVENT_ALLOCATE, ALLOT_EVENT_FREE, ALLOT_EVENT_REALLOCATE_FREE,
                                          ALLOT_EVENT_REALLOCATE_ALLOCATE, ALLOT_EVENT_REALLOCATE_FAILED};
    event e{kinds[random() % 5], stamp, random() >> 17 & ~std::uint64_t{7}, 0, 0};
    if (e.kind == ALLOT_EVENT_ALLOCATE || e.kind == ALLOT_EVENT_REALLOCATE_ALLOCATE) {
        constexpr std::uint64_t edge = ALLOT_WIRE_SIZE_FIELD;
        const std::uint64_t edges[] = {0, edge - 1, edge, edge + 1, ~std::uint64_t{0} >> 1};
        e.size = random() % 4 == 0 ? edges[random() % 5] : random() % 10000;
        e.node = static_cast<std::uint32_t>(random() % (1u << 26));
    }
    return e;
}

TEST(ring_producer, writes_an_event_and_says_when_it_is_full) { // usage
    ring_memory memory(64);
    ring_producer out;
    out.open(&memory.ring, memory.words.data(), 64, 1000);
    EXPECT_FALSE(out.has_room()); // until it looked
    EXPECT_TRUE(out.make_room());
    const event first{ALLOT_EVENT_ALLOCATE, 1010, 0x7000'1000, 24, 700};
    write(out, first);
    std::uint64_t stamp = 1000;
    EXPECT_EQ(memory.read(stamp), (std::vector{first}));
    int written = 0;
    for (; out.has_room() || out.make_room(); ++written) write(out, {ALLOT_EVENT_FREE, 1020, 8, 0, 0});
    EXPECT_GE(written, 64 - 8);
    EXPECT_LE(written, 64);
    EXPECT_EQ(memory.read(stamp).size(), static_cast<std::size_t>(written));
    EXPECT_TRUE(out.make_room());
}

TEST(ring_producer, goes_on_where_an_earlier_producer_left_the_ring) {
    ring_memory memory(64);
    memory.ring.head = memory.ring.tail = 64 * 5 + 61;
    ring_producer out;
    out.open(&memory.ring, memory.words.data(), 64, 5);
    ASSERT_TRUE(out.make_room());
    const event first{ALLOT_EVENT_ALLOCATE, 6, 64, ALLOT_WIRE_SIZE_FIELD, 9},
        second{ALLOT_EVENT_FREE, 7, 64, 0, 0};
    write(out, first), write(out, second);
    std::uint64_t stamp = 5;
    EXPECT_EQ(memory.read(stamp), (std::vector{first, second}));
}

TEST(ring_producer, gives_its_reader_every_event_unchanged) { // model, one thread
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    ring_memory memory(128);
    ring_producer out;
    std::uint64_t stamp = 1 << 20, read_stamp = stamp;
    out.open(&memory.ring, memory.words.data(), 128, stamp);
    std::vector<event> written;
    for (int i = 0; i != 200'000; ++i) {
        if (!out.has_room() && !out.make_room()) {
            ASSERT_EQ(memory.read(read_stamp), written);
            written.clear();
            ASSERT_TRUE(out.make_room());
        }
        written.push_back(random_event(random, stamp));
        write(out, written.back());
        if (random() % 50 == 0) {
            ASSERT_EQ(memory.read(read_stamp), written);
            written.clear();
        }
    }
}

TEST(ring_producer, gives_a_reader_on_another_thread_every_event_unchanged) { // model, two threads
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    constexpr int count = 50'000;
    ring_memory memory(256);
    allot_wire_header header{};
    consumer_watch watch{};
    consumer_watch::patience mine{};
    int dropped = 0;
    std::thread producer([&] {
        std::mt19937_64 random(seed);
        std::uint64_t stamp = 1 << 20;
        ring_producer out;
        out.open(&memory.ring, memory.words.data(), 256, stamp);
        for (int i = 0; i != count; ++i) {
            const event e = random_event(random, stamp);
            while (!out.has_room() && !out.make_room())
                if (!watch.wait(mine, &header, &memory.ring.tail,
                                __atomic_load_n(&memory.ring.tail, __ATOMIC_ACQUIRE)))
                    ++dropped;
            write(out, e);
        }
    });
    std::mt19937_64 random(seed);
    std::uint64_t stamp = 1 << 20, read_stamp = stamp;
    for (int seen = 0; seen != count;) {
        __atomic_add_fetch(&header.heartbeat, 1, __ATOMIC_RELAXED);
        for (const event& e : memory.read(read_stamp)) {
            EXPECT_EQ(e, random_event(random, stamp));
            ++seen;
        }
        futex_wake(reinterpret_cast<std::uint32_t*>(&memory.ring.tail), 1, futex_scope::process_shared);
    }
    producer.join();
    EXPECT_EQ(dropped, 0);
}

} // namespace
} // namespace allot::recorder
