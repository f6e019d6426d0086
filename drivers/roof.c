#include "drivers/roof.h"

#include "drivers/fail.h"
#include "drivers/memory.h"
#include "kernels/peak.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    WINDOWS = 3, /* the best one counts: a peak is not what was left by a neighbour */
    FMA_NS = 10000000,
    READ_NS = 20000000,
    PAUSE_NS = 1000000, /* from agreeing on windows to the first one */
    FMA_ROUNDS = 4096,
    BLOCK = 1 << 15, /* doubles read between two looks at the clock */
    CACHES = 4,      /* the node's streams against its last-level caches; but of a thread */
    SPARE = 2,       /* takes at most this part of the memory that is left: others need some, too */
    LEAST = 1 << 22, /* at least so many bytes */
    MOST = 1 << 28   /* and at most so many: it has one cache near */
};

struct lane { /* one thread */
    struct roof *roof;
    double *memory;                        /* x, then y: [2, half] */
    double flops[WINDOWS], reads[WINDOWS]; /* per second */
    pthread_t thread;
};

struct roof {
    const struct clock *clock;
    int width;
    size_t half;        /* doubles of one stream, a multiple of BLOCK */
    bool room;          /* for the streams of all threads of the machine */
    uint64_t start;     /* tick of the first window */
    struct lane *lanes; /* [rows, width] */
    int nlanes;
    double peak_flops, peak_read; /* of the node */
    struct rows tables[2];
};

static uint64_t later(const struct roof *r, uint64_t tick, int64_t ns)
{
    return tick + clock_span_ticks(r->clock, ns);
}

static double per_second(const struct roof *r, double work, uint64_t from, uint64_t to)
{
    return work / (1e-9 * (double)clock_span_ns(r->clock, to - from));
}

static uint64_t wait_for(const struct roof *r, uint64_t tick)
{
    uint64_t now;
    while ((now = clock_ticks(r->clock)) < tick)
        ;
    return now;
}

static double fma_window(const struct roof *r, uint64_t start, uint64_t end)
{
    uint64_t from = wait_for(r, start), now;
    double flops = 0;
    do { /* once at least: a crowded node may come too late for its window */
        flops += peak_fma(FMA_ROUNDS);
        now = clock_ticks(r->clock);
    } while (now < end);
    return per_second(r, flops, from, now);
}

/* Goes on where it stopped, so that caches hold nothing of what comes next. */
static double read_window(const struct roof *r, const double *memory, size_t *at, uint64_t start,
                          uint64_t end)
{
    uint64_t from = wait_for(r, start), now;
    double bytes = 0;
    do {
        (void)peak_read(memory + *at, memory + r->half + *at, BLOCK);
        bytes += 2.0 * BLOCK * sizeof(double);
        *at = (*at + BLOCK) % r->half;
        now = clock_ticks(r->clock);
    } while (now < end);
    return per_second(r, bytes, from, now);
}

/* All windows of one thread; the same instants for all threads of the node. */
static void *climb(void *of)
{
    struct lane *lane = of;
    const struct roof *r = lane->roof;
    uint64_t start = r->start;
    size_t at = 0;
    for (int i = 0; i < WINDOWS; i++) {
        const uint64_t end = later(r, start, FMA_NS);
        lane->flops[i] = fma_window(r, start, end);
        start = later(r, end, PAUSE_NS);
    }
    for (int i = 0; i < WINDOWS && lane->memory; i++) {
        const uint64_t end = later(r, start, READ_NS);
        lane->reads[i] = read_window(r, lane->memory, &at, start, end);
        start = later(r, end, PAUSE_NS);
    }
    return NULL;
}

/* Taken without asking it may cost the run: who takes too much is killed. */
static bool is_room(const struct roof *r, const struct ranks *ranks)
{
    const double rest = (double)memory_available() / SPARE;
    double need = (double)r->nlanes * 2 * (double)r->half * sizeof(double);
    ranks->add(SCOPE_MACHINE, &need, 1);
    return !ranks->max(SCOPE_MACHINE, rest > 0 && need > rest);
}

static void touch(const struct worker *me, void *shared) /* first touch, by its worker */
{
    struct roof *r = shared;
    for (int i = 0; i < r->width; i++) {
        struct lane *lane = &r->lanes[me->row * r->width + i];
        lane->roof = r;
        lane->memory = r->room ? memory_get(2 * r->half * sizeof(double)) : NULL;
        for (size_t k = 0; lane->memory && k < 2 * r->half; k++)
            lane->memory[k] = 1;
    }
}

/* The worker, and a thread for each more that stands behind it; they inherit its CPUs. */
static void run(const struct worker *me, void *shared)
{
    struct roof *r = shared;
    struct lane *lanes = r->lanes + me->row * r->width;
    int started = 1;
    for (; started < r->width; started++)
        if (pthread_create(&lanes[started].thread, NULL, climb, &lanes[started]) != 0)
            break;
    for (int i = started; i < r->width; i++) /* a peak without them would be one too low */
        for (int k = 0; k < WINDOWS; k++)
            lanes[i].flops[k] = lanes[i].reads[k] = (double)NAN;
    climb(&lanes[0]);
    for (int i = 1; i < started; i++)
        pthread_join(lanes[i].thread, NULL);
}

static size_t stream_doubles(const struct roof *r, const struct ranks *ranks,
                             const struct place *place)
{
    const size_t threads = (size_t)r->nlanes * (size_t)ranks->size(SCOPE_NODE);
    const size_t share = CACHES * place_caches(place) / threads;
    const size_t bytes = share < LEAST ? LEAST : share > MOST ? MOST : share;
    return (bytes / (2 * sizeof(double)) + BLOCK - 1) / BLOCK * BLOCK;
}

/* The node's best window: threads summed in each. all: room for all its processes. */
static double best(const struct ranks *ranks, const double mine[WINDOWS], double *all)
{
    double most = NAN;
    ranks->gather(SCOPE_NODE, mine, all, WINDOWS * sizeof *mine);
    for (int i = 0; i < WINDOWS; i++) {
        double sum = 0;
        for (int p = 0; p < ranks->size(SCOPE_NODE); p++)
            sum += all[p * WINDOWS + i];
        most = isnan(most) || sum > most ? sum : most;
    }
    return most;
}

static void sum_up(struct roof *r, const struct ranks *ranks, double *all)
{
    double flops[WINDOWS] = {0}, reads[WINDOWS] = {0};
    for (int i = 0; i < r->nlanes; i++)
        for (int k = 0; k < WINDOWS; k++) {
            flops[k] += r->lanes[i].flops[k];
            reads[k] += r->lanes[i].memory ? r->lanes[i].reads[k] : (double)NAN;
        }
    r->peak_flops = best(ranks, flops, all);
    r->peak_read = best(ranks, reads, all);
}

static void describe(struct roof *r, const struct ranks *ranks)
{
    const size_t bytes = ranks->rank(SCOPE_NODE) == 0 ? sizeof(double) : 0;
    r->tables[0] = (struct rows){{"/nodes/peak_flops", "node", TABLE_F64, "s-1",
                                  "floating-point operations per second: multiply-adds in "
                                  "registers, all threads of the run at once"},
                                 &r->peak_flops,
                                 bytes};
    r->tables[1] = (struct rows){{"/nodes/peak_read", "node", TABLE_F64, "B s-1",
                                  "reading two streams beyond the caches, all threads at once"},
                                 &r->peak_read,
                                 bytes};
}

static void free_lanes(struct roof *r)
{
    for (int i = 0; i < r->nlanes; i++)
        memory_free(r->lanes[i].memory, 2 * r->half * sizeof(double));
    free(r->lanes);
    r->lanes = NULL;
    r->nlanes = 0;
}

int roof_open(struct roof **out, struct team *team, const struct place *place,
              const struct clock *clock, int width)
{
    const struct ranks *ranks = team_ranks(team);
    struct roof *r = *out = calloc(1, sizeof *r);
    double *all = calloc((size_t)ranks->size(SCOPE_NODE) * WINDOWS, sizeof *all);
    if (r) {
        r->clock = clock;
        r->width = width;
        r->nlanes = team_rows(team) * width;
        r->half = stream_doubles(r, ranks, place);
        r->lanes = calloc((size_t)r->nlanes, sizeof *r->lanes);
    }
    const int failed = team_agree(team, r && r->lanes && all ? 0 : fail("out of memory"));
    if (failed == 0) {
        assert(r && r->lanes && all); /* agreed */
        r->room = is_room(r, ranks);
        team_run(team, touch, r);
        fail_clear(); /* memory that is not there costs a peak, not the run */
        ranks->meet();
        r->start = later(r, clock_ticks(clock), PAUSE_NS);
        ranks->share(SCOPE_NODE, 0, &r->start, sizeof r->start);
        team_run(team, run, r);
        sum_up(r, ranks, all);
        describe(r, ranks);
        free_lanes(r);
    }
    free(all);
    return failed;
}

void roof_close(struct roof **roof)
{
    if (*roof)
        free_lanes(*roof);
    free(*roof);
    *roof = NULL;
}

size_t roof_tables(const struct roof *r, const struct rows **out)
{
    *out = r->tables;
    return 2;
}
