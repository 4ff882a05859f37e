# bin/allot and, always beside it under the same prefix, lib/allot/liballot_preload.so: the tool finds the library
# relative to itself, so an installed tree may be moved. Hence no GNUInstallDirs here: Debian's would put the
# library in another place under /usr than elsewhere.
if(TARGET allot_cli)
  install(TARGETS allot_cli RUNTIME DESTINATION bin)
endif()
if(TARGET allot_preload)
  install(TARGETS allot_preload LIBRARY DESTINATION lib/allot)
endif()
