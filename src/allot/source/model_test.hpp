// What the tests of several sources share: random operations, compared with what a plain list of blocks says.
#pragma once

#include <allot/core/checks.hpp>
#include <allot/core/memory_source.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

// A sanitizer's malloc ends the program at sizes that it finds absurd, unless told to refuse them.
extern "C" {
[[gnu::weak]] const char* __asan_default_options() { return "allocator_may_return_null=1"; }
[[gnu::weak]] const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
}

namespace allot::testing_model {

struct limits {
    std::size_t size_max = kibibytes(16);
    std::size_t align_max = 256;
    std::size_t live_count_max = 40;
    unsigned step_count = 4000;
    bool newest_first = false; // blocks go back in the reverse order
};

// Each live block is filled with a byte of its own: blocks that overlap, or lose bytes when they move, show.
class model {
public:
    model(memory_source& source, std::uint64_t seed, limits within)
        : source_(source), random_(seed), within_(within) {}
    ~model() {
        while (!live_.empty()) give_back();
    }

    void step() {
        switch (random_() % 8) {
        case 0:
        case 1:
        case 2: allocate(); break;
        case 3: resize(); break;
        case 4: reallocate(); break;
        default: give_back(); break;
        }
    }

    std::size_t live_count() const { return live_.size(); }
    std::uint64_t live_bytes() const {
        std::uint64_t sum = 0;
        for (const entry& one : live_) sum += one.now.size;
        return sum;
    }
    std::uint64_t refused_count() const { return refused_count_; }

private:
    struct entry {
        std::byte* address;
        layout now;
        std::byte fill;
    };

    std::size_t any_size() {
        const std::size_t scale = std::size_t{1} << random_() % 20;
        return 1 + random_() % std::min(scale, within_.size_max);
    }

    void allocate() {
        if (live_.size() == within_.live_count_max) return;
        const std::size_t align = std::min(std::size_t{1} << random_() % 20, within_.align_max);
        layout wanted{any_size(), align};
        std::byte* address = nullptr;
        if (random_() % 4 == 0) {
            const block given = source_.try_allocate_at_least(wanted);
            if (given) {
                ASSERT_GE(given.size, wanted.size);
            }
            address = static_cast<std::byte*>(given.address);
            wanted.size = given.size;
        } else {
            address = static_cast<std::byte*>(source_.try_allocate(wanted));
        }
        if (!address) {
            ++refused_count_;
            return;
        }
        ASSERT_TRUE(is_aligned(address, align));
        if (source_.traits().zeroed) {
            ASSERT_TRUE(all(address, wanted.size, std::byte{0}));
        }
        live_.push_back({address, wanted, {}});
        fill(live_.back());
    }

    void resize() {
        if (live_.empty()) return;
        entry& one = any();
        const std::size_t new_size = any_size();
        if (!source_.try_resize(one.address, one.now, new_size)) return;
        keep(one, one.address, new_size);
    }

    void reallocate() {
        if (live_.empty()) return;
        entry& one = any();
        const std::size_t new_size = any_size();
        void* const moved = source_.try_reallocate(one.address, one.now, new_size);
        if (!moved) {
            ++refused_count_;
            ASSERT_TRUE(all(one.address, one.now.size, one.fill));
            return;
        }
        keep(one, moved, new_size);
    }

    void keep(entry& one, void* address, std::size_t new_size) {
        ASSERT_TRUE(is_aligned(address, one.now.align));
        one.address = static_cast<std::byte*>(address);
        ASSERT_TRUE(all(one.address, std::min(one.now.size, new_size), one.fill));
        one.now.size = new_size;
        fill(one);
    }

    void give_back() {
        if (live_.empty()) return;
        entry& one = within_.newest_first ? live_.back() : any();
        EXPECT_TRUE(all(one.address, one.now.size, one.fill));
        source_.deallocate(one.address, one.now);
        one = live_.back();
        live_.pop_back();
    }

    entry& any() { return live_[random_() % live_.size()]; }

    void fill(entry& one) {
        one.fill = static_cast<std::byte>(1 + random_() % 255);
        std::memset(one.address, static_cast<int>(one.fill), one.now.size);
    }

    static bool all(const std::byte* bytes, std::size_t size, std::byte value) {
        return std::all_of(bytes, bytes + size, [value](std::byte byte) { return byte == value; });
    }

    memory_source& source_;
    std::mt19937_64 random_;
    limits within_;
    std::vector<entry> live_;
    std::uint64_t refused_count_ = 0;
};

// After each step `check(model)` compares the source's books with the model's.
template <class Check>
void run_model(memory_source& source, limits within, Check check) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        model random(source, seed, within);
        for (unsigned i = 0; i != within.step_count && !::testing::Test::HasFailure(); ++i) {
            random.step();
            check(random);
        }
    }
}

// The same from four threads at once.
inline void hammer(memory_source& source, limits within) {
    std::vector<std::thread> threads;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        threads.emplace_back([&source, within, seed] {
            model random(source, seed, within);
            for (unsigned i = 0; i != within.step_count; ++i) random.step();
        });
    }
    for (int i = 0; i != 1000; ++i) EXPECT_NE(source.describe().kind[0], '\0');
    for (std::thread& one : threads) one.join();
}

// Refused in good order: the last refusal is the source's own, and nothing else changed.
inline void expect_refusal(memory_source& source, layout wanted, const char* who) {
    const std::uint64_t noted = refusals_noted();
    const std::uint64_t live = source.describe().usage.live_bytes;
    const std::uint64_t counted = source.describe().usage.refused_count;
    EXPECT_EQ(source.try_allocate(wanted), nullptr);
    EXPECT_EQ(refusals_noted(), noted + 1);
    EXPECT_EQ(last_refusal().who.view(), who);
    EXPECT_EQ(last_refusal().asked, wanted);
    EXPECT_EQ(source.describe().usage.live_bytes, live);
    EXPECT_EQ(source.describe().usage.refused_count, counted + 1);
}

} // namespace allot::testing_model
