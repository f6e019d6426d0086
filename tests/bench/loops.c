/* loops: nanoseconds for one count, of four loops that count clock reads in bins,
 * turn by turn in one process: the bare read (the limit), the kit's, and the
 * training text's method in C, with integers and as its Python reads literally. */
#include "drivers/clock.h"
#include "kernels/bins.h"

#include <stdio.h>
#include <stdlib.h>

enum { BINS = 1000, WIDTH_NS = 50000, CAPACITY = 65536 };

static struct clock clock_here;
static uint32_t counts[BINS], lost[BINS];
static struct bins_detour detours[CAPACITY];

/* Median units of a bin, as ns per unit: interruptions do not move it. */
static int ascending(const void *a, const void *b)
{
    return (*(const uint32_t *)a > *(const uint32_t *)b) -
           (*(const uint32_t *)a < *(const uint32_t *)b);
}

static double ns_each(void)
{
    qsort(counts, BINS, sizeof *counts, ascending);
    return (double)WIDTH_NS / counts[BINS / 2];
}

static void bare(void) /* a loop that knows nothing but where the bin ends */
{
    const double width = (double)WIDTH_NS / clock_here.ns_per_tick;
    const uint64_t start = tick_counter();
    for (int bin = 0; bin < BINS; bin++) {
        const uint64_t edge = start + (uint64_t)(width * (bin + 1));
        uint32_t n = 0;
        while (tick_counter() < edge)
            n++;
        counts[bin] = n;
    }
}

static void ours(void)
{
    struct bins b = {.width = (uint64_t)(WIDTH_NS / clock_here.ns_per_tick * (double)BINS_TICK_ONE),
                     .nbins = BINS,
                     .threshold = clock_span_ticks(&clock_here, 100),
                     .capacity = CAPACITY,
                     .counts = counts,
                     .lost = lost,
                     .detours = detours};
    bins_reset(&b);
    b.start = tick_counter();
    bins_count(&b, BINS_COUNTER, BINS_READ, BINS_PRIVATE);
}

static void text_integers(void)
{
    const uint64_t start = tick_system();
    for (;;) {
        const uint64_t bin = (tick_system() - start) / WIDTH_NS;
        if (bin >= BINS)
            return;
        ((volatile uint32_t *)counts)[bin]++;
    }
}

static void text_literal(void) /* Python's / gives a float, int() cuts it */
{
    const uint64_t start = tick_system();
    const volatile double width = WIDTH_NS;
    for (;;) {
        const int64_t bin = (int64_t)((double)(tick_system() - start) / width);
        if (bin >= BINS)
            return;
        ((volatile uint32_t *)counts)[bin]++;
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } loops[] = {{"bare", bare},
                 {"kit", ours},
                 {"text_integers", text_integers},
                 {"text_literal", text_literal}};
    const int rounds = argc > 1 ? atoi(argv[1]) : 15;
    clock_open(&clock_here, CLOCK_BEST);
    clock_calibrate(&clock_here, 50000000);
    if (!clock_here.counter) {
        fprintf(stderr, "loops: no usable counter here: %s\n", clock_here.why);
        return 1;
    }
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
            for (int bin = 0; bin < BINS; bin++)
                counts[bin] = 0;
            loops[i].run();
            printf("%d %s %.4f\n", round, loops[i].name, ns_each());
        }
    return 0;
}
