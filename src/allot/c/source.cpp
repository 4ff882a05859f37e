// A user's table of functions as a memory_source, and sources by themselves.
#include <allot/c/handles.hpp>

#include <allot/core/contract.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/source/block_counters.hpp>

namespace allot {
namespace {

class backend_source final : public memory_source {
public:
    backend_source(name who, const allot_backend& table) noexcept : name_(who), table_(table) {}

    const allot_backend& table() const noexcept { return table_; }

private:
    void* do_try_allocate(layout wanted) noexcept override {
        void* const address = table_.allocate(table_.state, wanted.size, wanted.align);
        if (!address) return refuse(wanted);
        ALLOT_EXPECT(is_aligned(address, wanted.align), "source '", name_.view(), "': its back end answered ",
                     address, " where an alignment of ", wanted.align, " was asked");
        counters_.allocated(wanted.size, wanted.size);
        return address;
    }
    void do_give_back(void* address, layout given) noexcept override {
        counters_.given_back(given.size, given.size);
        table_.give_back(table_.state, address, given.size, given.align);
    }
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override {
        if (!table_.resize || !table_.resize(table_.state, address, given.size, given.align, new_size))
            return false;
        counters_.resized(given.size, given.size, new_size, new_size);
        return true;
    }
    source_traits do_traits() const noexcept override { return {.thread_safe = table_.thread_safe}; }
    source_description do_describe() const noexcept override {
        return {.name = name_, .kind = "backend_source", .usage = counters_.read()};
    }

    void* refuse(layout wanted) noexcept {
        counters_.refused();
        note_refusal({.who = name_, .kind = "source", .asked = wanted});
        return nullptr;
    }

    const name name_;
    const allot_backend table_;
    detail::shared_block_counters counters_;
};

} // namespace
} // namespace allot

using namespace allot;

allot_status allot_source_create(const char* name, const allot_backend* backend, allot_source** out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_source_create: nowhere to put the source");
    *out = nullptr;
    if (!backend || !backend->allocate || !backend->give_back)
        return detail::fail(ALLOT_BAD_ARGUMENT, "allot_source_create: a back end allocates and gives back");
    const layout own = layout_of<backend_source>();
    backend_source first(detail::name_or(name, "source"), *backend); // refuses in its own name
    void* const place = static_cast<memory_source&>(first).try_allocate(own);
    if (!place) return detail::fail(ALLOT_OUT_OF_MEMORY);
    *out = as_c(*::new (place) backend_source(detail::name_or(name, "source"), *backend));
    return ALLOT_OK;
}

void allot_source_destroy(allot_source* source) {
    if (!source) return;
    auto* const gone = dynamic_cast<backend_source*>(&as_source(source));
    ALLOT_EXPECT(gone, "source '", as_source(source).describe().name.view(),
                 "' is not one of allot_source_create");
    const allot_backend table = gone->table();
    gone->~backend_source();
    table.give_back(table.state, gone, sizeof *gone, alignof(backend_source));
}

void* allot_source_alloc(allot_source* source, size_t size, size_t align) {
    if (align == 0) align = alignof(std::max_align_t);
    if (!is_power_of_two(align))
        return detail::fail_empty(ALLOT_BAD_ARGUMENT, "allot_source_alloc: align is no power of two");
    return detail::noting_shortage(as_source(source).try_allocate({size, align}));
}

void allot_source_free(allot_source* source, void* address, size_t size, size_t align) {
    as_source(source).deallocate(address, {size, align == 0 ? alignof(std::max_align_t) : align});
}

allot_usage allot_source_usage(const allot_source* source) {
    return detail::to_c(as_source(const_cast<allot_source*>(source)).describe().usage);
}
