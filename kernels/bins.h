/* bins.h: the time-binned work counter.
 *
 * One unit of work is one clock read. Each read falls in a bin of a grid that
 * is fixed before the first: counts[(t - start) / width] += 1, exactly. The
 * grid never restarts, so an interruption leaves bins that hold zero.
 *
 * Width is ticks in 32.32 fixed point: edge k is the first whole tick t with
 * ((t - start) << 32) / width == k, so edges do not drift however many bins. */
#ifndef BINDOT_BINS_H
#define BINDOT_BINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BINS_TICK_ONE ((uint64_t)1 << 32) /* one tick of width */

struct bins_detour {
    uint64_t start;  /* tick of the last read before it */
    uint64_t length; /* ticks to the next read */
};

struct bins {
    /* given */
    uint64_t start;      /* tick of the left edge of bin 0 */
    uint64_t width;      /* ticks of a bin, 32.32 */
    size_t nbins;        /* >= 1 */
    uint64_t threshold;  /* two reads further apart than this: a detour */
    size_t capacity;     /* of detours */
    /* owned by the caller, touched by the worker that counts */
    uint32_t *counts;            /* [nbins] reads */
    uint32_t *lost;              /* [nbins] ticks inside detours */
    struct bins_detour *detours; /* [capacity] in order of time */
    /* results */
    uint64_t first, last; /* ticks of the first and the last read that counted */
    uint64_t reads;       /* how many counted: the sum of counts */
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
    return b->start +
           (uint64_t)(((unsigned __int128)k * b->width + (BINS_TICK_ONE - 1)) >> 32);
}

/* The cold path of bins_loop: two reads, from and to, too far apart. */
void bins_detour(struct bins *, uint64_t from, uint64_t to);

/* The loop, made anew for each clock: `read` must be a constant that the
 * compiler can inline, for a call would cost more than the rest. Counts stay
 * in a register and are stored when the bin changes: one store in thousands of
 * reads, so a neighbour's cache line is not disturbed and the loop runs at the
 * rate of the bare clock read (measured by tests/bench/binning). */
static inline __attribute__((always_inline)) void bins_loop(struct bins *b,
                                                            uint64_t (*read)(void *), void *of)
{
    const uint64_t threshold = b->threshold;
    uint64_t t;
    do
        t = read(of);
    while (t < b->start);
    uint64_t before = t, count = 0, edge = b->start, bin = 0, reads = 0;
    b->first = b->last = t;
    for (;;) {
        if (__builtin_expect(t >= edge, 0)) { /* also for the very first read */
            const uint64_t next = bins_index(b, t);
            if (bin < b->nbins)
                b->counts[bin] += (uint32_t)count;
            reads += count;
            count = 0;
            if (next >= b->nbins)
                break;
            bin = next;
            edge = bins_edge(b, bin + 1);
        }
        count++;
        before = t;
        t = read(of);
        if (__builtin_expect(t - before > threshold, 0))
            bins_detour(b, before, t);
    }
    b->reads = reads;
    if (reads)
        b->last = before;
}

/* Empty the results and the arrays; touches every page. */
void bins_reset(struct bins *);

void bins_count_counter(struct bins *); /* tick_counter */
void bins_count_system(struct bins *);  /* tick_system */

#endif
