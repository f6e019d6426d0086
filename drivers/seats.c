#include "drivers/seats.h"

#include "drivers/fail.h"
#include "drivers/gate.h"
#include "drivers/node.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LIST = 256, NTABLES = 10 };
enum column { RANK, THREAD, NODE, CPU, CORE, NUMA, PID, TID, NCOLUMNS };

struct crew { /* what a process tells the others of its machine */
    unsigned long long mask;
    int rows, width;
};

struct seats {
    const struct place *place;
    int rows, width, at_once, offset; /* offset: place of row 0 in the mask's order */
    enum seats_bind bind;
    int32_t *columns; /* [NCOLUMNS, rows] */
    uint8_t *bound;   /* [rows] */
    char *lists;      /* [rows, LIST] CPUs allowed, as text */
    char *packed;     /* the same, one after another */
    size_t npacked;
    struct gate_seat *seats; /* [rows] */
    uint32_t *findings;      /* [rows] */
    int *status;             /* [rows] */
    struct rows tables[NTABLES];
};

static struct crew *gather_crews(const struct ranks *ranks, struct crew mine)
{
    struct crew *all = malloc((size_t)ranks->size(SCOPE_MACHINE) * sizeof *all);
    if (!all) { /* the others are already in the gather */
        fprintf(stderr, "bindot: out of memory\n");
        ranks->end(1);
    }
    ranks->gather(SCOPE_MACHINE, &mine, all, sizeof mine);
    return all;
}

int seats_share(const struct place *place, const struct ranks *ranks)
{
    const unsigned long long mask = place_mask_hash(place);
    struct crew *all = gather_crews(ranks, (struct crew){.mask = mask});
    int same = 0;
    for (int r = 0; r < ranks->size(SCOPE_MACHINE); r++)
        same += all[r].mask == mask;
    free(all);
    assert(same >= 1); /* it is among them */
    const int share = place_cores(place) / same;
    return share > 0 ? share : 1;
}

/* Processes with the same mask sit one after another in it. */
static int find_offset(const struct seats *s, const struct ranks *ranks)
{
    const unsigned long long mask = place_mask_hash(s->place);
    struct crew *all = gather_crews(ranks, (struct crew){mask, s->rows, s->width});
    int offset = 0;
    for (int r = 0; r < ranks->rank(SCOPE_MACHINE); r++)
        if (all[r].mask == mask)
            offset += all[r].rows * all[r].width;
    free(all);
    return offset;
}

static void sit(const struct worker *me, void *shared)
{
    struct seats *s = shared;
    const struct place *place = s->place;
    const int row = me->row;
    const int seat = s->bind == SEATS_APART ? s->offset + row * s->width : s->offset;
    if (s->bind != SEATS_FREE)
        s->status[row] = place_bind(place, seat, s->width);
    char *list = s->lists + (size_t)row * LIST;
    const int allowed = place_allowed(place, list, LIST);
    place_allowed_bits(place, s->seats[row].cpus, GATE_WORDS);
    const int cpu = place_here(), core = place_core_of(place, cpu);
    s->seats[row].core = allowed == 1 ? core : -1;
    s->seats[row].width = row < s->at_once ? s->width : 0;
    s->bound[row] = allowed == 1 || (s->bind != SEATS_FREE && allowed == s->width);
    const struct ranks *ranks = team_ranks(me->team);
    const int32_t values[NCOLUMNS] = {[RANK] = ranks->rank(SCOPE_ALL),
                                      [THREAD] = row,
                                      [NODE] = ranks->node(),
                                      [CPU] = cpu,
                                      [CORE] = core,
                                      [NUMA] = place_numa_of(place, cpu),
                                      [PID] = (int32_t)getpid(),
                                      [TID] = (int32_t)syscall(SYS_gettid)};
    for (int c = 0; c < NCOLUMNS; c++)
        s->columns[c * s->rows + row] = values[c];
}

static void describe(struct seats *s)
{
    static const struct table columns[NCOLUMNS] = {
        {"/workers/rank", "worker", TABLE_I32, "", "process that the worker lives in"},
        {"/workers/thread", "worker", TABLE_I32, "", "its number in that process"},
        {"/workers/node_index", "worker", TABLE_I32, "", "node that it runs on"},
        {"/workers/cpu", "worker", TABLE_I32, "", "CPU that it was on before the first repetition"},
        {"/workers/core", "worker", TABLE_I32, "", "core of that CPU (hwloc's logical number)"},
        {"/workers/numa_node", "worker", TABLE_I32, "", "NUMA node of that CPU; -1 unknown"},
        {"/workers/pid", "worker", TABLE_I32, "", "process id"},
        {"/workers/tid", "worker", TABLE_I32, "", "thread id"},
    };
    size_t n = 0;
    const size_t rows = (size_t)s->rows;
    for (; n < NCOLUMNS; n++)
        s->tables[n] = (struct rows){columns[n], s->columns + n * rows, rows * sizeof(int32_t)};
    s->tables[n++] = (struct rows){
        {"/workers/bound", "worker", TABLE_U8, "", "1: it is pinned"}, s->bound, rows};
    for (size_t row = 0; row < rows; row++) {
        const char *list = s->lists + row * LIST;
        memcpy(s->packed + s->npacked, list, strlen(list) + 1);
        s->npacked += strlen(list) + 1;
    }
    s->tables[n] =
        (struct rows){{"/workers/cpus_allowed", "worker", TABLE_TEXT, "", "CPUs that it may use"},
                      s->packed,
                      s->npacked};
}

/* All seats of the machine, processes with fewer rows padded by width 0. */
static void judge(struct seats *s, const struct ranks *ranks)
{
    const size_t nprocs = (size_t)ranks->size(SCOPE_MACHINE);
    const size_t most = (size_t)ranks->max(SCOPE_MACHINE, s->rows);
    struct gate_seat *mine = calloc(most, sizeof *mine);
    struct gate_seat *all = calloc(most * nprocs, sizeof *all);
    if (!mine || !all) {
        fprintf(stderr, "bindot: out of memory\n");
        ranks->end(1);
    }
    for (size_t i = 0; i < most; i++)
        mine[i].core = -1;
    memcpy(mine, s->seats, (size_t)s->rows * sizeof *mine);
    ranks->gather(SCOPE_MACHINE, mine, all, most * sizeof *mine);
    const double quota = node_quota();
    const size_t first = (size_t)ranks->rank(SCOPE_MACHINE) * most;
    for (int row = 0; row < s->rows; row++)
        s->findings[row] = gate_seating(all, most * nprocs, first + (size_t)row, quota);
    free(mine);
    free(all);
}

static int allocate(struct seats *s)
{
    const size_t rows = (size_t)s->rows;
    s->columns = calloc(NCOLUMNS * rows, sizeof *s->columns);
    s->bound = calloc(rows, 1);
    s->lists = calloc(rows, LIST);
    s->packed = calloc(rows, LIST);
    s->seats = calloc(rows, sizeof *s->seats);
    s->findings = calloc(rows, sizeof *s->findings);
    s->status = calloc(rows, sizeof *s->status);
    return s->columns && s->bound && s->lists && s->packed && s->seats && s->findings && s->status
               ? 0
               : fail("out of memory for %d workers", s->rows);
}

int seats_open(struct seats **out, struct team *team, const struct place *place,
               struct seats_need need, enum seats_bind bind)
{
    const struct ranks *ranks = team_ranks(team);
    struct seats *s = calloc(1, sizeof *s);
    if (s)
        *s = (struct seats){.place = place,
                            .rows = team_rows(team),
                            .width = need.width,
                            .at_once = need.at_once,
                            .bind = bind};
    *out = s;
    if (team_agree(team, s ? allocate(s) : fail("out of memory")) < 0)
        return -1;
    assert(s); /* agreed */
    s->offset = find_offset(s, ranks);
    team_run(team, sit, s);
    int wrong = 0;
    for (int row = 0; row < s->rows; row++)
        wrong |= s->status[row];
    if (team_agree(team, wrong) < 0)
        return -1;
    judge(s, ranks);
    describe(s);
    return 0;
}

void seats_close(struct seats **seats)
{
    struct seats *s = *seats;
    if (!s)
        return;
    free(s->columns);
    free(s->bound);
    free(s->lists);
    free(s->packed);
    free(s->seats);
    free(s->findings);
    free(s->status);
    free(s);
    *seats = NULL;
}

int seats_cpu(const struct seats *s, int row)
{
    return s->columns[CPU * s->rows + row];
}

uint32_t *seats_findings(struct seats *s)
{
    return s->findings;
}

size_t seats_tables(struct seats *s, const struct rows **out)
{
    *out = s->tables;
    return NTABLES;
}
