/* seats.h: where each worker sits. Pins workers inside the mask that the
 * launcher gave, looks where they really are, and asks the gate about it. */
#ifndef BINDOT_SEATS_H
#define BINDOT_SEATS_H

#include "drivers/place.h"
#include "drivers/table.h"
#include "drivers/team/team.h"

#include <stddef.h>
#include <stdint.h>

struct seats;

enum seats_bind {
    SEATS_FREE,     /* as the launcher left them */
    SEATS_APART,    /* each on its own CPUs of the mask */
    SEATS_TOGETHER, /* all of a process on the same: a fault on purpose */
};

/* This process's fair share of its cores: those of its mask by the processes of
 * this machine that have the same mask. Collective; before the team exists. */
int seats_share(const struct place *, const struct ranks *);

struct seats_need {
    int width;   /* threads that one worker stands for (its BLAS threads) */
    int at_once; /* workers of this process that run at the same time */
};

/* Collective. */
int seats_open(struct seats **out, struct team *, const struct place *, struct seats_need,
               enum seats_bind bind);
void seats_close(struct seats **); /* sets NULL */

int seats_cpu(const struct seats *, int row); /* after pinning */
uint32_t *seats_findings(struct seats *);     /* [rows], bits of gate.h */
size_t seats_tables(struct seats *, const struct rows **out);

#endif
