#include <recorder/collector/tables.hpp>

#include <algorithm>
#include <cstring>
#include <sys/mman.h>

namespace allot::recorder {
namespace {

constexpr std::uint32_t tables_version = 2;
constexpr std::size_t page = 4096;
constexpr std::size_t first_growth = 64 * 1024;
constexpr std::size_t growth_max = std::size_t{8} << 20;

struct part_plan {
    std::uint64_t record_bytes, capacity;
};

void plan_parts(const tables_options& options, part_plan (&parts)[table_count]) {
    const std::uint64_t contexts = options.contexts_max;
    parts[table_nodes] = {sizeof(node_record), contexts};
    parts[table_rows] = {sizeof(row_record), contexts};
    parts[table_row_rests] = {sizeof(row_rest_record), contexts};
    parts[table_sites] = {sizeof(site_record), contexts};
    parts[table_modules] = {sizeof(module_record), 1u << 16};
    parts[table_processes] = {sizeof(process_record), 1u << 17};
    parts[table_threads] = {sizeof(thread_record), 1u << 18};
    parts[table_sources] = {sizeof(source_record), 1u << 17};
    parts[table_text] = {1, 1u << 26};
}

std::uint64_t up(std::uint64_t bytes) { return (bytes + page - 1) / page * page; }

} // namespace

bool detail::growing_part::grow(std::size_t bytes_needed) {
    const auto& part = head->parts[id];
    const std::size_t limit = up(part.capacity * part.record_bytes);
    const std::size_t step = std::clamp(backed, first_growth, growth_max);
    const std::size_t wanted = std::min<std::size_t>(limit, up(std::max(bytes_needed, backed + step)));
    if (in_file && !file->back_collected(part.offset + backed, wanted - backed)) {
        in_file = false;
        head->lossy = 1;
    }
    if (!in_file) {
        void* place = reinterpret_cast<std::byte*>(head) + part.offset + backed;
        if (::mmap(place, wanted - backed, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                   -1, 0) == MAP_FAILED)
            return false;
    }
    backed = wanted;
    return true;
}

std::size_t tables::bytes(const tables_options& options) {
    part_plan parts[table_count];
    plan_parts(options, parts);
    std::uint64_t sum = up(sizeof(tables_head));
    for (const part_plan& part : parts) sum += up(part.record_bytes * part.capacity);
    return sum;
}

result<void> tables::prepare(segment& file, const tables_options& options) {
    if (auto room = file.back_collected(0, up(sizeof(tables_head))); !room) return room;
    tables_head head{};
    std::memcpy(head.magic, tables_magic, sizeof head.magic);
    head.version = tables_version;
    part_plan parts[table_count];
    plan_parts(options, parts);
    std::uint64_t offset = up(sizeof(tables_head));
    for (std::uint32_t id = 0; id < table_count; ++id) {
        head.parts[id] = {offset, parts[id].capacity, 0, parts[id].record_bytes};
        offset += up(parts[id].record_bytes * parts[id].capacity);
    }
    std::memcpy(file.collected_data(), &head, sizeof head);
    return {};
}

tables::tables(segment& file) noexcept : head_(reinterpret_cast<tables_head*>(file.collected_data())) {
    auto join = [&](auto& part, table_id id) {
        part.data_ = reinterpret_cast<decltype(part.data_)>(file.collected_data() + head_->parts[id].offset);
        part.capacity_ = static_cast<std::uint32_t>(head_->parts[id].capacity);
        part.part_ = {&file, head_, id, 0, true};
    };
    join(nodes, table_nodes);
    join(rows, table_rows);
    join(row_rests, table_row_rests);
    join(sites, table_sites);
    join(modules, table_modules);
    join(processes, table_processes);
    join(threads, table_threads);
    join(sources, table_sources);
    join(text_, table_text);
}

text_ref tables::add_text(std::string_view text) {
    const std::uint32_t at = text_.add_many({text.data(), text.size()});
    if (at == none) return {};
    return {at, static_cast<std::uint32_t>(text.size())};
}

tables_view tables_view::of(const tables& all) noexcept {
    return {&all.head(),       all.nodes.all(),     all.rows.all(),    all.row_rests.all(), all.sites.all(),
            all.modules.all(), all.processes.all(), all.threads.all(), all.sources.all(),   all.text().all()};
}

result<tables_view> tables_view::read(std::span<const std::byte> bytes) {
    if (bytes.size() < sizeof(tables_head)) return error("the collector's tables are cut short");
    tables_view view;
    view.head = reinterpret_cast<const tables_head*>(bytes.data());
    if (std::memcmp(view.head->magic, tables_magic, sizeof tables_magic) != 0 ||
        view.head->version != tables_version)
        return error("the collector's tables are of another form");
    bool good = true;
    auto join = [&](auto& span, table_id id) {
        using record = typename std::remove_reference_t<decltype(span)>::element_type;
        const auto part = view.head->parts[id];
        const std::uint64_t count =
            std::min(__atomic_load_n(&view.head->parts[id].count, __ATOMIC_ACQUIRE), part.capacity);
        std::uint64_t size = 0, end = 0;
        if (part.record_bytes != sizeof(record) || part.offset % 8 != 0 || part.capacity >= none ||
            __builtin_mul_overflow(count, sizeof(record), &size) ||
            __builtin_add_overflow(part.offset, size, &end) || end > bytes.size()) {
            good = false;
            return;
        }
        span = {reinterpret_cast<record*>(bytes.data() + part.offset), count};
    };
    join(view.nodes, table_nodes);
    join(view.rows, table_rows);
    join(view.row_rests, table_row_rests);
    join(view.sites, table_sites);
    join(view.modules, table_modules);
    join(view.processes, table_processes);
    join(view.threads, table_threads);
    join(view.sources, table_sources);
    join(view.text, table_text);
    if (!good) return error("the collector's tables lie outside of the file");
    return view;
}

} // namespace allot::recorder
