// A heap for C: free by the pointer alone, books by tag.
//
// A block is [padding | head (16) | bytes], its head directly before what the caller gets. The head's check is
// a mix of all that the head says with its own address and its heap: a block of another heap, one that was
// freed, and one whose head was overrun do not match. Books are in requested bytes, the limit in all bytes.
#include <allot/c/handles.hpp>

#include <algorithm>
#include <allot/core/checks.hpp>
#include <allot/governance/account.hpp>
#include <allot/governance/budget.hpp>
#include <allot/governance/budgeted_source.hpp>
#include <allot/governance/ledger.hpp>
#include <allot/governance/report.hpp>
#include <allot/governance/tag.hpp>
#include <atomic>
#include <bit>
#include <cstring>

namespace allot {
namespace {

struct head {
    std::uint64_t size;
    std::uint32_t check;
    std::uint16_t tag;
    std::uint16_t align_log2;
};
static_assert(sizeof(head) == 16);

// What heap.source(tag) hands out, and what keeps the tag's page for all of its blocks.
class tag_source final : public memory_source {
public:
    tag_source(ledger& books, tag whose, memory_source& below) : page(books, whose), below_(below) {}

    account page;

private:
    void* do_try_allocate(layout wanted) noexcept override {
        void* const address = below_.try_allocate(wanted);
        address ? page.enter(wanted.size) : page.refused();
        return address;
    }
    void do_give_back(void* address, layout given) noexcept override {
        page.leave(given.size);
        below_.deallocate(address, given);
    }
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override {
        if (!below_.try_resize(address, given, new_size)) return false;
        page.change(given.size, new_size);
        return true;
    }
    std::size_t do_good_size(layout wanted) const noexcept override { return below_.good_size(wanted); }
    source_traits do_traits() const noexcept override { return below_.traits(); }
    source_description do_describe() const noexcept override {
        return {.name = page.whose().name(), .kind = "heap", .upstream = &below_, .usage = page.usage()};
    }

    memory_source& below_;
};

class c_heap {
public:
    c_heap(const name& who, memory_source& upstream, std::uint64_t limit_bytes) noexcept
        : upstream_(upstream),
          name_(who),
          limit_({.name = who, .limit_bytes = limit_bytes, .upstream = &upstream}),
          limited_({.name = who, .upstream = &upstream, .limit = &limit_}),
          below_(limit_bytes == usage::unlimited ? upstream : limited_),
          books_({.name = who, .upstream = &upstream}) {}
    ~c_heap() {
        for (auto& each : sources_)
            if (tag_source* const gone = each.load(std::memory_order_relaxed)) drop(gone);
    }

    // Without a call for the tags that were used here before.
    bool is_tag(std::uint16_t whose) const noexcept {
        return whose < tag::count_max &&
               (sources_[whose].load(std::memory_order_relaxed) || whose < tag::count());
    }
    tag_source* try_source(std::uint16_t whose) noexcept {
        tag_source* const there = sources_[whose].load(std::memory_order_acquire);
        return there ? there : try_make_source(whose);
    }
    void* try_allocate(std::uint16_t whose, layout wanted) noexcept;
    void* try_resize(void* block, std::size_t new_size) noexcept;
    void free(void* block, const allot_tag* claimed) noexcept;
    head checked_head(const void* block) const noexcept;

    const ledger& books() const noexcept { return books_; }
    allot::usage usage() const noexcept {
        allot::usage now = books_.usage_of_tree(tag());
        now.limit_bytes = limit_.usage().limit_bytes;
        return now;
    }

private:
    [[gnu::noinline]] tag_source* try_make_source(std::uint16_t whose) noexcept;
    static head* head_of(void* block) noexcept { return static_cast<head*>(block) - 1; }
    static std::size_t offset_of(std::size_t align) noexcept { return std::max(align, sizeof(head)); }
    static layout whole(const head& it) noexcept {
        const std::size_t align = std::size_t{1} << it.align_log2;
        return {.size = it.size + offset_of(align), .align = align};
    }
    std::uint32_t check_of(const void* block, const head& it) const noexcept {
        std::uint64_t mix = reinterpret_cast<std::uintptr_t>(block) ^ std::rotl(it.size, 24) ^
                            (std::uint64_t{it.tag} << 48 | std::uint64_t{it.align_log2} << 40);
        mix = (mix ^ reinterpret_cast<std::uintptr_t>(this)) * 0x9E37'79B9'7F4A'7C15;
        return static_cast<std::uint32_t>(mix >> 32);
    }
    void write_head(void* block, head it) const noexcept {
        it.check = check_of(block, it);
        std::memcpy(head_of(block), &it, sizeof it);
    }
    void drop(tag_source* gone) noexcept {
        gone->~tag_source();
        upstream_.deallocate(gone, layout_of<tag_source>());
    }

    memory_source& upstream_;
    name name_;
    budget limit_;
    budgeted_source limited_;
    memory_source& below_; // limited_, or upstream_ where there is no limit
    ledger books_;
    std::atomic<tag_source*> sources_[tag::count_max] = {}; // by the tag's index
};

tag_source* c_heap::try_make_source(std::uint16_t whose) noexcept {
    if (!books_.try_open(tag::at(whose))) return nullptr;
    void* const memory = upstream_.try_allocate(layout_of<tag_source>());
    if (!memory) return nullptr;
    auto* const made = ::new (memory) tag_source(books_, tag::at(whose), below_);
    tag_source* first = nullptr;
    if (sources_[whose].compare_exchange_strong(first, made, std::memory_order_acq_rel,
                                                std::memory_order_acquire))
        return made;
    drop(made); // another thread was first
    return first;
}

void* c_heap::try_allocate(std::uint16_t whose, layout wanted) noexcept {
    tag_source* const from = try_source(whose);
    if (!from) return nullptr;
    const std::size_t align = std::max(wanted.align, alignof(std::max_align_t));
    head own{.size = wanted.size,
             .check = 0,
             .tag = whose,
             .align_log2 = static_cast<std::uint16_t>(std::countr_zero(align))};
    layout all{.size = 0, .align = align};
    if (!checked_add(wanted.size, offset_of(align), all.size))
        all.size = static_cast<std::size_t>(-1); // refused
    auto* const begin = static_cast<std::byte*>(below_.try_allocate(all));
    if (!begin) {
        from->page.refused();
        return nullptr;
    }
    from->page.enter(wanted.size);
    void* const block = begin + offset_of(align);
    write_head(block, own);
    return block;
}

head c_heap::checked_head(const void* block) const noexcept {
    head own{};
    const bool aligned = is_aligned(block, alignof(std::max_align_t));
    if (aligned) std::memcpy(&own, static_cast<const head*>(block) - 1, sizeof own);
    ALLOT_CHECK(aligned && own.check == check_of(block, own) && own.tag < tag::count_max &&
                    sources_[own.tag].load(),
                "heap '", name_.view(), "': ", block, " is not a live block of this heap");
    return own;
}

void c_heap::free(void* block, const allot_tag* claimed) noexcept {
    const head own = checked_head(block);
    ALLOT_CHECK(!claimed || *claimed == own.tag, "heap '", name_.view(), "': block ", block, " of ", own.size,
                " bytes of tag '", tag::at(own.tag).name().view(), "' came back to '",
                *claimed < tag::count() ? tag::at(*claimed).name().view() : "no tag", "'");
    sources_[own.tag].load(std::memory_order_acquire)->page.leave(own.size);
    head gone = own;
    gone.check = ~own.check;
    std::memcpy(head_of(block), &gone, sizeof gone);
    const layout all = whole(own);
    below_.deallocate(static_cast<std::byte*>(block) - offset_of(all.align), all);
}

void* c_heap::try_resize(void* block, std::size_t new_size) noexcept {
    head own = checked_head(block);
    const layout all = whole(own);
    const std::size_t offset = offset_of(all.align);
    std::size_t new_all = 0;
    if (!checked_add(new_size, offset, new_all)) new_all = static_cast<std::size_t>(-1); // refused
    account& page = sources_[own.tag].load(std::memory_order_acquire)->page;
    void* const begin = below_.try_reallocate(static_cast<std::byte*>(block) - offset, all, new_all);
    if (!begin) {
        page.refused();
        return nullptr;
    }
    page.change(own.size, new_size);
    own.size = new_size;
    void* const moved = static_cast<std::byte*>(begin) + offset;
    write_head(moved, own);
    return moved;
}

} // namespace
} // namespace allot

using namespace allot;

struct allot_heap {
    memory_source& memory; // borrowed
    c_heap it;
};

namespace {

constexpr const char* no_heap = "no heap: NULL";
constexpr const char* no_tag = "a number that is no tag";

void* allocate(allot_heap* from, allot_tag whose, layout wanted) noexcept {
    if (!from) return detail::fail_empty(ALLOT_BAD_ARGUMENT, no_heap);
    if (!from->it.is_tag(whose)) [[unlikely]]
        return detail::fail_empty(ALLOT_BAD_ARGUMENT, no_tag);
    wanted.size += wanted.size == 0;
    return detail::noting_shortage(from->it.try_allocate(whose, wanted));
}

} // namespace

allot_status allot_tag_make(const char* name, allot_tag parent, allot_tag* out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_tag_make: nowhere to put the tag");
    if (!name || *name == 0 || std::strlen(name) > name::length_max)
        return detail::fail(ALLOT_BAD_ARGUMENT, "allot_tag_make: a name has 1 to 31 bytes");
    if (parent >= tag::count()) return detail::fail(ALLOT_BAD_ARGUMENT, no_tag);
    const auto made = tag::try_make(name, tag::at(parent));
    if (!made) return detail::fail(ALLOT_OUT_OF_MEMORY, "allot_tag_make: no room for more than 1024 tags");
    *out = static_cast<allot_tag>(made->index());
    return ALLOT_OK;
}

const char* allot_tag_name(allot_tag whose) {
    return whose < tag::count() ? tag::at(whose).name().c_str()
                                : detail::fail_empty(ALLOT_BAD_ARGUMENT, no_tag);
}

allot_status allot_heap_create(const allot_heap_options* options, allot_heap** out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_heap_create: nowhere to put the heap");
    *out = nullptr;
    const allot_heap_options wanted = options ? *options : allot_heap_options{};
    memory_source& memory = as_source(wanted.upstream);
    void* const place = memory.try_allocate(layout_of<allot_heap>());
    if (!place) return detail::fail(ALLOT_OUT_OF_MEMORY);
    *out = ::new (place) allot_heap{memory, c_heap(detail::name_or(wanted.name, "heap"), memory,
                                                   detail::limit_or_none(wanted.limit_bytes))};
    return ALLOT_OK;
}

allot_status allot_heap_destroy(allot_heap* heap) {
    if (heap && heap->it.books().usage_of_tree(tag()).live_count != 0)
        return detail::fail(ALLOT_STILL_LIVE, "allot_heap_destroy: blocks are still live");
    detail::destroy_handle(heap);
    return ALLOT_OK;
}

void* allot_heap_alloc(allot_heap* heap, allot_tag tag, size_t size) {
    return allocate(heap, tag, {.size = size});
}

void* allot_heap_alloc_aligned(allot_heap* heap, allot_tag tag, size_t size, size_t align) {
    if (!is_power_of_two(align))
        return detail::fail_empty(ALLOT_BAD_ARGUMENT, "allot_heap_alloc_aligned: align is no power of two");
    return allocate(heap, tag, {.size = size, .align = align});
}

void* allot_heap_alloc_array(allot_heap* heap, allot_tag tag, size_t count, size_t item_size) {
    size_t size = 0;
    if (!checked_multiply(count, item_size, size))
        return detail::fail_empty(ALLOT_OUT_OF_RANGE, "allot_heap_alloc_array: count * item_size overflows");
    void* const items = allocate(heap, tag, {.size = size});
    return items ? std::memset(items, 0, size) : nullptr;
}

char* allot_heap_copy_string(allot_heap* heap, allot_tag tag, const char* zero_terminated,
                             size_t length_max) {
    if (!zero_terminated)
        return detail::fail_empty(ALLOT_BAD_ARGUMENT, "allot_heap_copy_string: a NULL string");
    const void* const end =
        std::memchr(zero_terminated, 0, length_max < SIZE_MAX ? length_max + 1 : SIZE_MAX);
    if (!end) return detail::fail_empty(ALLOT_TOO_SMALL, "allot_heap_copy_string: longer than length_max");
    const auto size = static_cast<std::size_t>(static_cast<const char*>(end) - zero_terminated) + 1;
    void* const copy = allocate(heap, tag, {.size = size});
    return copy ? static_cast<char*>(std::memcpy(copy, zero_terminated, size)) : nullptr;
}

void* allot_heap_resize(allot_heap* heap, void* block, size_t new_size) {
    if (!heap || !block) return detail::fail_empty(ALLOT_BAD_ARGUMENT, "allot_heap_resize: NULL");
    return detail::noting_shortage(heap->it.try_resize(block, new_size + (new_size == 0)));
}

void allot_heap_free(allot_heap* heap, void* block) {
    if (heap && block) heap->it.free(block, nullptr);
}

void allot_heap_free_tagged(allot_heap* heap, allot_tag tag, void* block) {
    if (heap && block) heap->it.free(block, &tag);
}

size_t allot_heap_block_size(const allot_heap* heap, const void* block) {
    return heap && block ? heap->it.checked_head(block).size : 0;
}

allot_tag allot_heap_block_tag(const allot_heap* heap, const void* block) {
    return heap && block ? heap->it.checked_head(block).tag : allot_tag{ALLOT_TAG_UNTAGGED};
}

allot_usage allot_heap_usage(const allot_heap* heap) {
    return detail::to_c(heap ? heap->it.usage() : usage{.limit_bytes = 0});
}

allot_usage allot_heap_tag_usage(const allot_heap* heap, allot_tag whose) {
    if (!heap || whose >= tag::count()) return detail::to_c({.limit_bytes = 0});
    return detail::to_c(heap->it.books().usage(tag::at(whose)));
}

allot_status allot_heap_report(const allot_heap* heap, void (*write)(void* to, const char* line, size_t size),
                               void* to) {
    if (!heap || !write) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_heap_report: NULL");
    write_report(heap->it.books(), [&](std::string_view line) {
        char ended[256];
        const std::size_t size = std::min(line.size(), sizeof ended - 1);
        std::memcpy(ended, line.data(), size);
        ended[size] = 0;
        write(to, ended, size);
    });
    return ALLOT_OK;
}

allot_status allot_heap_source(allot_heap* heap, allot_tag whose, allot_source** out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_heap_source: nowhere to put the source");
    *out = nullptr;
    if (!heap) return detail::fail(ALLOT_BAD_ARGUMENT, no_heap);
    if (whose >= tag::count()) return detail::fail(ALLOT_BAD_ARGUMENT, no_tag);
    tag_source* const made = heap->it.try_source(whose);
    if (!made) return detail::fail(ALLOT_OUT_OF_MEMORY);
    *out = as_c(*made);
    return ALLOT_OK;
}
