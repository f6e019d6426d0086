#include "drivers/measure.h"

#include "drivers/fail.h"
#include "drivers/gate.h"
#include "drivers/interval.h"
#include "drivers/node.h"
#include "drivers/place.h"
#include "drivers/stop.h"
#include "drivers/usage.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SLACK_NS = 1000000,     /* from agreeing on a start to the start */
       ENOUGH_NS = 20000000,   /* a repetition this long is worth its clock reads */
       LATE_NS = 1000000,      /* a later start is noted */
       TABLES_OF_EXPERIMENT = 16 };

/* The columns [rows] that every experiment has; all int64. */
enum column { START, END, COMPUTE, WAIT, COMBINE, UNITS, CPU_TIME, FAULTS, VOLUNTARY, INVOLUNTARY,
              MIGRATIONS, FINDINGS, NCOLUMNS };

static const struct table columns[NCOLUMNS] = {
#define EACH "repetition worker", TABLE_I64
    {"/start_ns", EACH, "ns", "start of the repetition, the node's monotonic clock"},
    {"/end_ns", EACH, "ns", "end of the repetition, the node's monotonic clock"},
    {"/compute_ns", EACH, "ns", "in the kernel"},
    {"/wait_ns", EACH, "ns", "waiting for the others to finish computing"},
    {"/combine_ns", EACH, "ns", "combining the workers' results"},
    {"/units", EACH, "1", "units of work done"},
    {"/workers/cpu_time_ns", EACH, "ns", "CPU time (of the process where it has one worker)"},
    {"/workers/minor_faults", EACH, "1", "page faults in measured time"},
    {"/workers/voluntary_switches", EACH, "1", "times it gave up its CPU"},
    {"/workers/involuntary_switches", EACH, "1", "times it was taken off its CPU"},
    {"/workers/migrations", EACH, "1", "changes of CPU between looks (a lower bound)"},
    {"/workers/findings", EACH, "1", "what the validity gate saw; attribute bits says what each bit means"},
#undef EACH
};

/* The columns of a node, all int64; the first process of each has them. */
enum node_column { BUSY, STEAL, INTERRUPTS, SWITCHES, THROTTLED, NNODE };

static const struct table node_columns[NNODE] = {
#define EACH "repetition node", TABLE_I64
    {"/nodes/busy_ns", EACH, "ns", "CPU time used by everybody, around the repetition"},
    {"/nodes/steal_ns", EACH, "ns", "CPU time taken by the hypervisor"},
    {"/nodes/interrupts", EACH, "1", "interrupts, all CPUs"},
    {"/nodes/context_switches", EACH, "1", "context switches, all CPUs"},
    {"/nodes/throttled", EACH, "1", "times that the control group's quota ran out"},
#undef EACH
};

struct stamp { /* one worker's repetition, on a cache line of its own */
    _Alignas(128) uint64_t start, end, compute, wait, combine; /* ticks */
    struct usage used;
    int64_t migrations;
    int status;
};

struct measure {
    struct measure_setting with;
    int rows;
    bool of_process; /* a worker is a process: its library's threads count */
    uint64_t iterations;
    uint64_t deadline; /* tick at which the repetition starts */
    uint64_t repetition;
    struct stamp *stamps; /* [rows] */
    int64_t *values;      /* [NCOLUMNS, rows] */
    int64_t node[NNODE];  /* difference of two looks; -1: not to be seen */
    uint64_t slow;        /* in 1/1024: work takes so much longer, on purpose */
    double seconds, rate; /* of the repetition; all workers */
    int64_t wall_ns;
    struct rows tables[NCOLUMNS + NNODE + 3 + TABLES_OF_EXPERIMENT];
    double *rates; /* lead: all so far */
    size_t room;
    uint64_t seen[GATE_NFINDINGS], worst[GATE_NFINDINGS];
    uint64_t *by_row; /* [rows, GATE_NFINDINGS] */
};

int measure_open(struct measure **out, const struct measure_setting *with)
{
    struct measure *m = calloc(1, sizeof *m);
    if (!m)
        return fail("out of memory");
    m->with = *with;
    m->rows = team_rows(with->team);
    m->of_process = m->rows == 1;
    const struct inject *fault = &with->params->inject;
    if (!with->experiment->timed && fault->node == (uint64_t)team_ranks(with->team)->node())
        m->slow = (uint64_t)(fault->slow * 1024 + 0.5);
    const size_t rows = (size_t)m->rows;
    m->stamps = aligned_alloc(128, rows * sizeof *m->stamps);
    m->values = calloc(NCOLUMNS * rows, sizeof *m->values);
    m->by_row = calloc(GATE_NFINDINGS * rows, sizeof *m->by_row);
    *out = m;
    return m->stamps && m->values && m->by_row ? 0 : fail("out of memory for %d workers", m->rows);
}

void measure_close(struct measure **measure)
{
    struct measure *m = *measure;
    if (!m)
        return;
    free(m->stamps);
    free(m->values);
    free(m->by_row);
    free(m->rates);
    free(m);
    *measure = NULL;
}

uint64_t measure_iterations(const struct measure *m)
{
    return m->iterations;
}

/* One repetition of one worker. Between first and last look at the clock there
 * is nothing but the kernel, the meeting and the combining. */
static inline uint64_t slow_down(const struct measure *m, uint64_t from, uint64_t now)
{
    const uint64_t end = now + (now - from) * m->slow / 1024;
    while (now < end)
        now = clock_ticks(m->with.clock);
    return now;
}

static void repeat(const struct worker *me, void *shared)
{
    struct measure *m = shared;
    const struct experiment *e = m->with.experiment;
    const struct clock *clock = m->with.clock;
    void *state = m->with.state;
    struct stamp s = {0};
    if (e->before)
        e->before(me, state);
    const int cpu = place_here();
    const struct usage used = usage_now(m->of_process);
    uint64_t t;
    while ((t = clock_ticks(clock)) < m->deadline)
        ;
    s.start = t;
    for (uint64_t i = 0; i < m->iterations; i++) {
        e->compute(me, state, m->deadline);
        uint64_t now = clock_ticks(clock);
        if (m->slow)
            now = slow_down(m, t, now);
        s.compute += now - t;
        t = now;
        team_meet(me);
        now = clock_ticks(clock);
        s.wait += now - t;
        t = now;
        if (e->combine) {
            e->combine(me, state);
            team_meet_rows(me); /* the result is there for all before anybody goes on */
            now = clock_ticks(clock);
            s.combine += now - t;
            t = now;
        }
    }
    s.end = t;
    const struct usage after = usage_now(m->of_process);
    s.used = (struct usage){after.cpu_time_ns - used.cpu_time_ns,
                            after.minor_faults - used.minor_faults,
                            after.voluntary - used.voluntary,
                            after.involuntary - used.involuntary};
    s.migrations = e->migrations ? (int64_t)e->migrations(state, me->row) : place_here() != cpu;
    s.status = e->after(me, state, m->repetition);
    m->stamps[me->row] = s;
}

static void compare_looks(struct measure *m, struct node_look before, struct node_look after)
{
    const int64_t pairs[NNODE][2] = {[BUSY] = {before.busy_ns, after.busy_ns},
                                     [STEAL] = {before.steal_ns, after.steal_ns},
                                     [INTERRUPTS] = {before.interrupts, after.interrupts},
                                     [SWITCHES] = {before.switches, after.switches},
                                     [THROTTLED] = {before.throttled, after.throttled}};
    for (int i = 0; i < NNODE; i++)
        m->node[i] = pairs[i][0] < 0 ? -1 : pairs[i][1] - pairs[i][0];
}

/* All workers start at one instant: within a node by one clock, and nodes
 * within the exit of a barrier of each other. */
static int run_repetition(struct measure *m)
{
    const struct ranks *ranks = team_ranks(m->with.team);
    struct timespec wall;
    ranks->meet();
    clock_gettime(CLOCK_REALTIME, &wall);
    m->wall_ns = (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec;
    m->deadline = clock_ticks(m->with.clock) + clock_span_ticks(m->with.clock, SLACK_NS);
    ranks->share(SCOPE_NODE, 0, &m->deadline, sizeof m->deadline);
    const struct node_look before = node_look();
    team_run(m->with.team, repeat, m);
    compare_looks(m, before, node_look());
    int wrong = 0;
    for (int row = 0; row < m->rows; row++)
        wrong |= m->stamps[row].status;
    return team_agree(m->with.team, wrong);
}

/* From the first start to the last end; the largest of all nodes. */
static double span_seconds(const struct measure *m)
{
    const struct ranks *ranks = team_ranks(m->with.team);
    int64_t first = INT64_MAX, last = INT64_MIN; /* ticks since the deadline: small */
    for (int row = 0; row < m->rows; row++) {
        const int64_t start = (int64_t)(m->stamps[row].start - m->deadline);
        const int64_t end = (int64_t)(m->stamps[row].end - m->deadline);
        first = start < first ? start : first;
        last = end > last ? end : last;
    }
    first = -ranks->max(SCOPE_NODE, -first);
    last = ranks->max(SCOPE_NODE, last);
    return 1e-9 * (double)ranks->max(SCOPE_ALL,
                                     clock_span_ns(m->with.clock, (uint64_t)(last - first)));
}

static uint32_t find(const struct measure *m, int row)
{
    const struct stamp *s = &m->stamps[row];
    const struct experiment *e = m->with.experiment;
    const int64_t tolerance = e->timed ? (int64_t)m->with.params->width_ns : LATE_NS;
    return m->with.findings[row] |
           gate_repetition(&(struct gate_seen){
               .late_ns = clock_span_ns(m->with.clock, s->start - m->deadline),
               .tolerance_ns = tolerance,
               .migrations = s->migrations,
               .minor_faults = s->used.minor_faults,
               .involuntary = s->used.involuntary,
               .throttled = m->node[THROTTLED]});
}

static void fill_columns(struct measure *m)
{
    const struct experiment *e = m->with.experiment;
    const struct clock *clock = m->with.clock;
    for (int row = 0; row < m->rows; row++) {
        const struct stamp *s = &m->stamps[row];
        const uint32_t findings = find(m, row);
        const int64_t values[NCOLUMNS] = {
            [START] = clock_ns(clock, s->start),
            [END] = clock_ns(clock, s->end),
            [COMPUTE] = clock_span_ns(clock, s->compute),
            [WAIT] = clock_span_ns(clock, s->wait),
            [COMBINE] = clock_span_ns(clock, s->combine),
            [UNITS] = (int64_t)(e->units(m->with.state, row) * m->iterations),
            [CPU_TIME] = s->used.cpu_time_ns,
            [FAULTS] = s->used.minor_faults,
            [VOLUNTARY] = s->used.voluntary,
            [INVOLUNTARY] = s->used.involuntary,
            [MIGRATIONS] = s->migrations,
            [FINDINGS] = findings};
        for (int c = 0; c < NCOLUMNS; c++)
            m->values[c * m->rows + row] = values[c];
        for (int i = 0; i < GATE_NFINDINGS; i++)
            m->by_row[row * GATE_NFINDINGS + i] += findings >> i & 1;
    }
}

static void fill_results(struct measure *m)
{
    const struct experiment *e = m->with.experiment;
    uint64_t units = 0;
    for (int row = 0; row < m->rows; row++)
        units += (uint64_t)m->values[UNITS * m->rows + row];
    units = team_ranks(m->with.team)->sum(units);
    m->seconds = e->seconds ? e->seconds(m->with.state) : span_seconds(m);
    m->rate = (double)units / m->seconds;
}

size_t measure_tables(struct measure *m, const struct rows **out)
{
    size_t n = 0;
    const size_t bytes = (size_t)m->rows * sizeof *m->values;
    for (int c = 0; c < NCOLUMNS; c++)
        m->tables[n++] = (struct rows){columns[c], m->values + c * m->rows, bytes};
    const bool speaks = team_ranks(m->with.team)->rank(SCOPE_NODE) == 0;
    for (int i = 0; i < NNODE; i++)
        m->tables[n++] = (struct rows){node_columns[i], &m->node[i], speaks ? 8 : 0};
    m->tables[n++] = (struct rows){{"/results/rate", "repetition", TABLE_F64, "s-1",
                                    "units of work per second, all workers"}, &m->rate, 8};
    m->tables[n++] = (struct rows){{"/results/seconds", "repetition", TABLE_F64, "s",
                                    "from the first start to the last end, or the window"},
                                   &m->seconds, 8};
    m->tables[n++] = (struct rows){{"/wall_start", "repetition", TABLE_I64,
                                    "nanoseconds since 1970-01-01T00:00:00Z",
                                    "the lead's calendar time"}, &m->wall_ns, 8};
    const struct rows *own;
    const size_t nown = m->with.experiment->tables(m->with.state, &own);
    for (size_t i = 0; i < nown; i++)
        m->tables[n++] = own[i];
    *out = m->tables;
    return n;
}

static void spin(const struct worker *me, void *shared)
{
    (void)me;
    struct measure *m = shared;
    const struct clock *clock = m->with.clock;
    const uint64_t end =
        clock_ticks(clock) + clock_span_ticks(clock, (int64_t)m->with.params->warmup_ns);
    while (clock_ticks(clock) < end)
        ;
}

/* Doubles the iterations until a repetition is long enough, and goes on until
 * the warm-up is over. All processes take the lead's word. */
int measure_warm_up(struct measure *m)
{
    const struct params *p = m->with.params;
    const struct ranks *ranks = team_ranks(m->with.team);
    m->iterations = p->iterations && !m->with.experiment->timed ? p->iterations : 1;
    if (m->with.experiment->timed) {
        team_run(m->with.team, spin, m);
        return 0;
    }
    const uint64_t begin = clock_ticks(m->with.clock);
    for (bool more = true; more;) {
        if (run_repetition(m) < 0)
            return -1;
        const double took = span_seconds(m);
        const int64_t so_far = clock_span_ns(m->with.clock, clock_ticks(m->with.clock) - begin);
        uint64_t next = m->iterations;
        if (!p->iterations && took < ENOUGH_NS * 1e-9) {
            const double scale = ENOUGH_NS * 1e-9 / (took > 1e-9 ? took : 1e-9);
            next = (uint64_t)((double)m->iterations * (scale < 16 ? scale * 1.1 : 16)) + 1;
        }
        more = so_far < (int64_t)p->warmup_ns || next > m->iterations + m->iterations / 4;
        m->iterations = next;
        ranks->share(SCOPE_ALL, 0, &more, sizeof more);
        ranks->share(SCOPE_ALL, 0, &m->iterations, sizeof m->iterations);
    }
    return 0;
}

static int remember(struct measure *m)
{
    if (m->repetition == m->room) {
        const size_t room = m->room ? 2 * m->room : 64;
        double *rates = realloc(m->rates, 2 * room * sizeof *rates); /* and room to sort */
        if (!rates)
            return fail("out of memory for %zu repetitions", room);
        m->rates = rates;
        m->room = room;
    }
    m->rates[m->repetition] = m->rate;
    return 0;
}

static struct interval interval_so_far(struct measure *m, size_t n)
{
    double *sorted = m->rates + m->room;
    memcpy(sorted, m->rates, n * sizeof *sorted);
    return interval_median(sorted, n);
}

/* Why the lead stops after n repetitions; NULL: go on. */
static const char *decide(struct measure *m, size_t n, uint64_t begin)
{
    const struct params *p = m->with.params;
    const int64_t so_far = clock_span_ns(m->with.clock, clock_ticks(m->with.clock) - begin);
    if (p->until_ci > 0 && interval_look(n)) {
        const struct interval i = interval_so_far(m, n);
        if ((i.high - i.low) / 2 <= p->until_ci * i.median)
            return "until-ci";
    }
    if (p->until_ci == 0 && n >= p->repeats)
        return "repeats";
    if (p->max_time_ns && so_far >= (int64_t)p->max_time_ns)
        return "max-time";
    return NULL;
}

static void show_progress(const struct measure *m, size_t n)
{
    const struct params *p = m->with.params;
    if (p->quiet || !isatty(STDERR_FILENO))
        return;
    if (p->until_ci > 0)
        fprintf(stderr, "\r%s: repetition %zu\033[K", p->kernel, n);
    else
        fprintf(stderr, "\r%s: repetition %zu of %llu\033[K", p->kernel, n,
                (unsigned long long)p->repeats);
}

/* Everybody learns the lead's decision, and of a signal that came to anybody. */
static const char *agree_to_stop(struct measure *m, const char *why, int *number)
{
    static const char *const words[] = {NULL, "repeats", "until-ci", "max-time"};
    const struct ranks *ranks = team_ranks(m->with.team);
    int word = 0;
    for (int i = 1; why && i < 4; i++)
        if (strcmp(words[i], why) == 0)
            word = i;
    ranks->share(SCOPE_ALL, 0, &word, sizeof word);
    *number = (int)ranks->max(SCOPE_ALL, stop_signal());
    return words[word] ? words[word] : *number ? "signal" : NULL;
}

static void sum_findings(struct measure *m)
{
    const struct ranks *ranks = team_ranks(m->with.team);
    for (int i = 0; i < GATE_NFINDINGS; i++) {
        uint64_t sum = 0, most = 0;
        for (int row = 0; row < m->rows; row++) {
            const uint64_t n = m->by_row[row * GATE_NFINDINGS + i];
            sum += n;
            most = n > most ? n : most;
        }
        m->seen[i] = ranks->sum(sum);
        m->worst[i] = (uint64_t)ranks->max(SCOPE_ALL, (int64_t)most);
    }
}

int measure_run(struct measure *m, struct measure_outcome *out)
{
    const struct params *p = m->with.params;
    const bool lead = team_is_lead(m->with.team);
    const uint64_t begin = clock_ticks(m->with.clock);
    *out = (struct measure_outcome){.iterations = m->iterations, .seen = m->seen,
                                    .worst = m->worst};
    while (!out->stopped) {
        if (run_repetition(m) < 0)
            return -1;
        fill_columns(m);
        fill_results(m);
        const struct rows *rows;
        const size_t nrows = measure_tables(m, &rows);
        int kept = lead ? remember(m) : 0;
        if (m->with.keep(m->with.keep_to, m->repetition, rows, nrows) < 0)
            kept = -1;
        if (team_agree(m->with.team, kept) < 0)
            return -1;
        const size_t n = (size_t)++m->repetition;
        if (lead)
            show_progress(m, n);
        out->stopped = agree_to_stop(m, lead ? decide(m, n, begin) : NULL, &out->signal);
    }
    if (lead && !p->quiet && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    sum_findings(m);
    out->repetitions = m->repetition;
    if (strcmp(out->stopped, "signal") != 0)
        out->signal = 0;
    if (lead) {
        const struct interval i = interval_so_far(m, (size_t)m->repetition);
        out->rate = i.median;
        out->low = i.low;
        out->high = i.high;
    }
    return 0;
}
