#include <recorder/collector/call_tree.hpp>

#include <algorithm>
#include <sys/mman.h>

namespace allot::recorder {
namespace {

constexpr std::uint32_t depth_max = 1u << 16; // no stack is deeper, so a longer chain is a loop
constexpr std::uint32_t module_id_max = 1u << 20;

std::uint64_t mix(std::uint64_t value) {
    value ^= value >> 32;
    value *= 0x9e37'79b9'7f4a'7c15ull;
    return value ^ value >> 29;
}

std::uint64_t hash_frame(std::uint32_t parent, std::uint32_t module, std::uint64_t offset) {
    return mix(mix(std::uint64_t{parent} << 32 | module) + offset);
}

std::uint32_t* map_zeroed(std::size_t count) {
    void* memory = ::mmap(nullptr, count * sizeof(std::uint32_t), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<std::uint32_t*>(memory);
}

// The index of the record that is `same`, or what `make` adds; none when it added nothing.
template <class Set, class Hash, class Same, class Make>
std::uint32_t find_or_add(Set& set, std::uint64_t hash, Hash&& hash_of, Same&& same, Make&& make) {
    if (set.slots.size() < (set.count + 1) * 2) {
        std::vector<std::uint32_t> grown(std::max<std::size_t>(256, set.slots.size() * 2));
        for (std::uint32_t entry : set.slots)
            if (entry != 0) {
                std::size_t at = hash_of(entry - 1) & (grown.size() - 1);
                while (grown[at] != 0) at = (at + 1) & (grown.size() - 1);
                grown[at] = entry;
            }
        set.slots.swap(grown);
    }
    std::size_t at = hash & (set.slots.size() - 1);
    for (; set.slots[at] != 0; at = (at + 1) & (set.slots.size() - 1))
        if (same(set.slots[at] - 1)) return set.slots[at] - 1;
    const std::uint32_t made = make();
    if (made == none) return none;
    set.slots[at] = made + 1;
    ++set.count;
    return made;
}

} // namespace

std::size_t
call_tree::address_hash::operator()(const std::pair<std::uint32_t, std::uint64_t>& key) const noexcept {
    return mix(mix(key.first) + key.second);
}

call_tree::call_tree(const segment_map& file, tables& all, site_finder* finder)
    : file_(file),
      all_(all),
      finder_(finder),
      node_limit_(file.page_count_max() * ALLOT_WIRE_NODES_PER_PAGE),
      rows_of_nodes_(map_zeroed(node_limit_)),
      nodes_of_nodes_(map_zeroed(node_limit_)) {
    if (rows_of_nodes_ == nullptr || nodes_of_nodes_ == nullptr)
        node_limit_ = 0; // all stacks are unknown, then
    no_file_ = intern_module({}, {});
    const std::uint32_t unknown = intern_frame(context_node::cut, none, 0);
    const std::uint32_t row = all_.rows.add({.site = intern_site(no_file_, 0)});
    all_.row_rests.add({.node = unknown});
    all_.nodes[unknown].row = row;
}

call_tree::~call_tree() {
    const std::size_t bytes =
        std::size_t{file_.page_count_max()} * ALLOT_WIRE_NODES_PER_PAGE * sizeof(std::uint32_t);
    if (rows_of_nodes_ != nullptr) ::munmap(rows_of_nodes_, bytes);
    if (nodes_of_nodes_ != nullptr) ::munmap(nodes_of_nodes_, bytes);
}

std::uint32_t call_tree::map(std::uint32_t process, std::uint32_t node) {
    if (node < ALLOT_NODE_FIRST) return 0;
    const std::uint32_t index = tree_node(process, node);
    if (index == none) return 0;
    node_record& record = all_.nodes[index];
    if (record.row == none) {
        const std::uint32_t row = all_.rows.add({.site = site_of(index)});
        if (row == none || all_.row_rests.add({.node = index}) == none) {
            ++all_.head().contexts_lost;
            return 0;
        }
        record.row = row;
    }
    rows_of_nodes_[node] = record.row + 1;
    return record.row;
}

// Finds or makes the frames of a stack, from the outermost that is not known yet inwards; none where it can't
// be.
std::uint32_t call_tree::tree_node(std::uint32_t process, std::uint32_t node) {
    const std::uint64_t serial = all_.processes[process].serial;
    std::vector<std::uint32_t> chain;
    std::uint32_t outer = node;
    while (outer >= ALLOT_NODE_FIRST) {
        if (outer >= node_limit_ || chain.size() == depth_max) return none;
        if (nodes_of_nodes_[outer] != 0) break;
        const allot_wire_node* record = file_.node(outer);
        if (record == nullptr || file_.page(outer / ALLOT_WIRE_NODES_PER_PAGE)->process_serial != serial)
            return none;
        chain.push_back(outer);
        outer = record->parent;
    }
    std::uint32_t index = outer == ALLOT_NODE_ROOT   ? context_node::root
                          : outer < ALLOT_NODE_FIRST ? context_node::cut
                                                     : nodes_of_nodes_[outer] - 1;
    for (; !chain.empty(); chain.pop_back()) {
        const allot_wire_node* record = file_.node(chain.back());
        const module_place place = place_of(process, record->module);
        const std::uint64_t offset = record->return_address - place.bias;
        index = intern_frame(index, place.module, offset);
        if (index == none) {
            ++all_.head().contexts_lost;
            return none;
        }
        nodes_of_nodes_[chain.back()] = index + 1;
    }
    return index;
}

std::uint32_t call_tree::intern_frame(std::uint32_t parent, std::uint32_t module, std::uint64_t offset) {
    return find_or_add(
        frames_, hash_frame(parent, module, offset),
        [&](std::uint32_t index) {
            const node_record& known = all_.nodes[index];
            return hash_frame(known.parent, known.module, known.offset);
        },
        [&](std::uint32_t index) {
            const node_record& known = all_.nodes[index];
            return known.parent == parent && known.module == module && known.offset == offset;
        },
        [&] { return all_.nodes.add({.parent = parent, .module = module, .offset = offset}); });
}

std::uint32_t call_tree::intern_site(std::uint32_t module, std::uint64_t offset) {
    const std::uint32_t index = find_or_add(
        sites_, hash_frame(0, module, offset),
        [&](std::uint32_t at) { return hash_frame(0, all_.sites[at].module, all_.sites[at].offset); },
        [&](std::uint32_t at) { return all_.sites[at].module == module && all_.sites[at].offset == offset; },
        [&] { return all_.sites.add({.offset = offset, .module = module}); });
    return index == none ? 0 : index;
}

std::uint32_t call_tree::site_of(std::uint32_t node) {
    std::uint32_t at = node;
    while (is_wrapper(all_.nodes[at])) {
        const std::uint32_t caller = all_.nodes[at].parent;
        if (caller == context_node::root || caller == context_node::cut) break; // the outermost, then
        at = caller;
    }
    const node_record& site = all_.nodes[at];
    return intern_site(site.module == none ? no_file_ : site.module, site.offset);
}

bool call_tree::is_wrapper(const node_record& node) {
    if (finder_ == nullptr) return false;
    const std::uint32_t module = node.module == none ? no_file_ : node.module;
    const auto [entry, fresh] = wrappers_.try_emplace({module, node.offset}, false);
    if (fresh) entry->second = finder_->is_allocator_wrapper(module_rows_[module], node.offset);
    return entry->second;
}

bool call_tree::knows(std::uint32_t process, std::uint32_t module_id) const noexcept {
    return process < modules_.size() && module_id < modules_[process].size() &&
           modules_[process][module_id].module != none;
}

call_tree::module_place call_tree::place_of(std::uint32_t process, std::uint32_t module_id) {
    if (module_id == 0) return {};
    if (!knows(process, module_id) && reader_ != nullptr) reader_->read_modules(process);
    return knows(process, module_id) ? modules_[process][module_id] : module_place{};
}

void call_tree::add_module(std::uint32_t process, const allot_wire_module& module, std::string_view path,
                           std::span<const std::byte> build_id) {
    if (module.id == 0 || module.id >= module_id_max) return;
    if (modules_.size() <= process) modules_.resize(process + 1);
    auto& places = modules_[process];
    if (places.size() <= module.id) places.resize(module.id + 1);
    if (path.empty()) return;
    places[module.id] = {module.bias, intern_module(path, build_id)};
}

std::uint32_t call_tree::intern_module(std::string_view path, std::span<const std::byte> build_id) {
    const std::string_view id{reinterpret_cast<const char*>(build_id.data()), build_id.size()};
    std::string key(path);
    key.append(1, '\0').append(id);
    if (const auto known = modules_by_key_.find(key); known != modules_by_key_.end()) return known->second;
    const std::uint32_t index =
        all_.modules.add({.path = all_.add_text(path), .build_id = all_.add_text(id)});
    if (index == none) return none;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(build_id.data());
    module_rows_.push_back(
        {.path = std::string(path), .build_id = {bytes, bytes + build_id.size()}, .numbers = {}});
    modules_by_key_.emplace(std::move(key), index);
    return index;
}

void call_tree::forget_page(std::uint32_t page) noexcept {
    const std::uint64_t first = std::uint64_t{page} * ALLOT_WIRE_NODES_PER_PAGE;
    if (first + ALLOT_WIRE_NODES_PER_PAGE > node_limit_) return;
    std::fill_n(rows_of_nodes_ + first, ALLOT_WIRE_NODES_PER_PAGE, 0u);
    std::fill_n(nodes_of_nodes_ + first, ALLOT_WIRE_NODES_PER_PAGE, 0u);
}

void call_tree::forget_process(std::uint32_t process) noexcept {
    if (process < modules_.size()) modules_[process] = {};
}

} // namespace allot::recorder
