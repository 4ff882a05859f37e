# Included by allot's project(), wherever a test builds it: what its sources include most is parsed once. Not so where
# allot is built for itself: there a source that forgets an include is found.
function(parse_once)
  target_precompile_headers(allot_core PRIVATE <algorithm> <atomic> <functional> <memory> <memory_resource> <mutex> <span>
    <string> <vector>)
  foreach(layer platform source structure governance document c testing)
    target_precompile_headers(allot_${layer} REUSE_FROM allot_core)
  endforeach()
endfunction()
cmake_language(DEFER CALL parse_once)
