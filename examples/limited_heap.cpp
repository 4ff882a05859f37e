// limited_heap: a program whose parts have memory of their own, counted per part; one of them has a limit.
#include <allot/allot.hpp>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

using text = std::pmr::string;

// A cache that forgets its oldest entries when its memory is at an end, instead of growing or failing.
class cache {
public:
    explicit cache(allot::memory_source& memory) : entries_(&memory) {}

    void put(int key, std::string_view value) {
        for (;;) {
            try {
                entries_.emplace(key, value);
                return;
            } catch (const allot::out_of_memory&) {
                if (entries_.empty()) throw; // it alone is larger than the limit
                entries_.erase(entries_.begin());
                ++forgotten_;
            }
        }
    }
    std::size_t size() const { return entries_.size(); }
    int forgotten() const { return forgotten_; }

private:
    std::pmr::map<int, text> entries_;
    int forgotten_ = 0;
};

int main() {
    allot::tagged_heap heap({.name = "app"});
    allot::budget limit({.name = "cache", .limit_bytes = allot::kibibytes(64)});
    allot::budgeted_source limited({.upstream = &heap.source(allot::tags::cache), .limit = &limit});

    std::pmr::vector<int> parsed(1000, 7, &heap.source(allot::tags::parse));
    cache pages(limited);
    for (int i = 0; i != 100; ++i) pages.put(i, std::string(1000, 'x'));
    std::printf("%d pages kept, %d forgotten, %d of %d bytes\n", static_cast<int>(pages.size()),
                pages.forgotten(), static_cast<int>(limit.usage().live_bytes),
                static_cast<int>(limit.usage().limit_bytes));
    std::printf("%s", allot::report(heap.books()).c_str());
}
