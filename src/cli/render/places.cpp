#include <cli/render/places.hpp>

#include <cli/render/names.hpp>

#include <allot/analysis/sites.hpp>

#include <algorithm>
#include <string>
#include <tuple>
#include <unordered_map>

namespace allot::cli {

std::vector<place_row> make_place_table(const snapshot& shot, debug_info& names, sort_by order,
                                        std::size_t top, std::size_t looked_at, std::size_t* all_count) {
    std::vector<place_row> rows;
    std::unordered_map<std::string, std::size_t> known;
    for (const table_row& site : make_table(shot, group_by::site, order, looked_at)) {
        const code_address address = shot.sites[site.index].address;
        const source_frame& source = site_frame(names, address);
        std::string key = source.function.empty()
                              ? module_and_offset(shot.modules, address)
                              : source.function + '\n' + source.file + '\n' + std::to_string(source.line);
        key += '\n' + std::to_string(address.module);
        const auto [place, fresh] = known.try_emplace(std::move(key), rows.size());
        if (fresh) {
            rows.push_back({address, &source, site.numbers});
        } else {
            rows[place->second].numbers += site.numbers;
        }
    }
    std::sort(rows.begin(), rows.end(), [order](const place_row& a, const place_row& b) {
        const std::uint64_t of_a = sort_value(a.numbers, order), of_b = sort_value(b.numbers, order);
        if (of_a != of_b) {
            return of_a > of_b;
        }
        return std::tie(a.address.module, a.address.offset) < std::tie(b.address.module, b.address.offset);
    });
    if (all_count != nullptr) {
        *all_count = rows.size();
    }
    rows.resize(std::min(rows.size(), top));
    return rows;
}

} // namespace allot::cli
