#include <allot/core/result.hpp>

#include <gtest/gtest.h>

#include <array>
#include <latch>
#include <memory>
#include <memory_resource>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using allot::error;
using allot::result;

result<int> port(std::string_view text) {
    if (text.empty()) return error("no digits");
    return std::stoi(std::string(text));
}

TEST(result, holds_a_value_or_an_error_with_its_context) {
    result<int> configured = port("");
    if (!configured) std::move(configured.error()).during("line 3").during("reading allot.toml");
    EXPECT_EQ(configured.error().text(), "reading allot.toml: line 3: no digits");
    EXPECT_EQ(configured.error().what(), "no digits");
    EXPECT_EQ(*port("8080"), 8080);
}

TEST(result, moves_a_value_that_cannot_be_copied) {
    result<std::unique_ptr<int>> made = std::make_unique<int>(7);
    ASSERT_TRUE(made);
    const result<std::unique_ptr<int>> moved = std::move(made);
    const std::unique_ptr<int> taken = std::move(const_cast<result<std::unique_ptr<int>>&>(moved)).value();
    EXPECT_EQ(*taken, 7);
    result<std::unique_ptr<int>> failed = error("gone");
    EXPECT_EQ(*std::move(failed).value_or(std::make_unique<int>(9)), 9);
}

TEST(result, takes_what_converts_to_its_value) {
    const result<std::string> text = "abc";
    EXPECT_EQ(text->size(), 3u);
    const result<const char*> pointer = "abc";
    EXPECT_STREQ(*pointer, "abc");
    EXPECT_EQ(result<int>(error("no")).value_or(5), 5);
    EXPECT_EQ(result<int>(4).value_or(5), 4);
}

TEST(result, of_nothing_says_only_whether_it_worked) {
    result<void> good;
    EXPECT_TRUE(good);
    good.value();
    result<void> bad = error("disk full");
    EXPECT_FALSE(bad);
    EXPECT_EQ(bad.error().text(), "disk full");
}

TEST(result_misuse, dies_with_the_error_text_when_the_value_is_missing) {
    result<int> failed = error("disk full").during("writing x");
    EXPECT_DEATH((void)failed.value(),
                 "^allot: fatal: result: value.. of a result that holds an error: writing x: disk full\n$");
    result<void> nothing = error("disk full");
    EXPECT_DEATH(nothing.value(), "^allot: fatal: result: value\\(\\) .*: disk full\n$");
    result<int> good = 1;
    EXPECT_DEATH((void)good.error(), "^allot: fatal: result: error\\(\\) of a result that holds a value\n$");
}

TEST(error, needs_no_clean_up_and_no_copy_constructor) {
    static_assert(std::is_trivially_destructible_v<error>);
    static_assert(std::is_trivially_copyable_v<error>);
    static_assert(std::is_trivially_destructible_v<result<int>>);
    static_assert(std::is_trivially_destructible_v<result<void>>);
}

// A request's memory that counts: the chain must lie in it whole, and nothing may come back to it.
class counting_memory final : public std::pmr::memory_resource {
public:
    std::size_t allocations = 0, deallocations = 0;
    bool full = false;

private:
    void* do_allocate(std::size_t size, std::size_t align) override {
        ++allocations;
        if (full) throw std::bad_alloc();
        return arena_.allocate(size, align);
    }
    void do_deallocate(void*, std::size_t, std::size_t) override { ++deallocations; }
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
    std::pmr::monotonic_buffer_resource arena_;
};

// GM11: error chains live in the request's arena and need no clean-up on any path.
TEST(error, lives_in_the_memory_that_the_caller_names) {
    counting_memory request;
    {
        std::string cause = "connection reset";
        error failure(cause, request);
        cause.assign(cause.size(), 'x');
        failure.during("fetching page 3").during("request 17");
        EXPECT_EQ(failure.text(), "request 17: fetching page 3: connection reset");
    }
    EXPECT_EQ(request.allocations, 3u);
    EXPECT_EQ(request.deallocations, 0u);
}

TEST(error, keeps_its_chain_when_a_copy_gets_more_context) {
    error first = error("what").during("inner");
    error second = first;
    second.during("outer");
    EXPECT_EQ(first.text(), "inner: what");
    EXPECT_EQ(second.text(), "outer: inner: what");
}

TEST(error, says_so_when_its_memory_is_full) {
    counting_memory request;
    error before("cause", request);
    request.full = true;
    before.during("context without room");
    EXPECT_EQ(before.text(), "cause");
    const error after("never stored", request);
    EXPECT_EQ(after.text(), "(no memory for the message)");
    EXPECT_EQ(after.what(), "(no memory for the message)");
}

TEST(error, may_be_empty_or_hold_any_byte) {
    EXPECT_EQ(error("").text(), "");
    EXPECT_EQ(error("").during("reading").text(), "reading: ");
    EXPECT_EQ(error(std::string_view("a\0b", 3)).what().size(), 3u);
}

TEST(error_memory, keeps_the_newest_errors_and_never_shows_another_text_for_an_old_one) {
    std::vector<error> errors;
    std::vector<std::string> texts;
    for (unsigned number = 0; number < 5000; ++number) {
        const std::string name = std::to_string(number) + std::string(number % 97u, '.');
        errors.push_back(error("cause " + name).during("context " + name));
        texts.push_back("context " + name + ": cause " + name);
        EXPECT_EQ(errors.back().text(), texts.back());
    }
    std::size_t readable = 0;
    for (std::size_t index = 0; index < errors.size(); ++index) {
        const std::string text = errors[index].text();
        if (text == texts[index])
            ++readable;
        else
            EXPECT_TRUE(text.ends_with("(the text of an older error, overwritten since)")) << text;
    }
    EXPECT_GE(readable, 40u); // 16 KiB, less than 400 bytes each
    EXPECT_LT(readable, 1000u);
    EXPECT_EQ(errors.front().text(), "(the text of an older error, overwritten since)");
}

TEST(error_memory, cuts_a_message_that_is_too_long_for_it) {
    const error failure = error(std::string(100000, 'x')).during(std::string(4000, 'y'));
    EXPECT_EQ(failure.what().size(), 4000u);
    EXPECT_TRUE(failure.what().ends_with("xxx..."));
    EXPECT_EQ(failure.text().size(), 8002u);
    counting_memory request;
    EXPECT_EQ(error(std::string(100000, 'x'), request).what().size(), 100000u);
}

TEST(error_memory, outlives_its_thread_and_is_used_again_by_later_threads) {
    std::array<const std::pmr::memory_resource*, 2> seen{};
    error failure("placeholder");
    std::thread([&] {
        seen[0] = &allot::error_memory();
        failure = error("made in a thread");
    }).join();
    std::thread([&] {
        seen[1] = &allot::error_memory();
        failure.during("handed over");
    }).join();
    failure.during("joined");
    EXPECT_EQ(failure.text(), "joined: handed over: made in a thread");
    EXPECT_EQ(seen[0], seen[1]);
    EXPECT_NE(seen[0], &allot::error_memory());
}

TEST(error_memory, lets_threads_hand_errors_on_while_they_make_more) {
    std::vector<error> made(8, error("placeholder"));
    std::vector<std::thread> threads;
    std::latch all_done(8); // none ends early, or the next thread would go on in its ring
    for (std::size_t index = 0; index < made.size(); ++index)
        threads.emplace_back([&, index] {
            for (int round = 0; round < 2000; ++round)
                made[index] =
                    error("thread " + std::to_string(index)).during("round " + std::to_string(round));
            all_done.arrive_and_wait();
        });
    for (std::thread& thread : threads) thread.join();
    for (std::size_t index = 0; index < made.size(); ++index)
        EXPECT_EQ(made[index].text(), "round 1999: thread " + std::to_string(index));
}

// Context goes into the ring of the thread that adds it, not of the one that made the error.
TEST(error_memory, lets_threads_add_context_to_copies_of_one_error) {
    const error cause("cause");
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread)
        threads.emplace_back([&cause] {
            for (int round = 0; round < 2000; ++round) {
                const std::string name = "round " + std::to_string(round);
                EXPECT_EQ(error(cause).during(name).text(), name + ": cause");
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(cause.text(), "cause");
}

struct error_maker_at_thread_end {
    std::string* text = nullptr;
    ~error_maker_at_thread_end() {
        if (text) *text = error("too late").during("thread end").text();
    }
};

TEST(error_memory, may_be_asked_for_by_thread_local_destructors) {
    std::string text;
    std::thread([&text] {
        thread_local error_maker_at_thread_end maker; // made before the ring: destroyed after it
        maker.text = &text;
        (void)error("early");
    }).join();
    EXPECT_EQ(text, "(no memory for the message)");
}

TEST(system_error, says_the_systems_own_words) {
    EXPECT_EQ(allot::system_error(ENOSPC).during("writing x").text(), "writing x: No space left on device");
}

} // namespace
