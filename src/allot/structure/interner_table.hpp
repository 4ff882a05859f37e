// interner_table: texts and their numbers: what interner and concurrent_interner are made of.
//
// Inner part. One thread inserts at a time; any thread finds and resolves meanwhile, without a lock.
// Owns its blocks: text chunks, entry chunks, segments and directories, from the borrowed upstream.
// Where things lie:
//   entries: symbol → text. A word of address and size; chunks of 512, never moved; a directory of chunks.
//   texts: bytes and a zero, in chunks, never moved. Of 64 KiB and more the size stands before them.
//   segments: hash → symbol. 512 slots of {32 bits of hash, symbol}, linear probing. A directory, indexed by
//     the hash's first bits, names the segment. A full one splits in two by its next bit (extendible hashing:
//     R. Fagin et al. 1979), so that growth takes 4 KiB at a time. Where bits do not tell texts apart (equal
//     hashes), segments are chained instead.
// So there is no moment at which old and new table live side by side; a directory that grew (8 bytes a
// segment) stays until clear(), because a reader may be in it.
//
// Danger: readers look at what the writer changes. Why that is right:
// - Everything a reader reaches is published by a release store of the word that leads there (slot, entry,
//   place in a directory, directory) after it was written, and read by an acquire load. What a slot or entry
//   says stays true until clear(). So a hit is a hit, whatever else was half done: its text was compared.
// - A miss may be a reader's mistake: in a segment that is being split slots change places. So a miss is
//   looked up again between two loads of the segment's state, which names the hashes it holds, and changes
//   before the first slot and after the last one of a split. Slots are stored with release and loaded with
//   acquire: who saw one of the split's sees the changed state behind it. Only if the state is the same
//   twice, is not `splitting` and holds the hash is the miss sure; otherwise the reader begins anew, and
//   after a few times asks under the writers' lock.
// - clear() and the destructor need quiet.
#pragma once

#include <algorithm>
#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/usage.hpp>
#include <allot/structure/interner_hash.hpp>
#include <allot/structure/symbol.hpp>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace allot::detail {

struct interner_table_options {
    allot::name name = {};
    const char* kind = "";
    memory_source* upstream = nullptr;
    std::uint64_t limit_bytes = usage::unlimited;
    std::uint64_t hash_key = text_hash_key;
};

struct interner_segment {
    static constexpr std::uint32_t slot_count = 512;
    static constexpr std::uint32_t used_max = slot_count / 4 * 3;

    // The hashes that it holds begin with these `depth` bits: prefix << 8 | depth. And whether it is being
    // split.
    static constexpr std::uint64_t splitting = std::uint64_t{1} << 63;
    std::atomic<std::uint64_t> state = 0;
    std::atomic<interner_segment*> next = nullptr;                 // of equal hashes
    interner_segment* older = nullptr;                             // of all that the table has
    std::uint32_t used = 0;                                        // the writer's
    alignas(64) std::atomic<std::uint64_t> slots[slot_count] = {}; // hash << 32 | symbol; 0: free

    static std::uint32_t depth(std::uint64_t state) noexcept {
        return static_cast<std::uint32_t>(state & 0xFF);
    }
    static bool holds(std::uint64_t state, std::uint32_t hash) noexcept {
        return (state & splitting) == 0 && std::uint64_t{hash} << depth(state) >> 32 == state >> 8;
    }
};

// Addresses, behind this head. Aligned to 64, so that a pointer to it has room for its depth.
struct alignas(64) interner_directory {
    interner_directory* older = nullptr;
    std::uint64_t count = 0;
    std::atomic<void*>* places() noexcept { return reinterpret_cast<std::atomic<void*>*>(this + 1); }
    static layout layout_for(std::uint64_t count) noexcept {
        return {sizeof(interner_directory) + count * sizeof(std::atomic<void*>), alignof(interner_directory)};
    }
};

struct interner_text_chunk {
    interner_text_chunk* older = nullptr;
    std::size_t size = 0; // with this head
};

class interner_table {
public:
    explicit interner_table(const interner_table_options& how) noexcept;
    ~interner_table();
    interner_table(const interner_table&) = delete;
    interner_table& operator=(const interner_table&) = delete;

    std::uint32_t hash(std::string_view text) const noexcept { return text_hash(text, how_.hash_key); }

    // The symbol's value; 0 where it is not there, or was not met because of a split going on.
    std::uint32_t find_fast(std::string_view text, std::uint32_t hash) const noexcept {
        const std::uintptr_t directory = segments_.load(std::memory_order_acquire);
        if (directory == 0) [[unlikely]]
            return 0;
        return probe(*segment_of(directory, hash), text, hash);
    }
    enum class certainty : std::uint8_t { sure, unsure };
    // 0 and sure: it was not there at some moment during the call.
    std::uint32_t find_slowly(std::string_view text, std::uint32_t hash, certainty& how) const noexcept;
    // After find_fast, while nobody inserts: what it cannot see, segments chained to the first.
    std::uint32_t find_chained(std::string_view text, std::uint32_t hash) const noexcept;
    // For intern_many: fetches what find_fast will look at, one step further each time.
    void fetch_slot(std::uint32_t hash) const noexcept {
        if (const std::uintptr_t directory = segments_.load(std::memory_order_acquire))
            __builtin_prefetch(&segment_of(directory, hash)->slots[hash % interner_segment::slot_count]);
    }
    std::uint32_t fetch_entry(std::uint32_t hash) const noexcept { // a guess: the text says more
        const std::uintptr_t directory = segments_.load(std::memory_order_acquire);
        const std::uint32_t likely = directory == 0 ? 0 : guess(*segment_of(directory, hash), hash);
        if (likely != 0) __builtin_prefetch(&entry(likely - 1 - base_));
        return likely;
    }
    std::string_view fetch_text(std::uint32_t value) const noexcept {
        if (value == 0) return {};
        const std::string_view stored = text(value);
        __builtin_prefetch(stored.data());
        return stored;
    }

    static bool is_equal(std::string_view a, std::string_view b) noexcept {
        const std::size_t size = a.size();
        if (size != b.size()) return false;
        if (size > 16) return std::memcmp(a.data(), b.data(), size) == 0;
        const char* const x = a.data();
        const char* const y = b.data();
        if (size >= 4) { // as in text_hash
            const std::size_t inner = size / 8 * 4;
            const std::size_t last = size - 4;
            using word = std::uint32_t;
            return ((read_word<word>(x) ^ read_word<word>(y)) |
                    (read_word<word>(x + inner) ^ read_word<word>(y + inner)) |
                    (read_word<word>(x + last) ^ read_word<word>(y + last)) |
                    (read_word<word>(x + last - inner) ^ read_word<word>(y + last - inner))) == 0;
        }
        return size == 0 || ((x[0] ^ y[0]) | (x[size / 2] ^ y[size / 2]) | (x[size - 1] ^ y[size - 1])) == 0;
    }

    // Only one thread at a time calls what follows, up to the next such line. 0: shortage, counted, and noted
    // where it is the table's own. Expects: find_slowly does not find it.
    std::uint32_t insert(std::string_view text, std::uint32_t hash) noexcept;
    // Back: where nobody was told a symbol since the last clear().
    enum class numbers_go : std::uint8_t { on, back };
    void clear(numbers_go where = numbers_go::on) noexcept;
    // A block in the table's books and under its limit; nullptr counts as a refusal.
    [[nodiscard]] void* take(layout wanted) noexcept;
    void give(void* address, layout given) noexcept;
    void note_limit(layout asked) noexcept;
    void check() const noexcept;

    // From any thread.
    bool contains(std::uint32_t value) const noexcept {
        return value - 1 - base_ < count_.load(std::memory_order_acquire);
    }
    // Expects: contains(value).
    std::string_view text(std::uint32_t value) const noexcept {
        return unpack(entry(value - 1 - base_).load(std::memory_order_acquire));
    }
    std::uint32_t base() const noexcept { return base_; } // symbols are base + 1 … base + count
    std::uint32_t count() const noexcept { return count_.load(std::memory_order_acquire); }
    std::uint64_t text_bytes() const noexcept { return text_bytes_.load(std::memory_order_relaxed); }
    std::uint64_t held_bytes() const noexcept { return held_bytes_.load(std::memory_order_relaxed); }
    allot::usage usage() const noexcept;
    const interner_table_options& options() const noexcept { return how_; }

private:
    static constexpr std::size_t chunk_bytes_min = 1024; // of texts: each is twice the one before, up to
    static constexpr std::size_t chunk_bytes_max = 32 * 1024;
    static constexpr std::uint32_t entry_bits = 9;
    static constexpr std::uint32_t entry_count = 1 << entry_bits; // of a chunk
    static constexpr std::uint64_t long_size = 0xFFFF;            // the size stands before the text
    static constexpr unsigned address_bits = 48;
    using entry_word = std::atomic<std::uint64_t>;

    static std::string_view unpack(std::uint64_t entry) noexcept {
        const auto* const at =
            reinterpret_cast<const char*>(entry & ((std::uint64_t{1} << address_bits) - 1));
        std::uint64_t size = entry >> address_bits;
        if (size == long_size) [[unlikely]]
            size = read_word<std::uint64_t>(at - sizeof size);
        return {at, size};
    }
    const entry_word& entry(std::uint32_t index) const noexcept {
        interner_directory* const directory = entries_.load(std::memory_order_acquire);
        const auto* const chunk = static_cast<const entry_word*>(
            directory->places()[index >> entry_bits].load(std::memory_order_acquire));
        return chunk[index % entry_count];
    }
    static interner_segment* segment_of(std::uintptr_t directory, std::uint32_t hash) noexcept {
        constexpr std::uintptr_t depth_mask = alignof(interner_directory) - 1;
        auto* const places = reinterpret_cast<interner_directory*>(directory & ~depth_mask)->places();
        const std::uint64_t index = std::uint64_t{hash} << (directory & depth_mask) >> 32;
        return static_cast<interner_segment*>(places[index].load(std::memory_order_acquire));
    }
    // The value in one of the first places with this very hash; 0: in none. Nine of ten hits lie there.
    // Without branches, which many at once would not foresee; for one text alone probe(), that guesses ahead,
    // is faster.
    static std::uint32_t guess(const interner_segment& in, std::uint32_t hash) noexcept {
        std::uint64_t found = 0;
        for (std::uint32_t i = 4; i-- != 0;) {
            const std::uint64_t slot =
                in.slots[(hash + i) % interner_segment::slot_count].load(std::memory_order_acquire);
            found = slot >> 32 == hash ? slot : found;
        }
        return static_cast<std::uint32_t>(found);
    }
    // From its own place in the segment on, until a free slot.
    std::uint32_t probe(const interner_segment& in, std::string_view text,
                        std::uint32_t hash) const noexcept {
        for (std::uint32_t at = hash, seen = 0; seen != interner_segment::slot_count; ++at, ++seen) {
            const std::uint64_t slot =
                in.slots[at % interner_segment::slot_count].load(std::memory_order_acquire);
            if (slot >> 32 == hash && slot != 0) {
                const auto value = static_cast<std::uint32_t>(slot);
                if (is_equal(this->text(value), text)) return value;
            } else if (slot == 0) {
                break;
            }
        }
        return 0;
    }
    void refuse() noexcept; // counts it
    void note_text(std::size_t size) noexcept;
    [[nodiscard]] bool ready_entry() noexcept;
    [[nodiscard]] bool grow_entries() noexcept;
    [[nodiscard]] char* ready_text(std::size_t size) noexcept; // not taken yet
    [[nodiscard]] interner_segment* ready_segment(std::uint32_t hash) noexcept;
    [[nodiscard]] interner_segment* make_segment(std::uint64_t state) noexcept;
    [[nodiscard]] interner_segment* chain(interner_segment* head) noexcept;
    [[nodiscard]] bool split(interner_segment& full) noexcept;
    [[nodiscard]] bool grow_directory(std::uint32_t depth) noexcept;
    interner_directory* make_directory(std::uint64_t count, interner_directory* older) noexcept;
    void free_directories(interner_directory* newest) noexcept;

    interner_table_options how_;

    std::atomic<std::uintptr_t> segments_ = 0; // the directory's address and, in its low bits, its depth
    std::atomic<interner_directory*> entries_ = nullptr;
    std::uint32_t base_ = 0;
    std::atomic<std::uint32_t> count_ = 0;

    // The writer's alone.
    alignas(64) char* text_at_ = nullptr; // the rest of the newest chunk: text_at_ … text_end_
    char* text_end_ = nullptr;
    interner_text_chunk* chunks_ = nullptr;
    interner_segment* newest_segment_ = nullptr;
    std::size_t chunk_bytes_ = chunk_bytes_min;

    // One writer; any reader. held == live + slack + free, live being texts with their zeros.
    std::atomic<std::uint64_t> text_bytes_ = 0; // without zeros
    std::atomic<std::uint64_t> held_bytes_ = 0;
    std::atomic<std::uint64_t> held_count_ = 0;
    std::atomic<std::uint64_t> free_bytes_ = 0; // of text chunks
    std::atomic<std::uint64_t> peak_live_bytes_ = 0;
    std::atomic<std::uint64_t> peak_held_bytes_ = 0;
    std::atomic<std::uint64_t> total_bytes_ = 0;
    std::atomic<std::uint64_t> total_count_ = 0;
    std::atomic<std::uint64_t> refused_count_ = 0;
};

} // namespace allot::detail
