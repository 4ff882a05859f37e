/* Plays the preload library for client_test: exports the constant, here changeable, so that the test can
 * also play a recorder of another version. */
#include <allot/core/client.h>
#include <stdio.h>

static int mode(void) { return ALLOT_CLIENT_FULL; }

static int process_totals(struct allot_client_totals* totals) {
    if (totals->size < sizeof *totals) return -1;
    totals->live_basis = ALLOT_CLIENT_LIVE_UNKNOWN;
    totals->allocations = 12;
    return 0;
}

/* Says each report on stderr. */
static int report_source(struct allot_client_source* source) {
    static uint64_t newest_id;
    if (source->size < sizeof *source) return -1;
    if (source->id == 0) source->id = ++newest_id;
    fprintf(stderr, "report %llu %s '%s' %llu bytes in %llu\n", (unsigned long long)source->id, source->kind,
            source->name, (unsigned long long)source->held_bytes, (unsigned long long)source->held_count);
    return 0;
}

struct allot_client_v1 allot_client_v1 = {1, sizeof(struct allot_client_v1), mode, process_totals,
                                          report_source};
