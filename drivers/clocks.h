/* clocks.h: the clocks of a run: who reads which, and what a tick of each is worth.
 * A node is what reads one clock: its first process measures it, the others take its
 * answer. */
#ifndef BINDOT_CLOCKS_H
#define BINDOT_CLOCKS_H

#include "drivers/clock.h"
#include "drivers/domain.h"
#include "drivers/params.h"
#include "drivers/table.h"
#include "drivers/team/ranks.h"

#include <stddef.h>
#include <stdint.h>

enum { CLOCKS_TABLES = 7 };

struct clocks {
    struct clock clock; /* of this process's node */
    struct domain domain;
    uint64_t origin; /* columns of the node: a tick, and its time */
    int64_t origin_ns;
    int32_t parent; /* node that its clock is compared with; -1: none */
    struct rows tables[CLOCKS_TABLES];
};

/* Collective, before there is a team: opens the clock, and splits nodes whose
 * processes read different ones. */
void clocks_open(struct clocks *, const struct params *, const struct ranks *);
/* What the user wished of clocks cannot be had here: -1 and fail.h. */
int clocks_check(const struct clocks *, const struct params *, const struct ranks *);
/* Collective: what a tick is worth, with the faults that were asked for. */
void clocks_set(struct clocks *, const struct params *, const struct ranks *);

/* Of nodes; from the first process of each. */
size_t clocks_tables(struct clocks *, const struct ranks *, const struct rows **out);

#endif
