#include <allot/source/default_source.hpp>
#include <allot/structure/cold_store.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/memory_store.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <random>
#include <vector>

namespace allot {
namespace {

using bytes = std::vector<std::byte>;

// A map of contents, and a list in the order of touches: what is hot is its beginning, as far as the limit allows.
class model {
public:
    model(unsigned seed, const cold_store_options& how)
        : random_(seed), hot_bytes_max_(how.hot_bytes_max), blocks_(how) {}

    void step() {
        const auto dice = random_() % 100;
        if (contents_.empty() || dice < 30)
            put();
        else if (dice < 60)
            get();
        else if (dice < 70)
            pin_and_unpin();
        else if (dice < 80)
            set();
        else if (dice < 82)
            (void)blocks_.compact();
        else
            erase();
        blocks_.check();
        compare_tiers();
    }

private:
    bytes some() {
        bytes made(random_() % 1001);
        const bool is_text = random_() % 2 == 0;
        for (std::byte& each : made) each = static_cast<std::byte>(is_text ? 'a' + random_() % 3 : random_());
        return made;
    }
    cold_handle any() {
        auto at = contents_.begin();
        std::advance(at, random_() % contents_.size());
        return cold_handle::from_bits(at->first);
    }
    void put() {
        const bytes next = some();
        const result<cold_handle> made = blocks_.put(next);
        ASSERT_TRUE(made) << made.error().text();
        ASSERT_TRUE(contents_.emplace(made->bits(), next).second);
        make_room(next.size());
        hot_.push_front(*made);
    }
    void come_back(cold_handle which) {
        if (std::find(hot_.begin(), hot_.end(), which) == hot_.end())
            make_room(contents_[which.bits()].size());
        hot_.remove(which);
        hot_.push_front(which);
    }
    void get() {
        const cold_handle which = any();
        bytes into(blocks_.size_of(which));
        ASSERT_TRUE(blocks_.get(which, into));
        ASSERT_EQ(into, contents_[which.bits()]);
        come_back(which);
    }
    void pin_and_unpin() {
        const cold_handle which = any();
        const result<std::span<const std::byte>> pinned = blocks_.pin(which);
        ASSERT_TRUE(pinned);
        const bytes& right = contents_[which.bits()];
        ASSERT_TRUE(std::equal(pinned->begin(), pinned->end(), right.begin(), right.end()));
        blocks_.unpin(which);
        come_back(which);
    }
    void set() {
        const cold_handle which = any();
        const bytes next = some();
        ASSERT_TRUE(blocks_.set(which, next));
        make_room(next.size()); // beside the old content
        hot_.remove(which);
        contents_[which.bits()] = next;
        hot_.push_front(which);
    }
    void erase() {
        const cold_handle which = any();
        ASSERT_TRUE(blocks_.erase(which));
        ASSERT_FALSE(blocks_.erase(which));
        contents_.erase(which.bits());
        hot_.remove(which);
    }
    void make_room(std::size_t size) {
        std::size_t sum = size;
        for (const cold_handle each : hot_) sum += contents_[each.bits()].size();
        while (sum > hot_bytes_max_) {
            sum -= contents_[hot_.back().bits()].size();
            hot_.pop_back();
        }
    }
    void compare_tiers() {
        ASSERT_EQ(blocks_.count(), contents_.size());
        std::size_t hot_count = 0;
        for (const auto& [handle, right] : contents_) {
            const cold_handle which = cold_handle::from_bits(handle);
            ASSERT_EQ(blocks_.size_of(which), right.size());
            hot_count += blocks_.tier_of(which) == cold_tier::hot;
        }
        for (const cold_handle each : hot_) ASSERT_EQ(blocks_.tier_of(each), cold_tier::hot);
        ASSERT_EQ(hot_count, hot_.size());
        ASSERT_EQ(blocks_.statistics().damaged_count, 0);
    }

    std::mt19937 random_;
    std::size_t hot_bytes_max_;
    std::map<std::uint64_t, bytes> contents_;
    std::list<cold_handle> hot_; // newest touch first
    cold_store blocks_;
};

TEST(cold_store_model, does_what_a_map_and_a_list_of_touches_say) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    for (unsigned run = 0; run != 12 && !::testing::Test::HasFatalFailure(); ++run) {
        auditing_source upstream(default_source());
        memory_store disk;
        model sequence(seed + run, {.upstream = &upstream,
                                    .store = &disk,
                                    .hot_bytes_max = 1000 + run % 4 * 1500,
                                    .compressed_bytes_max = run % 3 * 1000,
                                    .block_bytes_max = 1000,
                                    .codec = static_cast<cold_codec>(run % 3)});
        for (int step = 0; step != 500 && !::testing::Test::HasFatalFailure(); ++step) sequence.step();
    }
}

} // namespace
} // namespace allot
