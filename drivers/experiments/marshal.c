/* marshal.c: what it costs to hand data over: the same doubles summed as an array, as
 * objects in a list, one by one through an interpreter ... Each worker sums its own. */
#include "kernels/marshal.h"
#include "drivers/experiments/experiment.h"
#include "drivers/experiments/share.h"
#include "drivers/fail.h"
#include "drivers/memory.h"
#include "kernels/fill.h"
#include "kernels/marshal_sum.h"

#include <math.h>
#include <stdlib.h>

enum { STREAM = 21 };

struct part { /* one worker's, on cache lines of its own */
    _Alignas(128) struct marshal data;
    void *memory; /* what the method needs beside x */
    double value; /* of the last sum */
    double left;  /* what it must be from left to right, to the last bit */
    double exact; /* the sum, rounded once */
};

struct summing {
    const struct marshal_method *method;
    uint64_t total;
    int worker, rows, workers; /* index of row 0, workers here, in all */
    struct part *parts;        /* [rows] */
    double *shares;            /* [processes] */
    double value;              /* of all workers */
    struct rows tables[1];
};

static bool pooled(const struct params *p)
{
    (void)p;
    return false;
}

static const char *unit_name(const struct params *p)
{
    (void)p;
    return "element";
}

static int check(const struct params *p)
{
    (void)p;
    return 0;
}

static double bytes(const struct params *p, int workers, int rows)
{
    const uint64_t each = share_total(p, workers) / (uint64_t)workers + 1;
    return (double)rows *
           (double)(each * sizeof(double) + marshal_find(p->method)->bytes((size_t)each));
}

static void marshal_close(void **state)
{
    struct summing *s = *state;
    for (int row = 0; s->parts && row < s->rows; row++) {
        struct part *part = &s->parts[row];
        memory_free(part->data.x, part->data.n * sizeof *part->data.x);
        memory_free(part->memory, s->method->bytes(part->data.n));
    }
    free(s->parts);
    free(s->shares);
    free(s);
    *state = NULL;
}

static int open_part(struct part *part, const struct marshal_method *method, size_t n)
{
    *part = (struct part){.data.n = n};
    part->data.x = memory_get(n * sizeof *part->data.x);
    part->memory = memory_get(method->bytes(n));
    return part->data.x && part->memory ? 0 : -1;
}

static int open_parts(struct summing *s, const struct team *team)
{
    s->parts = aligned_alloc(_Alignof(struct part), (size_t)s->rows * sizeof *s->parts);
    s->shares = calloc((size_t)team_processes(team), sizeof *s->shares);
    if (!s->parts || !s->shares)
        return fail("out of memory");
    int r = 0;
    for (int row = 0; row < s->rows; row++) {
        const int worker = s->worker + row;
        r |= open_part(&s->parts[row], s->method,
                       share_first(s->total, worker + 1, s->workers) -
                           share_first(s->total, worker, s->workers));
    }
    return r;
}

static int marshal_open(void **state, const struct params *p, const struct team *team,
                        const struct clock *clock)
{
    (void)clock;
    struct summing *s = calloc(1, sizeof *s);
    if (!s)
        return fail("out of memory");
    *state = s;
    s->method = marshal_find(p->method);
    s->worker = team_first(team);
    s->rows = team_rows(team);
    s->workers = team_size(team);
    s->total = share_total(p, s->workers);
    s->tables[0] =
        (struct rows){{"/results/value", "repetition", TABLE_F64, "1", "the sum, over all workers"},
                      &s->value,
                      sizeof s->value};
    if (open_parts(s, team) == 0)
        return 0;
    marshal_close(state);
    return -1;
}

/* What the sum must be, by other code than the kernel's: from left to right, and
 * exactly, with the rounding error of each addition kept (Knuth's two-sum). */
static void expect(struct part *part)
{
    volatile double left = 0;
    double sum = 0, lost = 0;
    for (size_t i = 0; i < part->data.n; i++) {
        const double x = part->data.x[i], more = sum + x, back = more - sum;
        lost += (sum - (more - back)) + (x - back);
        sum = more;
        left = left + x;
    }
    part->left = left;
    part->exact = sum + lost;
}

static void fill(const struct worker *me, void *state)
{
    struct summing *s = state;
    struct part *part = &s->parts[me->row];
    const uint64_t first = share_first(s->total, me->index, s->workers);
    for (size_t i = 0; i < part->data.n; i++)
        part->data.x[i] = fill_uniform(STREAM, first + i);
    s->method->lay(&part->data, part->memory);
    expect(part);
}

static void compute(const struct worker *me, void *state, uint64_t start)
{
    (void)start;
    struct summing *s = state;
    struct part *part = &s->parts[me->row];
    part->value = s->method->sum(&part->data);
}

static void add_up(const struct worker *me, struct summing *s)
{
    double sum = 0;
    for (int row = 0; row < s->rows; row++)
        sum += s->parts[row].value;
    const int processes = team_processes(me->team);
    if (processes > 1) {
        team_gather(me, &sum, s->shares, sizeof sum);
        sum = 0;
        for (int i = 0; i < processes; i++)
            sum += s->shares[i];
    }
    s->value = sum;
}

static void combine(const struct worker *me, void *state)
{
    if (me->row == 0)
        add_up(me, state);
    team_meet_rows(me);
}

/* Elements are positive: the sum of their sizes is the sum. One rounding more is the
 * reference's own. */
static int verify(const struct marshal_method *method, const struct part *part, int worker)
{
    if (!method->pairwise)
        return part->value == part->left
                   ? 0
                   : fail("marshal: worker %d got %a by %s, and %a from left to right", worker,
                          part->value, method->name, part->left);
    const double k = (sum_pairwise_roundings(part->data.n) + 1) * 0x1p-53;
    const double bound = k / (1 - k) * part->exact;
    return fabs(part->value - part->exact) <= bound
               ? 0
               : fail("marshal: worker %d got %a by %s, and %a is right: more than %.3g off",
                      worker, part->value, method->name, part->exact, bound);
}

/* As if it had left out its first element. */
static int spoil(const struct worker *me, void *state, uint64_t repetition)
{
    (void)repetition;
    struct part *part = &((struct summing *)state)->parts[me->row];
    if (!part->data.n)
        return fail("--inject wrong: worker %d has no element", me->index);
    part->value -= part->data.x[0];
    return 0;
}

static int after(const struct worker *me, void *state, uint64_t repetition)
{
    (void)repetition;
    struct summing *s = state;
    struct part *part = &s->parts[me->row];
    const int r = verify(s->method, part, me->index);
    part->value = NAN; /* the next repetition must make its own */
    return r;
}

static uint64_t units(const void *state, int row)
{
    return ((const struct summing *)state)->parts[row].data.n;
}

static size_t tables(void *state, const struct rows **out)
{
    *out = ((struct summing *)state)->tables;
    return 1;
}

const struct experiment experiment_marshal = {
    .name = "marshal",
    .about = "sums of doubles in an array, or as objects in a list: what handing over costs",
    .unit = unit_name,
    .methods = "array-npsum array-sum array-loop list-npsum list-sum list-loop array-naive "
               "memoryview-loop shuffled-list-npsum shuffled-list-sum shuffled-list-loop "
               "convert-once-loop soa-npsum aos-npsum",
    .size = 1000000,
    .pooled = pooled,
    .check = check,
    .bytes = bytes,
    .open = marshal_open,
    .close = marshal_close,
    .fill = fill,
    .compute = compute,
    .combine = combine,
    .spoil = spoil,
    .after = after,
    .units = units,
    .tables = tables,
};
