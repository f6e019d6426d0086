#include "drivers/team/team.h"

#include "drivers/fail.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEAD = 0, REASON = 1024 };

struct team {
    const struct ranks *ranks;
    const struct threads *threads;
    int rows, first, size;
};

struct job {
    struct team *team;
    team_work *work;
    void *shared;
};

int team_open(struct team **out, const struct ranks *ranks, const struct threads *threads, int rows)
{
    struct team *team = malloc(sizeof *team);
    if (ranks->max(SCOPE_ALL, !team)) {
        free(team);
        return fail("out of memory for %d ranks", ranks->size(SCOPE_ALL));
    }
    assert(team);
    *team = (struct team){.ranks = ranks,
                          .threads = threads,
                          .rows = rows,
                          .first = (int)ranks->before((uint64_t)rows),
                          .size = (int)ranks->sum((uint64_t)rows)};
    *out = team;
    return 0;
}

void team_close(struct team **team)
{
    free(*team);
    *team = NULL;
}

int team_size(const struct team *team)
{
    return team->size;
}

int team_rows(const struct team *team)
{
    return team->rows;
}

int team_first(const struct team *team)
{
    return team->first;
}

bool team_is_lead(const struct team *team)
{
    return team->ranks->rank(SCOPE_ALL) == LEAD;
}

const struct ranks *team_ranks(const struct team *team)
{
    return team->ranks;
}

static void run_row(int row, void *of)
{
    const struct job *job = of;
    const struct worker me = {.team = job->team, .index = job->team->first + row, .row = row};
    job->work(&me, job->shared);
}

void team_run(struct team *team, team_work *work, void *shared)
{
    struct job job = {.team = team, .work = work, .shared = shared};
    team->threads->run(team->rows, run_row, &job);
}

void team_meet_rows(const struct worker *me)
{
    me->team->threads->meet();
}

void team_meet(const struct worker *me)
{
    team_meet_rows(me);
    if (me->team->ranks->size(SCOPE_ALL) == 1)
        return;
    if (me->row == 0)
        me->team->ranks->meet();
    team_meet_rows(me);
}

void team_gather(const struct worker *me, const void *mine, void *all, size_t n)
{
    assert(me->row == 0);
    me->team->ranks->gather(SCOPE_ALL, mine, all, n);
}

void team_reduce(const struct worker *me, void *mine, size_t n, ranks_join *join)
{
    assert(me->row == 0);
    me->team->ranks->reduce(mine, n, join);
}

int team_processes(const struct team *team)
{
    return team->ranks->size(SCOPE_ALL);
}

int ranks_agree(const struct ranks *ranks, int mine)
{
    const int nranks = ranks->size(SCOPE_ALL), rank = ranks->rank(SCOPE_ALL);
    const int64_t worst = ranks->max(SCOPE_ALL, mine ? nranks - rank : 0);
    if (worst == 0)
        return 0;
    const int who = nranks - (int)worst;
    char reason[REASON];
    snprintf(reason, sizeof reason, "%s", fail_text());
    ranks->share(SCOPE_ALL, who, reason, sizeof reason);
    if (nranks > 1 && who != rank) {
        fail_clear();
        fail("%s (rank %d of %d)", reason, who, nranks);
    }
    return -1;
}

int team_agree(struct team *team, int mine)
{
    return ranks_agree(team->ranks, mine);
}

/* Lead: one process's bytes to the sink; after a failure they are only drained. */
static int sink_from(struct team *team, int rank, size_t first, team_sink *sink, void *to,
                     bool drain)
{
    uint64_t head[2]; /* rows, bytes */
    char go = 1;
    team->ranks->send(rank, &go, sizeof go);
    team->ranks->receive(rank, head, sizeof head);
    void *bytes = malloc(head[1] ? head[1] : 1);
    if (!bytes) {
        fail("out of memory for %llu bytes from rank %d", (unsigned long long)head[1], rank);
        fprintf(stderr, "bindot: %s\n", fail_text());
        team->ranks->end(1); /* its sender waits in a call that we cannot take part in */
    }
    team->ranks->receive(rank, bytes, head[1]);
    const int r = drain ? -1 : sink(to, first, head[0], bytes, head[1]);
    free(bytes);
    return r ? -1 : (int)head[0];
}

int team_collect(struct team *team, const void *mine, size_t nbytes, team_sink *sink, void *to)
{
    int r = 0;
    if (team_is_lead(team)) {
        r = sink(to, 0, (size_t)team->rows, mine, nbytes);
        size_t first = (size_t)team->rows;
        for (int rank = 1; rank < team->ranks->size(SCOPE_ALL); rank++) {
            const int rows = sink_from(team, rank, first, sink, to, r != 0);
            if (rows < 0)
                r = -1;
            else
                first += (size_t)rows;
        }
    } else {
        const uint64_t head[2] = {(uint64_t)team->rows, nbytes};
        char go;
        team->ranks->receive(LEAD, &go, sizeof go);
        team->ranks->send(LEAD, head, sizeof head);
        team->ranks->send(LEAD, mine, nbytes);
    }
    return team_agree(team, r);
}
