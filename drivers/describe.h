/* describe.h: what a trace says of its run, besides the numbers. */
#ifndef BINDOT_DESCRIBE_H
#define BINDOT_DESCRIBE_H

#include "drivers/clock.h"
#include "drivers/experiments/experiment.h"
#include "drivers/measure.h"
#include "drivers/params.h"
#include "drivers/place.h"
#include "drivers/record.h"
#include "drivers/team/team.h"
#include "drivers/trace/trace.h"

#include <stdbool.h>

enum { SETUP_PATH = 4096, SETUP_REASONS = 1024 };

struct setup {          /* a run, as it was decided */
    const char *layout; /* "serial", "openmp", "mpi", "hybrid" */
    const struct ranks *ranks;
    struct params params;
    const struct experiment *experiment;
    int rows;         /* workers of this process */
    int at_once;      /* of them need a CPU at the same time */
    int blas_threads; /* behind each of them */
    int rows_alike;   /* the same if all processes have as many; else 0 */
    char path[SETUP_PATH];
    char run_id[37], created[32]; /* of this start; UUID, ISO 8601 UTC */
};

struct verdict { /* of the gate, on the lead */
    bool valid;
    char reasons[SETUP_REASONS], warnings[SETUP_REASONS];
};

/* Lead: fills setup->path, opens the trace, writes labels and axes. past: with --resume,
 * what was there. */
int describe_create(struct trace **out, struct setup *, const struct team *, const struct clock *,
                    struct trace_past *past);
/* Lead: from this repetition on, times are of this start. boot: of its node. */
int describe_segment(struct trace *, const struct setup *, uint64_t repetition, const char *boot);
/* Lead: what the experiment itself says of the run. */
int describe_experiment(struct trace *, const struct experiment *, const void *state);
/* Collective: hosts, CPU models and topologies of the nodes. */
int describe_nodes(struct record *, struct trace *, const struct setup *, struct team *,
                   const struct place *);
/* Lead, before each commit and at the end: what is known so far. */
int describe_verdict(struct trace *, const struct verdict *);
/* Lead: the clock as it is known now; again at the end, over a longer base line. */
int describe_clock(struct trace *, const struct clock *);
/* Lead, at the end. */
int describe_outcome(struct trace *, const struct measure_outcome *);

#endif
