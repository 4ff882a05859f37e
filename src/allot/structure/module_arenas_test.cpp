#include <allot/structure/module_arenas.hpp>

#include <gtest/gtest.h>

#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <dlfcn.h>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace allot {
namespace {

// ---- usage

TEST(module_arenas, releases_a_modules_memory_when_nobody_reads_it_any_more) {
    module_arenas plugins({.name = "plugins"});
    arena* json = *plugins.try_open({.name = "json"});
    std::string_view version = json->copy("2.1");
    {
        auto lease = plugins.try_lease("json");
        EXPECT_FALSE(plugins.try_close("json")); // somebody still reads `version`
        EXPECT_EQ(version, "2.1");
    }
    result<module_report> gone = plugins.try_close("json");
    EXPECT_TRUE(gone->released.live_count == 1 && !plugins.find("json"));
    EXPECT_EQ(gone->name.view(), "json");
    EXPECT_EQ(gone->released.live_bytes, 4u);
}

// ---- a plug-in

class plug_in {
public:
    plug_in() : handle_(::dlopen(MODULE_PLUGIN, RTLD_NOW | RTLD_LOCAL)) {
        if (!handle_) ADD_FAILURE() << ::dlerror();
    }
    ~plug_in() { close(); }
    void close() {
        if (handle_) ::dlclose(handle_);
        handle_ = nullptr;
    }
    void* handle() const { return handle_; }
    bool start(module_arenas& host, int& ends) const {
        return reinterpret_cast<bool (*)(module_arenas*, int*)>(::dlsym(handle_, "plugin_start"))(&host,
                                                                                                  &ends);
    }
    const char* say(const char* text) const {
        return reinterpret_cast<const char* (*)(const char*)>(::dlsym(handle_, "plugin_say"))(text);
    }
    static bool is_loaded() {
        void* const still = ::dlopen(MODULE_PLUGIN, RTLD_NOW | RTLD_NOLOAD);
        if (still) ::dlclose(still);
        return still != nullptr;
    }

private:
    void* handle_;
};

struct listener final : observer {
    std::vector<event> events;
    void observe(const event& what) noexcept override { events.push_back(what); }
};

// GM7: its membership is a static object of the plug-in, which dlclose destroys.
TEST(module_arenas, releases_the_arena_of_a_plug_in_that_is_unloaded) {
    auditing_source below(default_source());
    listener told;
    module_arenas host({.upstream = &below, .observer = &told});
    int ends = 0;
    for (int round = 1; round <= 3; ++round) {
        plug_in loaded;
        ASSERT_TRUE(loaded.start(host, ends));
        EXPECT_FALSE(loaded.start(host, ends)); // one of that name is open
        EXPECT_STREQ(loaded.say("kept in the module's arena"), "kept in the module's arena");
        EXPECT_EQ(host.open_count(), 1u);
        ASSERT_NE(host.find("plugin"), nullptr);
        EXPECT_EQ(host.find("plugin")->usage().live_count, 2u);
        EXPECT_GT(below.live_count(), 0u);
        loaded.close();
        EXPECT_FALSE(plug_in::is_loaded());
        EXPECT_EQ(ends, round); // destructors ran, while their code was still there
        EXPECT_EQ(host.open_count(), 0u);
        EXPECT_EQ(below.live_count(), 0u);
        ASSERT_EQ(told.events.size(), static_cast<std::size_t>(round));
        EXPECT_EQ(told.events.back().who.view(), "plugin");
        EXPECT_EQ(told.events.back().count, 2u);
        EXPECT_EQ(told.events.back().what, event::type::unbalanced);
    }
}

TEST(module_arenas, releases_by_the_handle_before_the_plug_in_goes) {
    module_arenas host;
    plug_in loaded;
    arena* const own = *host.try_open({.name = "by handle", .key = loaded.handle()});
    EXPECT_EQ(host.find_by_key(loaded.handle()), own);
    EXPECT_FALSE(host.try_open({.name = "another name", .key = loaded.handle()}));
    (void)own->allocate(1000);
    const result<module_report> gone = host.try_close_by_key(loaded.handle());
    ASSERT_TRUE(gone);
    EXPECT_EQ(gone->released.live_bytes, 1000u);
    EXPECT_FALSE(host.try_close_by_key(loaded.handle()));
    EXPECT_EQ(host.find_by_key(nullptr), nullptr);
}

TEST(module_arenas, leaves_a_closed_module_alone_when_the_plug_in_goes_later) {
    module_arenas host;
    int ends = 0;
    plug_in loaded;
    ASSERT_TRUE(loaded.start(host, ends));
    EXPECT_TRUE(host.try_close("plugin"));
    EXPECT_EQ(ends, 1);
    arena* const another = *host.try_open({.name = "plugin"}); // of the same name
    loaded.close();
    EXPECT_EQ(host.find("plugin"), another);
    EXPECT_EQ(host.closed_count(), 1u);
    EXPECT_EQ(ends, 1);
}

// ---- edges

TEST(module_arenas, says_why_it_refuses) {
    module_arenas host;
    ASSERT_TRUE(host.try_open({.name = "json"}));
    EXPECT_EQ(host.try_open({.name = "json"}).error().text(), "module 'json' is open already");
    EXPECT_EQ(host.try_close("xml").error().text(), "no such module is open");
    EXPECT_FALSE(host.try_lease("xml"));
    auto first = host.try_lease("json");
    auto second = std::move(first);
    EXPECT_FALSE(first);
    EXPECT_EQ(host.try_close("json").error().text(), "module 'json' is leased");
    second.end();
    EXPECT_TRUE(host.try_close("json"));
    const std::string longest(31, 'x');
    ASSERT_TRUE(host.try_open({.name = longest.c_str()}));
    EXPECT_EQ(host.try_open({.name = longest.c_str()}).error().text(),
              "module '" + longest + "' is open already");
}

TEST(module_arenas, ends_a_membership_that_is_replaced_and_lets_a_moved_one_go_on) {
    module_arenas host;
    {
        module_arenas::membership a = *host.try_join({.name = "a"});
        module_arenas::membership b = std::move(a);
        EXPECT_EQ(host.open_count(), 1u);
        (void)b->allocate(10);
        b = *host.try_join({.name = "b"});
        EXPECT_EQ(host.find("a"), nullptr);
        EXPECT_NE(host.find("b"), nullptr);
    }
    EXPECT_EQ(host.open_count(), 0u);
    EXPECT_EQ(host.closed_count(), 2u);
}

// ---- shortage and books

TEST(module_arenas, survives_the_refusal_of_any_block) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        module_arenas host({.upstream = &source});
        for (const char* name : {"a", "b", "c"}) {
            const result<arena*> made = host.try_open({.name = name});
            if (made) (void)(*made)->try_allocate({.size = 10'000});
        }
        (void)host.try_close("b");
        result<module_arenas::membership> joined = host.try_join({.name = "d"});
        if (!joined) {
            EXPECT_NE(joined.error().text().find("out of memory"), std::string::npos);
        }
    });
    EXPECT_EQ(points, 7u);
}

TEST(module_arenas, gives_everything_back_and_keeps_a_modules_limit) {
    auditing_source below(default_source());
    {
        module_arenas host({.upstream = &below});
        arena* const tight = *host.try_open({.name = "tight", .limit_bytes = 8192});
        EXPECT_EQ(tight->try_allocate({.size = 9000}), nullptr);
        EXPECT_EQ(last_refusal().who.view(), "tight");
        (void)(*host.try_open({.name = "left open"}))->allocate(5000);
        (void)tight->allocate(100);
        EXPECT_EQ(host.usage().live_bytes, 5100u);
        EXPECT_EQ(host.usage().held_count, 2u);
    }
    EXPECT_EQ(below.live_count(), 0u);
}

// ---- model

TEST(module_arenas, agrees_with_a_map_of_modules) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    module_arenas host;
    struct truth {
        std::uint64_t bytes = 0;
        std::vector<module_arenas::lease> leases;
    };
    std::map<std::string, truth> open;
    std::uint64_t closed = 0;
    for (int step = 0; step < 20'000; ++step) {
        const std::string name(1, static_cast<char>('a' + random() % 10));
        const auto it = open.find(name);
        switch (random() % 5) {
        case 0:
            EXPECT_EQ(static_cast<bool>(host.try_open({.name = name.c_str()})), it == open.end());
            open[name];
            break;
        case 1: {
            const bool may = it != open.end() && it->second.leases.empty();
            const result<module_report> gone = host.try_close(name);
            ASSERT_EQ(static_cast<bool>(gone), may);
            if (!may) break;
            EXPECT_EQ(gone->released.live_bytes, it->second.bytes);
            open.erase(it);
            ++closed;
            break;
        }
        case 2:
            if (auto lease = host.try_lease(name)) it->second.leases.push_back(std::move(lease));
            break;
        case 3:
            if (it != open.end()) it->second.leases.clear();
            break;
        default:
            if (arena* const own = host.find(name)) {
                const std::size_t size = 1 + random() % 500;
                (void)own->allocate(size);
                it->second.bytes += size;
            }
        }
        ASSERT_EQ(host.open_count(), open.size());
        ASSERT_EQ(host.closed_count(), closed);
    }
}

// ---- threads

TEST(module_arenas, serves_eight_threads_each_with_modules_of_its_own) {
    module_arenas host;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 300; ++i) {
                const std::string own = "module " + std::to_string(t);
                module_arenas::membership mine = *host.try_join({.name = own.c_str()});
                (void)mine->allocate(100);
                auto lease = host.try_lease(own);
                ASSERT_FALSE(host.try_close(own));
                auto of_another = host.try_join({.name = "shared"}); // of one of them at a time
                if (of_another) (void)(*of_another)->allocate(10);
                (void)host.usage();
                lease.end();
            }
        });
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(host.open_count(), 0u);
    EXPECT_GE(host.closed_count(), 2400u);
}

} // namespace
} // namespace allot
