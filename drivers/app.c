#include "drivers/app.h"

#include "drivers/blas.h"
#include "drivers/clocks.h"
#include "drivers/describe.h"
#include "drivers/ending.h"
#include "drivers/experiments/experiment.h"
#include "drivers/fail.h"
#include "drivers/gate.h"
#include "drivers/knots.h"
#include "drivers/library.h"
#include "drivers/measure.h"
#include "drivers/memory.h"
#include "drivers/options.h"
#include "drivers/place.h"
#include "drivers/record.h"
#include "drivers/resume.h"
#include "drivers/roof.h"
#include "drivers/seats.h"
#include "drivers/stop.h"
#include "drivers/summary.h"
#include "drivers/trace/trace.h"
#include "kernels/dot.h"
#include "kernels/peak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOW_READ_NS = 150 }; /* a read that costs more is a system call or a trap */

/* Everything that a run holds; each is NULL until it is open. */
struct app {
    char driver[32];
    struct setup setup; /* describe.h: what the trace says of the run */
    struct place *place;
    struct team *team;
    struct clocks clocks;
    struct knots *knots;
    struct seats *seats;
    struct library *library; /* where the work is in it */
    void *state;
    struct trace *trace; /* lead only */
    struct record *record;
    struct resume resume;
    struct roof *roof;
    struct measure *measure;
    struct ending ending;
};

static int usage(const char *driver, const struct ranks *ranks)
{
    if (ranks->speaks())
        fprintf(stderr, "%s: %s\n", driver, fail_text());
    else
        sleep(1); /* a launcher ends all at the first that leaves: let that one speak */
    return USAGE;
}

/* How many workers this process has, and BLAS threads behind each. share: as many as it
 * has cores for, where nobody says how many. */
static int choose_crew(struct app *a, int share, const struct threads **threads)
{
    const struct params *p = &a->setup.params;
    int n = p->threads ? p->threads : (*threads)->wanted();
    if (n > (*threads)->most())
        return fail("--threads %d: this driver runs at most %d in a process", n,
                    (*threads)->most());
    if (n < 1)
        n = share;
    const bool pooled = a->setup.experiment->pooled(p);
    a->setup.rows = pooled ? 1 : n;
    /* Under one lock they take turns, and who waits needs no CPU: more of them than
     * CPUs is then no fault of the seating. */
    a->setup.at_once = p->lock_ns || (p->wait_ns && a->setup.experiment->timed) ? 1 : a->setup.rows;
    a->setup.blas_threads = p->blas_threads ? p->blas_threads : pooled ? n : 1;
    if (pooled)
        *threads = &threads_single; /* the library's own pool stands for the threads */
    return 0;
}

static int check_memory(const struct app *a, const struct ranks *ranks)
{
    const double mine =
        a->setup.experiment->bytes(&a->setup.params, team_size(a->team), team_rows(a->team));
    const double GiB = 1024.0 * 1024 * 1024, rest = (double)memory_available();
    const double need = mine * ranks->size(SCOPE_MACHINE); /* its neighbours need as much */
    if (rest == 0 || need <= rest)
        return 0;
    return fail("--size or --bins: this needs %.2f GiB on a node and %.2f GiB are available",
                need / GiB, rest / GiB);
}

static int open_place(struct app *a, const struct ranks *ranks)
{
    clocks_open(&a->clocks, &a->setup.params, ranks);
    return ranks_agree(ranks, place_open(&a->place));
}

/* A fault that would hit nobody proves nothing. */
static int check_faults(const struct app *a, const struct ranks *ranks)
{
    const struct inject *fault = &a->setup.params.inject;
    for (int i = 0; i < fault->nthieves; i++)
        if (fault->thieves[i].worker >= (uint64_t)team_size(a->team))
            return fail("--inject steal: there are workers 0 to %d", team_size(a->team) - 1);
    if (fault->slow > 0 && fault->node >= (uint64_t)ranks->nodes())
        return fail("--inject slow: there are nodes 0 to %d", ranks->nodes() - 1);
    if (fault->wrong && !a->setup.experiment->spoil)
        return fail("--inject wrong: nothing checks the results of %s", a->setup.experiment->name);
    if (fault->wrong && fault->spoilt >= (uint64_t)team_size(a->team))
        return fail("--inject wrong: there are workers 0 to %d", team_size(a->team) - 1);
    if (fault->kill_ns && fault->rank >= (uint64_t)ranks->size(SCOPE_ALL))
        return fail("--inject kill: there are ranks 0 to %d", ranks->size(SCOPE_ALL) - 1);
    return 0;
}

static int check(const struct app *a, const struct ranks *ranks)
{
    const struct experiment *e = a->setup.experiment;
    return (e->fits && e->fits(&a->setup.params, a->team) < 0) ||
                   resume_check(&a->setup.params) < 0 || check_faults(a, ranks) < 0 ||
                   clocks_check(&a->clocks, &a->setup.params, ranks) < 0
               ? -1
               : check_memory(a, ranks);
}

/* The number that all processes have; 0: they differ. */
static int alike(const struct ranks *ranks, int mine)
{
    const int64_t most = ranks->max(SCOPE_ALL, mine), least = -ranks->max(SCOPE_ALL, -mine);
    return most == least ? mine : 0;
}

static int open_team(struct app *a, const struct ranks *ranks, const struct threads *threads)
{
    const int share = seats_share(a->place, ranks); /* all take part, whoever needs it */
    const int failed = choose_crew(a, share, &threads);
    if (team_open(&a->team, ranks, threads, failed ? 1 : a->setup.rows) < 0)
        return FAILED;
    if (team_agree(a->team, failed || check(a, ranks) < 0) < 0)
        return USAGE;
    a->setup.rows_alike = alike(ranks, a->setup.rows);
    if (alike(ranks, a->setup.blas_threads))
        return DONE;
    fail("the processes have different numbers of threads for the library: say --blas-threads N");
    return USAGE;
}

static void choose_instructions(const struct app *a, const struct ranks *ranks)
{
    size_t caches[3];
    place_cache_levels(a->place, (size_t)a->setup.rows * (size_t)ranks->size(SCOPE_MACHINE),
                       caches);
    dot_choose(NULL);
    dot_fit(caches);
}

static int open_experiment(struct app *a, const struct ranks *ranks, const struct threads *threads)
{
    const struct experiment *e = a->setup.experiment;
    choose_instructions(a, ranks);
    blas_set_threads(a->setup.blas_threads);
    const struct params *p = &a->setup.params;
    const enum seats_bind bind = p->inject.same_core            ? SEATS_TOGETHER
                                 : p->bind && !threads->binds() ? SEATS_APART
                                                                : SEATS_FREE;
    if (seats_open(&a->seats, a->team, a->place,
                   (struct seats_need){a->setup.blas_threads, a->setup.at_once}, bind) < 0)
        return -1;
    uint32_t *findings = seats_findings(a->seats);
    for (int row = 0; row < a->setup.rows; row++)
        findings[row] |= blas_threads() == a->setup.blas_threads ? 0 : GATE_BLAS_POOL;
    if (e->gemm && library_open(&a->library, a->team, a->setup.blas_threads,
                                strcmp(threads->name, "openmp") == 0, findings) < 0)
        return -1;
    clocks_set(&a->clocks, &a->setup.params, ranks);
    const bool split = ranks->size(SCOPE_NODE) < ranks->size(SCOPE_MACHINE);
    for (int row = 0; row < a->setup.rows; row++)
        findings[row] |=
            (a->clocks.clock.read_ns <= SLOW_READ_NS ? 0 : GATE_CLOCK) | (split ? GATE_SPLIT : 0);
    if (team_agree(a->team, e->open(&a->state, &a->setup.params, a->team, &a->clocks.clock)) < 0)
        return -1;
    team_run(a->team, e->fill, a->state);
    return 0;
}

/* Faults that live beside the measurement; the slow ones are part of the work. */
static int start_faults(const struct app *a, const struct ranks *ranks)
{
    const struct inject *fault = &a->setup.params.inject;
    int r = 0;
    for (int i = 0; i < fault->nthieves && r == 0; i++) {
        const int64_t row = (int64_t)fault->thieves[i].worker - team_first(a->team);
        if (row >= 0 && row < team_rows(a->team))
            r = inject_thief(seats_cpu(a->seats, (int)row), fault->thieves[i].share);
    }
    if (r == 0 && fault->kill_ns && fault->rank == (uint64_t)ranks->rank(SCOPE_ALL))
        r = inject_death(fault->kill_ns);
    return team_agree(a->team, r);
}

static void judge(const struct app *a, const struct measure_outcome *o, struct verdict *v)
{
    v->valid = gate_verdict(o->seen, o->worst, o->repetitions, (uint64_t)team_size(a->team),
                            v->reasons, v->warnings, SETUP_REASONS);
    const size_t used = strlen(v->warnings);
    if (a->library && a->library->text[0])
        snprintf(v->warnings + used, SETUP_REASONS - used, "%s%s", used ? "; " : "",
                 a->library->text);
}

/* Each repetition leaves for the lead's journal, with the verdict so far: whoever is
 * killed or cannot wait has said what it knew. */
static int keep(void *to, const struct measure_outcome *so_far, const struct rows *rows,
                size_t nrows)
{
    struct app *a = to;
    struct verdict v;
    a->ending.kept = so_far->repetitions - 1; /* else the others had not gone on */
    if (record_rows(a->record, a->ending.kept, rows, nrows) < 0)
        return -1;
    if (!a->trace)
        return 0;
    judge(a, so_far, &v);
    if (describe_verdict(a->trace, &v) < 0 || trace_commit(a->trace, so_far->repetitions) < 0)
        return -1;
    a->ending.kept = so_far->repetitions;
    return 0;
}

/* Tables that are full from the beginning. */
static int record_now(struct app *a, const struct rows *rows, size_t n)
{
    return team_agree(a->team, record_declare(a->record, rows, n)) < 0
               ? -1
               : team_agree(a->team, record_rows(a->record, 0, rows, n));
}

/* The trace is begun before anything is measured: a bad path costs nothing. */
static int open_trace(struct app *a)
{
    const bool lead = team_is_lead(a->team);
    const struct rows *seats, *clocks;
    const size_t nseats = seats_tables(a->seats, &seats);
    const size_t nclocks = clocks_tables(&a->clocks, a->setup.ranks, &clocks);
    ending_take(&a->ending);
    int r = lead ? describe_create(&a->trace, &a->setup, a->team, &a->clocks.clock, &a->resume.past)
                 : 0;
    if (lead && r == 0)
        r = describe_experiment(a->trace, a->setup.experiment, a->state);
    ending_give(&a->ending);
    if (team_agree(a->team, r) < 0)
        return -1;
    a->setup.ranks->share(SCOPE_ALL, 0, a->setup.path, sizeof a->setup.path);
    if (team_agree(a->team, record_open(&a->record, a->team, a->trace)) < 0)
        return -1;
    if (describe_nodes(a->record, a->trace, &a->setup, a->team, a->place) < 0)
        return -1;
    if (record_now(a, clocks, nclocks) < 0 || record_now(a, seats, nseats) < 0)
        return -1;
    return a->library ? record_now(a, a->library->tables, LIBRARY_TABLES) : 0;
}

/* Of what was there before this run, the lead decides; a refusal changes nothing. */
static int decide(struct app *a, enum resume_fate *fate)
{
    *fate = a->trace ? resume_judge(&a->resume, a->trace) : RESUME_RUN;
    a->setup.ranks->share(SCOPE_ALL, 0, fate, sizeof *fate);
    if (*fate == RESUME_RUN)
        return 0;
    ending_take(&a->ending);
    const int made = a->trace ? trace_leave(&a->trace) : 0;
    a->ending.over = true;
    ending_give(&a->ending);
    if (team_agree(a->team, made < 0) < 0)
        return -1;
    if (team_is_lead(a->team) && *fate == RESUME_WHOLE && !a->setup.params.quiet)
        printf("%s is complete%s\n", a->setup.path, made ? ", its journal is now a trace" : "");
    return 0;
}

/* From here on times are of this start. */
static int go_on(struct app *a)
{
    if (resume_load(&a->resume, a->team, a->trace) < 0)
        return -1;
    const uint64_t n = a->resume.carried.repetitions;
    if (team_is_lead(a->team) && n && !a->setup.params.quiet)
        printf("%s goes on after %llu repetitions\n", a->setup.path, (unsigned long long)n);
    a->ending.kept = n;
    const int r = a->trace ? describe_segment(a->trace, &a->setup, n, a->clocks.domain.boot) : 0;
    return team_agree(a->team, r);
}

static int keep_knot(void *to, const struct rows *rows, size_t n)
{
    struct app *a = to;
    return record_rows(a->record, 0, rows, n);
}

static int open_knots(struct app *a)
{
    const struct knots_setting setting = {.ranks = a->setup.ranks,
                                          .now_ns = clock_now,
                                          .of = &a->clocks.clock,
                                          .keep = keep_knot,
                                          .to = a};
    const struct rows *rows;
    if (team_agree(a->team, knots_open(&a->knots, &setting)) < 0)
        return -1;
    const size_t n = knots_tables(a->knots, &rows);
    return team_agree(a->team, record_declare(a->record, rows, n));
}

static int measure_roof(struct app *a)
{
    const struct rows *rows;
    if (!a->setup.experiment->roofed)
        return 0;
    if (roof_open(&a->roof, a->team, a->place, &a->clocks.clock, a->setup.blas_threads) < 0)
        return -1;
    const size_t n = roof_tables(a->roof, &rows);
    const int r = a->trace ? trace_label(a->trace, "peak_variant", peak_variant()) : 0;
    return team_agree(a->team, r) < 0 ? -1 : record_now(a, rows, n);
}

static int warm_up(struct app *a)
{
    const struct measure_setting setting = {.experiment = a->setup.experiment,
                                            .state = a->state,
                                            .params = &a->setup.params,
                                            .team = a->team,
                                            .clock = &a->clocks.clock,
                                            .width = a->setup.blas_threads,
                                            .in_turn = a->setup.at_once < a->setup.rows,
                                            .knots = a->knots,
                                            .findings = seats_findings(a->seats),
                                            .keep = keep,
                                            .keep_to = a};
    int carried = measure_open(&a->measure, &setting);
    if (carried == 0 && a->resume.carried.repetitions)
        carried = measure_carry(a->measure, &a->resume.carried);
    if (team_agree(a->team, carried) < 0 || measure_warm_up(a->measure) < 0)
        return -1;
    const struct rows *rows;
    const size_t nrows = measure_tables(a->measure, &rows);
    int r = record_declare(a->record, rows, nrows);
    if (r == 0 && a->trace)
        r = trace_number(a->trace, "iterations", (int64_t)measure_iterations(a->measure));
    if (r == 0 && a->trace)
        r = trace_number(a->trace, "looked_at_every", (int64_t)measure_stride(a->measure));
    return team_agree(a->team, r);
}

static int close_trace(struct app *a, const struct measure_outcome *o, const struct verdict *v)
{
    if (!a->trace)
        return 0;
    clock_calibrate(&a->clocks.clock, 0); /* the whole run is the base line now */
    return describe_verdict(a->trace, v) < 0 || describe_outcome(a->trace, o) < 0 ||
                   describe_clock(a->trace, &a->clocks.clock) < 0
               ? -1
               : trace_close(&a->trace, o->signal ? "interrupted" : "complete");
}

static int measure(struct app *a)
{
    struct measure_outcome o;
    struct verdict v;
    if (measure_run(a->measure, &o) < 0)
        return FAILED;
    judge(a, &o, &v);
    ending_take(&a->ending);
    const int r = close_trace(a, &o, &v);
    a->ending.over = true;
    ending_give(&a->ending);
    if (team_agree(a->team, r) < 0)
        return FAILED;
    if (team_is_lead(a->team) && !a->setup.params.quiet)
        summary_print(stdout, &a->setup, team_size(a->team), &o, &v);
    return o.signal ? STOPPED : !v.valid && !a->setup.params.allow_invalid ? INVALID : DONE;
}

static int work(struct app *a, const struct ranks *ranks, const struct threads *threads)
{
    if (open_place(a, ranks) < 0)
        return FAILED;
    const int r = open_team(a, ranks, threads);
    if (r != DONE)
        return r;
    enum resume_fate fate;
    if (open_experiment(a, ranks, threads) < 0 || open_trace(a) < 0 || decide(a, &fate) < 0)
        return FAILED;
    if (fate != RESUME_RUN)
        return fate == RESUME_REFUSED ? USAGE : DONE;
    if (go_on(a) < 0 || open_knots(a) < 0 || measure_roof(a) < 0 || start_faults(a, ranks) < 0 ||
        warm_up(a) < 0)
        return FAILED;
    return measure(a);
}

static void clean(struct app *a)
{
    ending_take(&a->ending);
    a->ending.over = true;
    if (a->trace)
        trace_drop(&a->trace);
    ending_give(&a->ending);
    if (a->record)
        record_close(&a->record);
    resume_close(&a->resume);
    measure_close(&a->measure);
    roof_close(&a->roof);
    if (a->state)
        a->setup.experiment->close(&a->state);
    knots_close(&a->knots);
    library_close(&a->library);
    seats_close(&a->seats);
    if (a->team)
        team_close(&a->team);
    place_close(&a->place);
}

static int recover(const struct params *p, const char *driver)
{
    if (trace_recover(p->recover, p->force) == 0) {
        if (!p->quiet)
            printf("recovered: %.*s\n", (int)(strlen(p->recover) - strlen(".part")), p->recover);
        return DONE;
    }
    fprintf(stderr, "%s: %s\n", driver, fail_text());
    return FAILED;
}

/* One line, in one write, from the process that speaks for all. */
static void say_failure(const struct app *a)
{
    const char *why = fail_text();
    if (!why[0] || a->setup.ranks->rank(SCOPE_ALL) != 0)
        return;
    if (a->trace && a->ending.kept && !strstr(why, ".part"))
        fprintf(stderr, "%s: %s; what was finished is in %s.part\n", a->driver, why, a->setup.path);
    else
        fprintf(stderr, "%s: %s\n", a->driver, why);
}

int app_run(const char *layout, const struct ranks *ranks, const struct threads *threads, int argc,
            char **argv)
{
    struct app a = {.setup = {.layout = layout, .ranks = ranks},
                    .ending = ENDING(a.driver, &a.setup, &a.trace)};
    const struct ranks_fate fate = ending_fate(&a.ending);
    snprintf(a.driver, sizeof a.driver, "bindot-%s", layout);
    if (argc == 2 && strcmp(argv[1], BLAS_RATE) == 0) /* blas_rate asks */
        return blas_tell_rate();
    if (!ranks->speaks() && !freopen("/dev/null", "w", stdout)) /* --help once, not N times */
        return FAILED;
    if (options_parse(&a.setup.params, a.driver, argc, argv) < 0 || ranks->check() < 0)
        return usage(a.driver, ranks);
    if (a.setup.params.recover)
        return recover(&a.setup.params, a.driver);
    a.setup.experiment = experiment_find(a.setup.params.kernel, a.setup.params.method);
    int status = FAILED;
    if (ranks->open(&fate) == 0 && ranks_agree(ranks, stop_listen(ending_hurry, &a.ending)) == 0)
        status = DONE;
    if (status == DONE)
        status = work(&a, ranks, threads);
    say_failure(&a);
    clean(&a);
    ranks->close();
    return status;
}
