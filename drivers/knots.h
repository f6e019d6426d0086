/* knots.h: one time axis over all nodes. Now and then all nodes tie a knot: each
 * finds by messages how far its clock is from that of node 0. Nothing is corrected:
 * times stay those of each node's clock, and the knots tell how to compare them.
 *
 * Nodes form a tree (HCA3; Hunold, Carpen-Amarie 2018): in round i a node that has
 * its knot serves one that has not, so log2(nodes) rounds do. Knows ranks and a
 * clock that it is given; knows no trace. */
#ifndef BINDOT_KNOTS_H
#define BINDOT_KNOTS_H

#include "drivers/table.h"
#include "drivers/team/ranks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KNOTS_TABLES = 5 };

struct knots;

struct knots_setting {
    const struct ranks *ranks;
    int64_t (*now_ns)(const void *of); /* this node's clock; the same on all its processes */
    const void *of;
    /* A knot of all nodes, on the lead. 0, or -1 and fail.h. */
    int (*keep)(void *to, const struct rows *, size_t n);
    void *to;
};

/* Collective. -1 on processes without memory: the caller agrees. */
int knots_open(struct knots **out, const struct knots_setting *);
void knots_close(struct knots **); /* sets NULL */

/* Collective, never in measured time. -1 where keep failed: the caller agrees. */
int knots_take(struct knots *);
/* The same, if by the lead's clock the last one is a second old. */
int knots_keep_up(struct knots *);

/* This node's time as node 0's, and back, as it is known now. */
int64_t knots_root_ns(const struct knots *, int64_t local_ns);
int64_t knots_local_ns(const struct knots *, int64_t root_ns);
/* What both err by at most, at the last good knot. */
int64_t knots_bound_ns(const struct knots *);
/* Has this node's clock ever contradicted a message? */
bool knots_torn(const struct knots *);

/* Tables that keep is handed; lead only. */
size_t knots_tables(struct knots *, const struct rows **out);
/* The node that serves this one; -1: it is the root. */
int knots_parent(int node, int nodes);

#endif
