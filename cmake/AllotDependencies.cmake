# What allot uses from the system, as imported targets. Nothing is fetched. The Debian packages stand in scripts/setup.
#
#   needed by the library    nothing
#   used by the library      simdjson, zstd, lz4
#   needed by the tool       fmt::fmt  CLI11::CLI11  allot_rapidjson  PkgConfig::libelf  PkgConfig::libzstd  PkgConfig::libxxhash
#   optional                 PkgConfig::libdw  allot_iberty  PkgConfig::libunwind, pugixml::pugixml (tests only)
#
# Use an optional one behind `if(TARGET …)`; what is missing then says so itself, at run time, in plain words.

include(FeatureSummary)
if(ALLOT_BUILD_TOOL OR ALLOT_BUILD_TESTS OR ALLOT_BUILD_BENCHMARKS)
  find_package(PkgConfig QUIET)
  find_package(Threads REQUIRED)
endif()

function(allot_pkg NAME)
  if(PKG_CONFIG_FOUND)
    pkg_check_modules(${NAME} QUIET IMPORTED_TARGET GLOBAL ${NAME})
  endif()
endfunction()

# Collects what a part of the build cannot do without, so that one message names everything that is missing.
function(allot_need WHAT)
  foreach(target IN LISTS ARGN)
    if(NOT TARGET ${target})
      list(APPEND missing ${target})
    endif()
  endforeach()
  if(missing)
    list(JOIN missing ", " missing)
    message(FATAL_ERROR "${WHAT} needs ${missing}: run scripts/setup, which knows the Debian packages")
  endif()
endfunction()

if(ALLOT_BUILD_TOOL)
  allot_pkg(libelf)
  find_path(ALLOT_RAPIDJSON_INCLUDE rapidjson/writer.h)
  mark_as_advanced(ALLOT_RAPIDJSON_INCLUDE)
  if(ALLOT_RAPIDJSON_INCLUDE AND NOT TARGET allot_rapidjson)
    add_library(allot_rapidjson INTERFACE IMPORTED GLOBAL)
    target_include_directories(allot_rapidjson INTERFACE ${ALLOT_RAPIDJSON_INCLUDE})
  endif()
  find_package(fmt QUIET)
  find_package(CLI11 QUIET)
  allot_pkg(libzstd)
  allot_pkg(libxxhash)
  allot_need("The tool" fmt::fmt CLI11::CLI11 allot_rapidjson PkgConfig::libelf
             PkgConfig::libzstd PkgConfig::libxxhash)

  allot_pkg(libdw)

  find_path(ALLOT_IBERTY_INCLUDE libiberty/demangle.h)
  find_library(ALLOT_IBERTY_LIBRARY iberty)
  mark_as_advanced(ALLOT_IBERTY_INCLUDE ALLOT_IBERTY_LIBRARY)
  if(ALLOT_IBERTY_INCLUDE AND ALLOT_IBERTY_LIBRARY AND NOT TARGET allot_iberty)
    add_library(allot_iberty INTERFACE IMPORTED GLOBAL)
    target_include_directories(allot_iberty INTERFACE ${ALLOT_IBERTY_INCLUDE})
    target_link_libraries(allot_iberty INTERFACE ${ALLOT_IBERTY_LIBRARY})
  endif()
endif()

# Headers alone: the library picks its loops itself, so that nothing is linked.
find_path(ALLOT_HIGHWAY_INCLUDE hwy/highway.h)
mark_as_advanced(ALLOT_HIGHWAY_INCLUDE)

if(ALLOT_BUILD_TESTS OR ALLOT_BUILD_BENCHMARKS OR ALLOT_BUILD_FUZZERS)
  find_package(pugixml QUIET) # a peer: allot reads XML itself
endif()

# Libraries that a layer uses where they are installed: found without pkg-config, which a build of the library alone
# need not have, and linked by name, so that whoever links the installed liballot.a need not find them by CMake.
find_path(ALLOT_SIMDJSON_INCLUDE simdjson.h)
find_library(ALLOT_SIMDJSON_LIBRARY simdjson)
mark_as_advanced(ALLOT_SIMDJSON_INCLUDE ALLOT_SIMDJSON_LIBRARY)
if(ALLOT_SIMDJSON_INCLUDE AND ALLOT_SIMDJSON_LIBRARY)
  set(ALLOT_SIMDJSON ON)
endif()

foreach(codec IN ITEMS zstd lz4) # what cold_store packs blocks with
  string(TOUPPER ${codec} upper)
  find_path(ALLOT_${upper}_INCLUDE ${codec}.h)
  find_library(ALLOT_${upper}_LIBRARY ${codec})
  mark_as_advanced(ALLOT_${upper}_INCLUDE ALLOT_${upper}_LIBRARY)
  if(ALLOT_${upper}_INCLUDE AND ALLOT_${upper}_LIBRARY)
    set(ALLOT_${upper} ON)
  endif()
endforeach()

# allot_layer_uses(LAYER INCLUDE NAME): the layer includes from INCLUDE, and all that has its objects links NAME.
function(allot_layer_uses LAYER INCLUDE LIBRARY)
  target_include_directories(allot_${LAYER} SYSTEM PRIVATE ${INCLUDE})
  target_link_libraries(allot_${LAYER} PRIVATE ${LIBRARY})
  set_property(GLOBAL APPEND PROPERTY allot_used_libraries ${LIBRARY})
endfunction()

if(ALLOT_BUILD_TESTS)
  find_package(GTest QUIET)
  allot_pkg(libunwind)
  allot_need("The tests" GTest::gtest_main)
endif()
if(ALLOT_BUILD_BENCHMARKS)
  find_package(benchmark QUIET)
  allot_pkg(libunwind)
  allot_pkg(libzstd) # recorded workloads
  allot_need("The benchmarks" benchmark::benchmark PkgConfig::libzstd)
endif()

# add_feature_info wants variables.
macro(allot_feature NAME TARGET DESCRIPTION)
  if(TARGET ${TARGET})
    set(allot_has_${NAME} ON)
  else()
    set(allot_has_${NAME} OFF)
  endif()
  add_feature_info(${NAME} allot_has_${NAME} "${DESCRIPTION}")
endmacro()

function(allot_feature_summary)
  add_feature_info(tool ALLOT_BUILD_TOOL "the recorder and the command allot")
  allot_feature(debug-information PkgConfig::libdw "functions, inlined frames, file and line in reports (libdw)")
  allot_feature(rust-demangling allot_iberty "names of Rust symbols in reports (libiberty)")
  add_feature_info(simd ALLOT_HIGHWAY_INCLUDE "loops over texts for each kind of processor (Highway)")
  add_feature_info(json ALLOT_SIMDJSON "documents read from JSON (simdjson)")
  add_feature_info(zstd ALLOT_ZSTD "cold_store packs blocks with zstd")
  add_feature_info(lz4 ALLOT_LZ4 "cold_store packs blocks with lz4")
  add_feature_info(tests ALLOT_BUILD_TESTS "the tests")
  if(ALLOT_BUILD_TESTS)
    allot_feature(stack-oracle PkgConfig::libunwind "stacks compared with an independent unwinder (libunwind)")
  endif()
  add_feature_info(benchmarks ALLOT_BUILD_BENCHMARKS "the benchmarks")
  add_feature_info(fuzzers ALLOT_BUILD_FUZZERS "the fuzz targets and the replay of their corpora")
  feature_summary(WHAT ENABLED_FEATURES DISABLED_FEATURES QUIET_ON_EMPTY)
endfunction()
