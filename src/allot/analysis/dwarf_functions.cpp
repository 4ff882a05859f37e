#if ALLOT_HAS_LIBDW
#    include <allot/analysis/dwarf_functions.hpp>

#    include <allot/analysis/demangle.hpp>

#    include <dwarf.h>
#    include <elfutils/libdw.h>

#    include <algorithm>
#    include <string_view>

namespace allot::detail {
namespace {

constexpr int nesting_limit =
    512; // of entries: compilers stay far below; a damaged file must not exhaust the stack

bool may_hold_functions(int tag) {
    switch (tag) {
    case DW_TAG_subprogram:
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_lexical_block: return true;
    default: return false;
    }
}

bool is_scope(int tag) {
    return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block || tag == DW_TAG_try_block ||
           tag == DW_TAG_catch_block;
}

bool is_mangled(const char* name) {
    return name != nullptr && name[0] == '_' && (name[1] == 'Z' || name[1] == 'R');
}

const char* linkage_name(Dwarf_Die* function) {
    Dwarf_Attribute memory;
    for (const unsigned attribute : {unsigned{DW_AT_linkage_name}, unsigned{DW_AT_MIPS_linkage_name}})
        if (Dwarf_Attribute* found = dwarf_attr_integrate(function, attribute, &memory))
            if (const char* name = dwarf_formstring(found)) return name;
    return nullptr;
}

// The entry that stands in its scope: an inlined or separate copy refers to it.
Dwarf_Die declaration_of(Dwarf_Die function) {
    Dwarf_Attribute memory;
    Dwarf_Die next;
    for (int steps = 0; steps < 8; ++steps) {
        Dwarf_Attribute* reference = dwarf_attr(&function, DW_AT_abstract_origin, &memory);
        if (reference == nullptr) reference = dwarf_attr(&function, DW_AT_specification, &memory);
        if (reference == nullptr || dwarf_formref_die(reference, &next) == nullptr) break;
        function = next;
    }
    return function;
}

// "space::type::name" from the scopes around a declaration.
std::string qualified_name(Dwarf_Die declaration, int depth = 0) {
    const char* own = dwarf_diename(&declaration);
    std::string name = own == nullptr ? "" : own;
    const bool may_be_lambda = name == "operator()";
    Dwarf_Die* scopes = nullptr;
    const int count = dwarf_getscopes_die(&declaration, &scopes);
    for (int i = 1; i < count; ++i) {
        const int tag = dwarf_tag(&scopes[i]);
        if (tag == DW_TAG_subprogram) { // a local type's: the function itself may be declared elsewhere
            const char* linkage = linkage_name(&scopes[i]);
            const bool end = is_mangled(linkage) || depth == 8;
            const std::string around = end ? demangle(linkage == nullptr ? "" : linkage)
                                           : qualified_name(declaration_of(scopes[i]), depth + 1);
            name.insert(0, "::").insert(0, around);
            break;
        }
        const bool type =
            tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
        if (!type && tag != DW_TAG_namespace) continue;
        const char* scope = dwarf_diename(&scopes[i]);
        if (scope == nullptr && tag == DW_TAG_namespace) scope = "(anonymous namespace)";
        if (scope == nullptr && may_be_lambda) scope = "{lambda}";
        if (scope != nullptr) name.insert(0, "::").insert(0, scope);
    }
    std::free(scopes);
    return name;
}

// The functions that pc was inlined through, outermost first: [0] is the real function.
std::vector<Dwarf_Die> inlining_at(Dwarf_Die function, Dwarf_Addr pc) {
    std::vector<Dwarf_Die> chain{function};
    Dwarf_Die parent = function;
    Dwarf_Die child;
    for (int depth = 0; depth < nesting_limit && dwarf_child(&parent, &child) == 0; ++depth) {
        bool found = false;
        do {
            if (!is_scope(dwarf_tag(&child)) || dwarf_haspc(&child, pc) <= 0) continue;
            if (dwarf_tag(&child) == DW_TAG_inlined_subroutine) chain.push_back(child);
            found = true;
            break;
        } while (dwarf_siblingof(&child, &child) == 0);
        if (!found) break;
        parent = child;
    }
    return chain;
}

void read_call_place(Dwarf_Die* root, Dwarf_Die* inlined, source_frame& frame) {
    Dwarf_Attribute memory;
    Dwarf_Word value = 0;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &memory), &value) == 0)
        frame.line = static_cast<unsigned>(value);
    Dwarf_Files* files = nullptr;
    std::size_t count = 0;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &memory), &value) != 0) return;
    if (dwarf_getsrcfiles(root, &files, &count) != 0 || value >= count) return;
    if (const char* file = dwarf_filesrc(files, value, nullptr, nullptr)) frame.file = file;
}

} // namespace

dwarf_functions::dwarf_functions(Dwfl_Module* module) : dwarf_(dwfl_module_getdwarf(module, &bias_)) {}

void dwarf_functions::add_ranges(Dwarf_Die* die, std::vector<range>& ranges) {
    Dwarf_Addr base = 0;
    Dwarf_Addr low = 0;
    Dwarf_Addr high = 0;
    for (std::ptrdiff_t at = 0; (at = dwarf_ranges(die, at, &base, &low, &high)) > 0;)
        if (low < high) ranges.push_back({low, high, dwarf_dieoffset(die)});
}

void dwarf_functions::index_functions(Dwarf_Die* parent, std::vector<range>& functions, int depth) {
    Dwarf_Die child;
    if (depth == nesting_limit || dwarf_child(parent, &child) != 0) return;
    do {
        const int tag = dwarf_tag(&child);
        if (tag == DW_TAG_subprogram) add_ranges(&child, functions);
        if (may_hold_functions(tag) && dwarf_haschildren(&child) > 0)
            index_functions(&child, functions, depth + 1);
    } while (dwarf_siblingof(&child, &child) == 0);
}

void dwarf_functions::sort_ranges(std::vector<range>& ranges) {
    std::ranges::sort(ranges, [](const range& a, const range& b) {
        return a.low != b.low ? a.low < b.low : a.die < b.die;
    });
}

// The last range that begins at or before pc, if it reaches beyond it. Ranges of code don't overlap; where
// identical functions were folded into one, the first in the file stands for all.
const dwarf_functions::range* dwarf_functions::find(const std::vector<range>& ranges, Dwarf_Addr pc) {
    auto next = std::upper_bound(ranges.begin(), ranges.end(), pc,
                                 [](Dwarf_Addr address, const range& r) { return address < r.low; });
    if (next == ranges.begin()) return nullptr;
    auto best = std::prev(next);
    while (best != ranges.begin() && std::prev(best)->low == best->low && std::prev(best)->high > pc) --best;
    return pc < best->high ? &*best : nullptr;
}

dwarf_functions::unit* dwarf_functions::add_unit(Dwarf_Die die) {
    auto [found, added] = units_.try_emplace(dwarf_dieoffset(&die));
    unit& made = found->second;
    if (!added) return &made;
    made.skeleton = made.root = die;
    Dwarf_Die split;
    std::uint8_t kind = 0;
    if (dwarf_cu_info(die.cu, nullptr, &kind, nullptr, &split, nullptr, nullptr, nullptr) == 0 &&
        kind == DW_UT_skeleton && dwarf_tag(&split) == DW_TAG_compile_unit)
        made.root = split;
    index_functions(&made.root, made.functions, 0);
    sort_ranges(made.functions);
    return &made;
}

void dwarf_functions::index_units() {
    units_indexed_ = true;
    Dwarf_CU* cu = nullptr;
    Dwarf_Die die;
    std::uint8_t kind = 0;
    while (dwarf_get_units(dwarf_, cu, &cu, nullptr, &kind, &die, nullptr) == 0)
        if (kind == DW_UT_compile || kind == DW_UT_skeleton) add_ranges(&die, unit_ranges_);
    sort_ranges(unit_ranges_);
}

// Some compilers write no .debug_aranges (clang, rustc): then the units are asked themselves.
dwarf_functions::unit* dwarf_functions::unit_at(Dwarf_Addr pc) {
    Dwarf_Die die;
    if (!units_indexed_) {
        if (dwarf_addrdie(dwarf_, pc, &die) != nullptr) return add_unit(die);
        index_units();
    }
    const range* found = find(unit_ranges_, pc);
    if (found == nullptr || dwarf_offdie(dwarf_, found->die, &die) == nullptr) return nullptr;
    return add_unit(die);
}

const std::string& dwarf_functions::readable(const char* symbol) {
    auto [found, added] = readable_.try_emplace(symbol);
    if (added) found->second = demangle(symbol);
    return found->second;
}

const std::string& dwarf_functions::name_of(Dwarf_Die* function, const char* symbol) {
    const char* linkage = linkage_name(function);
    if (is_mangled(linkage)) return readable(linkage);
    // What only its own file can see (lambdas, local types and templates of them) has no linkage name. The
    // function that really stands there has a symbol; an inlined one is known by its scopes alone. In C a
    // linkage name is an alias ("__GI_fopen"), and the source's own name reads better.
    if (is_mangled(symbol)) return readable(symbol);
    Dwarf_Die declaration = declaration_of(*function);
    auto [found, added] = qualified_.try_emplace(declaration.addr);
    if (added) found->second = qualified_name(declaration);
    return found->second;
}

void dwarf_functions::append_line(unit& from, Dwarf_Addr pc, source_frame& frame) {
    Dwarf_Line* line = dwarf_getsrc_die(&from.skeleton, pc);
    if (line == nullptr) return;
    int number = 0;
    if (dwarf_lineno(line, &number) == 0 && number > 0) frame.line = static_cast<unsigned>(number);
    if (const char* file = dwarf_linesrc(line, nullptr, nullptr)) frame.file = file;
}

void dwarf_functions::describe(Dwarf_Addr address, const char* symbol, std::vector<source_frame>& frames) {
    if (dwarf_ == nullptr) return;
    const Dwarf_Addr pc = address - bias_;
    unit* const in = unit_at(pc);
    if (in == nullptr) return;
    source_frame frame;
    append_line(*in, pc, frame);
    const range* found = find(in->functions, pc);
    Dwarf_Die function;
    if (found == nullptr || dwarf_offdie(dwarf_cu_getdwarf(in->root.cu), found->die, &function) == nullptr) {
        if (frame.line == 0) return;
        if (symbol != nullptr) frame.function = readable(symbol);
        frames.push_back(std::move(frame));
        return;
    }
    std::vector<Dwarf_Die> chain = inlining_at(function, pc);
    for (std::size_t at = chain.size(); at-- > 0;) {
        frame.inlined = at > 0;
        frame.function = name_of(&chain[at], at == 0 ? symbol : nullptr);
        frames.push_back(std::move(frame));
        frame = {};
        if (at > 0) read_call_place(&in->root, &chain[at], frame);
    }
}

} // namespace allot::detail

#endif
