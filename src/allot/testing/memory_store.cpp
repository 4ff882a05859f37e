#include <allot/testing/memory_store.hpp>
#include <allot/testing/no_allocation.hpp>

#include <algorithm>
#include <cerrno>
#include <random>
#include <string>

namespace allot {
namespace {

constexpr std::size_t sector_bytes = 512;

error failed(const char* doing, std::uint64_t size, std::uint64_t offset, int number) {
    return system_error(number).during("memory_store: " + std::string(doing) + " " + std::to_string(size) +
                                       " bytes at " + std::to_string(offset));
}

} // namespace

bool memory_store::fails(std::uint64_t planned, std::uint64_t& count) const noexcept {
    ++count;
    return planned != 0 && (count == planned || (plan_.lasting && count > planned));
}

void memory_store::plan(const store_failure_plan& next) noexcept {
    plan_ = next;
    read_count_ = write_count_ = sync_count_ = 0;
}

result<std::size_t> memory_store::read_at(std::uint64_t offset, std::span<std::byte> into) noexcept {
    const allocation_allowed books;
    if (fails(plan_.read, read_count_)) return failed("read", into.size(), offset, EIO);
    if (offset >= bytes_.size()) return std::size_t{0};
    const std::size_t size = std::min<std::size_t>(into.size(), bytes_.size() - offset);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), size, into.begin());
    return size;
}

void memory_store::put(std::vector<std::byte>& to, std::uint64_t offset, std::span<const std::byte> from) {
    if (from.empty()) return;
    if (to.size() < offset + from.size()) to.resize(offset + from.size());
    std::copy(from.begin(), from.end(), to.begin() + static_cast<std::ptrdiff_t>(offset));
}

void memory_store::keep(std::uint64_t offset, std::span<const std::byte> from) {
    put(bytes_, offset, from);
    changes_.push_back({offset, {from.begin(), from.end()}});
}

result<void> memory_store::write_at(std::uint64_t offset, std::span<const std::byte> from) noexcept {
    const allocation_allowed books;
    if (fails(plan_.write, write_count_)) {
        keep(offset, from.first(std::min<std::size_t>(from.size(), plan_.torn_bytes)));
        return failed("write", from.size(), offset, EIO);
    }
    const std::uint64_t room = capacity_bytes_ - std::min(offset, capacity_bytes_);
    if (from.size() > room) { // a full disk takes what fits
        keep(offset, from.first(static_cast<std::size_t>(room)));
        return failed("write", from.size(), offset, ENOSPC);
    }
    keep(offset, from);
    return {};
}

result<void> memory_store::sync() noexcept {
    const allocation_allowed books;
    if (fails(plan_.sync, sync_count_)) return failed("sync", bytes_.size(), 0, EIO);
    durable_ = bytes_;
    changes_.clear();
    return {};
}

result<void> memory_store::replace(std::span<const std::byte> whole) noexcept {
    const allocation_allowed books;
    if (fails(plan_.write, write_count_)) return failed("replace", whole.size(), 0, EIO);
    if (whole.size() > capacity_bytes_) return failed("replace", whole.size(), 0, ENOSPC);
    bytes_.assign(whole.begin(), whole.end());
    durable_ = bytes_;
    changes_.clear();
    return {};
}

result<void> memory_store::discard_from(std::uint64_t offset) noexcept {
    if (offset < bytes_.size()) bytes_.resize(offset);
    return {};
}

void memory_store::lose_power(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (const change& each : changes_) {
        const unsigned fate = random() % 4; // gone, whole, or some of its sectors
        for (std::size_t at = 0; at < each.bytes.size();) {
            const std::size_t size =
                std::min(sector_bytes - (each.offset + at) % sector_bytes, each.bytes.size() - at);
            if (fate == 1 || (fate > 1 && random() % 2 == 0))
                put(durable_, each.offset + at, std::span(each.bytes).subspan(at, size));
            at += size;
        }
    }
    bytes_ = durable_;
    changes_.clear();
}

} // namespace allot
