// agent_memory: all that an agent remembers in 8 MiB, reserved at the start: a thousand steps without one allocation.
//
// Thoughts go from working memory to storage, from there out to a file, and come back when they are read.
#include <allot/allot.hpp>
#include <allot/testing/no_allocation.hpp>

#include <cstdio>
#include <cstdlib>

constexpr const char* remembered =
    R"({"agent": {"state": {"base": {"prompt": {"role": "reviewer"}}, "steps": 0},
  "working": [], "storage": []}})";
constexpr allot::size_tier tiers[] = {{32, 16'384}, {80, 8'192},  {272, 4'096}, {1'040, 1'024},
                                      {4'160, 256}, {16'448, 32}, {65'600, 8},  {262'208, 4}};
constexpr allot::size_tier page_tiers[] = {
    {272, 64}, {1'040, 64}, {4'160, 16}, {131'136, 2}, {262'208, 2}}; // zstd works in the large ones
constexpr allot::path pageable[] = {"agent.storage"};

template <class Result>
void expect(const Result& done) { // every error says what and where
    if (done) return;
    if constexpr (requires { done.error(); }) std::printf("%s\n", done.error().text().c_str());
    std::exit(1);
}

class agent {
public:
    explicit agent(allot::bounded_document& memory) : memory_(memory) {}

    void step(int number) {
        const allot::result<allot::value> role = memory_.find_at("agent.state.base.prompt.role");
        expect(role);
        expect(role->as_text() == "reviewer");
        char thought[64];
        std::snprintf(thought, sizeof thought, "in step %d a thought that is worth keeping", number);
        expect(memory_.set_at("agent.state.steps", number));
        expect(memory_.set_at("agent.working[-].thought", thought));
        allot::node all = memory_.edit().edit("agent");
        allot::node working = all.edit("working"), storage = all.edit("storage");
        if (working.size() > 16) expect(storage.take(storage.size(), working, 0));
        if (storage.size() > 32) expect(memory_.page_out_cold(1)); // who was touched longest ago
        if (number % 10 == 0) look_back(number / 2);
    }

private:
    void look_back(int number) { // comes back, where it was paged out
        char place[64];
        std::snprintf(place, sizeof place, "agent.storage[%d].thought", number);
        const std::size_t size = allot::value_at(memory_.root(), "agent.storage").size();
        if (static_cast<std::size_t>(number) < size) expect(memory_.find_at(place));
    }

    allot::bounded_document& memory_;
};

void print(const allot::tiered_pool& pool) {
    for (std::size_t tier = 0; tier != pool.tier_count(); ++tier) {
        const allot::size_tier_numbers numbers = pool.numbers(tier);
        std::printf("%-16s %8llu %8llu\n", numbers.name.c_str(),
                    static_cast<unsigned long long>(numbers.slot_count),
                    static_cast<unsigned long long>(numbers.peak_live_count));
    }
}

int main() {
    auto file = allot::file_store::open("agent_memory.pages");
    expect(file);
    allot::tiered_pool page_pool({.name = "pages", .tiers = page_tiers});
    allot::cold_store pages({.name = "pages",
                             .upstream = &page_pool,
                             .store = &*file,
                             .hot_bytes_max = allot::kibibytes(16),
                             .compressed_bytes_max = allot::kibibytes(16),
                             .block_bytes_max = 4096});
    expect(pages.try_reserve(1000));
    allot::bounded_document memory({.name = "agent",
                                    .tiers = tiers,
                                    .keys_bytes_max = allot::kibibytes(64),
                                    .pages = &pages,
                                    .page_bytes_max = 4096,
                                    .pageable = pageable});
    expect(allot::read_json(memory.tree(), remembered));
    agent one(memory);
    {
        allot::no_allocation scope({.on_finding = allot::on_finding::collect});
        for (int number = 1; number <= 1000; ++number) one.step(number);
        const auto count = static_cast<unsigned long long>(scope.count());
        const allot::bounded_document_numbers seen = memory.numbers();
        std::printf("1000 steps, %llu allocations; %llu subtrees out, %llu back, %llu are on disk\n", count,
                    static_cast<unsigned long long>(seen.page_outs),
                    static_cast<unsigned long long>(seen.page_ins),
                    static_cast<unsigned long long>(pages.statistics().stored_count));
    }
    std::remove("agent_memory.pages");
    std::printf("%-16s %8s %8s\n", "pool", "slots", "peak");
    print(memory.pool());
    print(page_pool);
    expect(memory.close());
    expect(memory.usage().live_count == 0 && pages.count() == 0);
    expect(memory.usage().held_bytes + page_pool.usage().held_bytes <= allot::mebibytes(8));
    std::printf("all slots are free again\n");
}
