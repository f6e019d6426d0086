/* binning.c: do the workers really run at the same time? All count clock reads
 * on one grid of bins that starts at one agreed instant. */
#include "drivers/experiments/experiment.h"
#include "drivers/fail.h"
#include "drivers/memory.h"
#include "kernels/bins.h"

#include <stdlib.h>

struct event { /* a detour, ready for the trace */
    int32_t worker, repetition;
    int64_t start_ns, length_ns;
};

struct binning {
    const struct params *params;
    const struct clock *clock;
    int rows, first;
    size_t plane;      /* bytes of one uint32 array [rows, bins] */
    uint32_t *counts;  /* [rows, bins] */
    uint32_t *lost;    /* [rows, bins] ticks, then ns */
    size_t list;       /* bytes of detours */
    struct bins_detour *detours; /* [rows, capacity] */
    struct bins *bins;           /* [rows] */
    uint64_t *dropped;           /* [rows] */
    int32_t *worker, *repetition; /* the events' columns, [rows * capacity] */
    int64_t *start_ns, *length_ns;
    struct rows tables[7];
};

static bool pooled(const struct params *p)
{
    (void)p;
    return false;
}

static int check(const struct params *p)
{
    if (p->weak)
        return fail("--scaling weak: binning always gives each worker the whole window");
    if (p->iterations > 1)
        return fail("--iterations: a repetition of binning is its window; use --bins or --repeats");
    if (p->detour_ns >= p->width_ns)
        return fail("--detour must be shorter than --width");
    return 0;
}

static double bytes(const struct params *p, int workers, int rows)
{
    (void)workers;
    const double list = sizeof(struct bins_detour) + sizeof(struct event);
    return rows * ((double)p->bins * 2 * sizeof(uint32_t) + (double)p->detours * list);
}

static void binning_close(void **state)
{
    struct binning *b = *state;
    const size_t events = (size_t)b->rows * b->params->detours;
    memory_free(b->counts, b->plane);
    memory_free(b->lost, b->plane);
    memory_free(b->detours, b->list);
    memory_free(b->worker, events * sizeof *b->worker);
    memory_free(b->repetition, events * sizeof *b->repetition);
    memory_free(b->start_ns, events * sizeof *b->start_ns);
    memory_free(b->length_ns, events * sizeof *b->length_ns);
    free(b->bins);
    free(b->dropped);
    free(b);
    *state = NULL;
}

static void describe(struct binning *b, size_t events)
{
    const struct rows tables[] = {
        {{"/counts", "repetition worker bin", TABLE_U32, "1",
          "clock reads that fell in the bin"}, b->counts, b->plane},
        {{"/lost_ns", "repetition worker bin", TABLE_U32, "ns",
          "time of the bin inside detours"}, b->lost, b->plane},
        {{"/detours/dropped", "repetition worker", TABLE_U64, "1",
          "detours that found the list full (lost_ns holds them)"},
         b->dropped, (size_t)b->rows * sizeof *b->dropped},
        {{"/detours/worker_index", "detour", TABLE_I32, "", "worker that was away"},
         b->worker, events * sizeof *b->worker},
        {{"/detours/repetition_index", "detour", TABLE_I32, "", "repetition of the detour"},
         b->repetition, events * sizeof *b->repetition},
        {{"/detours/start_ns", "detour", TABLE_I64, "ns",
          "last clock read before the detour, node's monotonic clock"},
         b->start_ns, events * sizeof *b->start_ns},
        {{"/detours/length_ns", "detour", TABLE_I64, "ns",
          "from that read to the next, both reads included"},
         b->length_ns, events * sizeof *b->length_ns},
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        b->tables[i] = tables[i];
}

static int binning_open(void **state, const struct params *p, const struct team *team,
                        const struct clock *clock)
{
    struct binning *b = calloc(1, sizeof *b);
    if (!b)
        return fail("out of memory");
    const size_t rows = (size_t)team_rows(team), events = rows * p->detours;
    *b = (struct binning){.params = p,
                          .clock = clock,
                          .rows = team_rows(team),
                          .first = team_first(team),
                          .plane = rows * p->bins * sizeof *b->counts,
                          .list = events * sizeof *b->detours};
    *state = b;
    b->counts = memory_get(b->plane);
    b->lost = memory_get(b->plane);
    b->detours = memory_get(b->list);
    b->worker = memory_get(events * sizeof *b->worker);
    b->repetition = memory_get(events * sizeof *b->repetition);
    b->start_ns = memory_get(events * sizeof *b->start_ns);
    b->length_ns = memory_get(events * sizeof *b->length_ns);
    b->bins = calloc(rows, sizeof *b->bins);
    b->dropped = calloc(rows, sizeof *b->dropped);
    if (!b->counts || !b->lost || !b->detours || !b->worker || !b->repetition || !b->start_ns ||
        !b->length_ns || !b->bins || !b->dropped) {
        binning_close(state);
        return fail("out of memory for %zu workers of %llu bins", rows,
                    (unsigned long long)p->bins);
    }
    describe(b, 0);
    return 0;
}

static void fill(const struct worker *me, void *state)
{
    struct binning *b = state;
    const struct params *p = b->params;
    struct bins *mine = &b->bins[me->row];
    *mine = (struct bins){
        .nbins = p->bins,
        .width = (uint64_t)((double)p->width_ns / b->clock->ns_per_tick * (double)BINS_TICK_ONE),
        .threshold = clock_span_ticks(b->clock, (int64_t)p->detour_ns),
        .capacity = p->detours,
        .counts = b->counts + (size_t)me->row * p->bins,
        .lost = b->lost + (size_t)me->row * p->bins,
        .detours = b->detours + (size_t)me->row * p->detours};
    bins_reset(mine);
}

static void before(const struct worker *me, void *state)
{
    bins_reset(&((struct binning *)state)->bins[me->row]);
}

static void compute(const struct worker *me, void *state, uint64_t start)
{
    struct binning *b = state;
    struct bins *mine = &b->bins[me->row];
    mine->start = start;
    if (b->clock->counter)
        bins_count_counter(mine);
    else
        bins_count_system(mine);
}

/* The detours of all rows as columns, in order of worker and time. */
static size_t list_events(struct binning *b, uint64_t repetition)
{
    size_t n = 0;
    for (int row = 0; row < b->rows; row++) {
        const struct bins *from = &b->bins[row];
        for (size_t i = 0; i < from->ndetours; i++, n++) {
            b->worker[n] = b->first + row;
            b->repetition[n] = (int32_t)repetition;
            b->start_ns[n] = clock_ns(b->clock, from->detours[i].start);
            b->length_ns[n] = clock_span_ns(b->clock, from->detours[i].length);
        }
    }
    return n;
}

static int after(const struct worker *me, void *state, uint64_t repetition)
{
    struct binning *b = state;
    struct bins *mine = &b->bins[me->row];
    uint64_t sum = 0;
    for (size_t i = 0; i < mine->nbins; i++) {
        sum += mine->counts[i];
        mine->lost[i] = (uint32_t)clock_span_ns(b->clock, mine->lost[i]);
    }
    b->dropped[me->row] = mine->dropped;
    team_meet_rows(me);
    if (me->row == 0)
        describe(b, list_events(b, repetition));
    return sum == mine->reads ? 0
                              : fail("binning: worker %d read the clock %llu times and counted %llu",
                                     me->index, (unsigned long long)mine->reads,
                                     (unsigned long long)sum);
}

static uint64_t units(const void *state, int row)
{
    return ((const struct binning *)state)->bins[row].reads;
}

static double seconds(const void *state)
{
    const struct params *p = ((const struct binning *)state)->params;
    return (double)p->bins * (double)p->width_ns * 1e-9;
}

static size_t tables(void *state, const struct rows **out)
{
    struct binning *b = state;
    *out = b->tables;
    return sizeof b->tables / sizeof *b->tables;
}

const struct experiment experiment_binning = {
    .name = "binning",
    .about = "clock reads in time bins: do workers run at once, what stops them",
    .unit = "clock read",
    .methods = "counter",
    .timed = true,
    .pooled = pooled,
    .check = check,
    .bytes = bytes,
    .open = binning_open,
    .close = binning_close,
    .fill = fill,
    .before = before,
    .compute = compute,
    .after = after,
    .units = units,
    .seconds = seconds,
    .tables = tables,
};
