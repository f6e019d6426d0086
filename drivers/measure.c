#include "drivers/measure.h"

#include "drivers/fail.h"
#include "drivers/place.h"
#include "drivers/sheet.h"
#include "drivers/stop.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    SLACK_NS = 1000000, /* from agreeing on a start to the start; grows to ... */
    SLACK_MOST_NS = 30000000,
    ENOUGH_NS = 20000000, /* a repetition this long is worth its clock reads */
    LATE_NS = 1000000,    /* a later start is noted (binning: a bin) */
    SPAN_BOUNDS = 1000,   /* a span over nodes is that much longer than their clocks err */
    LOOKS = 3,            /* at the clock in an iteration that is looked at */
    LOOKS_SHARE = 500,    /* they take at most 1 / LOOKS_SHARE of the time */
    LOOKS_LEAST = 100,    /* iterations of a repetition that are looked at, if it has so many */
    OWN = 3,
    OF_EXPERIMENT = 16
};

struct measure {
    struct measure_setting with;
    struct sheet *sheet;
    bool of_process; /* a worker is a process: its library's threads count */
    bool alone;      /* one worker has all the work */
    uint64_t iterations, repetition;
    uint64_t stride; /* the clock is looked at in one of so many iterations */
    int64_t slack_ns;
    uint64_t start;       /* tick at which the repetition starts */
    double slow;          /* share: work takes so much longer, on purpose */
    double seconds, rate; /* of the repetition; all workers */
    int64_t wall_ns;
    struct rates rates; /* lead */
    int64_t carried_ns; /* of repetitions before this run resumed the other */
    uint64_t seen[GATE_NFINDINGS], worst[GATE_NFINDINGS];
    struct rows tables[SHEET_TABLES + OWN + OF_EXPERIMENT];
};

int measure_open(struct measure **out, const struct measure_setting *with)
{
    struct measure *m = calloc(1, sizeof *m);
    *out = m;
    if (!m)
        return fail("out of memory");
    m->with = *with;
    m->slack_ns = SLACK_NS;
    m->of_process = team_rows(with->team) == 1;
    m->alone = with->experiment->alone && with->experiment->alone(with->state);
    const struct inject *fault = &with->params->inject;
    if (!with->experiment->timed && fault->node == (uint64_t)team_ranks(with->team)->node())
        m->slow = fault->slow;
    return sheet_open(&m->sheet, team_rows(with->team));
}

void measure_close(struct measure **measure)
{
    struct measure *m = *measure;
    if (!m)
        return;
    sheet_close(&m->sheet);
    rates_free(&m->rates);
    free(m);
    *measure = NULL;
}

int measure_carry(struct measure *m, const struct measure_carried *from)
{
    m->repetition = from->repetitions;
    m->iterations = from->iterations;
    m->stride = from->stride;
    m->carried_ns = from->spent_ns;
    sheet_carry(m->sheet, from->found, team_first(m->with.team));
    for (uint64_t i = 0; from->rates && i < from->repetitions; i++)
        if (rates_add(&m->rates, from->rates[i]) < 0)
            return -1;
    return 0;
}

uint64_t measure_iterations(const struct measure *m)
{
    return m->iterations;
}

uint64_t measure_stride(const struct measure *m)
{
    return m->stride;
}

static uint64_t slow_down(const struct measure *m, uint64_t from, uint64_t now)
{
    const uint64_t end = now + (uint64_t)((double)(now - from) * m->slow);
    while (now < end)
        now = clock_ticks(m->with.clock);
    return now;
}

/* One product, with looks at the clock between its parts. t: now. Returns now. */
static uint64_t look(const struct measure *m, const struct worker *me, uint64_t t, struct stamp *s)
{
    const struct experiment *e = m->with.experiment;
    const struct clock *clock = m->with.clock;
    e->compute(me, m->with.state, m->start);
    uint64_t now = clock_ticks(clock);
    if (m->slow > 0)
        now = slow_down(m, t, now);
    const struct spent apart = e->spent ? e->spent(m->with.state, me->row) : (struct spent){0};
    s->compute += now - t - apart.wait - apart.combine;
    s->wait += apart.wait;
    s->combine += apart.combine;
    if (m->alone)
        return now;
    t = now;
    team_meet(me);
    now = clock_ticks(clock);
    s->wait += now - t;
    if (!e->combine)
        return now;
    t = now;
    e->combine(me, m->with.state);
    now = clock_ticks(clock);
    s->combine += now - t;
    return now;
}

/* `times` products without a look, nor one at what is the same in all: of two vectors that
 * fill L1 each cache line more costs some. */
static void go_on(const struct measure *m, const struct worker *me, uint64_t times)
{
    const struct experiment e = *m->with.experiment;
    void *const state = m->with.state;
    const uint64_t start = m->start;
    const bool alone = m->alone;
    while (times--) {
        e.compute(me, state, start);
        if (alone)
            continue;
        team_meet(me);
        if (e.combine)
            e.combine(me, state);
    }
}

/* Parts of some products to parts of all of them. */
static void scale(struct stamp *s)
{
    const uint64_t seen = s->compute + s->wait + s->combine;
    const double all = seen ? (double)(s->end - s->start) / (double)seen : 0;
    s->compute = (uint64_t)((double)s->compute * all);
    s->wait = (uint64_t)((double)s->wait * all);
    s->combine = (uint64_t)((double)s->combine * all);
}

/* Measured time: nothing but the kernel, the meeting and the combining, and so few
 * looks at the clock between them that they do not count. */
static void iterate(const struct measure *m, const struct worker *me, struct stamp *s)
{
    const struct clock *clock = m->with.clock;
    uint64_t t;
    while ((t = clock_ticks(clock)) < m->start)
        ;
    s->start = s->end = t;
    for (uint64_t i = 0; i < m->iterations; i += m->stride) {
        const uint64_t left = m->iterations - i;
        s->end = look(m, me, s->end, s);
        if (m->stride == 1)
            continue;
        go_on(m, me, (left < m->stride ? left : m->stride) - 1);
        s->end = clock_ticks(clock);
    }
    if (m->stride > 1)
        scale(s);
}

/* However long that takes, nobody is late by it. */
static void prepare(const struct worker *me, void *shared)
{
    const struct measure *m = shared;
    m->with.experiment->before(me, m->with.state);
}

/* Checks may read what another worker owns: they wait for it. */
static int spoil(const struct measure *m, const struct worker *me)
{
    const bool mine = m->with.params->inject.spoilt == (uint64_t)me->index;
    const int status = mine ? m->with.experiment->spoil(me, m->with.state, m->repetition) : 0;
    team_meet_rows(me);
    return status;
}

/* One repetition of one worker. */
static void repeat(const struct worker *me, void *shared)
{
    struct measure *m = shared;
    const struct experiment *e = m->with.experiment;
    void *state = m->with.state;
    struct stamp s = {0};
    const int cpu = place_here();
    const struct usage before = usage_now(m->of_process);
    iterate(m, me, &s);
    s.used = usage_since(before, usage_now(m->of_process));
    s.migrations = e->migrations ? (int64_t)e->migrations(state, me->row) : place_here() != cpu;
    s.units = e->units(state, me->row) * m->iterations;
    s.workless = !s.units && !e->timed;
    s.status = m->with.params->inject.wrong ? spoil(m, me) : 0;
    s.status |= e->after(me, state, m->repetition);
    *sheet_stamp(m->sheet, me->row) = s;
}

/* All workers start at one instant: the lead names it, in its own time, and each
 * node waits for it by its own clock. Returns by how much the word came too late. */
static int64_t agree_on_start(struct measure *m)
{
    const struct clock *clock = m->with.clock;
    int64_t instant = knots_root_ns(m->with.knots, clock_now(clock)) + m->slack_ns;
    team_ranks(m->with.team)->share(SCOPE_ALL, 0, &instant, sizeof instant);
    m->start = clock_tick(clock, knots_local_ns(m->with.knots, instant));
    return clock_now(clock) - clock_ns(clock, m->start);
}

/* Where the word comes too late to somebody it is given earlier. */
static void adapt_slack(struct measure *m, int64_t behind_ns)
{
    if (team_ranks(m->with.team)->max(SCOPE_ALL, behind_ns) > 0 && m->slack_ns < SLACK_MOST_NS)
        m->slack_ns += m->slack_ns / 2;
}

static int run_repetition(struct measure *m)
{
    const struct ranks *ranks = team_ranks(m->with.team);
    struct timespec wall;
    if (m->with.experiment->before)
        team_run(m->with.team, prepare, m);
    ranks->meet();
    clock_gettime(CLOCK_REALTIME, &wall);
    m->wall_ns = (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec;
    const struct node_look before = node_look();
    const int64_t behind_ns = agree_on_start(m);
    team_run(m->with.team, repeat, m);
    sheet_look(m->sheet, ranks->rank(SCOPE_NODE) == 0, before, node_look());
    adapt_slack(m, behind_ns);
    int wrong = 0;
    for (int row = 0; row < team_rows(m->with.team); row++)
        wrong |= sheet_stamp(m->sheet, row)->status;
    return team_agree(m->with.team, wrong);
}

/* From the first start to the last end: over all nodes if their clocks are known well
 * enough for that, else the longest of a node. */
static double span_seconds(const struct measure *m)
{
    const struct ranks *ranks = team_ranks(m->with.team);
    const struct clock *clock = m->with.clock;
    const struct knots *knots = m->with.knots;
    int64_t first, last;
    sheet_span(m->sheet, m->start, &first, &last);
    first = -ranks->max(SCOPE_NODE, -first);
    last = ranks->max(SCOPE_NODE, last);
    const int64_t longest = ranks->max(SCOPE_ALL, clock_span_ns(clock, (uint64_t)(last - first)));
    const uint64_t start = m->start + (uint64_t)first, end = m->start + (uint64_t)last;
    const int64_t began = -ranks->max(SCOPE_ALL, -knots_root_ns(knots, clock_ns(clock, start)));
    const int64_t ended = ranks->max(SCOPE_ALL, knots_root_ns(knots, clock_ns(clock, end)));
    const int64_t bound = ranks->max(SCOPE_ALL, knots_bound_ns(knots));
    return 1e-9 * (double)(bound * SPAN_BOUNDS <= ended - began ? ended - began : longest);
}

static void fill_results(struct measure *m)
{
    const struct experiment *e = m->with.experiment;
    const int64_t tolerance = m->with.in_turn ? INT64_MAX
                              : e->timed      ? (int64_t)m->with.params->width_ns
                                              : LATE_NS;
    sheet_fill(m->sheet, m->with.clock, m->start, tolerance, m->with.findings,
               knots_torn(m->with.knots) ? GATE_TORN : 0);
    m->seconds = e->seconds ? e->seconds(m->with.state) : span_seconds(m);
    m->rate = (double)team_ranks(m->with.team)->sum(sheet_units(m->sheet)) / m->seconds;
}

size_t measure_tables(struct measure *m, const struct rows **out)
{
    size_t n = sheet_tables(m->sheet, m->tables);
    const struct rows own[OWN] = {
        {{"/results/rate", "repetition", TABLE_F64, "s-1", "units of work per second, all workers"},
         &m->rate,
         sizeof m->rate},
        {{"/results/seconds", "repetition", TABLE_F64, "s",
          "from the first start to the last end, over all nodes, or the window"},
         &m->seconds,
         sizeof m->seconds},
        {{"/wall_start", "repetition", TABLE_I64, "nanoseconds since 1970-01-01T00:00:00Z",
          "the lead's calendar time"},
         &m->wall_ns,
         sizeof m->wall_ns}};
    for (size_t i = 0; i < OWN; i++)
        m->tables[n++] = own[i];
    const struct rows *more;
    const size_t nmore = m->with.experiment->tables(m->with.state, &more);
    for (size_t i = 0; i < nmore; i++)
        m->tables[n++] = more[i];
    *out = m->tables;
    return n;
}

static void spin(const struct worker *me, void *shared)
{
    (void)me;
    const struct measure *m = shared;
    const struct clock *clock = m->with.clock;
    const uint64_t end =
        clock_ticks(clock) + clock_span_ticks(clock, (int64_t)m->with.params->warmup_ns);
    while (clock_ticks(clock) < end)
        ;
}

/* So many that a repetition is long enough, judged by one that took `took` seconds. */
static uint64_t more_iterations(uint64_t iterations, double took)
{
    if (took >= ENOUGH_NS * 1e-9)
        return iterations;
    const double scale = ENOUGH_NS * 1e-9 / (took > 1e-9 ? took : 1e-9);
    return (uint64_t)((double)iterations * (scale < 16 ? scale * 1.1 : 16)) + 1;
}

/* Short products would be measured with the price of the looks. A kernel slower on
 * purpose, on any node, is made by them: then there is one in every product. */
static uint64_t choose_stride(const struct measure *m, double took)
{
    const double each_ns = 1e9 * took / (double)m->iterations;
    const double looks_ns = LOOKS * m->with.clock->read_ns;
    const uint64_t wanted = (uint64_t)(LOOKS_SHARE * looks_ns / (each_ns > 1 ? each_ns : 1)) + 1;
    const uint64_t most = m->iterations / LOOKS_LEAST + 1;
    return m->with.params->inject.slow > 0 ? 1 : wanted < most ? wanted : most;
}

/* The one check of the measurement itself: a kernel whose result nobody needs may be
 * compiled to nothing. */
static int check_work(const struct measure *m, double took)
{
    const double units = (double)team_ranks(m->with.team)->sum(sheet_units(m->sheet));
    return gate_idle(units, took, (double)team_size(m->with.team) * m->with.width)
               ? fail("%s: %.3g units in %.3g s: no core is so fast, the work was not done",
                      m->with.params->kernel, units, took)
               : 0;
}

static int tie(struct measure *m)
{
    return team_agree(m->with.team, knots_take(m->with.knots));
}

/* All processes take the lead's word. */
int measure_warm_up(struct measure *m)
{
    const struct params *p = m->with.params;
    const struct ranks *ranks = team_ranks(m->with.team);
    const uint64_t stride = m->stride; /* carried, or 0 */
    const bool given = p->iterations || stride;
    if (!stride)
        m->iterations = p->iterations && !m->with.experiment->timed ? p->iterations : 1;
    m->stride = stride ? stride : 1;
    if (tie(m) < 0)
        return -1;
    if (m->with.experiment->timed) {
        team_run(m->with.team, spin, m);
        return tie(m);
    }
    const uint64_t begin = clock_ticks(m->with.clock);
    for (bool more = true; more;) {
        if (run_repetition(m) < 0)
            return -1;
        const double took = span_seconds(m);
        if (check_work(m, took) < 0)
            return -1;
        const int64_t so_far = clock_span_ns(m->with.clock, clock_ticks(m->with.clock) - begin);
        const uint64_t next = given ? m->iterations : more_iterations(m->iterations, took);
        more = so_far < (int64_t)p->warmup_ns || next > m->iterations + m->iterations / 4;
        m->stride = stride ? stride : choose_stride(m, took);
        m->iterations = next;
        ranks->share(SCOPE_ALL, 0, &more, sizeof more);
        ranks->share(SCOPE_ALL, 0, &m->iterations, sizeof m->iterations);
        ranks->share(SCOPE_ALL, 0, &m->stride, sizeof m->stride);
    }
    return tie(m);
}

/* Whoever reads that a repetition is saved may count on it. */
static void show_progress(const struct measure *m, bool over)
{
    const struct params *p = m->with.params;
    if (p->verbose && team_is_lead(m->with.team)) {
        if (!over)
            fprintf(stderr, "%s: repetition %llu is saved\n", p->kernel,
                    (unsigned long long)m->repetition);
        return;
    }
    if (p->quiet || !team_is_lead(m->with.team) || !isatty(STDERR_FILENO))
        return;
    const unsigned long long n = m->repetition, all = p->repeats;
    if (over)
        fputs("\r\033[K", stderr);
    else if (p->until_ci > 0)
        fprintf(stderr, "\r%s: repetition %llu\033[K", p->kernel, n);
    else
        fprintf(stderr, "\r%s: repetition %llu of %llu\033[K", p->kernel, n, all);
}

/* Everybody learns the lead's decision, and of a signal that came to anybody. */
static enum halt agree_to_halt(struct measure *m, uint64_t begin, int *signal)
{
    const struct ranks *ranks = team_ranks(m->with.team);
    enum halt halt = HALT_NO;
    if (team_is_lead(m->with.team))
        halt = halt_decide(m->with.params, &m->rates,
                           m->carried_ns +
                               clock_span_ns(m->with.clock, clock_ticks(m->with.clock) - begin));
    ranks->share(SCOPE_ALL, 0, &halt, sizeof halt);
    const int number = (int)ranks->max(SCOPE_ALL, stop_signal());
    if (halt == HALT_NO && number)
        halt = HALT_SIGNAL;
    *signal = halt == HALT_SIGNAL ? number : 0;
    return halt;
}

/* Of all workers, in all repetitions so far. */
static void sum_findings(struct measure *m)
{
    const struct ranks *ranks = team_ranks(m->with.team);
    double sums[GATE_NFINDINGS]; /* exact below 2^53 */
    uint64_t sum, most[GATE_NFINDINGS];
    for (int i = 0; i < GATE_NFINDINGS; i++) {
        sheet_findings(m->sheet, i, &sum, &most[i]);
        sums[i] = (double)sum;
    }
    ranks->add(SCOPE_ALL, sums, GATE_NFINDINGS);
    for (int i = 0; i < GATE_NFINDINGS; i++) {
        m->seen[i] = (uint64_t)sums[i];
        m->worst[i] = m->seen[i] ? (uint64_t)ranks->max(SCOPE_ALL, (int64_t)most[i]) : 0;
    }
}

/* A whole repetition: run, made into columns, handed on. */
static int one_repetition(struct measure *m)
{
    if (run_repetition(m) < 0)
        return -1;
    fill_results(m);
    if (team_agree(m->with.team, knots_keep_up(m->with.knots)) < 0)
        return -1;
    const struct rows *rows;
    const size_t nrows = measure_tables(m, &rows);
    m->repetition++;
    sum_findings(m);
    const struct measure_outcome so_far = {
        .repetitions = m->repetition, .seen = m->seen, .worst = m->worst};
    int failed = m->with.keep(m->with.keep_to, &so_far, rows, nrows);
    if (team_is_lead(m->with.team) && rates_add(&m->rates, m->rate) < 0)
        failed = -1;
    return team_agree(m->with.team, failed);
}

int measure_run(struct measure *m, struct measure_outcome *out)
{
    const uint64_t begin = clock_ticks(m->with.clock);
    *out = (struct measure_outcome){.seen = m->seen, .worst = m->worst};
    if (m->repetition) /* of a run that this one resumes: it may have been the last */
        out->halt = agree_to_halt(m, begin, &out->signal);
    while (out->halt == HALT_NO) {
        if (one_repetition(m) < 0)
            return -1;
        show_progress(m, false);
        out->halt = agree_to_halt(m, begin, &out->signal);
    }
    show_progress(m, true);
    if (tie(m) < 0)
        return -1;
    sum_findings(m);
    out->repetitions = m->repetition;
    if (team_is_lead(m->with.team))
        out->rate = rates_interval(&m->rates);
    return 0;
}
