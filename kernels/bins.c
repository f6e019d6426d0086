#include "kernels/bins.h"

#include <string.h>

void bins_reset(struct bins *b)
{
    memset(b->counts, 0, b->nbins * sizeof *b->counts);
    memset(b->lost, 0, b->nbins * sizeof *b->lost);
    memset(b->detours, 0, b->capacity * sizeof *b->detours);
    b->first = b->last = b->units = b->migrations = b->dropped = 0;
    b->ndetours = 0;
}

/* Adds [from, to) to the lost time of each bin that it crosses. */
static void lose(struct bins *b, uint64_t from, uint64_t to)
{
    for (uint64_t bin = bins_index(b, from); from < to && bin < b->nbins; bin++) {
        const uint64_t edge = bins_edge(b, bin + 1);
        const uint64_t until = to < edge ? to : edge;
        b->lost[bin] += (uint32_t)(until - from);
        from = until;
    }
}

__attribute__((noinline, cold)) void bins_detour(struct bins *b, uint64_t from, uint64_t to)
{
    const uint64_t end = bins_edge(b, b->nbins);
    if (to > end)
        to = end; /* the window closed meanwhile: the rest is nobody's loss */
    lose(b, from, to);
    if (b->ndetours == b->capacity) {
        b->dropped++;
        return;
    }
    b->detours[b->ndetours++] = (struct bins_detour){.start = from, .length = to - from};
}

struct work { /* what units carry from one to the next */
    uint64_t sums[8];
    const double *line, *end, *begin;
    double sum;
};

static inline void work_alu(struct work *w)
{
    uint64_t x[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        x[i] = w->sums[i];
    for (int round = 0; round < 64; round++)
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            x[i] += 3;
            __asm__ volatile("" : "+r"(x[i])); /* no addition may be folded into another */
        }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        w->sums[i] = x[i];
}

static inline void work_memory(struct work *w)
{
    double sum = w->sum;
#pragma GCC unroll 8
    for (int i = 0; i < BINS_UNIT_LINES; i++)
        sum += w->line[i * BINS_LINE];
    w->sum = sum;
    __asm__ volatile("" : "+x"(w->sum));
    w->line += BINS_UNIT_LINES * BINS_LINE;
    if (w->line == w->end)
        w->line = w->begin;
}

/* One function for each combination; the arguments are constants after inlining. */
#define UNIT(clock, tick, unit, task)                                                              \
    static inline uint64_t unit_##clock##_##unit(void *of)                                         \
    {                                                                                              \
        task(of);                                                                                  \
        return tick();                                                                             \
    }                                                                                              \
    static void count_##clock##_##unit(struct bins *b, struct work *w, enum bins_storage s)        \
    {                                                                                              \
        if (s == BINS_PRIVATE)                                                                     \
            bins_loop(b, unit_##clock##_##unit, w, BINS_PRIVATE);                                  \
        else if (s == BINS_SHARED)                                                                 \
            bins_loop(b, unit_##clock##_##unit, w, BINS_SHARED);                                   \
        else                                                                                       \
            bins_loop(b, unit_##clock##_##unit, w, BINS_ATOMIC);                                   \
    }
#define NO_WORK(of) ((void)(of))
UNIT(counter, tick_counter, read, NO_WORK)
UNIT(counter, tick_counter, alu, work_alu)
UNIT(counter, tick_counter, memory, work_memory)
UNIT(system, tick_system, read, NO_WORK)
UNIT(system, tick_system, alu, work_alu)
UNIT(system, tick_system, memory, work_memory)

void bins_count(struct bins *b, enum bins_clock clock, enum bins_unit unit,
                enum bins_storage storage)
{
    static void (*const count[2][3])(struct bins *, struct work *, enum bins_storage) = {
        [BINS_COUNTER] = {count_counter_read, count_counter_alu, count_counter_memory},
        [BINS_SYSTEM] = {count_system_read, count_system_alu, count_system_memory}};
    struct work w = {
        .line = b->buffer, .begin = b->buffer, .end = b->buffer + b->buffer_lines * BINS_LINE};
    count[clock][unit](b, &w, storage);
}
