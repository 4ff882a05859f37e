#include <allot/platform/unwind_rules.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace {

using allot::unwind_rule;
using kind = unwind_rule::kind;

std::uint64_t address_here() { return reinterpret_cast<std::uint64_t>(__builtin_return_address(0)); }

// Addresses of real code: every byte of some of libc's functions, calls or not.
std::vector<std::uint64_t> code_addresses(std::size_t count) {
    std::vector<std::uint64_t> out;
    const auto start = reinterpret_cast<std::uint64_t>(&::getpid) & ~std::uint64_t{0xfff};
    for (std::size_t i = 0; i != count; ++i) out.push_back(start + i);
    return out;
}

struct table {
    explicit table(std::size_t entries) : memory(std::make_unique<std::uint64_t[]>(entries * 2)) {
        rules.use(memory.get(), entries);
    }
    std::unique_ptr<std::uint64_t[]> memory;
    allot::unwind_rules rules;
};

TEST(unwind_rules, knows_the_way_out_of_a_function) {
    alignas(16) static std::uint64_t memory[2 << 12];
    static allot::unwind_rules rules;
    rules.use(memory, 1 << 12);
    const unwind_rule rule = rules.find(address_here());
    EXPECT_TRUE(rule.how() == kind::by_stack_pointer || rule.how() == kind::by_frame_pointer);
}

TEST(unwind_rules, packs_and_unpacks_every_field) {
    for (const std::int64_t frame : {std::int64_t{8}, std::int64_t{-8}, unwind_rule::frame_offset_max})
        for (const std::int64_t saved : {std::int64_t{-16}, std::int64_t{0}, unwind_rule::saved_offset_max,
                                         -unwind_rule::saved_offset_max, unwind_rule::not_saved}) {
            const unwind_rule rule(unwind_rule::make(kind::by_frame_word, frame, saved).packed(0xa5a5));
            EXPECT_EQ(rule.how(), kind::by_frame_word);
            EXPECT_EQ(rule.frame_offset(), frame);
            EXPECT_EQ(rule.saved_offset(), saved);
            EXPECT_EQ(rule.saves_frame_pointer(), saved != unwind_rule::not_saved);
            EXPECT_EQ(unwind_rule::tag_of(rule.packed(0xa5a5)), 0xa5a5u);
        }
}

TEST(unwind_rules, reads_the_tables_once_for_each_address) {
    table own(1 << 14);
    const auto addresses = code_addresses(1000);
    for (int round = 0; round != 3; ++round)
        for (const auto at : addresses)
            EXPECT_EQ(own.rules.find(at).packed(0), allot::eh_frame::rule_for(at).packed(0));
    EXPECT_EQ(own.rules.count().cold, addresses.size());
    EXPECT_EQ(own.rules.count().used, addresses.size());
}

TEST(unwind_rules, answers_from_the_tables_when_it_is_full_or_has_no_memory) {
    table small(64);
    allot::unwind_rules none;
    for (const auto at : code_addresses(1000)) {
        const std::uint64_t truth = allot::eh_frame::rule_for(at).packed(0);
        EXPECT_EQ(small.rules.find(at).packed(0), truth);
        EXPECT_EQ(none.find(at).packed(0), truth);
    }
    EXPECT_LT(small.rules.count().used, 64u);
    EXPECT_EQ(small.rules.count().full, 1000 - small.rules.count().used);
}

TEST(unwind_rules, does_not_remember_addresses_without_an_object) {
    table own(64);
    for (int i = 0; i != 3; ++i) EXPECT_EQ(own.rules.find(0x1000).how(), kind::unmapped);
    EXPECT_EQ(own.rules.count().used, 0u);
    EXPECT_EQ(own.rules.count().no_rule, 3u);
}

TEST(unwind_rules, reads_again_after_a_flush_and_remembers_nothing_during_an_unload) {
    table own(1 << 10);
    const std::uint64_t at = address_here();
    const auto cold_after_two = [&] {
        const std::uint64_t before = own.rules.count().cold;
        own.rules.find(at);
        own.rules.find(at);
        return own.rules.count().cold - before;
    };
    EXPECT_EQ(cold_after_two(), 1u);
    own.rules.flush();
    EXPECT_EQ(cold_after_two(), 1u);
    own.rules.begin_unload();
    EXPECT_EQ(cold_after_two(), 2u);
    own.rules.begin_unload();
    own.rules.end_unload();
    EXPECT_EQ(cold_after_two(), 2u);
    own.rules.end_unload();
    EXPECT_EQ(cold_after_two(), 1u);
    EXPECT_EQ(cold_after_two(), 0u);
    own.rules.begin_unload();
    own.rules.reset_after_fork();
    EXPECT_EQ(cold_after_two(), 1u);
    EXPECT_EQ(cold_after_two(), 0u);
    EXPECT_EQ(own.rules.count().used, 1u);
}

// Rules are tagged with 16 bits of the generation, which itself has 20. A rule must not come back to life
// when they come round.
TEST(unwind_rules, never_revives_an_old_rule_when_the_generations_wrap) {
    table own(64);
    const std::uint64_t at = address_here();
    for (const std::uint32_t flushes :
         {1u, 0xfffeu, 0xffffu, 0x1'0000u, 2 * 0xffffu, 0xf'ffffu, 0x10'0000u}) {
        own.rules.remember(at, unwind_rule(kind::outermost)); // what was there before: wrong afterwards
        ASSERT_EQ(own.rules.find(at).how(), kind::outermost);
        for (std::uint32_t i = 0; i != flushes; ++i) own.rules.flush();
        EXPECT_NE(own.rules.find(at).how(), kind::outermost) << "after " << flushes << " flushes";
    }
}

TEST(unwind_rules, keeps_what_it_is_told_of_code_without_tables) {
    table own(64);
    own.rules.remember(0x1000, unwind_rule::make(kind::by_stack_pointer, 16, unwind_rule::not_saved));
    EXPECT_EQ(own.rules.find(0x1000).frame_offset(), 16);
    own.rules.flush();
    EXPECT_EQ(own.rules.find(0x1000).how(), kind::unmapped);
}

TEST(unwind_rules, gives_the_same_rules_to_threads_that_fill_and_flush_it_together) {
    table own(1 << 12);
    const auto addresses = code_addresses(1500);
    std::vector<std::uint64_t> truth;
    for (const auto at : addresses) truth.push_back(allot::eh_frame::rule_for(at).packed(0));
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (std::size_t t = 0; t != 4; ++t)
        threads.emplace_back([&, t] {
            for (std::size_t i = 0; i != 20'000; ++i) {
                const std::size_t at = (i * (t + 7)) % addresses.size();
                wrong += own.rules.find(addresses[at]).packed(0) != truth[at];
                if (t == 0 && i % 1000 == 999) own.rules.flush();
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

// Children are forked while threads insert: whatever was half done, the child can still look everything up.
TEST(unwind_rules, works_in_the_child_of_a_fork_that_interrupted_inserts) {
    for (int round = 0; round != 20; ++round) {
        table own(1 << 12);
        const auto addresses = code_addresses(1500);
        std::atomic<bool> stop = false;
        std::thread other([&] {
            for (std::size_t i = 0; !stop; i = (i + 1) % addresses.size()) own.rules.find(addresses[i]);
        });
        const pid_t child = fork();
        if (child == 0) {
            alarm(20); // a lock inherited locked would hang here
            int wrong = 0;
            own.rules.reset_after_fork();
            for (int twice = 0; twice != 2; ++twice)
                for (const auto at : addresses)
                    wrong += own.rules.find(at).packed(0) != allot::eh_frame::rule_for(at).packed(0);
            _exit(wrong == 0 ? 0 : 1);
        }
        stop = true;
        other.join();
        int status = -1;
        waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
}

} // namespace
