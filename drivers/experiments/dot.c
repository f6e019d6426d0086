/* dot.c: a vector dot product: memory-bound work and the price of a reduction. */
#include "kernels/dot.h"
#include "drivers/experiments/experiment.h"
#include "drivers/experiments/share.h"
#include "drivers/fail.h"
#include "drivers/memory.h"
#include "kernels/fill.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    APART = 296, /* doubles between x and y: not the same place in every cache set */
    STREAM_X = 10,
    STREAM_Y
};

struct part { /* one worker's, on cache lines of its own */
    _Alignas(128) uint64_t first;
    uint64_t end;        /* its leaves */
    const double *x, *y; /* the first one's elements */
    uint64_t turn;       /* of this product; they alternate: others may still read the last */
    double value;        /* the result: the same for every worker */
    _Alignas(128) struct dot_sum sum[2];
};

struct dot {
    bool blocked; /* else one library call per process */
    int sharing;  /* the first so many workers have work */
    uint64_t n, leaves;
    struct part *parts;  /* [rows] */
    uint64_t first, end; /* leaves of this process, by first_leaf */
    int worker;          /* index of row 0 */
    size_t nbytes;
    double *memory, *x, *y; /* elements of leaves first .. end */
    size_t block;           /* bytes of a sum that can hold something, for reduce */
    struct rows tables[1];
    struct experiment_number numbers[2];
};

static bool blocked(const struct params *p)
{
    return strcmp(p->method, "blocked") == 0;
}

static bool pooled(const struct params *p)
{
    return !blocked(p);
}

static const char *unit_name(const struct params *p)
{
    (void)p;
    return "multiply-add";
}

static int check(const struct params *p)
{
    return p->grainsize && !blocked(p) ? fail("--grainsize goes with method blocked") : 0;
}

/* Workers that have work: at least a grain for each, in whole leaves. */
static int sharing(const struct params *p, int workers)
{
    if (!p->grainsize)
        return workers;
    const uint64_t most = dot_leaves(share_total(p, workers)) / dot_leaves(p->grainsize);
    return most < 1 ? 1 : most < (uint64_t)workers ? (int)most : workers;
}

/* Where a worker's leaves begin; they end where the next one's do. */
static uint64_t first_leaf(const struct dot *d, int worker)
{
    return worker < d->sharing ? share_first(d->leaves, worker, d->sharing) : d->leaves;
}

static uint64_t elements(const struct dot *d, uint64_t first, uint64_t end)
{
    const uint64_t from = first * DOT_LEAF, to = end * DOT_LEAF;
    return (to < d->n ? to : d->n) - (from < d->n ? from : d->n);
}

static double bytes(const struct params *p, int workers, int rows)
{
    const int most = sharing(p, workers), some = rows < most ? rows : most;
    return 2.0 * sizeof(double) *
           ((double)share_total(p, workers) * some / most + DOT_LEAF + APART);
}

static void dot_close(void **state)
{
    struct dot *d = *state;
    memory_free(d->memory, d->nbytes);
    free(d->parts);
    free(d);
    *state = NULL;
}

/* Whose leaves are whose. */
static void lay_out(struct dot *d, const struct params *p, const struct team *team)
{
    const int first = team_first(team);
    d->blocked = blocked(p);
    d->worker = first;
    d->n = share_total(p, team_size(team));
    d->leaves = dot_leaves(d->n);
    d->sharing = sharing(p, team_size(team));
    d->first = first_leaf(d, first);
    d->end = first_leaf(d, first + team_rows(team));
}

static int fits(const struct params *p, const struct team *team)
{
    struct dot d = {0};
    lay_out(&d, p, team);
    return d.blocked || elements(&d, d.first, d.end) <= INT_MAX
               ? 0
               : fail("--size: method library takes at most %d elements in a process", INT_MAX);
}

static int dot_open(void **state, const struct params *p, const struct team *team,
                    const struct clock *clock)
{
    (void)clock;
    struct dot *d = calloc(1, sizeof *d);
    if (!d)
        return fail("out of memory");
    *state = d;
    lay_out(d, p, team);
    const uint64_t room = (d->end - d->first) * DOT_LEAF;
    d->nbytes = (2 * room + APART) * sizeof(double);
    d->memory = memory_get(d->nbytes);
    d->parts = aligned_alloc(128, (size_t)team_rows(team) * sizeof *d->parts);
    const size_t nodes = 2 * ((size_t)ceil(log2((double)d->leaves + 1)) + 1);
    d->block = offsetof(struct dot_sum, nodes) + nodes * sizeof(struct dot_node);
    if (!d->memory || !d->parts) {
        dot_close(state);
        return fail("out of memory");
    }
    d->tables[0] =
        (struct rows){{"/results/value", "repetition", TABLE_F64, "1", "the dot product"},
                      &d->parts[0].value,
                      sizeof(double)};
    d->numbers[0] = (struct experiment_number){"grainsize", (int64_t)p->grainsize};
    d->numbers[1] = (struct experiment_number){"workers_sharing", d->sharing};
    d->x = d->memory;
    d->y = d->memory + room + APART;
    return 0;
}

static void fill(const struct worker *me, void *state)
{
    struct dot *d = state;
    const uint64_t first = first_leaf(d, me->index), end = first_leaf(d, me->index + 1);
    double *const x = d->x + (first - d->first) * DOT_LEAF;
    double *const y = d->y + (first - d->first) * DOT_LEAF;
    const uint64_t n = elements(d, first, end);
    for (uint64_t i = 0; i < n; i++)
        x[i] = fill_uniform(STREAM_X, first * DOT_LEAF + i);
    for (uint64_t i = 0; i < n; i++)
        y[i] = fill_uniform(STREAM_Y, first * DOT_LEAF + i);
    struct part *part = &d->parts[me->row];
    memset(part, 0, sizeof *part);
    part->first = first;
    part->end = end;
    part->x = x;
    part->y = y;
}

static bool alone(const void *state)
{
    return ((const struct dot *)state)->sharing == 1;
}

/* One library call for all of the process: what it makes stands for one leaf. */
static void call_library(const struct dot *d, int process, struct dot_sum *sum)
{
    const int n = (int)elements(d, d->first, d->end);
    sum->nnodes = 1;
    sum->nodes[0] = (struct dot_node){0, (uint64_t)process, cblas_ddot(n, d->x, 1, d->y, 1)};
}

static void compute(const struct worker *me, void *state, uint64_t start)
{
    (void)start;
    const struct dot *d = state;
    struct part *part = &d->parts[me->row];
    part->turn ^= !alone(d); /* one sum takes fewer lines of L1 */
    struct dot_sum *sum = &part->sum[part->turn];
    if (d->blocked)
        dot_range(part->x, part->y, d->n, part->first, part->end, sum);
    else
        call_library(d, me->index, sum);
    if (alone(d))
        part->value = dot_value(sum);
}

static void append(struct dot_sum *to, const struct dot_sum *from)
{
    for (size_t i = 0; i < from->nnodes; i++)
        dot_push(to, &from->nodes[i]);
}

/* Nodes of this process's workers in order: the same tree whoever made them. space: for
 * them where they are more than one worker's. */
static const struct dot_sum *merge_rows(const struct worker *me, const struct dot *d,
                                        struct dot_sum *space)
{
    const uint64_t turn = d->parts[me->row].turn;
    const int rows = team_rows(me->team);
    if (rows == 1)
        return &d->parts[0].sum[turn];
    space->nnodes = 0;
    for (int row = 0; row < rows; row++)
        append(space, &d->parts[row].sum[turn]);
    return space;
}

static size_t used(const struct dot_sum *sum)
{
    return offsetof(struct dot_sum, nodes) + sum->nnodes * sizeof *sum->nodes;
}

static void join(const void *left, void *right)
{
    struct dot_sum both;
    memcpy(&both, left, used(left));
    append(&both, right);
    memcpy(right, &both, used(&both));
}

/* The same over processes, by row 0. */
static double merge_processes(const struct worker *me, const struct dot *d)
{
    struct dot_sum space, whole;
    const struct dot_sum *mine = merge_rows(me, d, &space);
    memcpy(&whole, mine, used(mine));
    team_reduce(me, &whole, d->block, join);
    return dot_value(&whole);
}

/* In one process every worker adds up for itself, which takes no second meeting. */
static void combine(const struct worker *me, void *state)
{
    struct dot *d = state;
    struct part *part = &d->parts[me->row];
    struct dot_sum space;
    if (team_processes(me->team) == 1) {
        part->value = dot_value(merge_rows(me, d, &space));
        return;
    }
    if (me->row == 0)
        part->value = merge_processes(me, d);
    team_meet_rows(me);
    part->value = d->parts[0].value;
}

static int after(const struct worker *me, void *state, uint64_t repetition)
{
    (void)repetition;
    const struct dot *d = state;
    return isfinite(d->parts[me->row].value) ? 0 : fail("dot: the result is not finite");
}

static uint64_t units(const void *state, int row)
{
    const struct dot *d = state;
    const int worker = d->worker + row;
    return elements(d, first_leaf(d, worker), first_leaf(d, worker + 1));
}

static size_t numbers(const void *state, const struct experiment_number **out)
{
    const struct dot *d = state;
    *out = d->numbers;
    return sizeof d->numbers / sizeof *d->numbers;
}

static size_t tables(void *state, const struct rows **out)
{
    struct dot *d = state;
    *out = d->tables;
    return 1;
}

const struct experiment experiment_dot = {
    .name = "dot",
    .about = "vector dot product: memory-bound work, the price of a reduction",
    .unit = unit_name,
    .methods = "blocked library",
    .size = 20000000,
    .roofed = true,
    .pooled = pooled,
    .check = check,
    .fits = fits,
    .bytes = bytes,
    .open = dot_open,
    .close = dot_close,
    .fill = fill,
    .compute = compute,
    .combine = combine,
    .alone = alone,
    .after = after,
    .units = units,
    .tables = tables,
    .numbers = numbers,
};
