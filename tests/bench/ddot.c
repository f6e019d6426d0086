/* ddot: seconds of one call for each size asked on standard input, median of batches.
 * usage: ddot LIBRARY.so   its cblas_ddot
 *        ddot kit          kernels/dot.h, one worker
 *        ddot read         kernels/peak.h: both vectors read and nothing else */
#include "drivers/fail.h"
#include "drivers/interval.h"
#include "drivers/memory.h"
#include "drivers/place.h"
#include "kernels/dot.h"
#include "kernels/fill.h"
#include "kernels/peak.h"
#include "kernels/tick.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { APART = 296, BATCHES = 7, BATCH_NS = 2000000 }; /* x and y as experiments/dot.c has them */

static const double *x, *y;
static size_t n;
static volatile double sink;
static double (*cblas)(int, const double *, int, const double *, int);

static double kit(void)
{
    struct dot_sum sum;
    dot_range(x, y, n, 0, dot_leaves(n), &sum);
    return dot_value(&sum);
}

static double read_both(void)
{
    return peak_read(x, y, n / 64 * 64);
}

static double library(void)
{
    return cblas((int)n, x, 1, y, 1);
}

static double batch_ns(double (*call)(void), long calls) /* for one call */
{
    const uint64_t start = tick_system();
    double sum = 0;
    for (long i = 0; i < calls; i++)
        sum += call();
    sink = sum;
    return (double)(tick_system() - start) / (double)calls;
}

static double median_ns(double (*call)(void))
{
    double each[BATCHES];
    batch_ns(call, 3); /* pages, threads, predictors */
    const double once = batch_ns(call, 1);
    const long calls = (long)(BATCH_NS / once) + 1;
    for (int i = 0; i < BATCHES; i++)
        each[i] = batch_ns(call, calls);
    return interval_median(each, BATCHES).median;
}

static int answer(double (*call)(void))
{
    const size_t room = dot_leaves(n) * DOT_LEAF, bytes = (2 * room + APART) * sizeof(double);
    double *memory = memory_get(bytes);
    if (!memory)
        return -1;
    double *const second = memory + room + APART;
    for (size_t i = 0; i < n; i++) {
        memory[i] = fill_uniform(1, i);
        second[i] = fill_uniform(2, i);
    }
    x = memory;
    y = second;
    printf("%.9g\n", 1e-9 * median_ns(call));
    memory_free(memory, bytes);
    return fflush(stdout);
}

static int choose(void) /* as drivers do */
{
    struct place *place;
    size_t caches[3];
    if (place_open(&place) < 0)
        return -1;
    place_cache_levels(place, 1, caches);
    place_close(&place);
    dot_choose(NULL);
    dot_fit(caches);
    return 0;
}

int main(int argc, char **argv)
{
    double (*call)(void) = argc > 1 && strcmp(argv[1], "kit") == 0    ? kit
                           : argc > 1 && strcmp(argv[1], "read") == 0 ? read_both
                                                                      : library;
    if (call == library) {
        void *handle = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
        void *symbol = handle ? dlsym(handle, "cblas_ddot") : NULL;
        if (!symbol) {
            fprintf(stderr, "ddot: no cblas_ddot: %s\n", argc > 1 ? dlerror() : "name a library");
            return 2;
        }
        memcpy(&cblas, &symbol, sizeof cblas);
    }
    if (choose() < 0) {
        fprintf(stderr, "ddot: %s\n", fail_text());
        return 2;
    }
    while (scanf("%zu", &n) == 1)
        if (answer(call) < 0)
            return 1;
    return 0;
}
