# allot_layer(NAME STEMS… [DEPENDS layers…] [LINK targets…] [TEST_LINK targets…])
#
# Makes the layer's target `allot_NAME` from its list of stems. Beside a stem stands everything about it:
# stem.hpp or stem.h (contract), stem.cpp (cold path), stem_test.cpp, stem_bench.cpp, stem_fuzz.cpp.
# A stem may also be a test alone: a second one of a component, or of several.
# Each test is one executable and one ctest entry `NAME/stem`; a fuzz target's corpus in fuzz/corpora/NAME/stem is
# replayed as `fuzz/NAME/stem`. A benchmark that needs something optional: list its stem behind `if(TARGET …)`.

# allot_warnings: what every target of ours is compiled with. allot_options adds the sanitizer or the line counters:
# everything but the preload library, whose code runs inside other people's programs.
add_library(allot_warnings INTERFACE)
target_compile_features(allot_warnings INTERFACE cxx_std_20)
target_compile_options(allot_warnings INTERFACE -Wall -Wextra -Wconversion
  # clang counts signedness as a conversion, g++ does not: one meaning for both.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-sign-conversion>
  $<$<BOOL:${ALLOT_WARNINGS_AS_ERRORS}>:-Werror>)

add_library(allot_options INTERFACE)
target_link_libraries(allot_options INTERFACE allot_warnings)
if(ALLOT_SANITIZER STREQUAL "address")
  set(flags -fsanitize=address,undefined)
  target_compile_options(allot_options INTERFACE ${flags} -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(allot_options INTERFACE ${flags})
elseif(ALLOT_SANITIZER STREQUAL "thread")
  target_compile_options(allot_options INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(allot_options INTERFACE -fsanitize=thread)
elseif(NOT ALLOT_SANITIZER STREQUAL "")
  message(FATAL_ERROR "ALLOT_SANITIZER is '${ALLOT_SANITIZER}': use address, thread or nothing")
endif()
if(ALLOT_BUILD_FUZZERS AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(allot_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(ALLOT_COVERAGE)
  target_compile_options(allot_options INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(allot_options INTERFACE --coverage)
endif()

# The layers whose cost depends on the check level: scripts/bench measures them at off and at on.
set(allot_checked_layers source structure governance document c)
add_custom_target(checked_benchmarks)

# What most tests include, parsed once: a third of a test's compile time.
if(ALLOT_BUILD_TESTS)
  file(WRITE ${PROJECT_BINARY_DIR}/test_headers.cpp "")
  add_library(allot_test_headers OBJECT ${PROJECT_BINARY_DIR}/test_headers.cpp)
  target_link_libraries(allot_test_headers PRIVATE allot_options GTest::gtest_main)
  target_precompile_headers(allot_test_headers PRIVATE
    <algorithm> <gtest/gtest.h> <memory_resource> <random> <string> <thread> <vector>)
  # Optimising what the address sanitizer puts into tests takes half of their compile time; the library is optimised.
  if(ALLOT_SANITIZER STREQUAL "address" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set(allot_test_options -O0)
  endif()
  target_compile_options(allot_test_headers PRIVATE ${allot_test_options})
endif()

# The executables of one stem: its test, benchmark and fuzz target, where the files exist.
function(allot_stem_programs NAME STEM)
  cmake_parse_arguments(ARG "" "" "LINK;TEST_LINK" ${ARGN})
  string(REPLACE "/" "_" slug "${NAME}_${STEM}")
  get_filename_component(file ${STEM} NAME)
  if(ALLOT_BUILD_TESTS AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${STEM}_test.cpp)
    add_executable(${slug}_test ${STEM}_test.cpp)
    target_link_libraries(${slug}_test PRIVATE ${ARG_LINK} ${ARG_TEST_LINK} allot_options GTest::gtest_main)
    target_precompile_headers(${slug}_test REUSE_FROM allot_test_headers)
    # g++ 12 warns of its own std::string when that is no system header any more, as in a precompiled one (PR 105651).
    target_compile_options(${slug}_test PRIVATE ${allot_test_options}
      $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread>)
    set_target_properties(${slug}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    add_test(NAME ${NAME}/${STEM} COMMAND ${slug}_test)
    set_tests_properties(${NAME}/${STEM} PROPERTIES TIMEOUT 300)
  endif()
  if(ALLOT_BUILD_BENCHMARKS AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${STEM}_bench.cpp)
    add_executable(${slug}_bench ${STEM}_bench.cpp)
    list(REMOVE_ITEM ARG_LINK allot_no_allocation_hooks) # a malloc of its own, where the C library's is a peer
    target_link_libraries(${slug}_bench PRIVATE ${ARG_LINK} allot_options benchmark::benchmark ${CMAKE_DL_LIBS})
    target_include_directories(${slug}_bench PRIVATE ${PROJECT_SOURCE_DIR}/bench) # <support/…>
    set_target_properties(${slug}_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
    if(NAME IN_LIST allot_checked_layers)
      add_dependencies(checked_benchmarks ${slug}_bench)
    endif()
  endif()
  if(ALLOT_BUILD_FUZZERS AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${STEM}_fuzz.cpp)
    add_executable(${slug}_fuzz ${STEM}_fuzz.cpp)
    target_link_libraries(${slug}_fuzz PRIVATE ${ARG_LINK} ${ARG_TEST_LINK} allot_options)
    if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
      target_link_options(${slug}_fuzz PRIVATE -fsanitize=fuzzer)
    else()
      target_sources(${slug}_fuzz PRIVATE ${PROJECT_SOURCE_DIR}/fuzz/driver.cpp)
    endif()
    set_target_properties(${slug}_fuzz PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
    set(corpus ${PROJECT_SOURCE_DIR}/fuzz/corpora/${NAME}/${STEM})
    if(EXISTS ${corpus})
      # libFuzzer replays single files without -runs=0, a folder with it; the driver takes both forms.
      add_test(NAME fuzz/${NAME}/${STEM} COMMAND ${slug}_fuzz -runs=0 ${corpus})
    endif()
  endif()
endfunction()

function(allot_layer NAME)
  cmake_parse_arguments(ARG "" "" "STEMS;DEPENDS;LINK;TEST_LINK" ${ARGN})
  set(sources)
  foreach(stem IN LISTS ARG_STEMS)
    foreach(ending cpp c)
      if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${stem}.${ending})
        list(APPEND sources ${stem}.${ending})
      endif()
    endforeach()
  endforeach()
  list(TRANSFORM ARG_DEPENDS PREPEND allot_)
  if(sources)
    add_library(allot_${NAME} STATIC ${sources})
    set_target_properties(allot_${NAME} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    set(scope PUBLIC)
    target_link_libraries(allot_${NAME} PRIVATE $<BUILD_INTERFACE:allot_options> ${ARG_LINK})
  else()
    add_library(allot_${NAME} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_compile_features(allot_${NAME} ${scope} cxx_std_20)
  target_include_directories(allot_${NAME} ${scope} ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(allot_${NAME} ${scope} ${ARG_DEPENDS})
  foreach(stem IN LISTS ARG_STEMS)
    allot_stem_programs(${NAME} ${stem} LINK allot_${NAME} ${ARG_LINK} TEST_LINK ${ARG_TEST_LINK})
  endforeach()
endfunction()
