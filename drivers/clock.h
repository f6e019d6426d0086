/* clock.h: ticks, and what they are worth. One clock per node: the node's first
 * process measures it and the others take its answer (it is a plain value).
 *
 * Times in traces are nanoseconds of CLOCK_MONOTONIC_RAW, int64. A tick is read
 * from the CPU's counter where the kernel itself trusts it, else from that clock. */
#ifndef BINDOT_CLOCK_H
#define BINDOT_CLOCK_H

#include "kernels/tick.h"

#include <stdbool.h>
#include <stdint.h>

struct clock_pair { /* one instant, both ways */
    uint64_t tick;
    int64_t ns;
    int64_t bracket_ns; /* the instant is known to this */
};

struct clock {
    bool counter;   /* ticks come from tick_counter */
    char why[96];   /* why not, or "" */
    uint64_t step;  /* the most frequent difference of two reads: the resolution */
    uint64_t read;  /* ticks from one read to the next: its cost, median */
    double read_ns; /* the same, known after clock_calibrate */
    double ns_per_tick;
    struct clock_pair from, to; /* ends of the base line of ns_per_tick */
    int64_t skew_ns;            /* wrong by so much, on purpose (clock_bend) */
    double drift;
};

enum clock_choice {
    CLOCK_BEST,    /* the counter where it is usable */
    CLOCK_COUNTER, /* the same; who asks for it looks whether it is */
    CLOCK_SYSTEM,
};

/* Chooses the source, measures step and cost; takes the first pair. */
void clock_open(struct clock *, enum clock_choice);

const char *clock_source(const struct clock *); /* "tsc", "CLOCK_MONOTONIC_RAW" */
/* What the kernel itself keeps time by: "tsc", "hpet"; "" if it does not tell. */
void clock_kernel_source(char *name, size_t size);

/* Takes the second pair, at least base_ns after the first (waits if needed). */
void clock_calibrate(struct clock *, int64_t base_ns);

/* Every time that it tells is wrong from now on: skew_ns ahead at the first pair,
 * and gaining drift seconds each second. Of earlier calls nothing stays. */
void clock_bend(struct clock *, int64_t skew_ns, double drift);

/* The time now, for who takes any clock: clock is a struct clock. */
int64_t clock_now(const void *clock);

/* A pair now: the tightest of many tries. */
struct clock_pair clock_now_pair(const struct clock *);

static inline uint64_t clock_ticks(const struct clock *c)
{
    return c->counter ? tick_counter() : tick_system();
}

static inline int64_t clock_ns(const struct clock *c, uint64_t tick)
{
    return c->from.ns + c->skew_ns +
           (int64_t)((double)(int64_t)(tick - c->from.tick) * c->ns_per_tick);
}

/* The tick at which clock_ns is ns. */
static inline uint64_t clock_tick(const struct clock *c, int64_t ns)
{
    const double span = (double)(ns - c->from.ns - c->skew_ns) / c->ns_per_tick;
    return c->from.tick + (uint64_t)(int64_t)span;
}

/* A span of ticks in ns. */
static inline int64_t clock_span_ns(const struct clock *c, uint64_t ticks)
{
    return (int64_t)((double)ticks * c->ns_per_tick + 0.5);
}

static inline uint64_t clock_span_ticks(const struct clock *c, int64_t ns)
{
    return (uint64_t)((double)ns / c->ns_per_tick + 0.5);
}

#endif
