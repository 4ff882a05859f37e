// Rows of eight floats, 100,000 of them: one column gone through, rows added, rows read at random.
// One iteration is one row. `hand columns` is eight plain arrays of the right size, `8 vectors` a std::vector
// for each field, `AoS` a std::vector of structs. Unfair to us: the peers know no limit, no name and no
// numbers. Unfair to AoS: the loop is over one field of eight, which is what columns are for.
#include <allot/structure/soa.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

using allot::field;
using rows_of_8 = allot::soa<field<"a", float>, field<"b", float>, field<"c", float>, field<"d", float>,
                             field<"e", float>, field<"f", float>, field<"g", float>, field<"h", float>>;
constexpr std::size_t count = 100'000;

struct struct_of_8 {
    float a, b, c, d, e, f, g, h;
};

struct with_allot {
    void reserve(std::size_t rows) { all.reserve(rows); }
    void push(float x) { all.push_back(x, x, x, x, x, x, x, x); }
    void clear() { all.clear(); }
    float row(std::size_t i) {
        const auto row = all[i];
        return row.get<"a">() + row.get<"b">() + row.get<"c">() + row.get<"d">() + row.get<"e">() +
               row.get<"f">() + row.get<"g">() + row.get<"h">();
    }
    float two_fields(std::size_t i) { return all[i].get<"a">() + all[i].get<"d">(); }
    void scale(float by) {
        for (float& each : all.column<"b">()) each *= by;
    }
    rows_of_8 all;
};

struct with_vectors {
    void reserve(std::size_t rows) {
        for (auto* each : {&a, &b, &c, &d, &e, &f, &g, &h}) each->reserve(rows);
    }
    void push(float x) {
        a.push_back(x), b.push_back(x), c.push_back(x), d.push_back(x);
        e.push_back(x), f.push_back(x), g.push_back(x), h.push_back(x);
    }
    void clear() {
        for (auto* each : {&a, &b, &c, &d, &e, &f, &g, &h}) each->clear();
    }
    float row(std::size_t i) { return a[i] + b[i] + c[i] + d[i] + e[i] + f[i] + g[i] + h[i]; }
    float two_fields(std::size_t i) { return a[i] + d[i]; }
    void scale(float by) {
        for (float& each : b) each *= by;
    }
    std::vector<float> a, b, c, d, e, f, g, h;
};

struct with_structs {
    void reserve(std::size_t rows) { all.reserve(rows); }
    void push(float x) { all.push_back({x, x, x, x, x, x, x, x}); }
    void clear() { all.clear(); }
    float row(std::size_t i) {
        const struct_of_8& one = all[i];
        return one.a + one.b + one.c + one.d + one.e + one.f + one.g + one.h;
    }
    float two_fields(std::size_t i) { return all[i].a + all[i].d; }
    void scale(float by) {
        for (struct_of_8& each : all) each.b *= by;
    }
    std::vector<struct_of_8> all;
};

struct free_it {
    void operator()(float* column) const { std::free(column); }
};
struct with_hand { // one column is enough for the loop
    void push(float x) { b.get()[used++] = x; }
    void scale(float by) {
        float* const first = static_cast<float*>(__builtin_assume_aligned(b.get(), 64));
        for (std::size_t i = 0; i != used; ++i) first[i] *= by;
    }
    std::unique_ptr<float, free_it> b{static_cast<float*>(std::aligned_alloc(64, count * sizeof(float)))};
    std::size_t used = 0;
};

template <class With>
void column_loop(benchmark::State& state) {
    With with;
    for (std::size_t i = 0; i != count; ++i) with.push(1.0F);
    float by = 1.0F;
    while (state.KeepRunningBatch(count)) {
        benchmark::DoNotOptimize(by); // or nothing is left to do
        with.scale(by);
        benchmark::ClobberMemory();
    }
}

template <class With>
void push_back(benchmark::State& state) {
    With with;
    with.reserve(count);
    while (state.KeepRunningBatch(count)) {
        with.clear();
        for (std::size_t i = 0; i != count; ++i) {
            with.push(1.0F);
            benchmark::ClobberMemory(); // each row by itself
        }
    }
}

template <class With>
void random_row(benchmark::State& state, float (With::*read)(std::size_t)) {
    With with;
    for (std::size_t i = 0; i != count; ++i) with.push(1.0F);
    std::vector<std::uint32_t> order(count);
    std::mt19937 random(1);
    for (auto& each : order) each = static_cast<std::uint32_t>(random() % count);
    std::size_t at = 0;
    float sum = 0;
    for (auto _ : state) {
        sum += (with.*read)(order[at]);
        if (++at == count) at = 0;
    }
    benchmark::DoNotOptimize(sum);
}

std::string name(const char* workload, const char* peer) {
    return std::string("soa/") + workload + "/threads:1/" + peer;
}

template <class With>
void add(const char* peer) {
    benchmark::RegisterBenchmark(name("push_back of 8 fields", peer).c_str(), push_back<With>);
    benchmark::RegisterBenchmark(name("random row", peer).c_str(), random_row<With>, &With::row);
    benchmark::RegisterBenchmark(name("random row, 2 fields", peer).c_str(), random_row<With>,
                                 &With::two_fields);
    benchmark::RegisterBenchmark(name("column loop", peer).c_str(), column_loop<With>);
}

} // namespace

int main(int argument_count, char** words) {
    add<with_allot>("allot");
    add<with_vectors>("8 vectors");
    add<with_structs>("AoS");
    benchmark::RegisterBenchmark(name("column loop", "hand columns").c_str(), column_loop<with_hand>);
    benchmark::Initialize(&argument_count, words);
    benchmark::RunSpecifiedBenchmarks();
}
