// exit_codes: what allot ends with when it does not end as the observed program did.
#pragma once

namespace allot::cli {

// Use these in the tool only; the library answers with result<T>. `allot --help` prints the same table.
enum exit_code : int {
    exit_success = 0,
    exit_finding = 1,    // a threshold was passed or something was found
    exit_bad_input = 2,  // the command line or a file can't be used as it is
    exit_failed = 125,   // allot itself failed
    exit_not_run = 126,  // the program was found but could not be run
    exit_not_found = 127 // the program was not found
};

} // namespace allot::cli
