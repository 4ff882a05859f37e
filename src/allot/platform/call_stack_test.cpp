#include <allot/platform/call_stack_test.hpp>

#include <algorithm>
#include <random>

namespace {

using allot::stack_end;
using namespace stack_test;

volatile int sink;
volatile unsigned sink_unsigned;

TEST(call_stack, gives_each_frame_a_payload_that_stays_with_it) {
    const cache_pointer cache = new_cache();
    const allot::unwind_rules& rules = stack_test::rules();
    const allot::stack_bounds bounds = allot::current_thread_bounds();
    std::uint32_t made = 0;
    const auto hook = [&]() __attribute__((noinline)) {
        const allot::captured_stack now = cache->capture(rules, __builtin_frame_address(0), bounds);
        for (std::uint32_t i = now.unchanged; i != now.count; ++i) cache->set_payload(i, ++made);
        return cache->payload(now.count - 1);
    };
    std::uint32_t nodes[3];
#pragma GCC unroll 1
    for (std::uint32_t& node : nodes) node = hook(); // the same call each time
    EXPECT_EQ(nodes[0], nodes[1]);
    EXPECT_EQ(nodes[1], nodes[2]);
    const std::uint32_t before = made;
    EXPECT_NE(hook(), nodes[2]);
    EXPECT_EQ(made, before + 1); // only the innermost frame was new
}

[[gnu::noinline]] void recurse(allot::stack_cache& cache, int depth) {
    expect_right(take(cache));
    if (depth != 0) recurse(cache, depth - 1);
    expect_right(take(cache));
    sink = depth;
}

TEST(call_stack, follows_recursion_down_and_up) {
    const cache_pointer cache = new_cache();
    recurse(*cache, 200);
}

TEST(call_stack, says_how_many_outer_frames_are_unchanged) {
    const cache_pointer cache = new_cache();
    const taken outer = take(*cache);
    const auto deeper = [&]() __attribute__((noinline)) { return take(*cache); };
    const taken inner = deeper();
    expect_right(inner);
    EXPECT_EQ(inner.shape.unchanged, outer.shape.count - 1); // this test's own frame stands at another call
    EXPECT_EQ(inner.shape.count, outer.shape.count + 1);
}

TEST(call_stack, starts_anew_after_forget) {
    const cache_pointer cache = new_cache();
    for (int i = 0; i != 2; ++i) {
        const taken now = take(*cache);
        EXPECT_EQ(now.shape.unchanged, i == 0 ? 0 : now.shape.count);
    }
    cache->forget();
    EXPECT_EQ(take(*cache).shape.unchanged, 0u);
}

// Random walks through functions with frames of equal size, so that stale return addresses lie exactly where the
// fresh ones do: only the re-check tells them apart.
template <unsigned Which>
[[gnu::noinline]] unsigned twin(allot::stack_cache& cache, std::mt19937& random, int depth);

unsigned turn(allot::stack_cache& cache, std::mt19937& random, int depth) {
    switch (random() % 3) {
    case 0: return twin<0>(cache, random, depth);
    case 1: return twin<1>(cache, random, depth);
    default: return twin<2>(cache, random, depth);
    }
}

template <unsigned Which>
unsigned twin(allot::stack_cache& cache, std::mt19937& random, int depth) {
    unsigned sum = Which;
    const int rounds = static_cast<int>(random() % 3);
    for (int i = 0; i <= rounds && depth != 0; ++i) sum += turn(cache, random, depth - 1);
    if (random() % 4 == 0) expect_right(take(cache));
    return sum + sink_unsigned;
}

TEST(call_stack, is_right_on_random_walks_through_equal_frames) {
    const cache_pointer cache = new_cache();
    const std::uint32_t seed = std::random_device()();
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    for (int i = 0; i != 200 && !testing::Test::HasFailure(); ++i) sink_unsigned = turn(*cache, random, 8);
}

[[gnu::noinline]] void throw_from(allot::stack_cache& cache, int depth) {
    expect_right(take(cache));
    if (depth == 0) throw 1;
    throw_from(cache, depth - 1);
    sink = depth;
}

TEST(call_stack, is_right_after_an_exception_unwound_the_last_stack) {
    const cache_pointer cache = new_cache();
    for (int depth = 0; depth != 20; ++depth) {
        try {
            throw_from(*cache, depth);
        } catch (int) {
            expect_right(take(*cache));
        }
        expect_right(take(*cache));
    }
}

[[gnu::noinline]] void deep(allot::stack_cache& cache, int depth, int take_every, int& short_stacks) {
    if (depth % take_every == 0) {
        const taken now = take(cache);
        ASSERT_LE(now.ours.size(), now.oracle.size());
        for (std::size_t i = 0; i != now.ours.size(); ++i) ASSERT_EQ(now.ours[i], now.oracle[i]);
        if (now.shape.end == stack_end::too_deep) {
            ++short_stacks;
            ASSERT_GE(now.shape.count, allot::stack_cache::frames_min_when_cut);
        } else {
            ASSERT_EQ(now.ours.size(), now.oracle.size());
        }
    }
    if (depth != 0) deep(cache, depth - 1, take_every, short_stacks);
    if (depth % take_every == 1) {
        const taken now = take(cache);
        ASSERT_LE(now.ours.size(), now.oracle.size());
        for (std::size_t i = 0; i != now.ours.size(); ++i) ASSERT_EQ(now.ours[i], now.oracle[i]);
    }
    sink = depth;
}

TEST(call_stack, shows_the_innermost_frames_of_stacks_that_are_too_deep) {
    for (const int take_every : {7, 97, 400, 3000}) {
        const cache_pointer cache = new_cache();
        int short_stacks = 0;
        deep(*cache, 3000, take_every, short_stacks);
        EXPECT_GT(short_stacks, 0);
        expect_right(take(*cache)); // whole again when the recursion is over
    }
}

// A made-up stack of frames of two words, all of one rule. Frame i is the i-th from the low end.
class ladder {
public:
    explicit ladder(std::size_t frames) : stack_(2 * frames, ordinary) {
        rules.use(memory_, 64);
        const auto rule = allot::unwind_rule::make(allot::unwind_rule::kind::by_stack_pointer, 16,
                                                   allot::unwind_rule::not_saved);
        for (const std::uint64_t address : {ordinary, changed}) rules.remember(address, rule);
        rules.remember(last, allot::unwind_rule(allot::unwind_rule::kind::outermost));
        stack_.back() = last;
    }
    allot::captured_stack capture(allot::stack_cache& cache, std::size_t frame) {
        const auto low = reinterpret_cast<std::uintptr_t>(stack_.data());
        return cache.capture(rules, &stack_[2 * frame], {low, low + stack_.size() * 8});
    }
    void change(std::size_t frame) { stack_[2 * frame + 1] = changed; }

    static constexpr std::uint64_t ordinary = 0x1000, changed = 0x2000, last = 0x3000;
    allot::unwind_rules rules;

private:
    alignas(16) std::uint64_t memory_[2 * 64]{};
    std::vector<std::uint64_t> stack_;
};

TEST(call_stack, binds_what_is_left_after_a_cut_by_its_own_words_and_no_others) {
    ladder world(1700);
    const cache_pointer cache = new_cache();
    EXPECT_EQ(world.capture(*cache, 800).count, 900u);
    allot::captured_stack now = world.capture(*cache, 200); // 600 new frames before 40 that are kept
    EXPECT_EQ(now.end, stack_end::too_deep);
    ASSERT_EQ(now.count, 640u);
    world.change(1200); // forgotten by the cut
    EXPECT_EQ(world.capture(*cache, 200).unchanged, 640u);
    world.change(820); // kept by it, with 19 frames further out
    now = world.capture(*cache, 200);
    ASSERT_EQ(now.count, 640u);
    EXPECT_EQ(now.unchanged, 19u);
    EXPECT_EQ(cache->return_address(19), ladder::changed);
    EXPECT_EQ(cache->return_address(18), ladder::ordinary);
}

TEST(call_stack, has_room_for_the_checks_however_often_it_cuts) {
    ladder world(30'000);
    const cache_pointer cache = new_cache();
    for (std::size_t frame = 30'000; frame != 0;) {
        frame -= 500;
        const allot::captured_stack now = world.capture(*cache, frame);
        ASSERT_EQ(now.count, std::min<std::size_t>(30'000 - frame, frame < 29'000 ? 640 : 1000)) << frame;
        ASSERT_EQ(world.capture(*cache, frame).unchanged, now.count) << "the same stack again, " << frame;
    }
    world.change(100);
    EXPECT_EQ(world.capture(*cache, 0).unchanged, 539u);
}

TEST(call_stack, shows_only_the_caller_on_a_stack_that_is_not_the_threads) {
    const cache_pointer cache = new_cache();
    const taken now = take(*cache, allot::stack_bounds{16, 32});
    EXPECT_EQ(now.shape.end, stack_end::out_of_bounds);
    ASSERT_EQ(now.ours.size(), 1u);
    EXPECT_EQ(now.ours[0], now.oracle[0]);
    EXPECT_EQ(take(*cache, allot::stack_bounds{16, 32}).shape.unchanged, 0u);
}

TEST(call_stack, takes_no_thread_id_for_the_start_of_a_stack) {
    std::vector<std::uintptr_t> words(0x900 / 8);
    const auto block = reinterpret_cast<std::uintptr_t>(words.data()), here = block - 1000;
    words[90] = 5000; // as glibc has it: the thread's id, and an empty list of mutexes
    words[91] = block + 92 * 8;
    EXPECT_EQ(allot::detail::stack_before(words.data(), here).high, 0u);
    words[210] = block - 8192;
    words[211] = 8192 + 0x900;
    EXPECT_EQ(allot::detail::stack_before(words.data(), here).low, block - 8192);
    EXPECT_EQ(allot::detail::stack_before(words.data(), here).high, block);
    EXPECT_EQ(allot::detail::stack_before(words.data(), block - 9000).high, 0u); // a coroutine's, say
}

TEST(call_stack, never_reads_outside_the_bounds_it_was_given) {
    const cache_pointer cache = new_cache();
    const allot::stack_bounds whole = allot::current_thread_bounds();
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    for (std::uintptr_t high = here + 64; high < here + 512; high += 8) {
        cache->forget();
        const taken now = take(*cache, allot::stack_bounds{whole.low, high});
        EXPECT_NE(now.shape.end, stack_end::complete);
        for (std::uint32_t i = 0; i + 1 < now.shape.count; ++i) EXPECT_LE(cache->stack_pointer(i), high);
        for (std::size_t i = 0; i != now.ours.size(); ++i) EXPECT_EQ(now.ours[i], now.oracle[i]);
    }
}

TEST(call_stack, forgets_with_the_rules_generation_and_keeps_nothing_during_an_unload) {
    allot::unwind_rules own;
    const cache_pointer cache = new_cache();
    const allot::stack_bounds bounds = allot::current_thread_bounds();
    const auto unchanged = [&]() __attribute__((noinline)) {
        return cache->capture(own, __builtin_frame_address(0), bounds).unchanged;
    };
    std::uint32_t seen[6];
    for (int i = 0; i != 6; ++i) {
        if (i == 2) own.flush();
        if (i == 4) own.begin_unload();
        seen[i] = unchanged();
    }
    EXPECT_EQ(seen[0], 0u);
    EXPECT_GT(seen[1], 0u);
    EXPECT_EQ(seen[2], 0u);
    EXPECT_GT(seen[3], 0u);
    EXPECT_EQ(seen[4], 0u);
    EXPECT_EQ(seen[5], 0u);
    own.end_unload();
    for (int i = 0; i != 2; ++i) seen[i] = unchanged();
    EXPECT_EQ(seen[0], 0u);
    EXPECT_GT(seen[1], 0u);
}

// A made-up stack and made-up rules: every word holds the address of a word further out, which serves as a return
// address, as an rbp and as an rsp alike. Words change between captures; the answer is a walk from scratch.
class made_up {
public:
    using kind = allot::unwind_rule::kind;
    static constexpr std::size_t words = 2600;
    struct frame {
        std::uint64_t address, stack_pointer;
        bool operator==(const frame&) const = default;
    };

    explicit made_up(std::uint32_t seed)
        : random(seed), unusual(seed % 3 * 20), stack(words + 64), memory(2 << 14) {
        rules.use(memory.data(), 1 << 14);
        for (std::size_t i = 0; i != stack.size(); ++i) {
            stack[i] = somewhere_above(i);
            rules.remember(at(i), random_rule());
            rules.remember(allot::eh_frame::interrupted(at(i)), random_rule());
        }
    }
    std::uint64_t at(std::size_t index) const {
        return reinterpret_cast<std::uint64_t>(stack.data() + index);
    }
    allot::stack_bounds bounds() const { return {at(0), at(words)}; }
    std::size_t below(std::size_t limit) { return random() % limit; }
    void change(std::size_t i) { stack[i] = somewhere_above(i); }

    std::vector<frame> walk(std::size_t start, stack_end& end) const {
        std::vector<frame> out;
        std::uint64_t address = stack[start + 1], sp = at(start + 2), fp = stack[start];
        for (;;) {
            out.push_back({address, sp});
            const allot::unwind_rule rule = rules.find(address);
            const auto offset = static_cast<std::uint64_t>(rule.frame_offset());
            const bool is_signal = rule.how() == kind::signal, is_word = rule.how() == kind::by_frame_word;
            end = rule.how() == kind::outermost || (rule.how() >= kind::outermost && sp == at(words))
                      ? stack_end::complete
                      : stack_end::no_rule;
            if (rule.how() >= kind::outermost) return out;
            end = stack_end::out_of_bounds;
            const std::uint64_t base = rule.how() == kind::by_stack_pointer || is_signal ? sp : fp;
            if ((is_signal || is_word) && !inside(base + offset, sp)) return out;
            const std::uint64_t caller = is_signal || is_word ? word(base + offset) : base + offset;
            const std::uint64_t slot = is_signal ? base + offset + 8 : caller - 8;
            if (caller <= sp || caller > at(words) || !inside(slot, sp)) return out;
            if (rule.saves_frame_pointer()) {
                const std::uint64_t saved =
                    (is_signal || is_word ? base : caller) + static_cast<std::uint64_t>(rule.saved_offset());
                const bool in_red_zone = (address >> 63) != 0 && saved < sp && sp - saved <= 128;
                if (!inside(saved, sp) && !in_red_zone) return out;
                fp = word(saved);
            }
            address = is_signal ? allot::eh_frame::interrupted(word(slot)) : word(slot);
            sp = caller;
        }
    }

    std::mt19937 random;
    std::size_t
        unusual; // how many rules of 200 are not by the stack pointer; more of them make shorter stacks
    std::vector<std::uint64_t> stack, memory;
    allot::unwind_rules rules;

private:
    bool inside(std::uint64_t where, std::uint64_t sp) const { return where >= sp && where + 8 <= at(words); }
    static std::uint64_t word(std::uint64_t where) { return *reinterpret_cast<const std::uint64_t*>(where); }
    std::uint64_t somewhere_above(std::size_t i) { return at(std::min(i + 1 + below(12), words + 8)); }
    allot::unwind_rule random_rule() {
        const auto not_saved = allot::unwind_rule::not_saved;
        const std::size_t size = 1 + below(3); // of the frame, in words
        const auto offset = static_cast<std::int64_t>(size) * 8;
        // Where rbp is used it must be fresh, or most stacks would end as broken and be forgotten.
        const auto saved = below(12) < (unusual != 0 ? 10 : 4)
                               ? -static_cast<std::int64_t>(1 + below(below(800) == 0 ? 20 : size)) * 8
                               : not_saved;
        const std::size_t rare = below(unusual != 0 ? 60 : 4000);
        if (rare < 2) return allot::unwind_rule(rare == 0 ? kind::outermost : kind::unknown);
        if (below(200) < unusual) {
            if (below(8) == 0)
                return allot::unwind_rule::make(kind::by_frame_word, offset, below(2) == 0 ? 0 : not_saved);
            if (below(8) == 0)
                return allot::unwind_rule::make(kind::signal, offset, below(2) == 0 ? 8 : not_saved);
            return allot::unwind_rule::make(kind::by_frame_pointer, offset, saved);
        }
        return allot::unwind_rule::make(kind::by_stack_pointer, offset, saved);
    }
};

TEST(call_stack, is_what_a_walk_from_scratch_finds_in_made_up_stacks) {
    const std::uint32_t first_seed = std::random_device()();
    std::size_t ends[4] = {}, unchanged = 0;
    for (std::uint32_t seed = first_seed; seed != first_seed + 60; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        made_up world(seed);
        const cache_pointer cache = new_cache();
        std::size_t start = 200;
        for (int round = 0; round != 300; ++round) {
            if (world.below(4) != 0) start = world.below(seed % 2 == 0 ? 60 : 2200);
            for (std::size_t n = world.below(4) * world.below(3); n != 0; --n)
                world.change(world.below(2) == 0 ? start + world.below(40) : world.below(made_up::words));
            const allot::captured_stack now =
                cache->capture(world.rules, &world.stack[start], world.bounds());
            stack_end end{};
            const auto truth = world.walk(start, end);
            // A payload stands for the whole stack outwards, so those that are kept must still be right.
            const auto next = [&](std::uint32_t outer, std::uint32_t i) {
                return (outer * 31 + static_cast<std::uint32_t>(cache->return_address(i))) * 0x9E37'79B1u;
            };
            std::uint32_t chain = static_cast<std::uint32_t>(now.end);
            for (std::uint32_t i = 0; i != now.count; ++i) {
                chain = next(chain, i);
                if (i >= now.unchanged) cache->set_payload(i, chain);
                ASSERT_EQ(cache->payload(i), chain)
                    << "frame " << i << " of " << now.count << " in round " << round;
                const auto& frame = truth[now.count - 1 - i];
                ASSERT_EQ(cache->stack_pointer(i), frame.stack_pointer)
                    << "frame " << i << " in round " << round;
                ASSERT_EQ(cache->return_address(i),
                          (frame.address & ~allot::eh_frame::interrupted_bit) + (frame.address >> 63));
            }
            ASSERT_EQ(now.end == stack_end::too_deep ? stack_end::too_deep : end, now.end);
            ASSERT_TRUE(now.end == stack_end::too_deep ? now.count >= 256 && truth.size() > now.count
                                                       : now.count == truth.size());
            ++ends[static_cast<std::size_t>(now.end)], unchanged += now.unchanged;
        }
    }
    for (std::size_t i = 0; i != 4; ++i) EXPECT_GT(ends[i], 0u) << "stacks that end by " << i;
    EXPECT_GT(unchanged, 0u);
}

} // namespace
