#include "drivers/resume.h"

#include "drivers/fail.h"
#include "drivers/gate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int resume_check(const struct params *p)
{
    struct stat status;
    return p->resume && stat(p->output, &status) == 0 && S_ISDIR(status.st_mode)
               ? fail("--resume: which trace? '%s' is a directory", p->output)
               : 0;
}

static bool listed(const char *key, const char *const names[])
{
    for (; *names; names++)
        if (strcmp(key, *names) == 0)
            return true;
    return false;
}

/* All that is told of a run at its root and by the user makes it what it is, but for its
 * own name and time, and what only comes of it. */
static bool binds(const char *key)
{
    static const char *const may_differ[] = {
        "run_id",          "created",         "title",      "source",      "valid",
        "invalid_reasons", "warnings",        "stopped_by", "stop_signal", "iterations",
        "peak_variant",    "looked_at_every", NULL};
    static const char *const must_not[] = {"clock/source",
                                           "provenance/compiler",
                                           "provenance/compiler_flags",
                                           "provenance/build_type",
                                           "provenance/openblas",
                                           "provenance/openblas_pool",
                                           "provenance/mpi",
                                           NULL};
    if (strncmp(key, "labels/", 7) == 0)
        return true;
    return strchr(key, '/') ? listed(key, must_not) : !listed(key, may_differ);
}

static const char *const places[] = {"/nodes/hostname",
                                     "/nodes/cpu_model",
                                     "/nodes/clock_source",
                                     "/workers/rank",
                                     "/workers/node_index",
                                     "/workers/cpus_allowed",
                                     NULL};

enum resume_fate resume_judge(const struct resume *r, struct trace *t)
{
    if (!r->past.there)
        return RESUME_RUN;
    if (trace_fits(t, &(struct trace_same){binds, places}) < 0)
        return RESUME_REFUSED;
    if (trace_reach(t, "/segments/run_id") == 0) {
        fail("--resume: it was begun by a version of this program that cannot resume");
        return RESUME_REFUSED;
    }
    return r->past.complete ? RESUME_WHOLE : RESUME_RUN;
}

static int load_times(struct resume *r, struct trace *t, double *seconds)
{
    const uint64_t n = r->past.repetitions;
    if (trace_past_rows(t, "/results/rate", r->rates, n * sizeof *r->rates) < 0 ||
        trace_past_rows(t, "/results/seconds", seconds, n * sizeof *seconds) < 0)
        return -1;
    for (uint64_t i = 0; i < n; i++)
        r->carried.spent_ns += (int64_t)(seconds[i] * 1e9);
    return 0;
}

/* In how many repetitions each worker had each finding. */
static int load_findings(struct resume *r, struct trace *t, size_t workers, uint64_t *findings)
{
    const size_t all = r->past.repetitions * workers;
    if (trace_past_rows(t, "/workers/findings", findings, all * sizeof *findings) < 0)
        return -1;
    for (size_t i = 0; i < all; i++)
        for (size_t bit = 0; bit < GATE_NFINDINGS; bit++)
            r->found[i % workers * GATE_NFINDINGS + bit] += findings[i] >> bit & 1;
    return 0;
}

static int load(struct resume *r, struct trace *t, size_t workers)
{
    const uint64_t n = r->past.repetitions;
    double *seconds = malloc(n * sizeof *seconds);
    uint64_t *findings = malloc(n * workers * sizeof *findings);
    r->rates = malloc(n * sizeof *r->rates);
    r->carried.repetitions = n;
    r->carried.iterations = (uint64_t)trace_past_number(t, "iterations", 1);
    r->carried.stride = (uint64_t)trace_past_number(t, "looked_at_every", 1);
    int status = -1;
    if (!seconds || !findings || !r->rates)
        fail("out of memory for %llu repetitions", (unsigned long long)n);
    else if (load_times(r, t, seconds) == 0)
        status = load_findings(r, t, workers, findings);
    free(seconds);
    free(findings);
    return status;
}

int resume_load(struct resume *r, struct team *team, struct trace *t)
{
    const struct ranks *ranks = team_ranks(team);
    const size_t workers = (size_t)team_size(team);
    const size_t bytes = workers * GATE_NFINDINGS * sizeof *r->found;
    r->found = calloc(1, bytes);
    int status = 0;
    if (!r->found)
        status = fail("out of memory for %zu workers", workers);
    else if (t && r->past.repetitions)
        status = load(r, t, workers);
    if (team_agree(team, status) < 0)
        return -1;
    ranks->share(SCOPE_ALL, 0, &r->carried, sizeof r->carried);
    ranks->share(SCOPE_ALL, 0, r->found, bytes);
    r->carried.rates = r->rates;
    r->carried.found = r->found;
    return 0;
}

void resume_close(struct resume *r)
{
    free(r->rates);
    free(r->found);
}
