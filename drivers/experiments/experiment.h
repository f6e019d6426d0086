/* experiment.h: a kernel put to work by a team. Written once for every layout:
 * no MPI, no OpenMP, no files. measure.c calls it in this order:
 *
 *   open; all workers: fill; then for each repetition
 *   all workers: before; inside measured time, one or more times: compute,
 *   (meet,) combine; then all workers: after; units and tables. close. */
#ifndef BINDOT_EXPERIMENT_H
#define BINDOT_EXPERIMENT_H

#include "drivers/clock.h"
#include "drivers/params.h"
#include "drivers/table.h"
#include "drivers/team/team.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spent { /* ticks inside a compute that were no computing */
    _Alignas(128) uint64_t wait, combine;
};

struct experiment_number { /* one fact of a run, for the trace */
    const char *key;
    int64_t value;
};

/* A kernel may be several experiments, each with methods of its own. */
struct experiment {
    const char *name;                           /* "dot": command-line and trace word */
    const char *about;                          /* one line for --help */
    const char *(*unit)(const struct params *); /* what one unit of work is */
    const char *methods;                        /* words; the first is the default */
    uint64_t size;                              /* default of --size; 0: takes none */
    uint64_t panel, block, row;                 /* likewise */

    /* A repetition has a length of its own (one compute, no combine). */
    bool timed;
    bool roofed; /* multiply-adds: the trace tells the node's peaks (roof.h) */
    /* This method is one library call per process, threaded by the library: the
     * team then has one worker per process. */
    bool (*pooled)(const struct params *);
    bool gemm; /* its work is in the BLAS library's matrix product */

    /* Options that contradict each other: -1 and fail.h. */
    int (*check)(const struct params *);
    /* Does this team do? -1 and fail.h; NULL: any does. */
    int (*fits)(const struct params *, const struct team *);
    /* Memory of one process that owns `rows` of `workers` workers, bytes. */
    double (*bytes)(const struct params *, int workers, int rows);

    /* Not collective: it may fail on one process only. */
    int (*open)(void **state, const struct params *, const struct team *, const struct clock *);
    void (*close)(void **state); /* sets NULL; takes a half-open state */

    void (*fill)(const struct worker *, void *state); /* first touch, by its worker */

    void (*before)(const struct worker *, void *state); /* not measured; NULL: nothing to do */

    /* Measured: cannot fail. start: tick of the instant agreed for all workers. */
    void (*compute)(const struct worker *, void *state, uint64_t start);
    /* Returns when the result is there for this worker. NULL: nothing to combine. */
    void (*combine)(const struct worker *, void *state);
    /* Does one worker have all the work? Then compute is all: nobody waits, nothing is
     * combined. NULL: never. */
    bool (*alone)(const void *state);
    struct spent (*spent)(const void *state, int row); /* in one compute; NULL: none */

    /* Not measured: makes one element of this worker's result wrong; NULL: nobody would
     * notice. -1 and fail.h: it has none. */
    int (*spoil)(const struct worker *, void *state, uint64_t repetition);
    /* Not measured, by each worker: tidy and verify. -1 and fail.h: a wrong result. */
    int (*after)(const struct worker *, void *state, uint64_t repetition);

    uint64_t (*units)(const void *state, int row); /* of one compute by this worker */
    /* Changes of CPU seen inside compute; NULL: nobody looks there. */
    uint64_t (*migrations)(const void *state, int row);
    /* Seconds that the units took if the experiment sets them, else NULL. */
    double (*seconds)(const void *state);
    /* Own tables of the repetition; the pointer lives until the next call. */
    size_t (*tables)(void *state, const struct rows **out);
    /* What else the trace says of the run; NULL: nothing. */
    size_t (*numbers)(const void *state, const struct experiment_number **out);
};

extern const struct experiment experiment_binning, experiment_dot, experiment_matmul,
    experiment_summa, experiment_marshal, experiment_send;

extern const struct experiment *const experiments[]; /* ends with NULL */
/* That kernel's, with that method; NULL: its default, first among its methods. Or NULL. */
const struct experiment *experiment_find(const char *name, const char *method);

#endif
