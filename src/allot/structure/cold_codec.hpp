// cold_memory, block_codec: the parts of a cold_store that know no block: what it takes from upstream, and how
// bytes get smaller.
//
// For cold_store alone.
// A block_codec owns its contexts, in one block of the cold_memory for each direction, made at first need.
// Threads: compatible.
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <cstdint>
#include <span>

namespace allot {

// What a block's bytes are packed with. The numbers stand in files.
enum class cold_codec : std::uint8_t { raw = 0, zstd = 1, lz4 = 2 };

constexpr const char* text(cold_codec which) noexcept {
    switch (which) {
    case cold_codec::raw: return "raw";
    case cold_codec::zstd: return "zstd";
    case cold_codec::lz4: return "lz4";
    }
    return "";
}

namespace detail {

struct cold_memory {
    allot::name name;
    memory_source& upstream; // borrowed
    std::uint64_t limit_bytes;
    std::uint64_t held_bytes = 0;
    std::uint64_t held_count = 0;
    std::uint64_t peak_held_bytes = 0;

    void* take(layout wanted) noexcept; // nullptr, with last_refusal()
    void give(void* address, layout given) noexcept;
};

class block_codec {
public:
    // A codec that this build does not have becomes raw.
    block_codec(cold_codec wanted, int level, std::size_t block_bytes_max, cold_memory& memory) noexcept;
    block_codec(const block_codec&) = delete;
    block_codec& operator=(const block_codec&) = delete;
    ~block_codec();

    static bool has(cold_codec which) noexcept;
    cold_codec codec() const noexcept { return codec_; }
    bool try_prepare() noexcept; // what packing and unpacking need; nothing more is taken then
    std::uint64_t held_bytes() const noexcept;

    struct packed {
        cold_codec codec;
        std::span<const std::byte> bytes; // in `work`, or `plain` itself where it does not get smaller
    };
    // Expects: try_prepare() was true; work is as large as plain.
    packed pack(std::span<const std::byte> plain, std::span<std::byte> work) noexcept;
    // False: damaged, or no memory for the context (try_ready() says).
    bool unpack(cold_codec codec, std::span<const std::byte> from, std::span<std::byte> plain) noexcept;
    bool try_ready(cold_codec codec) noexcept; // to unpack

private:
    layout packing_layout() const noexcept;
    layout unpacking_layout() const noexcept;
    bool set_up_packing() noexcept;

    cold_memory& memory_; // borrowed
    cold_codec codec_;
    [[maybe_unused]] int level_; // these two: without zstd and lz4 nobody asks
    [[maybe_unused]] std::size_t block_bytes_max_;
    void* packing_ = nullptr;   // its block, which begins with the codec's context
    void* unpacking_ = nullptr; // zstd's
};

} // namespace detail
} // namespace allot
