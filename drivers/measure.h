/* measure.h: the measured loop: warm-up, whole repetitions, when to stop. Knows
 * the experiment by its table of functions; knows no trace, MPI or OpenMP. Knots are
 * tied between repetitions. */
#ifndef BINDOT_MEASURE_H
#define BINDOT_MEASURE_H

#include "drivers/clock.h"
#include "drivers/experiments/experiment.h"
#include "drivers/halt.h"
#include "drivers/knots.h"
#include "drivers/params.h"
#include "drivers/table.h"
#include "drivers/team/team.h"

#include <stdbool.h>
#include <stdint.h>

struct measure; /* what this process keeps of a repetition */

struct measure_outcome { /* the same on every process, but what is marked */
    uint64_t repetitions;
    enum halt halt;
    int signal;             /* that stopped it, or 0 */
    struct interval rate;   /* over repetitions, units per second; lead only */
    uint64_t *seen, *worst; /* [GATE_NFINDINGS] gate.h */
};

/* After each repetition, on every process: its rows, and what was seen so far, this one
 * included; halt, signal and rate are not known yet. 0, or -1 and fail.h. */
typedef int measure_keep(void *to, const struct measure_outcome *so_far, const struct rows *,
                         size_t nrows);

struct measure_setting {
    const struct experiment *experiment;
    void *state; /* of the experiment, open */
    const struct params *params;
    struct team *team;
    const struct clock *clock;
    int width;    /* threads behind each worker */
    bool in_turn; /* workers wait for a lock or for time: nobody is late */
    struct knots *knots;
    const uint32_t *findings; /* [rows] of the whole run (gate.h) */
    measure_keep *keep;
    void *keep_to;
};

/* What a run that goes on takes over from before (resume.h). */
struct measure_carried {
    uint64_t repetitions;
    uint64_t iterations, stride;
    int64_t spent_ns;      /* time in those repetitions */
    const double *rates;   /* [repetitions] lead */
    const uint64_t *found; /* [workers, GATE_NFINDINGS] repetitions with each finding */
};

/* Collective. A wrong result or a keep that fails: -1 everywhere. */
int measure_open(struct measure **out, const struct measure_setting *);
/* Before the warm-up. -1 on a lead without memory. */
int measure_carry(struct measure *, const struct measure_carried *);
int measure_warm_up(struct measure *); /* decides the iterations, unless they are carried */
int measure_run(struct measure *, struct measure_outcome *out);
void measure_close(struct measure **); /* sets NULL; outcome's arrays end with it */

/* Tables that measure_run hands to keep, before the first repetition. */
size_t measure_tables(struct measure *, const struct rows **out);
uint64_t measure_iterations(const struct measure *);
/* Compute, wait and combine are told apart in one of so many iterations and scaled to
 * all: 1 but for products so short that looking at each would take more than 0.2 % of the
 * time (below about 30 us, where a clock read takes 20 ns). */
uint64_t measure_stride(const struct measure *);

#endif
