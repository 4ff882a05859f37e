# cmake -D SRC=… -P umbrella.cmake: allot.hpp includes every header of the layers that users build with, but inner parts,
# which come along where they are needed: those that put everything into allot::detail, and the few named here. testing
# is included by tests, one by one.
set(inner eh_frame unwind_rules arena_inline object_pool_inline object_pool_parts)
list(APPEND inner slot_map_table soa_inline soa_memory tree_store value_cell)
cmake_minimum_required(VERSION 3.25)

file(READ ${SRC}/allot/allot.hpp umbrella)
file(GLOB headers RELATIVE ${SRC} ${SRC}/allot/core/*.h ${SRC}/allot/core/*.hpp ${SRC}/allot/platform/*.hpp
  ${SRC}/allot/source/*.hpp ${SRC}/allot/structure/*.hpp ${SRC}/allot/governance/*.hpp
  ${SRC}/allot/document/*.hpp)
list(FILTER headers EXCLUDE REGEX "_test\\.hpp$")
set(count 0)
set(missing)
foreach(header IN LISTS headers)
  get_filename_component(stem ${header} NAME_WE)
  file(STRINGS ${SRC}/${header} public REGEX "^(namespace allot {|extern \"C\")" LIMIT_COUNT 1)
  if(stem IN_LIST inner OR (NOT public AND header MATCHES "\\.hpp$"))
    continue()
  endif()
  math(EXPR count "${count} + 1")
  string(FIND "${umbrella}" "#include <${header}>\n" at)
  if(at EQUAL -1)
    list(APPEND missing "#include <${header}>")
  endif()
endforeach()
if(count LESS 40)
  message(FATAL_ERROR "only ${count} headers in ${SRC}")
endif()
if(missing)
  list(JOIN missing "\n" missing)
  message(FATAL_ERROR "src/allot/allot.hpp lacks\n${missing}")
endif()
message(STATUS "allot.hpp includes all ${count} headers")
