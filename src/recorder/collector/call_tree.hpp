// call_tree: the contexts of all processes as one tree, and the row of numbers that each has.
//
// Processes write nodes by their own ids and addresses (wire.h); here a frame is (caller, module, offset), so
// that processes that run the same program share their contexts. A node is mapped when the first event names
// it.
// Borrows segment, tables and finder. Threads: one. Bounded: when the tables are full, further stacks count
// in the row of the unknown stack, which is row 0 of node 0 and site 0.
// Cost: row_of() of a known node is one load; a new frame about 100 ns and about 130 bytes.
//
//     call_tree tree(file, all, nullptr);
//     tree.add_module(0, {.id = 1, .start = 0x1000, .end = 0x2000, .bias = 0x1000}, "/usr/bin/jq", {});
//     std::uint32_t row = tree.row_of(0, node_id); // of process record 0
//     all.nodes[all.row_rests[row].node].parent;   // its caller
#pragma once

#include <cstddef>
#include <cstdint>
#include <recorder/collector/segment.hpp>
#include <recorder/collector/site_finder.hpp>
#include <recorder/collector/tables.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace allot::recorder {

class call_tree {
public:
    // `finder` may be null: then the innermost frame is the site.
    call_tree(const segment_map& file, tables& all, site_finder* finder);
    call_tree(const call_tree&) = delete;
    call_tree& operator=(const call_tree&) = delete;
    ~call_tree();

    // The row for an event of this process. Expects: process is in the tables.
    std::uint32_t row_of(std::uint32_t process, std::uint32_t node) {
        if (node < node_limit_ && rows_of_nodes_[node] != 0) [[likely]]
            return rows_of_nodes_[node] - 1;
        return map(process, node);
    }

    // Whether row_of() would have to read modules first: call add_module for all there are, then ask again.
    bool knows(std::uint32_t process, std::uint32_t module_id) const noexcept;
    void add_module(std::uint32_t process, const allot_wire_module& module, std::string_view path,
                    std::span<const std::byte> build_id);
    // Called when a node names a module that is not known yet.
    class module_reader {
    public:
        virtual ~module_reader() = default;
        virtual void read_modules(std::uint32_t process) = 0;
    };
    void set_module_reader(module_reader* reader) noexcept { reader_ = reader; }

    // The page's nodes will be another process's: forget them.
    void forget_page(std::uint32_t page) noexcept;
    void forget_process(std::uint32_t process) noexcept;

private:
    struct module_place {
        std::uint64_t bias = 0;
        std::uint32_t module = none; // index into tables.modules; none: id not seen
    };
    // Open addressing over indexes + 1 of records whose key is in the table itself.
    struct index_set {
        std::vector<std::uint32_t> slots;
        std::size_t count = 0;
    };

    std::uint32_t map(std::uint32_t process, std::uint32_t node);
    std::uint32_t tree_node(std::uint32_t process, std::uint32_t node);
    std::uint32_t intern_frame(std::uint32_t parent, std::uint32_t module, std::uint64_t offset);
    std::uint32_t intern_site(std::uint32_t module, std::uint64_t offset);
    std::uint32_t intern_module(std::string_view path, std::span<const std::byte> build_id);
    std::uint32_t site_of(std::uint32_t node);
    bool is_wrapper(const node_record& node);
    module_place place_of(std::uint32_t process, std::uint32_t module_id);

    const segment_map& file_;
    tables& all_;
    site_finder* finder_;
    module_reader* reader_ = nullptr;
    std::uint32_t node_limit_;
    std::uint32_t* rows_of_nodes_;                   // by the wire's node id: row + 1, 0 = not mapped
    std::uint32_t* nodes_of_nodes_;                  // likewise: index into tables.nodes + 1
    std::vector<std::vector<module_place>> modules_; // by process, by module id
    std::vector<module_row> module_rows_;            // path and build id, for the finder
    std::unordered_map<std::string, std::uint32_t> modules_by_key_;
    index_set frames_, sites_;
    struct address_hash {
        std::size_t operator()(const std::pair<std::uint32_t, std::uint64_t>& key) const noexcept;
    };
    std::unordered_map<std::pair<std::uint32_t, std::uint64_t>, bool, address_hash> wrappers_;
    std::uint32_t no_file_ = none; // the module without a path
};

} // namespace allot::recorder
