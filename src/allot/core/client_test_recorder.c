/* Plays the preload library for client_test: exports the constant, here changeable, so that the test can
 * also play a recorder of another version. */
#include <allot/core/client.h>

static int mode(void) { return ALLOT_CLIENT_FULL; }

static int process_totals(struct allot_client_totals* totals) {
    if (totals->size < sizeof *totals) return -1;
    totals->live_basis = ALLOT_CLIENT_LIVE_UNKNOWN;
    totals->allocations = 12;
    return 0;
}

struct allot_client_v1 allot_client_v1 = {1, sizeof(struct allot_client_v1), mode, process_totals};
