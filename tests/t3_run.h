/* A small run whose every number is known: what t3 tests write and look for.
 *
 * counts[r][w][b] = 1000000 r + 1000 w + b; repetition r has r + 1 detours of
 * r ns; the node that writes last calls itself "n\xff", which is no UTF-8. */
#ifndef BINDOT_T3_RUN_H
#define BINDOT_T3_RUN_H

#include "drivers/trace/trace.h"

#include <stdlib.h>
#include <string.h>

struct run {
    size_t nworkers, nbins;
    bool detours; /* or none at all: an axis without length */
    bool wide;    /* a label beyond HDF5's 64 kB of compact attributes */
};

enum { WIDE = 100000 };

static const struct table run_tables[] = {
    {"/counts", "repetition worker bin", TABLE_U32, "1", "finished units"},
    {"/start_ns", "repetition worker", TABLE_I64, "ns", "start"},
    {"/results/rate", "repetition", TABLE_F64, "1/s", "units per second"},
    {"/workers/cpu", "worker", TABLE_I32, "", "processor"},
    {"/workers/bound", "worker", TABLE_U8, "", "bound to one processor?"},
    {"/workers/work", "worker", TABLE_U64, "1", "units in all"},
    {"/nodes/hostname", "node", TABLE_TEXT, "", "name of the node"},
    {"/detours/length_ns", "detour", TABLE_I64, "ns", "length"},
};

static inline uint32_t run_count(size_t r, size_t w, size_t b)
{
    return (uint32_t)(1000000 * r + 1000 * w + b);
}

static inline int run_label(struct trace *t, const struct run *run)
{
    char wide[WIDE + 1];
    memset(wide, 'x', WIDE);
    wide[WIDE] = '\0';
    if (run->wide && trace_label(t, "provenance/environment/WIDE", wide) < 0)
        return -1;
    return trace_label(t, "kernel", "dot") < 0 || trace_label(t, "title", "") < 0 ||
                   trace_label(t, "provenance/compiler", "gcc \xff\xc3\xa9") < 0 ||
                   trace_label(t, "workers/bound/flag_meanings", "no yes") < 0 ||
                   trace_label(t, "kernel", "binning") < 0 ||
                   trace_number(t, "bin_width_ns", INT64_MIN) < 0
               ? -1
               : 0;
}

static inline int run_workers(struct trace *t, const struct run *run)
{
    for (size_t w = 0; w < run->nworkers; w++) {
        size_t one = 1;
        int32_t cpu = (int32_t)w - 1;
        uint8_t bound = w % 2;
        uint64_t work = UINT64_MAX - 1 - w;
        if (trace_rows(t, "/workers/cpu", &w, &one, &cpu) < 0 ||
            trace_rows(t, "/workers/bound", &w, &one, &bound) < 0 ||
            trace_rows(t, "/workers/work", &w, &one, &work) < 0)
            return -1;
    }
    return trace_rows(t, "/nodes/hostname", (size_t[]){0}, (size_t[]){2}, "n\xc3\xb6\0n\xff");
}

static inline int run_describe(struct trace *t, const struct run *run)
{
    if (trace_axis(t, "repetition", 0, "one run of the kernel") < 0 ||
        trace_axis(t, "worker", run->nworkers, "one thread") < 0 ||
        trace_axis(t, "bin", run->nbins, "a stretch of time") < 0 ||
        trace_axis(t, "node", 2, "a machine") < 0 ||
        trace_axis(t, "detour", 0, "one interruption") < 0)
        return -1;
    for (size_t i = 0; i < sizeof run_tables / sizeof *run_tables; i++)
        if (trace_table(t, &run_tables[i]) < 0)
            return -1;
    return run_label(t, run) < 0 || run_workers(t, run) < 0 ? -1 : 0;
}

/* Without its commit. */
static inline int run_repeat(struct trace *t, const struct run *run, size_t r)
{
    uint32_t *counts = malloc(run->nbins * sizeof *counts);
    int bad = !counts;
    for (size_t w = 0; w < run->nworkers && !bad; w++) {
        for (size_t b = 0; b < run->nbins; b++)
            counts[b] = run_count(r, w, b);
        int64_t start = (int64_t)(1000 * r + w) - 1;
        bad = trace_rows(t, "/counts", (size_t[]){r, w, 0}, (size_t[]){1, 1, run->nbins}, counts) ||
              trace_rows(t, "/start_ns", (size_t[]){r, w}, (size_t[]){1, 1}, &start);
    }
    free(counts);
    double rate = (double)r + 0.5;
    bad = bad || trace_rows(t, "/results/rate", &r, (size_t[]){1}, &rate);
    int64_t length = (int64_t)r;
    for (size_t i = 0; run->detours && i <= r && !bad; i++)
        bad = trace_rows(t, "/detours/length_ns", (size_t[]){r * (r + 1) / 2 + i}, (size_t[]){1},
                         &length) < 0;
    return bad || trace_number(t, "done", (int64_t)r + 1) < 0 ? -1 : 0;
}

/* Repetitions [first, end), each committed. */
static inline int run_commit(struct trace *t, const struct run *run, size_t first, size_t end)
{
    int r = 0;
    for (size_t i = first; i < end && !r; i++)
        r = run_repeat(t, run, i) < 0 || trace_commit(t, i + 1) < 0 ? -1 : 0;
    return r;
}

#endif
