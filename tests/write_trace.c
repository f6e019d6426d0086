/* Writes the run of t3_run.h, as a program of its own: to be killed, starved of
 * disk and read by others.
 *
 *   write_trace PATH [--force] [--kill R] [--reps N] [--workers W] [--bins B]
 *                    [--calm] [--wide]
 *   write_trace --recover PART [--force]
 *
 * --kill R: SIGKILL before the commit of repetition R; --calm: no detours.
 * Exit 0, or 1 with one line. */
#include "drivers/fail.h"
#include "tests/t3_run.h"

#include <signal.h>
#include <stdio.h>

static int run_write(const char *path, bool force, const struct run *run, size_t nreps, long kill)
{
    struct trace *t = NULL;
    if (trace_create(&t, path, force) < 0)
        return -1;
    int r = run_describe(t, run);
    for (size_t i = 0; i < nreps && !r; i++) {
        r = run_repeat(t, run, i);
        if ((long)i == kill)
            raise(SIGKILL);
        r = r < 0 ? r : trace_commit(t, i + 1);
    }
    return trace_close(&t, "complete") < 0 ? -1 : r;
}

int main(int argc, char **argv)
{
    struct run run = {.nworkers = 4, .nbins = 1000, .detours = true};
    bool force = false, recover = false;
    const char *path = NULL;
    long kill = -1;
    size_t nreps = 3;
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : "";
        bool pair = true;
        if (!strcmp(argv[i], "--kill"))
            kill = atol(next);
        else if (!strcmp(argv[i], "--reps"))
            nreps = strtoul(next, NULL, 10);
        else if (!strcmp(argv[i], "--workers"))
            run.nworkers = strtoul(next, NULL, 10);
        else if (!strcmp(argv[i], "--bins"))
            run.nbins = strtoul(next, NULL, 10);
        else
            pair = false;
        i += pair;
        force |= !strcmp(argv[i], "--force");
        recover |= !strcmp(argv[i], "--recover");
        run.wide |= !strcmp(argv[i], "--wide");
        run.detours &= !!strcmp(argv[i], "--calm");
        if (!pair && argv[i][0] != '-')
            path = argv[i];
    }
    if (!path)
        return 2;
    int r = recover ? trace_recover(path, force) : run_write(path, force, &run, nreps, kill);
    if (r < 0)
        fprintf(stderr, "%s\n", fail_text());
    return r < 0;
}
