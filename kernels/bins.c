#include "kernels/bins.h"

#include "kernels/tick.h"

#include <string.h>

void bins_reset(struct bins *b)
{
    memset(b->counts, 0, b->nbins * sizeof *b->counts);
    memset(b->lost, 0, b->nbins * sizeof *b->lost);
    memset(b->detours, 0, b->capacity * sizeof *b->detours);
    b->first = b->last = b->reads = b->dropped = 0;
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

static inline uint64_t read_counter(void *of)
{
    (void)of;
    return tick_counter();
}

static inline uint64_t read_system(void *of)
{
    (void)of;
    return tick_system();
}

void bins_count_counter(struct bins *b)
{
    bins_loop(b, read_counter, NULL);
}

void bins_count_system(struct bins *b)
{
    bins_loop(b, read_system, NULL);
}
