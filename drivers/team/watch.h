/* watch.h: the death of a process of the run is noticed by the others, and they
 * end. Knows connections and threads; asks MPI nothing.
 *
 * Inside a node each process is connected to the node's first one; the first ones
 * of the nodes are a ring. One thread of each process sleeps on its connections:
 * the kernel closes those of a process that dies, whatever killed it, and asks a
 * silent node whether it is still there. While all live nothing is said, so
 * nothing wakes up in measured time. */
#ifndef BINDOT_WATCH_H
#define BINDOT_WATCH_H

#include "drivers/team/ranks.h"
#include "drivers/team/wire.h"

#include <stdbool.h>

struct watch;

struct watch_place {
    int rank;
    int local, locals; /* of the processes of this node */
    int node, nodes;
    bool launched; /* the parent is a launcher: its death is the end of the run */
};

/* Opens the doors and starts the thread; mine: how the others reach it. -1: fail.h. */
int watch_open(struct watch **out, const struct watch_place *, const struct ranks_fate *,
               struct wire_card *mine);
/* lead: the card of this node's first process; next: of the first one of the next
 * node, counting in a circle. All processes of the run call it between the same two
 * collective calls. -1: fail.h; deaths behind the missing connection go unseen. */
int watch_join(struct watch *, const struct wire_card *lead, const struct wire_card *next);
/* To be called when nothing more is asked of the others. Sets NULL. */
void watch_close(struct watch **);

/* From any thread. */
void watch_hurry(struct watch *, int why);                   /* ranks.h: hurry */
_Noreturn void watch_leave(struct watch *watch, int status); /* ranks.h: leave */

#endif
