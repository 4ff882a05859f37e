// dwarf_functions: which functions, inlined ones included, stand at an address, from debug information.
//
// A part of debug_info; only built with libdw. Each compilation unit's functions are indexed at the first
// question about the unit, so that later ones cost a binary search and a walk inside one function (libdw's
// own dwarf_getscopes walks the whole unit each time).
// Borrows the Dwarf of its module.
// Threads: thread-compatible.
#pragma once

#include <allot/analysis/debug_info.hpp>

#include <elfutils/libdwfl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace allot::detail {

class dwarf_functions {
public:
    explicit dwarf_functions(Dwfl_Module* module); // borrowed

    bool has_any() const noexcept { return dwarf_ != nullptr; }

    // `address` as libdwfl numbers the module; `symbol` is the name of the symbol there or null. Adds frames,
    // innermost first, or nothing.
    void describe(Dwarf_Addr address, const char* symbol, std::vector<source_frame>& frames);

private:
    struct range {
        Dwarf_Addr low, high; // [low, high)
        Dwarf_Off die;        // offset of the function's, or of the unit's entry
    };
    struct unit {
        Dwarf_Die skeleton; // has the line table
        Dwarf_Die root; // has the functions: another one where the debug information is split into .dwo files
        std::vector<range> functions;
    };

    unit* unit_at(Dwarf_Addr address);
    unit* add_unit(Dwarf_Die die);
    void index_units();
    const std::string& name_of(Dwarf_Die* function, const char* symbol);
    const std::string& readable(const char* symbol);
    void append_line(unit& from, Dwarf_Addr pc, source_frame& frame);

    static void index_functions(Dwarf_Die* parent, std::vector<range>& functions, int depth);
    static void sort_ranges(std::vector<range>& ranges);
    static void add_ranges(Dwarf_Die* die, std::vector<range>& ranges);
    static const range* find(const std::vector<range>& ranges, Dwarf_Addr pc);

    Dwarf_Addr bias_ = 0;    // address - bias_ is what the debug information calls the place; set with dwarf_
    Dwarf* dwarf_ = nullptr; // borrowed from the module; null: there is none
    bool units_indexed_ = false;
    std::vector<range> unit_ranges_;
    std::unordered_map<Dwarf_Off, unit> units_;
    std::unordered_map<const char*, std::string> readable_;  // by the name's place in the mapped file
    std::unordered_map<const void*, std::string> qualified_; // by the declaration's place
};

} // namespace allot::detail
