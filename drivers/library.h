/* library.h: what the BLAS library really does here: how many threads work in its
 * calls, and what its choice of code costs. Tried before anything is measured. */
#ifndef BINDOT_LIBRARY_H
#define BINDOT_LIBRARY_H

#include "drivers/table.h"
#include "drivers/team/team.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LIBRARY_TABLES = 2, LIBRARY_TEXT = 192 };
#define LIBRARY_LOSS 0.05 /* a smaller one is not told: two codes run apart differ by that */

struct library {
    int32_t *threads; /* [rows] that worked for each worker; -1: not to be seen */
    double loss;      /* share of the speed that other code of the same library has */
    struct rows tables[LIBRARY_TABLES];
    char text[LIBRARY_TEXT]; /* lead: what the loss is, for a person; "": none */
};

/* Collective. threads: set for each worker. beside: OpenMP has a pool of its own.
 * findings: [rows] gate.h. -1: fail.h. */
int library_open(struct library **out, struct team *, int threads, bool beside, uint32_t *findings);
void library_close(struct library **); /* sets NULL */

#endif
