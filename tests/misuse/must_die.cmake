# cmake -DPROGRAM=… -DCASE=… -DLINE=… -P must_die.cmake: the program must abort and say exactly LINE on stderr, where ADDRESS stands
# for any address.
execute_process(COMMAND ${PROGRAM} ${CASE} RESULT_VARIABLE how OUTPUT_QUIET ERROR_VARIABLE said)
string(REGEX REPLACE "([][+.*()^$?|\\])" "\\\\\\1" pattern "${LINE}")
string(REPLACE "ADDRESS" "0x[0-9a-f]+" pattern "${pattern}")
if(NOT how MATCHES "aborted")
  message(FATAL_ERROR "ended with '${how}' instead of SIGABRT, and said:\n${said}")
endif()
if(NOT said MATCHES "^${pattern}\n$")
  message(FATAL_ERROR "had to say\n${LINE}\nbut said\n${said}")
endif()
