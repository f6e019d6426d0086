/* seats.h: where each worker sits. Pins workers inside the mask that the
 * launcher gave, looks where they really are, and asks the gate about it. */
#ifndef BINDOT_SEATS_H
#define BINDOT_SEATS_H

#include "drivers/place.h"
#include "drivers/table.h"
#include "drivers/team/team.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seats;

/* This process's fair share of its cores: those of its mask by the processes of
 * this node that have the same mask. Collective; before the team exists. */
int seats_share(const struct place *, const struct ranks *);

/* Collective. width: threads that one worker stands for (its BLAS threads). */
int seats_open(struct seats **out, struct team *, const struct place *, int width, bool bind);
void seats_close(struct seats **); /* sets NULL */

uint32_t *seats_findings(struct seats *); /* [rows], bits of gate.h */
size_t seats_tables(struct seats *, const struct rows **out);

#endif
