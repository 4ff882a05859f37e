#include <allot/source/chunk_cache_source.hpp>
#include <allot/source/default_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/source/page_source.hpp>
#include <new>

namespace allot {
namespace {

// malloc; but what asks for whole huge pages gets them from the system, by its layout alone.
class system_source final : public memory_source {
    memory_source& home(layout of) noexcept {
        if (is_huge(of)) return pages_;
        return heap_;
    }
    static bool is_huge(layout of) noexcept { return of.align >= mebibytes(2) && of.size >= mebibytes(2); }

    void* do_try_allocate(layout wanted) noexcept override { return home(wanted).try_allocate(wanted); }
    void do_give_back(void* address, layout given) noexcept override {
        home(given).deallocate(address, given);
    }
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override {
        return is_huge(given) == is_huge({new_size, given.align}) &&
               home(given).try_resize(address, given, new_size);
    }
    void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept override {
        if (is_huge(given) != is_huge({new_size, given.align}))
            return memory_source::do_try_reallocate(address, given, new_size);
        return home(given).try_reallocate(address, given, new_size);
    }
    std::size_t do_good_size(layout wanted) const noexcept override {
        return is_huge(wanted) ? pages_.good_size(wanted) : heap_.good_size(wanted);
    }
    source_traits do_traits() const noexcept override { return {.thread_safe = true, .moves = true}; }
    source_description do_describe() const noexcept override {
        return {.name = "default", .kind = "system_source", .upstream = &heap_, .usage = pages_.usage()};
    }

    malloc_source heap_{{.name = "default"}};
    page_source pages_{{.name = "default"}};
};

struct at_exit {
    chunk_cache_source& cache;
    ~at_exit() { cache.stop_keeping(); }
};

} // namespace

memory_source& default_source() noexcept {
    alignas(system_source) static std::byte system[sizeof(system_source)];
    alignas(chunk_cache_source) static std::byte memory[sizeof(chunk_cache_source)];
    static chunk_cache_source& cache =
        *::new (memory) chunk_cache_source(*::new (system) system_source, {.name = "default"});
    // What is kept is no leak: it goes before anybody counts. The cache itself serves on.
    static const at_exit stop{cache};
    return cache;
}

} // namespace allot
