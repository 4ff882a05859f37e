// agent_memory: all that an agent remembers in 8 MiB, reserved at the start: a thousand steps without one allocation.
//
// Thoughts go from working memory to storage, from there out to a file, and some of them come back.
#include <allot/allot.hpp>
#include <allot/testing/no_allocation.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>

constexpr const char* remembered =
    R"({"agent": {"state": {"base": {"prompt": {"role": "reviewer"}}, "steps": 0},
  "working": [], "storage": []}})";
constexpr allot::size_tier tiers[] = {{32, 16'384}, {80, 8'192},  {272, 4'096}, {1'040, 1'024},
                                      {4'160, 256}, {16'448, 32}, {65'600, 8},  {262'208, 4}};

template <class Result>
void expect(const Result& done) { // every error says what and where
    if (done) return;
    if constexpr (requires { done.error(); }) std::printf("%s\n", done.error().text().c_str());
    std::exit(1);
}

class agent {
public:
    agent(allot::bounded_document& memory, allot::cold_store& pages)
        : memory_(memory), pages_(pages), page_({.name = "page", .upstream = &memory.pool()}) {
        expect(reader_.try_reserve(text_.size()));
    }
    void step(int number) {
        if (role().as_text() != "reviewer") std::exit(1);
        char thought[64];
        std::snprintf(thought, sizeof thought, "in step %d a thought that is worth keeping", number);
        expect(allot::set_at(memory_.tree(), "agent.state.steps", number));
        expect(allot::set_at(memory_.tree(), "agent.working[-].thought", thought));
        allot::node all = memory_.edit().edit("agent");
        allot::node working = all.edit("working"), storage = all.edit("storage");
        if (working.size() > 16) expect(storage.take(storage.size(), working, 0));
        if (storage.size() > 32) page_out(storage);
        if (number % 10 == 0 && got_count_ != put_count_) page_in(working);
    }

private:
    allot::value role() const { return allot::value_at(memory_.root(), "agent.state.base.prompt.role"); }
    void page_out(allot::node storage) {
        const auto text = allot::write_json(std::span<char>(text_), storage[0]);
        expect(text);
        const auto page = pages_.put(std::as_bytes(std::span(*text)));
        expect(page);
        paged_[put_count_++] = *page;
        expect(storage.erase(0));
    }
    void page_in(allot::node working) {
        const allot::cold_handle page = paged_[got_count_++]; // the oldest
        const auto size = pages_.get(page, std::as_writable_bytes(std::span(text_)));
        expect(size);
        expect(reader_.read(page_, {text_.data(), *size}));
        expect(working.push_back(page_.root())); // a copy, in the memory's own keys
        pages_.erase(page);
    }

    allot::bounded_document& memory_;
    allot::cold_store& pages_;
    allot::document page_;
    allot::json_reader reader_;
    std::array<char, 4096> text_;
    std::array<allot::cold_handle, 1000> paged_;
    std::size_t put_count_ = 0, got_count_ = 0;
};

int main() {
    allot::bounded_document memory({.name = "agent", .tiers = tiers, .keys_bytes_max = allot::kibibytes(64)});
    expect(allot::read_json(memory.tree(), remembered));
    auto file = allot::file_store::open("agent_memory.pages");
    expect(file);
    {
        allot::cold_store pages({.name = "pages",
                                 .upstream = &memory.pool(),
                                 .store = &*file,
                                 .hot_bytes_max = allot::kibibytes(16),
                                 .compressed_bytes_max = allot::kibibytes(16),
                                 .block_bytes_max = 4096});
        expect(pages.try_reserve(1000));
        agent one(memory, pages);
        allot::no_allocation scope({.on_finding = allot::on_finding::collect});
        for (int number = 1; number <= 1000; ++number) one.step(number);
        const auto count = static_cast<unsigned long long>(scope.count());
        const allot::cold_store_statistics seen = pages.statistics();
        std::printf("1000 steps, %llu allocations; %llu pages out, %llu in\n", count,
                    static_cast<unsigned long long>(seen.page_outs),
                    static_cast<unsigned long long>(seen.page_ins));
    }
    std::remove("agent_memory.pages");
    std::printf("%-16s %8s %8s\n", "pool", "slots", "peak");
    for (std::size_t tier = 0; tier != memory.pool().tier_count(); ++tier) {
        const allot::size_tier_numbers numbers = memory.pool().numbers(tier);
        std::printf("%-16s %8llu %8llu\n", numbers.name.c_str(),
                    static_cast<unsigned long long>(numbers.slot_count),
                    static_cast<unsigned long long>(numbers.peak_live_count));
    }
    expect(memory.close());
    expect(memory.usage().live_count == 0 && memory.usage().held_bytes <= allot::mebibytes(8));
    std::printf("all slots are free again\n");
}
