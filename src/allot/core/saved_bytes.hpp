// save_bytes, load_bytes: bytes of a named form and version, saved so that damage is found before they are used.
//
// Use them to save a whole thing: a document, an interner, an index. What is saved in parts or often takes
// structure/cold_store. Before the content stands a header of 40 bytes: magic, form, version, length and checksums of
// both (docs/format/saved-bytes.md).
// save_bytes() writes by byte_store::replace(): after a crash at any moment the store has the old or the new.
// Loading tells what is wrong: no saved bytes, another form, a newer version, truncated, too long, damaged. It asks
// for memory only once the header is right and the last byte is there.
// A loaded_bytes owns its block; borrows the source.
// Threads: values; the store's own rules.
// Cost: one copy of the content to save it (seal() needs none: leave room for the header), none to load it.
//
//     constexpr saved_form form{.kind = {'N', 'O', 'T', 'E'}, .version = 2};
//     if (auto done = save_bytes(store, form, content, source); !done) return done.error();
//     result<loaded_bytes> back = load_bytes(store, form, source);
//     if (!back) return back.error(); // "saved bytes: truncated: 51 of 52 bytes are there"
//     assert(back->version() == 2 && back->bytes().size() == content.size());
#pragma once

#include <allot/core/byte_store.hpp>
#include <allot/core/memory_source.hpp>
#include <array>
#include <utility>

namespace allot {

struct saved_form {
    std::array<char, 4> kind;  // what the bytes are
    std::uint32_t version = 1; // of their form: a reader refuses what is newer than its own
};

inline constexpr std::size_t saved_header_bytes = 40;

class loaded_bytes {
public:
    loaded_bytes(loaded_bytes&& other) noexcept
        : block_(std::exchange(other.block_, {})), version_(other.version_), source_(other.source_) {}
    loaded_bytes& operator=(loaded_bytes&& other) noexcept {
        loaded_bytes taken(std::move(other));
        std::swap(block_, taken.block_);
        std::swap(version_, taken.version_);
        std::swap(source_, taken.source_);
        return *this;
    }
    ~loaded_bytes() {
        if (block_) source_->deallocate(block_.address, {block_.size, 16});
    }

    std::span<const std::byte> bytes() const noexcept {
        return {static_cast<const std::byte*>(block_.address), block_.size};
    }
    std::uint32_t version() const noexcept { return version_; }

private:
    friend result<loaded_bytes> load_bytes(byte_store&, const saved_form&, memory_source&) noexcept;
    loaded_bytes(block owned, std::uint32_t version, memory_source& source) noexcept
        : block_(owned), version_(version), source_(&source) {}

    block block_; // empty: no bytes
    std::uint32_t version_;
    memory_source* source_; // borrowed
};

// Takes memory for a copy with its header from `work` and gives it back.
result<void> save_bytes(byte_store& store, const saved_form& form, std::span<const std::byte> content,
                        memory_source& work) noexcept;
// Writes the header into the first saved_header_bytes of `whole`: the rest is the content. Then whole is what
// byte_store::replace() takes. Expects: room for the header.
void seal_saved(std::span<std::byte> whole, const saved_form& form) noexcept;

// A shortage is an error, too, and last_refusal() has it.
result<loaded_bytes> load_bytes(byte_store& store, const saved_form& form, memory_source& source) noexcept;

} // namespace allot
