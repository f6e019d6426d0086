/* roof.h: what this node can do at most, measured by the team that the run has: all its
 * threads at once, BLAS threads included. Once in a run, outside measured time. */
#ifndef BINDOT_ROOF_H
#define BINDOT_ROOF_H

#include "drivers/clock.h"
#include "drivers/place.h"
#include "drivers/table.h"
#include "drivers/team/team.h"

#include <stddef.h>

struct roof;

/* Collective; about 0.2 s. width: threads behind each worker. Memory or a thread
 * that is not to be had: its peak is NaN. */
int roof_open(struct roof **out, struct team *, const struct place *, const struct clock *,
              int width);
void roof_close(struct roof **); /* sets NULL */

/* "/nodes/peak_flops", "/nodes/peak_read": from the node's first process. */
size_t roof_tables(const struct roof *, const struct rows **out);

#endif
