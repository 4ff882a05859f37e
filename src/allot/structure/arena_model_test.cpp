#include <allot/structure/arena.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <cstring>
#include <random>
#include <vector>

namespace allot {
namespace {

struct model_block {
    unsigned char* address;
    layout given;
    unsigned char fill;
};

// What the arena should be: a list of live blocks, each filled with a byte of its own, and for each mark how
// many of them are older.
struct model {
    std::vector<model_block> blocks;
    std::uint64_t ended = 0; // as the arena told its observer

    std::uint64_t bytes() const {
        std::uint64_t sum = 0;
        for (const model_block& each : blocks) sum += each.given.size;
        return sum;
    }
    void expect_filled() const {
        for (const model_block& each : blocks)
            ASSERT_TRUE(std::all_of(each.address, each.address + each.given.size,
                                    [&](unsigned char byte) { return byte == each.fill; }));
    }
};

struct told : bulk_observer {
    std::uint64_t bytes = 0;
    void bulk_freed(bulk_free gone) noexcept override { bytes += gone.live_bytes; }
};

class play {
public:
    play(unsigned seed, memory_source& upstream)
        : random_(seed),
          arena_({.name = "model",
                  .upstream = &upstream,
                  .first_chunk = seed % 3 == 0 ? std::span<std::byte>(first_) : std::span<std::byte>(),
                  .chunk_bytes_min = 256u << seed % 4,
                  .chunk_bytes_max = 2048u << seed % 4,
                  .limit_bytes = seed % 5 == 0 ? 20'000 : usage::unlimited,
                  .retain_bytes_max = seed % 2 == 0 ? 6000 : usage::unlimited,
                  .above = &told_}) {}

    void step() {
        const unsigned what = below(100);
        if (what < 45) {
            allocate();
        } else if (what < 65) {
            if (!model_.blocks.empty()) give_back(what < 55 ? model_.blocks.size() - 1 : below_size());
        } else if (what < 78) {
            if (!model_.blocks.empty()) resize(what < 70 ? model_.blocks.size() - 1 : below_size());
        } else if (what < 88) {
            marks_.push_back({arena_.mark(), model_.blocks.size()});
        } else if (what < 97) {
            rewind();
        } else if (what < 98) {
            (void)arena_.reclaim({.wanted_bytes = below(10'000)});
        } else {
            if (below(2)) {
                arena_.reset();
            } else {
                arena_.release();
            }
            end_from(0);
            marks_.clear();
        }
        compare();
    }

private:
    struct model_mark {
        arena_mark mark;
        std::size_t older_count;
    };

    unsigned below(std::size_t bound) { return static_cast<unsigned>(random_() % bound); }
    std::size_t below_size() { return below(model_.blocks.size()); }

    void allocate() {
        const layout wanted{below(20) == 0 ? below(5000) : below(120), std::size_t{1} << below(8)};
        auto* const address = static_cast<unsigned char*>(arena_.try_allocate(wanted));
        if (!address) return;
        ASSERT_TRUE(is_aligned(address, wanted.align));
        ASSERT_TRUE(arena_.owns(address));
        model_.blocks.push_back(
            {address, {std::max<std::size_t>(wanted.size, 1), wanted.align}, next_fill_++});
        std::memset(address, model_.blocks.back().fill, model_.blocks.back().given.size);
    }

    void give_back(std::size_t index) {
        arena_.deallocate(model_.blocks[index].address, model_.blocks[index].given);
        model_.blocks.erase(model_.blocks.begin() + static_cast<std::ptrdiff_t>(index));
        for (model_mark& mark : marks_) mark.older_count -= index < mark.older_count;
    }

    void resize(std::size_t index) {
        model_block& block = model_.blocks[index];
        const std::size_t new_size = below(2) ? below(block.given.size + 1) : block.given.size + below(200);
        const bool done = arena_.try_resize(block.address, block.given, new_size);
        ASSERT_TRUE(done || new_size > block.given.size);
        if (!done) return;
        block.given.size = std::max<std::size_t>(new_size, 1);
        std::memset(block.address, block.fill, block.given.size);
    }

    void rewind() {
        if (marks_.empty()) return;
        const std::size_t index = below(3) ? marks_.size() - 1 : below(marks_.size());
        arena_.rewind(marks_[index].mark);
        end_from(marks_[index].older_count);
        marks_.resize(index + below(2)); // a mark lives on after a rewind to it
    }

    void end_from(std::size_t older_count) {
        const std::uint64_t before = model_.bytes();
        model_.blocks.resize(older_count);
        model_.ended += before - model_.bytes();
    }

    void compare() {
        arena_.check();
        const usage now = arena_.usage();
        ASSERT_EQ(now.live_bytes, model_.bytes());
        ASSERT_EQ(now.live_count, model_.blocks.size());
        ASSERT_EQ(told_.bytes, model_.ended);
        ASSERT_EQ(now.live_bytes + now.slack_bytes + now.free_bytes, now.held_bytes);
        peak_ = std::max(peak_, now.live_bytes);
        ASSERT_EQ(now.peak_live_bytes, peak_);
        model_.expect_filled();
    }

    std::mt19937 random_;
    alignas(16) std::byte first_[1500];
    told told_;
    arena arena_;
    model model_;
    std::vector<model_mark> marks_;
    std::uint64_t peak_ = 0;
    unsigned char next_fill_ = 1;
};

TEST(arena_model, agrees_with_a_list_of_blocks) {
    for (unsigned seed = 1; seed <= 120; ++seed) {
        SCOPED_TRACE(::testing::Message() << "seed " << seed);
        auditing_source audited(default_source());
        failing_source sometimes(audited, {.plan = {.probability = seed % 4 == 0 ? 0.2 : 0.0, .seed = seed}});
        {
            play game(seed, sometimes);
            for (int i = 0; i < 400 && !HasFatalFailure(); ++i) game.step();
        }
        ASSERT_EQ(audited.live_count(), 0u);
        ASSERT_FALSE(HasFatalFailure());
    }
}

} // namespace
} // namespace allot
