// ready_pools: pools of strings, byte vectors and hash maps, ready to use.
//
// Use them where code makes one of these, fills it and drops it again and again. For other objects take object_pool
// with a care of your own; for memory without an object in it, buffer pools.
//     string_pool        std::string of 256 bytes or more, 1,000 kept
//     byte_vector_pool   std::vector<std::byte> of 1,024 bytes or more, 500 kept
//     hash_map_pool      std::pmr::unordered_map with room for 32 entries or more, 100 kept
// All come back empty with their capacity. One that has grown beyond four times the pool's measure is discarded, and
// so is one whose capacity was moved away. By default they trim themselves by their demand (`follows_demand`).
// Owns its objects; strings and byte vectors take their own memory from the heap, hash maps theirs from the pool:
// their nodes from slots, so that filling one again allocates nothing.
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
        : capacity(capacity_wanted), capacity_max(most == 0 ? capacity_wanted * 4 : most) {}
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

using string_pool = object_pool<std::string, string_care>;
using byte_vector_pool = object_pool<std::vector<std::byte>, byte_vector_care>;

inline constexpr object_pool_options string_pool_options{
    .name = "strings", .kept_count_max = 1000, .follows_demand = true};
inline constexpr object_pool_options byte_vector_pool_options{
    .name = "byte vectors", .kept_count_max = 500, .follows_demand = true};
inline constexpr object_pool_options hash_map_pool_options{
    .name = "hash maps", .kept_count_max = 100, .follows_demand = true};

struct ready_pools {
    string_pool strings{string_pool_options};
    byte_vector_pool byte_vectors{byte_vector_pool_options};
};

template <class Key, class Value>
using hash_map = std::pmr::unordered_map<Key, Value>;

namespace detail {

// Nodes from a pool, what is larger (the buckets) from its upstream.
class map_memory final : public memory_source {
public:
    map_memory(layout node, memory_source* upstream, const allot::name& who) noexcept;
    allot::usage usage() const noexcept { return nodes_.usage(); }
    std::uint64_t trim() noexcept { return nodes_.trim(); }

private:
    bool is_node(layout wanted) const noexcept {
        return wanted.size <= nodes_.slot().size && wanted.align <= nodes_.slot().align;
    }
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    source_description do_describe() const noexcept override;

    memory_source& upstream_; // borrowed
    pool nodes_;
};

} // namespace detail
} // namespace allot
