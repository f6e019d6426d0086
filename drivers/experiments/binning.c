/* binning.c: do the workers really run at the same time? All count units of work
 * on one grid of bins that starts at one agreed instant. */
#include "drivers/experiments/experiment.h"
#include "drivers/experiments/pace.h"
#include "drivers/fail.h"
#include "drivers/memory.h"
#include "kernels/bins.h"

#include <stdlib.h>
#include <string.h>

enum {
    NTABLES = 9,
    BUFFER_LINES = 1 << 17, /* of the memory unit: 8 MiB, beyond a core's own caches */
    TRIALS = 5,
    TRIAL_NS = 1000000
};

struct binning {
    const struct params *params;
    const struct clock *clock;
    int rows, first;
    struct gil gil;              /* open where there is a --lock */
    uint32_t twice;              /* pace.h; a fault on purpose: slow (inject.h) */
    size_t plane;                /* bytes of one uint32 array [rows, bins] */
    uint32_t *counts;            /* [rows, bins] */
    uint32_t *lost;              /* [rows, bins] ticks, then ns */
    uint32_t *cells;             /* shared: [bins, rows]; atomic: [bins]; else NULL */
    size_t list;                 /* bytes of detours */
    struct bins_detour *detours; /* [rows, capacity] */
    size_t buffers;              /* bytes of buffer */
    double *buffer;              /* memory unit: [rows, BUFFER_LINES * BINS_LINE] */
    struct bins *bins;           /* [rows] */
    uint64_t *dropped;           /* [rows] */
    int64_t *first_ns, *last_ns; /* [rows] of the units that counted */
    size_t events;               /* room in each of the columns of detours */
    int32_t *worker, *repetition;
    int64_t *start_ns, *length_ns;
    struct rows tables[NTABLES];
};

static bool pooled(const struct params *p)
{
    (void)p;
    return false;
}

static bool paced(const struct params *p)
{
    return p->wait_ns || p->sync_every || p->lock_ns || p->inject.slow > 0;
}

static const char *unit_name(const struct params *p)
{
    static const char *const names[] = {"clock read", "addition block", "cache-line block"};
    return p->wait_ns ? "wait" : names[p->unit];
}

static int check(const struct params *p)
{
    if (p->weak)
        return fail("--scaling weak: binning always gives each worker the whole window");
    if (p->iterations > 1)
        return fail("--iterations: a repetition of binning is its window; use --bins or --repeats");
    if (p->detour_ns >= p->width_ns)
        return fail("--detour must be shorter than --width");
    if (paced(p) && (p->unit != BINS_READ || p->storage != BINS_PRIVATE))
        return fail("--wait, --sync-every, --lock and --inject slow go with --unit clock and "
                    "--storage private");
    if (p->wait_ns && p->inject.slow > 0)
        return fail("--inject slow and --wait: who waits cannot be made to wait more slowly");
    if (p->lock_ns && p->sync_every)
        return fail("--lock and --sync-every: who meets the others would hold the lock meanwhile");
    return 0;
}

static double bytes(const struct params *p, int workers, int rows)
{
    (void)workers;
    const double list = sizeof(struct bins_detour) + 2 * (sizeof(int32_t) + sizeof(int64_t));
    const double cells = p->storage == BINS_PRIVATE ? 0 : sizeof(uint32_t);
    const double buffer = p->unit == BINS_MEMORY ? 64.0 * BUFFER_LINES : 0;
    return rows *
           ((double)p->bins * (2 * sizeof(uint32_t) + cells) + (double)p->detours * list + buffer);
}

static void binning_close(void **state)
{
    struct binning *b = *state;
    gil_close(&b->gil);
    memory_free(b->counts, b->plane);
    memory_free(b->lost, b->plane);
    memory_free(b->cells, b->plane);
    memory_free(b->detours, b->list);
    memory_free(b->buffer, b->buffers);
    memory_free(b->worker, b->events * sizeof *b->worker);
    memory_free(b->repetition, b->events * sizeof *b->repetition);
    memory_free(b->start_ns, b->events * sizeof *b->start_ns);
    memory_free(b->length_ns, b->events * sizeof *b->length_ns);
    free(b->bins);
    free(b->dropped);
    free(b->first_ns);
    free(b->last_ns);
    free(b);
    *state = NULL;
}

static int allocate(struct binning *b)
{
    const size_t rows = (size_t)b->rows;
    b->counts = memory_get(b->plane);
    b->lost = memory_get(b->plane);
    b->detours = memory_get(b->list);
    b->worker = memory_get(b->events * sizeof *b->worker);
    b->repetition = memory_get(b->events * sizeof *b->repetition);
    b->start_ns = memory_get(b->events * sizeof *b->start_ns);
    b->length_ns = memory_get(b->events * sizeof *b->length_ns);
    b->bins = calloc(rows, sizeof *b->bins);
    b->dropped = calloc(rows, sizeof *b->dropped);
    b->first_ns = calloc(rows, sizeof *b->first_ns);
    b->last_ns = calloc(rows, sizeof *b->last_ns);
    if (b->params->storage != BINS_PRIVATE && !(b->cells = memory_get(b->plane)))
        return -1;
    if (b->buffers && !(b->buffer = memory_get(b->buffers)))
        return -1;
    return b->counts && b->lost && b->detours && b->worker && b->repetition && b->start_ns &&
                   b->length_ns && b->bins && b->dropped && b->first_ns && b->last_ns
               ? 0
               : fail("out of memory");
}

/* The tables of a repetition; of detours there are `events`. */
static void describe(struct binning *b, size_t events)
{
    const struct rows tables[NTABLES] = {
        {{"/counts", "repetition worker bin", TABLE_U32, "1",
          "units of work that ended in the bin"},
         b->counts,
         b->plane},
        {{"/lost_ns", "repetition worker bin", TABLE_U32, "ns", "time of the bin inside detours"},
         b->lost,
         b->plane},
        {{"/detours/dropped", "repetition worker", TABLE_U64, "1",
          "detours that found the list full (lost_ns holds them)"},
         b->dropped,
         (size_t)b->rows * sizeof *b->dropped},
        {{"/workers/first_ns", "repetition worker", TABLE_I64, "ns",
          "end of the first unit that counted, node's monotonic clock"},
         b->first_ns,
         (size_t)b->rows * sizeof *b->first_ns},
        {{"/workers/last_ns", "repetition worker", TABLE_I64, "ns",
          "end of the last unit that counted, node's monotonic clock"},
         b->last_ns,
         (size_t)b->rows * sizeof *b->last_ns},
        {{"/detours/worker_index", "detour", TABLE_I32, "", "worker that was away"},
         b->worker,
         events * sizeof *b->worker},
        {{"/detours/repetition_index", "detour", TABLE_I32, "", "repetition of the detour"},
         b->repetition,
         events * sizeof *b->repetition},
        {{"/detours/start_ns", "detour", TABLE_I64, "ns",
          "last clock read before the detour, node's monotonic clock"},
         b->start_ns,
         events * sizeof *b->start_ns},
        {{"/detours/length_ns", "detour", TABLE_I64, "ns",
          "from that read to the next, one unit of work included"},
         b->length_ns,
         events * sizeof *b->length_ns},
    };
    memcpy(b->tables, tables, sizeof tables);
}

static int binning_open(void **state, const struct params *p, const struct team *team,
                        const struct clock *clock)
{
    struct binning *b = calloc(1, sizeof *b);
    if (!b)
        return fail("out of memory");
    const size_t rows = (size_t)team_rows(team);
    b->params = p;
    b->clock = clock;
    b->rows = team_rows(team);
    b->first = team_first(team);
    b->plane = rows * p->bins * sizeof *b->counts;
    b->events = rows * p->detours;
    b->list = b->events * sizeof *b->detours;
    b->buffers = p->unit == BINS_MEMORY ? rows * BUFFER_LINES * BINS_LINE * sizeof(double) : 0;
    if (p->inject.slow > 0 && p->inject.node == (uint64_t)team_ranks(team)->node())
        b->twice = pace_share(p->inject.slow);
    *state = b;
    if (allocate(b) < 0 || (p->lock_ns && gil_open(&b->gil, p->lock_ns) < 0)) {
        binning_close(state);
        return -1;
    }
    describe(b, 0);
    return 0;
}

static void count(const struct worker *me, struct binning *b, struct bins *bins)
{
    const struct params *p = b->params;
    const struct pace pace = {.me = me,
                              .clock = b->clock,
                              .wait_ns = p->wait_ns,
                              .sync_every = p->sync_every,
                              .lock = p->lock_ns ? &b->gil : NULL,
                              .twice = b->twice};
    if (paced(p))
        pace_count(&pace, bins);
    else
        bins_count(bins, b->clock->counter ? BINS_COUNTER : BINS_SYSTEM, (enum bins_unit)p->unit,
                   (enum bins_storage)p->storage);
}

/* Ticks of an undisturbed unit: the best of a few trials of one bin each. */
static uint64_t usual(const struct binning *b, const struct bins *like)
{
    if (b->params->wait_ns) /* and as long again for the way out of the kernel and back */
        return clock_span_ticks(b->clock, (int64_t)b->params->wait_ns * 2);
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < TRIALS; i++) {
        uint32_t counts[1] = {0}, lost[1] = {0};
        struct bins trial = *like;
        trial.nbins = 1;
        trial.width = (uint64_t)(TRIAL_NS / b->clock->ns_per_tick) * BINS_TICK_ONE;
        trial.threshold = UINT64_MAX;
        trial.counts = counts;
        trial.lost = lost;
        trial.start = clock_ticks(b->clock);
        bins_count(&trial, b->clock->counter ? BINS_COUNTER : BINS_SYSTEM,
                   (enum bins_unit)b->params->unit, BINS_PRIVATE);
        const uint64_t each = (trial.width >> 32) / (trial.units + 1);
        best = each < best ? each : best;
    }
    return best;
}

static void fill(const struct worker *me, void *state)
{
    struct binning *b = state;
    const struct params *p = b->params;
    const size_t row = (size_t)me->row;
    struct bins *mine = &b->bins[row];
    *mine = (struct bins){
        .nbins = p->bins,
        .width = (uint64_t)((double)p->width_ns / b->clock->ns_per_tick * (double)BINS_TICK_ONE),
        .capacity = p->detours,
        .counts = b->counts + row * p->bins,
        .lost = b->lost + row * p->bins,
        .detours = b->detours + row * p->detours,
        .stride = p->storage == BINS_SHARED ? (size_t)b->rows : 1,
        .buffer_lines = BUFFER_LINES};
    if (b->cells)
        mine->cells = b->cells + (p->storage == BINS_SHARED ? row : 0);
    if (b->buffer) {
        double *buffer = b->buffer + row * BUFFER_LINES * BINS_LINE;
        memset(buffer, 1, BUFFER_LINES * BINS_LINE * sizeof *buffer);
        mine->buffer = buffer;
    }
    bins_reset(mine);
    mine->threshold = usual(b, mine) + clock_span_ticks(b->clock, (int64_t)p->detour_ns);
}

static void before(const struct worker *me, void *state)
{
    struct binning *b = state;
    bins_reset(&b->bins[me->row]);
    if (b->cells) {
        team_meet_rows(me); /* the neighbours may still be reading their columns */
        if (me->row == 0)
            memset(b->cells, 0, b->plane);
        team_meet_rows(me);
    }
}

static void compute(const struct worker *me, void *state, uint64_t start)
{
    struct binning *b = state;
    b->bins[me->row].start = start;
    count(me, b, &b->bins[me->row]);
}

/* Counts that were kept in common cells, back to the rows. What all incremented
 * belongs to nobody: it stands in the first row of the process. */
static void gather_cells(struct binning *b, int row)
{
    struct bins *mine = &b->bins[row];
    if (!b->cells || (b->params->storage == BINS_ATOMIC && row > 0))
        return;
    for (size_t i = 0; i < mine->nbins; i++)
        mine->counts[i] = mine->cells[i * mine->stride];
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

/* The sum of all counts is the number of units, or the run is wrong. */
static int check_sum(const struct binning *b)
{
    uint64_t sum = 0, units = 0;
    for (int row = 0; row < b->rows; row++)
        units += b->bins[row].units;
    for (size_t i = 0; i < (size_t)b->rows * b->params->bins; i++)
        sum += b->counts[i];
    return sum == units ? 0
                        : fail("binning: %llu units were done and %llu counted",
                               (unsigned long long)units, (unsigned long long)sum);
}

static int after(const struct worker *me, void *state, uint64_t repetition)
{
    struct binning *b = state;
    struct bins *mine = &b->bins[me->row];
    gather_cells(b, me->row);
    for (size_t i = 0; i < mine->nbins; i++)
        mine->lost[i] = (uint32_t)clock_span_ns(b->clock, mine->lost[i]);
    b->dropped[me->row] = mine->dropped;
    b->first_ns[me->row] = clock_ns(b->clock, mine->first);
    b->last_ns[me->row] = clock_ns(b->clock, mine->last);
    team_meet_rows(me);
    if (me->row != 0)
        return 0;
    describe(b, list_events(b, repetition));
    return check_sum(b);
}

static uint64_t units(const void *state, int row)
{
    return ((const struct binning *)state)->bins[row].units;
}

static uint64_t migrations(const void *state, int row)
{
    return ((const struct binning *)state)->bins[row].migrations;
}

static double seconds(const void *state)
{
    const struct params *p = ((const struct binning *)state)->params;
    return (double)p->bins * (double)p->width_ns * 1e-9;
}

static size_t tables(void *state, const struct rows **out)
{
    *out = ((struct binning *)state)->tables;
    return NTABLES;
}

const struct experiment experiment_binning = {
    .name = "binning",
    .about = "units of work in time bins: do workers run at once, what stops them",
    .unit = unit_name,
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
    .migrations = migrations,
    .seconds = seconds,
    .tables = tables,
};
