#include <allot/structure/cold_codec.hpp>

#include <algorithm>
#include <cstring>

#ifdef ALLOT_HAS_ZSTD
#    define ZSTD_STATIC_LINKING_ONLY // contexts in memory that is given to them
#    include <zstd.h>
#endif
#ifdef ALLOT_HAS_LZ4
#    include <lz4.h>
#endif

namespace allot::detail {

void* cold_memory::take(layout wanted) noexcept {
    if (wanted.size > limit_bytes || held_bytes > limit_bytes - wanted.size) {
        note_refusal({.who = name,
                      .kind = "cold_store",
                      .asked = wanted,
                      .limit_bytes = limit_bytes,
                      .live_bytes = held_bytes});
        return nullptr;
    }
    void* const taken = upstream.try_allocate(wanted);
    if (!taken) return nullptr;
    held_bytes += wanted.size;
    ++held_count;
    peak_held_bytes = std::max(peak_held_bytes, held_bytes);
    return taken;
}

void cold_memory::give(void* address, layout given) noexcept {
    if (!address) return;
    held_bytes -= given.size;
    --held_count;
    upstream.deallocate(address, given);
}

block_codec::block_codec(cold_codec wanted, int level, std::size_t block_bytes_max,
                         cold_memory& memory) noexcept
    : memory_(memory),
      codec_(has(wanted) ? wanted : cold_codec::raw),
      level_(level),
      block_bytes_max_(block_bytes_max) {}

block_codec::~block_codec() {
    memory_.give(packing_, packing_layout());
    memory_.give(unpacking_, unpacking_layout());
}

std::uint64_t block_codec::held_bytes() const noexcept {
    return (packing_ ? packing_layout().size : 0) + (unpacking_ ? unpacking_layout().size : 0);
}

#ifdef ALLOT_HAS_ZSTD
namespace {
// Fixed by the largest block: for a smaller one zstd lowers them, never raises them, so that the context fits.
ZSTD_compressionParameters parameters(int level, std::size_t block_bytes_max) noexcept {
    return ZSTD_getCParams(level, block_bytes_max, 0);
}
} // namespace
#endif

bool block_codec::has(cold_codec which) noexcept {
    switch (which) {
    case cold_codec::raw: return true;
    case cold_codec::zstd:
#ifdef ALLOT_HAS_ZSTD
        return true;
#else
        return false;
#endif
    case cold_codec::lz4:
#ifdef ALLOT_HAS_LZ4
        return true;
#else
        return false;
#endif
    }
    return false;
}

layout block_codec::packing_layout() const noexcept {
#ifdef ALLOT_HAS_ZSTD
    if (codec_ == cold_codec::zstd)
        return {ZSTD_estimateCCtxSize_usingCParams(parameters(level_, block_bytes_max_)), 64};
#endif
#ifdef ALLOT_HAS_LZ4
    if (codec_ == cold_codec::lz4) return {static_cast<std::size_t>(LZ4_sizeofState()), 64};
#endif
    return {0, 64};
}

layout block_codec::unpacking_layout() const noexcept {
#ifdef ALLOT_HAS_ZSTD
    return {ZSTD_estimateDCtxSize(), 64};
#else
    return {0, 64};
#endif
}

bool block_codec::try_prepare() noexcept {
    if (!try_ready(codec_)) return false;
    if (codec_ == cold_codec::raw || packing_) return true;
    packing_ = memory_.take(packing_layout());
    return packing_ && set_up_packing();
}

bool block_codec::set_up_packing() noexcept {
#ifdef ALLOT_HAS_ZSTD
    if (codec_ != cold_codec::zstd) return true;
    ZSTD_CCtx* const context = ZSTD_initStaticCCtx(packing_, packing_layout().size);
    const ZSTD_compressionParameters how = parameters(level_, block_bytes_max_);
    const struct {
        ZSTD_cParameter which;
        unsigned value;
    } all[] = {{ZSTD_c_compressionLevel, static_cast<unsigned>(level_)},
               {ZSTD_c_windowLog, how.windowLog},
               {ZSTD_c_chainLog, how.chainLog},
               {ZSTD_c_hashLog, how.hashLog},
               {ZSTD_c_searchLog, how.searchLog},
               {ZSTD_c_minMatch, how.minMatch},
               {ZSTD_c_targetLength, how.targetLength},
               {ZSTD_c_strategy, static_cast<unsigned>(how.strategy)}};
    for (const auto& each : all)
        if (ZSTD_isError(ZSTD_CCtx_setParameter(context, each.which, static_cast<int>(each.value))))
            return false;
#endif
    return true;
}

bool block_codec::try_ready(cold_codec codec) noexcept {
    if (!has(codec)) return false;
#ifdef ALLOT_HAS_ZSTD
    if (codec == cold_codec::zstd && !unpacking_) {
        unpacking_ = memory_.take(unpacking_layout());
        if (!unpacking_) return false;
        ZSTD_initStaticDCtx(unpacking_, unpacking_layout().size);
    }
#endif
    return true;
}

block_codec::packed block_codec::pack(std::span<const std::byte> plain, std::span<std::byte> work) noexcept {
    std::size_t size = 0;
    if (plain.size() < 2) return {cold_codec::raw, plain};
#ifdef ALLOT_HAS_ZSTD
    if (codec_ == cold_codec::zstd) { // a static context is its memory's first bytes
        auto* const context = static_cast<ZSTD_CCtx*>(packing_);
        ZSTD_CCtx_reset(context, ZSTD_reset_session_only);
        size = ZSTD_compress2(context, work.data(), plain.size() - 1, plain.data(), plain.size());
        if (ZSTD_isError(size)) size = 0;
    }
#endif
#ifdef ALLOT_HAS_LZ4
    if (codec_ == cold_codec::lz4)
        size = static_cast<std::size_t>(LZ4_compress_fast_extState(
            packing_, reinterpret_cast<const char*>(plain.data()), reinterpret_cast<char*>(work.data()),
            static_cast<int>(plain.size()), static_cast<int>(plain.size() - 1), 1));
#endif
    if (size == 0) return {cold_codec::raw, plain};
    return {codec_, work.first(size)};
}

bool block_codec::unpack(cold_codec codec, std::span<const std::byte> from,
                         std::span<std::byte> plain) noexcept {
    if (codec == cold_codec::raw) {
        if (from.size() != plain.size()) return false;
        if (!plain.empty()) std::memmove(plain.data(), from.data(), plain.size());
        return true;
    }
    if (!try_ready(codec)) return false;
#ifdef ALLOT_HAS_ZSTD
    if (codec == cold_codec::zstd)
        return ZSTD_decompressDCtx(static_cast<ZSTD_DCtx*>(unpacking_), plain.data(), plain.size(),
                                   from.data(), from.size()) == plain.size();
#endif
#ifdef ALLOT_HAS_LZ4
    if (codec == cold_codec::lz4)
        return LZ4_decompress_safe(reinterpret_cast<const char*>(from.data()),
                                   reinterpret_cast<char*>(plain.data()), static_cast<int>(from.size()),
                                   static_cast<int>(plain.size())) == static_cast<int>(plain.size());
#endif
    return false;
}

} // namespace allot::detail
