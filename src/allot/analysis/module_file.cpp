#include <allot/analysis/module_file.hpp>

#if ALLOT_HAS_LIBDW

#    include <allot/analysis/demangle.hpp>
#    include <allot/analysis/dwarf_functions.hpp>

#    include <elfutils/libdwfl.h>
#    include <fcntl.h>

#    include <algorithm>
#    include <array>
#    include <cstring>
#    include <filesystem>
#    include <fstream>
#    include <optional>

namespace allot::detail {
namespace {

namespace fs = std::filesystem;

struct end_session {
    void operator()(Dwfl* session) const noexcept { dwfl_end(session); }
};
using session = std::unique_ptr<Dwfl, end_session>;

std::span<const std::uint8_t> build_id_of(Dwfl_Module* module) {
    const unsigned char* bits = nullptr;
    GElf_Addr address = 0;
    const int size = dwfl_module_build_id(module, &bits, &address);
    return size <= 0 ? std::span<const std::uint8_t>() : std::span(bits, static_cast<std::size_t>(size));
}

bool is_regular(const fs::path& path) {
    std::error_code failed;
    return fs::is_regular_file(path, failed);
}

int find_debug_file(Dwfl_Module* module, void** user, const char* name, Dwarf_Addr base, const char* file,
                    const char* link, GElf_Word checksum, char** found);

int find_no_elf(Dwfl_Module*, void**, const char*, Dwarf_Addr, char**, Elf**) { return -1; }

// The file is mapped in a session of its own: programs that replaced each other may both begin at one
// address.
Dwfl_Module* open_in(session& made, const std::string& path) {
    static const Dwfl_Callbacks callbacks{.find_elf = find_no_elf,
                                          .find_debuginfo = find_debug_file,
                                          .section_address = dwfl_offline_section_address,
                                          .debuginfo_path = nullptr};
    made.reset(dwfl_begin(&callbacks));
    if (made == nullptr) return nullptr;
    dwfl_report_begin(made.get());
    Dwfl_Module* const module = dwfl_report_offline(made.get(), "", path.c_str(), -1);
    dwfl_report_end(made.get(), nullptr, nullptr);
    return module;
}

// The checksum of .gnu_debuglink: CRC-32 as in ISO 3309.
std::optional<std::uint32_t> crc32_of(const fs::path& path) {
    static const auto table = [] {
        std::array<std::uint32_t, 256> made{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            made[i] = i;
            for (int bit = 0; bit < 8; ++bit)
                made[i] = (made[i] >> 1) ^ ((made[i] & 1) != 0 ? 0xedb8'8320u : 0u);
        }
        return made;
    }();
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    std::uint32_t crc = 0xffff'ffffu;
    std::vector<char> part(1 << 16);
    while (file.read(part.data(), static_cast<std::streamsize>(part.size())) || file.gcount() > 0)
        for (std::streamsize i = 0; i < file.gcount(); ++i)
            crc = table[(crc ^ static_cast<unsigned char>(part[static_cast<std::size_t>(i)])) & 0xff] ^
                  (crc >> 8);
    return ~crc;
}

bool belongs_to(const fs::path& candidate, Dwfl_Module* module, GElf_Word checksum) {
    const auto wanted = build_id_of(module);
    if (wanted.empty()) return crc32_of(candidate) == checksum;
    session other;
    Dwfl_Module* const debug = open_in(other, candidate.string());
    return debug != nullptr && std::ranges::equal(build_id_of(debug), wanted);
}

// What dwfl_standard_find_debuginfo does, without its last step: that one asks the servers named in
// DEBUGINFOD_URLS, and a report must neither wait for a network nor tell it what ran here.
int find_debug_file(Dwfl_Module* module, void** user, const char* name, Dwarf_Addr base, const char* file,
                    const char* link, GElf_Word checksum, char** found) {
    const int by_build_id =
        dwfl_build_id_find_debuginfo(module, user, name, base, file, link, checksum, found);
    if (by_build_id >= 0 || link == nullptr || file == nullptr) return by_build_id;
    const fs::path folder = fs::path(file).parent_path();
    const fs::path system = fs::path("/usr/lib/debug") / folder.relative_path();
    for (const fs::path& candidate : {folder / link, folder / ".debug" / link, system / link}) {
        if (candidate == file || !is_regular(candidate) || !belongs_to(candidate, module, checksum)) continue;
        const int descriptor = ::open(candidate.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) continue;
        *found = ::strdup(candidate.c_str());
        return descriptor;
    }
    return -1;
}

// Of several names for one function the one a reader wants: global, then without leading underscores, then
// short.
int rank(const GElf_Sym& symbol, const char* name) {
    const int binding = GELF_ST_BIND(symbol.st_info);
    return (binding == STB_GLOBAL ? 0
            : binding == STB_WEAK ? 2
                                  : 4) +
           (name[0] == '_' && name[1] == '_' ? 1 : 0);
}

bool is_code(Elf* elf, GElf_Word section) {
    GElf_Shdr header;
    return gelf_getshdr(elf_getscn(elf, section), &header) != nullptr &&
           (header.sh_flags & SHF_EXECINSTR) != 0;
}

} // namespace

struct module_file::libdw_state {
    session dwfl;
    Dwfl_Module* module = nullptr;
    GElf_Addr bias = 0; // libdwfl's address - bias == ELF virtual address
    std::optional<std::vector<function_symbol>> symbols;
    std::optional<dwarf_functions> functions;

    dwarf_functions& debug_functions() {
        if (!functions) functions.emplace(module);
        return *functions;
    }
};

module_file::module_file(const std::string& path, std::span<const std::uint8_t> build_id)
    : state_(std::make_unique<libdw_state>()) {
    open(path, build_id);
}

module_file::~module_file() = default;

bool module_file::is_available() noexcept { return true; }

void module_file::open(const std::string& path, std::span<const std::uint8_t> build_id) {
    const std::string name = fs::path(path).filename().string();
    if (path.empty() || path.front() != '/') {
        reason_ = path.empty() ? "code without a file" : path + " is not a file";
        return;
    }
    if (!is_regular(path)) { // also keeps a recording from making us read a device or a pipe
        reason_ = name + " is gone since the recording (" + path + ")";
        return;
    }
    state_->module = open_in(state_->dwfl, path);
    if (state_->module == nullptr) {
        reason_ = name + " can't be read: " + dwfl_errmsg(-1);
        return;
    }
    if (!std::ranges::equal(build_id_of(state_->module), build_id)) {
        reason_ = name + " changed since the recording (another build id)";
        return;
    }
    if (dwfl_module_getelf(state_->module, &state_->bias) == nullptr)
        reason_ = name + " can't be read: " + dwfl_errmsg(-1);
}

const std::vector<function_symbol>& module_file::symbols() {
    if (state_->symbols) return *state_->symbols;
    auto& made = state_->symbols.emplace();
    if (!reason_.empty()) return made;
    std::vector<std::pair<function_symbol, int>> ranked;
    const int count = dwfl_module_getsymtab(state_->module);
    for (int i = 1; i < count; ++i) {
        GElf_Sym symbol;
        GElf_Addr address = 0;
        GElf_Word section = 0;
        Elf* elf = nullptr;
        const char* name =
            dwfl_module_getsym_info(state_->module, i, &symbol, &address, &section, &elf, nullptr);
        if (name == nullptr || name[0] == '\0' || section == SHN_UNDEF) continue;
        const int type = GELF_ST_TYPE(symbol.st_info);
        const bool function = type == STT_FUNC || type == STT_GNU_IFUNC;
        if (!function &&
            !(type == STT_NOTYPE && GELF_ST_BIND(symbol.st_info) != STB_LOCAL && is_code(elf, section)))
            continue;
        const std::uint64_t start = address - state_->bias;
        ranked.push_back({{start, start + symbol.st_size, name}, rank(symbol, name)});
    }
    std::ranges::sort(ranked, [](const auto& a, const auto& b) {
        if (a.first.start != b.first.start) return a.first.start < b.first.start;
        if (a.second != b.second) return a.second < b.second;
        const std::string_view left = a.first.name;
        const std::string_view right = b.first.name;
        return left.size() != right.size() ? left.size() < right.size() : left < right;
    });
    made.reserve(ranked.size());
    for (const auto& [symbol, unused] : ranked) made.push_back(symbol);
    // Hand-written assembly often states no size: such a function reaches to the next symbol.
    for (std::size_t i = made.size(); i-- > 0;)
        if (made[i].end == made[i].start && i + 1 < made.size())
            made[i].end = made[i + 1].start == made[i].start ? made[i + 1].end : made[i + 1].start;
    return made;
}

const function_symbol* module_file::symbol_at(std::uint64_t pc) {
    const auto& all = symbols();
    auto next = std::ranges::upper_bound(all, pc, {}, &function_symbol::start);
    // A label inside a function may stand before pc and not reach it: look a few symbols back.
    const function_symbol* best = nullptr;
    for (int tries = 0; next != all.begin() && tries < 16; ++tries) {
        --next;
        if (best != nullptr && next->start != best->start) break;
        if (pc < next->end) best = &*next;
    }
    return best;
}

bool module_file::has_lines() { return reason_.empty() && state_->debug_functions().has_any(); }

void module_file::describe(std::uint64_t pc, std::vector<source_frame>& frames) {
    if (!reason_.empty()) return;
    const function_symbol* const symbol = symbol_at(pc);
    const char* const name = symbol == nullptr ? nullptr : symbol->name;
    state_->debug_functions().describe(pc + state_->bias, name, frames);
    if (frames.empty() && name != nullptr) {
        frames.emplace_back();
        frames.back().function = demangle(name);
    }
}

} // namespace allot::detail

#else

namespace allot::detail {

struct module_file::libdw_state {
    std::vector<function_symbol> symbols;
};

module_file::module_file(const std::string& path, std::span<const std::uint8_t> build_id)
    : state_(std::make_unique<libdw_state>()) {
    open(path, build_id);
}

module_file::~module_file() = default;

void module_file::open(const std::string&, std::span<const std::uint8_t>) {
    reason_ = "allot was built without libdw, which reads names";
}

bool module_file::is_available() noexcept { return false; }
const std::vector<function_symbol>& module_file::symbols() { return state_->symbols; }
bool module_file::has_lines() { return false; }
void module_file::describe(std::uint64_t, std::vector<source_frame>&) {}

} // namespace allot::detail

#endif
