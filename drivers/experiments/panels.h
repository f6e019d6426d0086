/* panels.h: a matrix dealt over the processes of one direction of a grid, a panel at
 * a time and in turn; each panel is handed to all of them while others are worked on.
 * Two buffers take turns; its owner uses a panel where it lies. */
#ifndef BINDOT_PANELS_H
#define BINDOT_PANELS_H

#include "drivers/team/ranks.h"

#include <stdbool.h>
#include <stddef.h>

struct panels {
    enum scope scope;    /* those it is dealt over */
    int place, places;   /* this process's among them */
    size_t n, width;     /* dealt: n, in panels of width; the last may be narrower */
    size_t edge;         /* the other side of this process's part of a panel */
    size_t bytes, spare; /* of `own`; of one buffer */
    double *own, *buffer[2];
};

/* The first six are the caller's. -1: fail.h */
int panels_fit(const struct panels *); /* can they be handed on? */
int panels_open(struct panels *);
void panels_close(struct panels *);
/* Largest over processes; edge may be a mean. */
double panels_bytes(double n, double width, double edge, int places);

static inline size_t panels_count(const struct panels *p)
{
    return (p->n + p->width - 1) / p->width;
}

static inline size_t panels_width(const struct panels *p, size_t panel)
{
    const size_t left = p->n - panel * p->width;
    return left < p->width ? left : p->width;
}

bool panels_mine(const struct panels *, size_t panel);
/* [panels_width x edge] doubles, one after another, from panels_need on and until
 * panels_begin of the next but one. */
double *panels_at(const struct panels *, size_t panel);

/* By all processes of the direction, from one thread of each; in order of panels. */
void panels_begin(const struct panels *, const struct ranks *, size_t panel);
void panels_need(const struct panels *, const struct ranks *, size_t panel); /* waits for it */
void panels_end(const struct panels *, const struct ranks *); /* waits until all have got theirs */

#endif
