// ready_pools: pools of strings, byte vectors and hash maps, ready to use.
//
// Use them where code makes one of these, fills it and drops it again and again. For other objects take
// object_pool with a care of your own; for memory without an object in it, buffer pools.
//     string_pool        std::string of 256 bytes or more, 1,000 kept
//     byte_vector_pool   std::vector<std::byte> of 1,024 bytes or more, 500 kept
//     hash_map_pool      std::pmr::unordered_map with room for 32 entries or more, 100 kept
// All come back empty with their capacity. One that has grown beyond four times the pool's measure (64 at
// least) is discarded, and so is one whose capacity was moved away. By default they trim themselves by their
// demand (`follows_demand`).
// Owns its objects; strings and byte vectors take their own memory from the heap, hash maps theirs from the
// pool: their nodes from slots, so that filling one again allocates nothing.
// Threads: compatible. ready_pools gives each task three of its own.
// Cost: object_pool's.
//
//     ready_pools pools;
//     pooled<std::string> line = pools.strings.acquire();
//     assert(line->empty() && line->capacity() >= 256);
//     pooled<std::vector<std::byte>> packet = pools.byte_vectors.acquire();
//     assert(packet->capacity() >= 1024);
//     hash_map_pool<int, int> maps;
//     pooled<hash_map<int, int>> counts = maps.acquire();
//     (*counts)[7] = 1;
//     assert(counts->bucket_count() >= 32);
#pragma once

#include <allot/structure/object_pool.hpp>
#include <memory_resource>
#include <string>
#include <unordered_map>
#include <vector>

namespace allot {

// Objects with reserve(), capacity() and clear().
template <class T>
struct capacity_care : object_care<T> {
    std::size_t capacity = 0;
    std::size_t capacity_max = 0;

    explicit capacity_care(std::size_t capacity_wanted, std::size_t most = 0) noexcept
        : capacity(capacity_wanted),
          capacity_max(most != 0              ? most
                       : capacity_wanted < 16 ? 64
                                              : capacity_wanted * 4) {}
    T make() const {
        T made;
        made.reserve(capacity);
        return made;
    }
    void clean(T& used) const noexcept { used.clear(); }
    bool keeps(const T& used) const noexcept {
        return used.capacity() - capacity <= capacity_max - capacity; // neither less nor more: it wraps
    }
};

struct string_care : capacity_care<std::string> {
    string_care(std::size_t bytes = 256) noexcept : capacity_care(bytes) {}
};
struct byte_vector_care : capacity_care<std::vector<std::byte>> {
    byte_vector_care(std::size_t bytes = 1024) noexcept : capacity_care(bytes) {}
};

class string_pool : public object_pool<std::string, string_care> {
public:
    static constexpr object_pool_options defaults{
        .name = "strings", .kept_count_max = 1000, .follows_demand = true};
    explicit string_pool(const object_pool_options& options = defaults, string_care care = {})
        : object_pool(options, care) {}
};

class byte_vector_pool : public object_pool<std::vector<std::byte>, byte_vector_care> {
public:
    static constexpr object_pool_options defaults{
        .name = "byte vectors", .kept_count_max = 500, .follows_demand = true};
    explicit byte_vector_pool(const object_pool_options& options = defaults, byte_vector_care care = {})
        : object_pool(options, care) {}
};

struct ready_pools {
    string_pool strings;
    byte_vector_pool byte_vectors;
};

template <class Key, class Value>
using hash_map = std::pmr::unordered_map<Key, Value>;

namespace detail {

// What hash maps are made of: nodes from a pool's slots, the larger arrays of buckets from its upstream.
class map_memory final : public memory_source {
public:
    map_memory(layout node, memory_source* upstream, const allot::name& who) noexcept;
    pool& nodes() noexcept { return nodes_; }
    const pool& nodes() const noexcept { return nodes_; }

private:
    bool is_node(layout wanted) const noexcept {
        return wanted.size <= nodes_.slot().size && wanted.align <= nodes_.slot().align;
    }
    void* do_try_allocate(layout wanted) noexcept override {
        return is_node(wanted) ? nodes_.try_allocate() : upstream_.try_allocate(wanted);
    }
    void do_give_back(void* address, layout given) noexcept override {
        if (is_node(given))
            nodes_.deallocate(address);
        else
            upstream_.deallocate(address, given);
    }
    source_description do_describe() const noexcept override;

    memory_source& upstream_; // borrowed
    pool nodes_;
};

struct map_memory_holder { // a base, so that the memory is there before the maps and after them
    map_memory memory_;
};

} // namespace detail

template <class Key, class Value>
struct hash_map_care : object_care<hash_map<Key, Value>> {
    std::pmr::memory_resource* memory; // borrowed
    std::size_t entries;

    explicit hash_map_care(std::pmr::memory_resource& from, std::size_t entries_wanted = 32) noexcept
        : memory(&from), entries(entries_wanted) {}
    hash_map<Key, Value> make() const {
        hash_map<Key, Value> made(memory);
        made.reserve(entries);
        return made;
    }
    void clean(hash_map<Key, Value>& used) const noexcept {
        if (!used.empty()) used.clear(); // else it would wipe its buckets all the same
    }
    bool keeps(const hash_map<Key, Value>& used) const noexcept {
        return used.bucket_count() >= entries && used.bucket_count() <= entries * 4;
    }
};

template <class Key, class Value>
class hash_map_pool : detail::map_memory_holder,
                      public object_pool<hash_map<Key, Value>, hash_map_care<Key, Value>> {
    using base = object_pool<hash_map<Key, Value>, hash_map_care<Key, Value>>;

public:
    static constexpr object_pool_options defaults{
        .name = "hash maps", .kept_count_max = 100, .follows_demand = true};
    explicit hash_map_pool(const object_pool_options& options = defaults, std::size_t entries = 32)
        : detail::map_memory_holder{{node_layout, options.upstream, options.name}},
          base(options, hash_map_care<Key, Value>(memory_, entries)) {}

    // The maps' nodes: live are those that lie in maps that are out.
    allot::usage node_usage() const noexcept { return memory_.nodes().usage(); }
    // As object_pool's; slabs without a node go upstream, too.
    std::uint64_t trim(std::uint64_t kept_count = 0) noexcept {
        return base::trim(kept_count) + memory_.nodes().trim();
    }

private:
    // An entry, its hash and the next node: what libstdc++'s nodes are, and libc++'s. Where one does not fit,
    // its memory comes from upstream, singly.
    static constexpr layout node_layout{.size = sizeof(std::pair<const Key, Value>) + 2 * sizeof(void*),
                                        .align = alignof(std::pair<const Key, Value>)};
};

} // namespace allot
