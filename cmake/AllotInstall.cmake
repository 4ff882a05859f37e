# What `cmake --install` puts where, in two components.
#
# tool: bin/allot and, always beside it under the same prefix, lib/allot/liballot_preload.so: the tool finds the library
# relative to itself, so an installed tree may be moved. Hence no GNUInstallDirs here: Debian's would put the library
# in another place under /usr than elsewhere.
if(TARGET allot_cli)
  install(TARGETS allot_cli RUNTIME DESTINATION bin COMPONENT tool)
endif()
if(TARGET allot_preload)
  install(TARGETS allot_preload LIBRARY DESTINATION lib/allot COMPONENT tool)
endif()

# library: liballot, its headers, and what find_package and pkg-config read. All of it names the rest relative to
# itself, so this tree may be moved, too.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS allot allot_hooks EXPORT allot COMPONENT library INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_SOURCE_DIR}/src/allot/allot.hpp ${PROJECT_SOURCE_DIR}/src/allot/allot.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/allot COMPONENT library)
foreach(layer IN LISTS allot_library_layers)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/src/allot/${layer} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/allot
    COMPONENT library FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h" PATTERN "*_test.hpp" EXCLUDE PATTERN fixtures EXCLUDE)
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/scripts/gdb/allot_printers.py DESTINATION ${CMAKE_INSTALL_DATADIR}/allot/gdb
  COMPONENT library)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/allot)
install(EXPORT allot NAMESPACE allot:: FILE allot-config.cmake DESTINATION ${package} COMPONENT library)
# As the soname does: 0.2 may break what 0.1 promised.
set(compatibility SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
endif()
write_basic_package_version_file(${PROJECT_BINARY_DIR}/allot-config-version.cmake COMPATIBILITY ${compatibility})
install(FILES ${PROJECT_BINARY_DIR}/allot-config-version.cmake DESTINATION ${package} COMPONENT library)

# pkg-config knows where its file lies; an absolute folder of Debian's or Nix's making stays as it is.
set(libdir ${CMAKE_INSTALL_LIBDIR})
set(includedir ${CMAKE_INSTALL_INCLUDEDIR})
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig OUTPUT_VARIABLE up)
foreach(folder libdir includedir)
  if(NOT IS_ABSOLUTE ${${folder}})
    set(${folder} "\${prefix}/${${folder}}")
  endif()
endforeach()
get_property(used_libraries GLOBAL PROPERTY allot_used_libraries)
list(TRANSFORM used_libraries PREPEND " -l")
string(JOIN "" used_libraries ${used_libraries})
configure_file(${CMAKE_CURRENT_LIST_DIR}/allot.pc.in ${PROJECT_BINARY_DIR}/allot.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/allot.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
