/* team.h: who works together: ranks x threads. Knows workers, not work.
 * Collective: every process calls it, in the same order. */
#ifndef BINDOT_TEAM_H
#define BINDOT_TEAM_H

#include "drivers/team/ranks.h"
#include "drivers/team/threads.h"

struct team;

struct worker {
    struct team *team; /* borrowed */
    int index;         /* 0 .. team_size - 1, over all processes */
    int row;           /* 0 .. team_rows - 1, in this process */
};

typedef void team_work(const struct worker *me, void *shared);

/* Rows of workers first .. first + nrows - 1, as nbytes bytes. 0 or -1 (fail.h). */
typedef int team_sink(void *to, size_t first, size_t nrows, const void *bytes, size_t nbytes);

/* Collective. rows: workers of this process; may differ between processes. */
int team_open(struct team **out, const struct ranks *, const struct threads *, int rows);
void team_close(struct team **); /* sets NULL */

int team_size(const struct team *);
int team_rows(const struct team *);
int team_first(const struct team *);    /* index of row 0 */
bool team_is_lead(const struct team *); /* in one process */
const struct ranks *team_ranks(const struct team *);

/* Collective. Every worker runs work once. */
void team_run(struct team *team, team_work *work, void *shared);
/* Inside work only: wait for all workers of all processes. */
void team_meet(const struct worker *me);
/* Inside work only: wait for the workers of this process. */
void team_meet_rows(const struct worker *me);
/* Inside work, row 0 only: n bytes of each process to all, [processes, n]. */
void team_gather(const struct worker *me, const void *mine, void *all, size_t n);
/* Inside work, row 0 only: n bytes of each process become their join, on all (ranks.h). */
void team_reduce(const struct worker *me, void *mine, size_t n, ranks_join *);
int team_processes(const struct team *);
/* Collective. -1 everywhere if mine is nonzero anywhere; the lead then has the
 * reason of the lowest such rank, with its number, in fail.h. */
int team_agree(struct team *, int mine);
int ranks_agree(const struct ranks *, int mine); /* the same, before there is a team */
/* Collective. Each process's bytes reach the lead's sink, process by process,
 * in the order of workers, one at a time: the lead holds one process's bytes. */
int team_collect(struct team *, const void *mine, size_t nbytes, team_sink *, void *to);

#endif
