/* detours: how small a detour does the counter find? Busy detours of known length
 * are planted in one bin of ten. Prints, for each length and run:
 *   share of the planted bins whose largest gap is that long (found), and of the
 *   others (false alarms: on this machine something of that length was there);
 *   share of the planted bins that stand out where 2 % and 1 % of the others do,
 *   by largest gap, and by count. Bins are short, 10 us: a timer tick of 250 Hz
 *   is in 0.25 % of them, but would be in 1.25 % of bins of 50 us. */
#include "drivers/clock.h"
#include "kernels/bins.h"
#include "kernels/fill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 10000, WIDTH_NS = 10000, CAPACITY = 1 << 20 };

static struct clock here;
static uint32_t counts[BINS], lost[BINS];
static struct bins_detour detours[CAPACITY];

struct plan { /* where the next detour goes */
    const struct bins *bins;
    uint64_t next, length, bin;
};

static uint64_t place(const struct plan *p) /* somewhere in the middle of the bin */
{
    const uint64_t from = bins_edge(p->bins, p->bin), width = p->bins->width >> 32;
    return from + width / 4 + fill_bits(7, p->bin) % (width / 2);
}

static inline uint64_t unit(void *of)
{
    struct plan *p = of;
    uint64_t t = tick_counter();
    if (__builtin_expect(t >= p->next, 0)) {
        while (tick_counter() - t < p->length)
            ;
        p->bin += 10;
        p->next = p->bin < BINS ? place(p) : UINT64_MAX;
    }
    return t;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* score: [BINS], larger is more disturbed. Planted bins: 5, 15, 25 ... */
static double beyond(const double *score, double limit, int planted)
{
    int hits = 0, all = 0;
    for (int bin = 0; bin < BINS; bin++)
        if ((bin % 10 == 5) == planted) {
            hits += score[bin] > limit;
            all++;
        }
    return (double)hits / all;
}

static double found(const double *score, double false_alarms)
{
    static double clean[BINS];
    size_t n = 0;
    for (int bin = 0; bin < BINS; bin++)
        if (bin % 10 != 5)
            clean[n++] = score[bin];
    qsort(clean, n, sizeof *clean, ascending);
    return beyond(score, clean[n - 1 - (size_t)(false_alarms * (double)n)], 1);
}

static void run(int64_t length_ns)
{
    static double gap[BINS], few[BINS];
    struct bins b = {.width = (uint64_t)(WIDTH_NS / here.ns_per_tick * (double)BINS_TICK_ONE),
                     .nbins = BINS,
                     .threshold = 3 * here.step,
                     .capacity = CAPACITY,
                     .counts = counts,
                     .lost = lost,
                     .detours = detours};
    bins_reset(&b);
    b.start = tick_counter() + clock_span_ticks(&here, 1000000);
    struct plan plan = {.bins = &b, .length = clock_span_ticks(&here, length_ns), .bin = 5};
    plan.next = place(&plan);
    bins_loop(&b, unit, &plan, BINS_PRIVATE);
    memset(gap, 0, sizeof gap);
    for (size_t i = 0; i < b.ndetours; i++) {
        const uint64_t bin = bins_index(&b, detours[i].start);
        if ((double)detours[i].length > gap[bin])
            gap[bin] = (double)detours[i].length;
    }
    for (int bin = 0; bin < BINS; bin++)
        few[bin] = -(double)counts[bin];
    const double long_enough = (double)plan.length - 2 * (double)here.step;
    printf("%lld %.4f %.4f %.4f %.4f %.4f %.4f\n", (long long)length_ns,
           beyond(gap, long_enough, 1), beyond(gap, long_enough, 0), found(gap, 0.02),
           found(gap, 0.01), found(few, 0.02), found(few, 0.01));
}

int main(int argc, char **argv)
{
    static const int64_t lengths[] = {100, 300, 600, 1000, 2500, 5000};
    clock_open(&here, CLOCK_BEST);
    clock_calibrate(&here, 50000000);
    const int rounds = argc > 1 ? atoi(argv[1]) : 15;
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            run(lengths[i]);
    return here.counter ? 0 : 1;
}
