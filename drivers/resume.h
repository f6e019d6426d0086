/* resume.h: a run that goes on where one of the same name was stopped: whether it is
 * the same work, and what it takes over. Knows labels and tables by their names. */
#ifndef BINDOT_RESUME_H
#define BINDOT_RESUME_H

#include "drivers/measure.h"
#include "drivers/params.h"
#include "drivers/team/team.h"
#include "drivers/trace/trace.h"

#include <stdint.h>

enum resume_fate {
    RESUME_RUN,     /* what is missing, or all where nothing was there */
    RESUME_WHOLE,   /* nothing is missing */
    RESUME_REFUSED, /* it was another run, fail.h says how */
};

struct resume {
    struct trace_past past;         /* lead */
    struct measure_carried carried; /* all zero where the run is a new one */
    double *rates;
    uint64_t *found;
};

/* --output must name a file: -1 and fail.h. */
int resume_check(const struct params *);
/* Lead, when all that is known before the first repetition has been told to the trace. */
enum resume_fate resume_judge(const struct resume *, struct trace *);
/* Collective: what the lead reads from before, to all. trace: NULL on the others. */
int resume_load(struct resume *, struct team *, struct trace *trace);
void resume_close(struct resume *);

#endif
