#include <allot/structure/typed_pool.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace allot {
namespace net {
template <class T>
struct queue {
    T first;
};
struct packet {
    static inline int live = 0;
    explicit packet(int size) : size(size) {
        if (size < 0) throw std::invalid_argument("packet");
        ++live;
    }
    ~packet() { --live; }
    int size;
    std::string text = "a text that is too long for the object itself";
};
} // namespace net

namespace {

struct session {
    int user;
};

TEST(typed_pool, constructs_and_destroys_objects_up_to_its_bound) {
    typed_pool<session> sessions({.object_count = 2});
    session* first = sessions.make(1);
    typed_pool<session>::unique second = sessions.make_unique(2);
    EXPECT_TRUE(sessions.try_make(3) == nullptr); // exhausted
    sessions.destroy(first);
    EXPECT_TRUE(sessions.make(3) == first && second->user == 2);
    EXPECT_TRUE(sessions.raw().name().view() == "session");
    EXPECT_EQ(first->user, 3);
    EXPECT_THROW((void)sessions.make(4), out_of_memory);
    EXPECT_FALSE(sessions.try_make_unique(4));
}

TEST(typed_pool, bears_its_types_name_unless_given_one) {
    EXPECT_EQ(typed_pool<net::packet>().raw().name(), name("packet"));
    EXPECT_EQ(typed_pool<int>().raw().name(), name("int"));
    EXPECT_EQ(typed_pool<net::queue<net::packet>>().raw().name(), name("queue<allot::net::packet>"));
    EXPECT_EQ(typed_pool<net::packet>({.name = "packets"}).raw().name(), name("packets"));
}

TEST(typed_pool, holds_1024_objects_unless_told_otherwise) {
    typed_pool<session> bounded;
    for (int i = 0; i != 1024; ++i) EXPECT_EQ(bounded.make(i)->user, i);
    EXPECT_FALSE(bounded.try_make(0));
    EXPECT_EQ(bounded.raw().usage().held_count, 1);
    typed_pool<session> growing({.object_count = 100, .grows = true});
    for (int i = 0; i != 1024; ++i) EXPECT_EQ(growing.make(i)->user, i);
    EXPECT_EQ(growing.raw().usage().held_count, 11);
    EXPECT_EQ(growing.raw().capacity(), 1100);
    growing.raw().check();
}

TEST(typed_pool, destroys_what_it_made_and_keeps_the_slot_of_a_constructor_that_throws) {
    {
        typed_pool<net::packet> packets;
        net::packet* const kept = packets.make(1);
        EXPECT_THROW((void)packets.make(-1), std::invalid_argument);
        EXPECT_THROW((void)packets.try_make(-1), std::invalid_argument);
        EXPECT_EQ(packets.raw().usage().live_count, 1);
        {
            const auto unique = packets.make_unique(2);
            EXPECT_EQ(net::packet::live, 2);
        }
        EXPECT_EQ(net::packet::live, 1);
        packets.destroy(kept);
        packets.destroy(nullptr);
        EXPECT_EQ(packets.raw().usage().live_count, 0);
        packets.raw().check();
    }
    EXPECT_EQ(net::packet::live, 0);
}

TEST(typed_pool, aligns_objects_and_keeps_them_on_lines_of_their_own_when_asked) {
    struct alignas(128) wide {
        char byte;
    };
    typed_pool<wide> wides;
    typed_pool<session> apart({.line_aligned = true});
    for (int i = 0; i != 10; ++i) {
        EXPECT_TRUE(is_aligned(wides.make(), 128));
        EXPECT_TRUE(is_aligned(apart.make(i), 64));
    }
}

#if ALLOT_CHECK_LEVEL > 0
TEST(typed_pool_death, runs_no_destructor_on_what_is_no_object) {
    typed_pool<net::packet> packets;
    net::packet* const gone = packets.make(1);
    packets.destroy(gone);
    EXPECT_DEATH(packets.destroy(gone), "fatal: pool 'packet': slot 0x.* given back twice");
    net::packet elsewhere(1);
    EXPECT_DEATH(packets.destroy(&elsewhere), "is no slot of this pool");
}
#endif

} // namespace
} // namespace allot
