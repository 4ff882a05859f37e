#include <algorithm>
#include <allot/testing/conformance_trial.hpp>
#include <allot/testing/source_conformance.hpp>
#include <array>
#include <atomic>
#include <cstring>
#include <list>
#include <random>
#include <thread>
#include <unordered_map>

namespace allot {

namespace {

void alignment(conformance_trial& trial) {
    marked_blocks blocks(trial);
    for (std::size_t align = 1; align <= kibibytes(64); align *= 2) {
        for (const std::size_t size : {1, 3, 8, 48, 100, 4096, 40'000}) {
            if (void* const address = trial.take({size, align})) blocks.add(address, {size, align});
        }
    }
}

void zero_size(conformance_trial& trial) {
    constexpr layout nothing{.size = 0, .align = 8};
    if (!trial.is_promised({1, 8}) || !trial.is_promised({1, 8})) return;
    void* const first = trial.subject.try_allocate(nothing);
    void* const second = trial.subject.try_allocate(nothing);
    trial.expect(first && second, "refused a size of 0");
    trial.expect(first != second, "gave one address to two blocks of size 0");
    trial.subject.deallocate(second, nothing);
    trial.subject.deallocate(first, nothing);
}

void null_block(conformance_trial& trial) {
    const usage before = trial.subject.describe().usage;
    trial.subject.deallocate(nullptr, layout{.size = 16});
    trial.expect(trial.subject.describe().usage == before, "counted the deallocation of nullptr");
}

std::uint64_t refusals_counted_along(const memory_source* source) {
    std::uint64_t sum = 0;
    while (source) {
        const source_description told = source->describe();
        sum += told.usage.refused_count;
        source = told.upstream;
    }
    return sum;
}

// False when it served: then there is no more to say, and less to rely on.
bool refuses(conformance_trial& trial, layout wanted) {
    memory_source& subject = trial.subject;
    const std::uint64_t noted = refusals_noted();
    void* const address = subject.try_allocate(wanted);
    trial.expect(!address, "served an impossible size", wanted);
    subject.deallocate(address, wanted);
    if (address) return false;
    trial.expect(refusals_noted() > noted, "noted no refusal", wanted);
    trial.expect(*last_refusal().kind, "refused without its kind", wanted);
    const block more = subject.try_allocate_at_least(wanted);
    trial.expect(!more, "served at least an impossible size", wanted);
    subject.deallocate(more.address, {more.size, wanted.align});
    return !more;
}

bool refuses_to_grow(conformance_trial& trial, marked_blocks& blocks, std::size_t size) {
    const marked_block block = blocks[0];
    const bool grown = trial.subject.try_resize(block.address, block.given, size);
    trial.expect(!grown, "grew beyond all sizes", {size, block.given.align});
    void* const moved = grown ? nullptr : trial.subject.try_reallocate(block.address, block.given, size);
    trial.expect(!moved, "moved beyond all sizes", {size, block.given.align});
    if (!grown && !moved) {
        trial.expect(block.is_intact(), "a refused reallocation harmed the block", block.given);
        return true;
    }
    trial.subject.deallocate(moved ? moved : block.address, {size, block.given.align});
    blocks.forget(0);
    return false;
}

void refusals(conformance_trial& trial) {
    memory_source& subject = trial.subject;
    marked_blocks blocks(trial);
    if (void* const address = trial.take({8, 8})) blocks.add(address, {8, 8});
    const usage before = subject.describe().usage;
    constexpr std::size_t impossible[] = {static_cast<std::size_t>(-1), static_cast<std::size_t>(-1) / 2,
                                          std::size_t{1} << 62, std::size_t{1} << 56};
    for (std::size_t size : impossible) {
        for (std::size_t less = 0; less < 70; ++less) {
            const layout wanted{size - less, std::size_t{1} << less % 17};
            if (!refuses(trial, wanted)) return;
            if (blocks.size() != 0 && !refuses_to_grow(trial, blocks, wanted.size)) return;
        }
    }
    const std::uint64_t counted = refusals_counted_along(&subject);
    trial.expect(!subject.try_allocate({.size = std::size_t{1} << 60}), "served an impossible size");
    trial.expect(refusals_counted_along(&subject) > counted, "no source on the way counted a refusal");
    const usage after = subject.describe().usage;
    trial.expect(after.live_bytes == before.live_bytes && after.live_count == before.live_count &&
                     after.held_bytes == before.held_bytes,
                 "a refusal left something in the books");
    try {
        static_cast<void>(subject.allocate(layout{.size = std::size_t{1} << 60}));
        trial.found("the throwing form served an impossible size");
    } catch (const out_of_memory& shortage) {
        trial.expect(shortage.why().kind == last_refusal().kind, "threw another's refusal");
    }
}

layout random_layout(conformance_trial& trial, std::mt19937& random, std::size_t size_max) {
    const std::size_t size = std::min(size_max, trial.limits.size_max);
    const std::size_t align = std::size_t{1} << random() % 8;
    return {1 + random() % std::max<std::size_t>(size, 1), std::min(align, trial.limits.align_max)};
}

void books(conformance_trial& trial) {
    std::mt19937 random(1);
    const usage before = trial.subject.describe().usage;
    {
        marked_blocks blocks(trial);
        for (int step = 0; step != 2000; ++step) {
            const layout wanted = random_layout(trial, random, 500);
            if (blocks.size() == 0 || random() % 2 == 0) {
                if (void* const address = trial.take(wanted)) blocks.add(address, wanted);
            } else {
                blocks.give_back(random() % blocks.size());
            }
            const usage now = trial.subject.describe().usage;
            const bool counts = now.total_count != before.total_count || now.live_bytes != before.live_bytes;
            if (counts && now.live_bytes + now.behind_bytes_max < before.live_bytes + blocks.live_bytes())
                trial.found("live_bytes is further below the truth than behind_bytes_max");
            if (now.held_bytes != 0 && now.held_bytes != now.live_bytes + now.slack_bytes + now.free_bytes)
                trial.found("held_bytes is not live + slack + free");
        }
    }
    const usage after = trial.subject.describe().usage;
    const std::uint64_t drift = after.live_bytes > before.live_bytes ? after.live_bytes - before.live_bytes
                                                                     : before.live_bytes - after.live_bytes;
    trial.expect(drift <= after.behind_bytes_max, "live_bytes did not come back to what it was");
    trial.expect(after.behind_bytes_max != 0 || after.live_count == before.live_count,
                 "live_count did not come back to what it was");
}

void good_size(conformance_trial& trial) {
    const memory_source& subject = trial.subject;
    std::vector<std::size_t> sizes;
    for (std::size_t size = 0; size < 300; ++size) sizes.push_back(size);
    for (unsigned bit = 9; bit < 64; ++bit)
        for (const std::size_t more : {-17, -1, 0, 1, 100}) sizes.push_back((std::size_t{1} << bit) + more);
    sizes.push_back(static_cast<std::size_t>(-1));
    std::sort(sizes.begin(), sizes.end());
    for (std::size_t align = 1; align <= kibibytes(64); align *= 4) {
        std::size_t smaller = 0;
        for (const std::size_t size : sizes) {
            const std::size_t good = subject.good_size({size, align});
            trial.expect(good >= size, "good_size is below the size", {size, align});
            trial.expect(good >= smaller, "good_size falls where the size grows", {size, align});
            trial.expect(subject.good_size({good, align}) == good, "good_size of a good_size is another",
                         {size, align});
            smaller = good;
        }
    }
    const std::size_t before = subject.good_size({100, 16});
    marked_blocks blocks(trial);
    for (int i = 0; i != 50; ++i)
        if (void* const address = trial.take({100, 16})) blocks.add(address, {100, 16});
    trial.expect(subject.good_size({100, 16}) == before, "good_size changed while blocks were taken");
}

void at_least(conformance_trial& trial) {
    marked_blocks blocks(trial);
    for (std::size_t align = 1; align <= 4096; align *= 4) {
        for (const std::size_t size : {0, 1, 17, 100, 5000}) {
            const layout wanted{size, align};
            if (!trial.is_promised(wanted)) continue;
            const block given = trial.subject.try_allocate_at_least(wanted);
            trial.expect(bool(given), "refused a block within its limits", wanted);
            if (!given) continue;
            trial.expect(given.size >= std::max<std::size_t>(size, 1), "gave less than at least", wanted);
            trial.expect(conformance_trial::is_aligned(given.address, align), "gave a misaligned block",
                         wanted);
            blocks.add(given.address, {given.size, align});
        }
    }
}

// Grows and shrinks blocks between neighbours; `resize` says how.
template <class Resize>
void change_sizes(conformance_trial& trial, Resize resize) {
    std::mt19937 random(2);
    marked_blocks blocks(trial);
    for (int i = 0; i != 12; ++i) {
        const layout wanted = random_layout(trial, random, 300);
        if (void* const address = trial.take(wanted)) blocks.add(address, wanted);
    }
    for (int step = 0; step != 300 && blocks.size() != 0; ++step) {
        marked_block& block = blocks[random() % blocks.size()];
        const std::size_t size = random() % 4 == 0 ? random() % 20'000 : random() % 500;
        const std::size_t kept = std::min(std::max<std::size_t>(size, 1), block.given.size);
        if (!trial.is_promised({size, block.given.align})) continue;
        void* const address = resize(block, size);
        if (!address) {
            trial.expect(block.is_intact(), "harmed a block whose size it did not change", block.given);
            continue;
        }
        block.address = address;
        trial.expect(block.is_intact(kept), "lost bytes of a block that it resized", block.given);
        trial.expect(conformance_trial::is_aligned(address, block.given.align), "lost an alignment",
                     block.given);
        block.given.size = std::max<std::size_t>(size, 1);
        block.fill();
    }
}

void resize(conformance_trial& trial) {
    change_sizes(trial, [&](const marked_block& block, std::size_t size) {
        return trial.subject.try_resize(block.address, block.given, size) ? block.address : nullptr;
    });
}

void reallocate(conformance_trial& trial) {
    change_sizes(trial, [&](const marked_block& block, std::size_t size) {
        void* const address = trial.subject.try_reallocate(block.address, block.given, size);
        trial.expect(address, "refused a reallocation within its limits", {size, block.given.align});
        return address;
    });
}

void equality(conformance_trial& trial) {
    trial.expect(trial.subject.is_equal(trial.subject), "is not equal to itself");
    trial.expect(!trial.subject.is_equal(*std::pmr::new_delete_resource()), "is equal to another resource");
}

template <class Body>
void served(conformance_trial& trial, const char* sentence, Body body) {
    try {
        trial.expect(body(), sentence);
    } catch (const std::bad_alloc&) {
        trial.found(std::string(sentence) + ": out of memory");
    }
}

void pmr_containers(conformance_trial& trial) {
    memory_source& subject = trial.subject;
    if (trial.limits.size_max >= 64 && trial.limits.bytes_max >= kibibytes(64)) {
        served(trial, "std::pmr::list broke", [&] {
            std::pmr::list<int> numbers(&subject);
            for (int i = 0; i != 100; ++i) numbers.push_front(i);
            numbers.sort();
            return numbers.front() == 0 && numbers.back() == 99;
        });
    }
    if (trial.limits.size_max < kibibytes(64) || trial.limits.bytes_max < mebibytes(1)) return;
    served(trial, "std::pmr::vector broke", [&] {
        std::pmr::vector<std::pmr::string> words(&subject);
        for (int i = 0; i != 200; ++i) words.emplace_back(std::size_t(i), 'x');
        return words[199].size() == 199 && words[199].get_allocator().resource() == &subject;
    });
    served(trial, "std::pmr::unordered_map broke", [&] {
        std::pmr::unordered_map<int, int> squares(&subject);
        for (int i = 0; i != 300; ++i) squares[i] = i * i;
        return squares.at(17) == 289 && squares.size() == 300;
    });
}

void describe_from_another_thread(conformance_trial& trial) {
    std::atomic<bool> done = false;
    const name called = trial.subject.describe().name;
    std::atomic<int> reads = 0;
    bool same = true;
    std::thread reader([&] {
        while (!done.load(std::memory_order_acquire)) {
            const source_description told = trial.subject.describe();
            same = same && told.name == called && told.kind && *told.kind;
            ++reads;
        }
    });
    {
        std::mt19937 random(3);
        marked_blocks blocks(trial);
        for (int step = 0; step != 2000; ++step) {
            if (blocks.size() > 20) blocks.give_back(random() % blocks.size());
            const layout wanted = random_layout(trial, random, 1000);
            if (void* const address = trial.take(wanted)) blocks.add(address, wanted);
            if (step % 100 != 0) continue;
            for (const int before = reads; reads == before;) std::this_thread::yield(); // both shall have run
        }
    }
    done.store(true, std::memory_order_release);
    reader.join();
    trial.expect(same, "describe() gave another name, or no kind, while blocks were taken");
}

void zeroed(conformance_trial& trial) {
    if (!trial.subject.traits().zeroed) return;
    for (int round = 0; round != 3; ++round) {
        for (const std::size_t size : {1, 100, 5000, 100'000}) {
            const layout wanted{size, 16};
            void* const address = trial.take(wanted);
            if (!address) continue;
            trial.expect(marked_block{address, wanted, 0}.is_intact(), "gave a block that is not zero",
                         wanted);
            std::memset(address, 0xFF, size);
            trial.subject.deallocate(address, wanted);
        }
    }
}

// Blocks pass from thread to thread over a shelf; each place of it has one layout.
void thread_safe(conformance_trial& trial) {
    if (!trial.subject.traits().thread_safe || trial.limits.size_max < 256) return;
    std::array<std::atomic<unsigned char*>, 16> shelf{};
    std::atomic<int> damaged = 0;
    const auto layout_at = [](std::size_t place) { return layout{16 * (place + 1), place % 2 ? 8u : 16u}; };
    const auto give_back = [&](unsigned char* block, std::size_t place) {
        if (!block) return;
        const layout given = layout_at(place);
        if (!marked_block{block, given, block[0]}.is_intact()) ++damaged;
        trial.subject.deallocate(block, given);
    };
    const auto work = [&](unsigned seed) {
        std::mt19937 random(seed);
        for (int step = 0; step != 2000; ++step) {
            const std::size_t place = random() % shelf.size();
            auto* const mine = static_cast<unsigned char*>(trial.subject.try_allocate(layout_at(place)));
            if (mine) std::memset(mine, step % 250 + 1, layout_at(place).size);
            give_back(shelf[place].exchange(mine), place);
        }
    };
    std::vector<std::thread> threads;
    for (unsigned seed = 0; seed != 4; ++seed) threads.emplace_back(work, seed);
    for (std::thread& each : threads) each.join();
    for (std::size_t place = 0; place != shelf.size(); ++place) give_back(shelf[place].load(), place);
    trial.expect(damaged == 0, "blocks of several threads damaged each other");
}

// Only where the books tell a limit: takes until nothing is left.
void exhaustion(conformance_trial& trial) {
    const std::uint64_t limit = trial.subject.describe().usage.limit_bytes;
    if (limit > mebibytes(64) || trial.limits.size_max == 0) return;
    const layout wanted{std::min<std::size_t>(trial.limits.size_max, kibibytes(1)), 1};
    std::size_t served_first = 0;
    {
        marked_blocks blocks(trial);
        while (void* const address = trial.subject.try_allocate(wanted)) {
            blocks.add(address, wanted);
            if (blocks.live_bytes() <= limit) continue;
            trial.found("gave more than its limit");
            break;
        }
        served_first = blocks.size();
        trial.expect(served_first != 0, "has a limit and serves nothing");
        void* const more = trial.subject.try_allocate(wanted);
        trial.expect(!more, "served after it had refused", wanted);
        trial.subject.deallocate(more, wanted);
    }
    if (served_first == 0 || trial.subject.traits().bulk_free) return;
    void* const again = trial.subject.try_allocate(wanted);
    trial.expect(again, "refuses for ever after a shortage", wanted);
    trial.subject.deallocate(again, wanted);
}

constexpr conformance_law laws[] = {
    {"alignment", alignment},
    {"zero_size", zero_size},
    {"null_block", null_block},
    {"refusals", refusals},
    {"books", books},
    {"good_size", good_size},
    {"at_least", at_least},
    {"resize", resize},
    {"reallocate", reallocate},
    {"equality", equality},
    {"pmr_containers", pmr_containers},
    {"describe_from_another_thread", describe_from_another_thread},
    {"zeroed", zeroed},
    {"thread_safe", thread_safe},
    {"exhaustion", exhaustion},
};

} // namespace

std::span<const conformance_law> conformance_laws() noexcept { return laws; }

std::vector<std::string> check_law(const conformance_law& law, memory_source& subject,
                                   const conformance_limits& limits) {
    conformance_trial trial(subject, limits);
    law.check(trial);
    return std::move(trial.findings);
}

} // namespace allot
