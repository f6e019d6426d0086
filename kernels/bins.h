/* bins.h: the time-binned work counter.
 *
 * A unit of work ends with a clock read; the unit counts in the bin that the read
 * falls in. The grid is fixed before the first read: counts[(t - start) / width]
 * += 1, exactly. It never restarts, so an interruption leaves bins that hold zero.
 *
 * Width is ticks in 32.32 fixed point: edge k is the first whole tick t with
 * ((t - start) << 32) / width == k, so edges do not drift however many bins. */
#ifndef BINDOT_BINS_H
#define BINDOT_BINS_H

#include "kernels/tick.h"

#include <stddef.h>
#include <stdint.h>

#define BINS_TICK_ONE ((uint64_t)1 << 32) /* one tick of width */

enum bins_clock { BINS_COUNTER, BINS_SYSTEM }; /* tick.h */

/* What a unit is, besides its clock read. A read alone hardly notices that a
 * sibling hardware thread is busy; the other two do. */
enum bins_unit {
    BINS_READ,   /* nothing */
    BINS_ALU,    /* 512 additions in 8 independent chains */
    BINS_MEMORY, /* 64 cache lines of the worker's buffer, the next ones each time */
};

/* Where a unit is counted. */
enum bins_storage {
    BINS_PRIVATE, /* in a register; one store a bin */
    BINS_SHARED,  /* in the worker's column of cells[bin][worker]: false sharing */
    BINS_ATOMIC,  /* in cells[bin], which all workers of the process increment */
};

enum { BINS_UNIT_LINES = 64, BINS_LINE = 8 }; /* cache lines of a memory unit; doubles in one */

struct bins_detour {
    uint64_t start;  /* tick of the last read before it */
    uint64_t length; /* ticks to the next read */
};

struct bins {
    /* given */
    uint64_t start;       /* tick of the left edge of bin 0 */
    uint64_t width;       /* ticks of a bin, 32.32: of fewer than 2^32 ticks */
    size_t nbins;         /* >= 1 */
    uint64_t threshold;   /* two reads further apart than this: a detour */
    size_t capacity;      /* of detours */
    uint32_t *cells;      /* shared, atomic: this worker's cell of bin 0; else unused */
    size_t stride;        /* from a cell to that of the next bin */
    const double *buffer; /* memory unit: [buffer_lines * BINS_LINE] */
    size_t buffer_lines;  /* a multiple of BINS_UNIT_LINES */
    /* owned by the caller, touched by the worker that counts */
    uint32_t *counts;            /* [nbins] units; not touched by shared and atomic */
    uint32_t *lost;              /* [nbins] ticks inside detours */
    struct bins_detour *detours; /* [capacity] in order of time */
    /* results */
    uint64_t first, last; /* ticks of the first and the last read that counted */
    uint64_t units;       /* how many counted: the sum of counts */
    uint64_t migrations;  /* changes of CPU, looked at when the bin changes */
    size_t ndetours;
    uint64_t dropped; /* detours that found the list full; lost holds them all the same */
};

/* The bin that holds tick t >= start; may be >= nbins. */
static inline uint64_t bins_index(const struct bins *b, uint64_t t)
{
    return (uint64_t)(((unsigned __int128)(t - b->start) << 32) / b->width);
}

/* The first tick of bin k. */
static inline uint64_t bins_edge(const struct bins *b, uint64_t k)
{
    return b->start + (uint64_t)(((unsigned __int128)k * b->width + (BINS_TICK_ONE - 1)) >> 32);
}

/* The cold path of bins_loop: two reads, from and to, too far apart. */
void bins_detour(struct bins *, uint64_t from, uint64_t to);

static inline void bins_count_cell(uint32_t *cell, enum bins_storage storage)
{
    if (storage == BINS_SHARED)
        *(volatile uint32_t *)cell += 1;
    else if (storage == BINS_ATOMIC)
        __atomic_fetch_add(cell, 1, __ATOMIC_RELAXED);
}

/* The loop, made anew for each clock, unit and storage: `unit` (which works and
 * reads the clock) and `storage` must be constants that the compiler can fold,
 * for a call would cost more than the rest. Private counts stay in a register and
 * are stored when the bin changes: one store in thousands of units, so that the
 * loop runs at the rate of the bare clock read (measured by tests/bench/binning). */
static inline __attribute__((always_inline)) void
bins_loop(struct bins *b, uint64_t (*unit)(void *), void *of, const enum bins_storage storage)
{
    const uint64_t threshold = b->threshold;
    uint64_t t;
    do
        t = unit(of);
    while (t < b->start);
    uint64_t before = t, count = 0, edge = b->start, bin = 0;
    uint32_t *cell = b->cells;
    int cpu = tick_cpu();
    b->first = b->last = t;
    for (;;) {
        if (__builtin_expect(t >= edge, 0)) { /* also for the very first unit */
            if (storage == BINS_PRIVATE)
                b->counts[bin] += (uint32_t)count;
            b->units += count;
            count = 0;
            bin = bins_index(b, t);
            if (bin >= b->nbins)
                break;
            edge = bins_edge(b, bin + 1);
            cell = b->cells + bin * b->stride;
            const int now = tick_cpu();
            b->migrations += now != cpu;
            cpu = now;
        }
        count++;
        bins_count_cell(cell, storage);
        before = t;
        t = unit(of);
        if (__builtin_expect(t - before > threshold, 0))
            bins_detour(b, before, t);
    }
    if (b->units)
        b->last = before;
}

/* Empty the results and the arrays; touches every page. */
void bins_reset(struct bins *);

void bins_count(struct bins *, enum bins_clock, enum bins_unit, enum bins_storage);

#endif
