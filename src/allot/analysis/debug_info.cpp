#include <allot/analysis/debug_info.hpp>

#include <allot/analysis/module_file.hpp>
#include <allot/core/contract.hpp>

#include <array>
#include <charconv>
#include <optional>
#include <unordered_map>

namespace allot {
namespace {

struct address_hash {
    std::size_t operator()(const code_address& address) const noexcept {
        return static_cast<std::size_t>((address.offset ^ (std::uint64_t{address.module} << 40)) *
                                        0x9e37'79b9'7f4a'7c15u);
    }
};

struct open_module {
    std::string path;
    std::vector<std::uint8_t> build_id;
    std::unique_ptr<detail::module_file> file;
    std::optional<module_detail> detail;

    detail::module_file& opened() {
        if (file == nullptr) file = std::make_unique<allot::detail::module_file>(path, build_id);
        return *file;
    }
};

} // namespace

struct debug_info::state {
    std::vector<open_module> modules;
    std::unordered_map<code_address, std::vector<source_frame>, address_hash> known;
};

debug_info::debug_info(std::span<const module_row> modules) : state_(std::make_unique<state>()) {
    state_->modules.reserve(modules.size());
    for (const module_row& module : modules)
        state_->modules.push_back({module.path, module.build_id, nullptr, {}});
}

debug_info::debug_info(debug_info&&) noexcept = default;
debug_info& debug_info::operator=(debug_info&&) noexcept = default;
debug_info::~debug_info() = default;

bool debug_info::is_available() noexcept { return detail::module_file::is_available(); }

const std::vector<source_frame>& debug_info::frames(code_address address) {
    auto [found, added] = state_->known.try_emplace(address);
    std::vector<source_frame>& frames = found->second;
    if (!added) return frames;
    if (address.module < state_->modules.size() && address.offset > 0)
        state_->modules[address.module].opened().describe(address.offset - 1, frames);
    if (frames.empty()) frames.emplace_back();
    return frames;
}

const module_detail& debug_info::detail(std::uint32_t module) {
    ALLOT_EXPECT(module < state_->modules.size(), "debug_info::detail: no such module");
    open_module& asked = state_->modules[module];
    if (asked.detail) return *asked.detail;
    module_detail& made = asked.detail.emplace();
    allot::detail::module_file& file = asked.opened();
    made.reason = file.reason();
    if (!made.reason.empty()) return made;
    if (file.has_lines())
        made.detail = name_detail::lines;
    else if (!file.symbols().empty())
        made.detail = name_detail::functions;
    else
        made.reason = asked.path + " has no symbols";
    return made;
}

std::string module_and_offset(const std::vector<module_row>& modules, code_address address) {
    std::array<char, 16> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), address.offset, 16).ptr;
    std::string offset = "0x" + std::string(digits.data(), end);
    if (address.module >= modules.size() || modules[address.module].path.empty()) return offset;
    const std::string& path = modules[address.module].path;
    return path.substr(path.rfind('/') + 1) + "+" + offset;
}

} // namespace allot
