#include "drivers/blas.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { ENOUGH_NS = 20000000, ONE_THREADS = 320 /* rows for one thread's worth of work */ };

void blas_set_threads(int n)
{
    openblas_set_num_threads(n);
}

int blas_threads(void)
{
    return openblas_get_num_threads();
}

const char *blas_core(void)
{
    return openblas_get_corename();
}

const char *blas_config(void)
{
    return openblas_get_config();
}

const char *blas_pool(void)
{
    static const char *const names[] = {"single", "pthread", "openmp"};
    const int kind = openblas_get_parallel();
    return kind >= 0 && kind < 3 ? names[kind] : "unknown";
}

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double blas_exercise(int threads)
{
    const int n = ONE_THREADS * (int)ceil(sqrt(threads));
    const size_t square = (size_t)n * (size_t)n;
    double *m = malloc(3 * square * sizeof *m), best = 0;
    if (!m)
        return 0;
    for (size_t i = 0; i < 3 * square; i++)
        m[i] = 1;
    const double end = cpu_ns() + ENOUGH_NS;
    for (double before = 0, now; (now = cpu_ns()) < end; before = now) {
        const double rate = before > 0 ? 2.0 * n * (double)square / ((now - before) * 1e-9) : 0;
        best = rate > best ? rate : best;
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, m, n, m + square, n, 0,
                    m + 2 * square, n);
    }
    free(m);
    return best;
}

enum level { OLD, AVX, AVX2, AVX512 };

static enum level level_of_core(void)
{
    static const struct {
        const char *core;
        enum level level;
    } known[] = {{"SkylakeX", AVX512}, {"Cooperlake", AVX512}, {"Sapphirerapids", AVX512},
                 {"Haswell", AVX2},    {"Zen", AVX2},          {"Excavator", AVX2},
                 {"Sandybridge", AVX}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(known[i].core, blas_core()) == 0)
            return known[i].level;
    return OLD;
}

static enum level level_of_cpu(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return AVX2;
    if (__builtin_cpu_supports("avx"))
        return AVX;
#endif
    return OLD;
}

const char *blas_better_core(void)
{
    static const char *const best[] = {
        [AVX] = "Sandybridge", [AVX2] = "Haswell", [AVX512] = "SkylakeX"};
    const enum level cpu = level_of_cpu();
    return level_of_core() < cpu ? best[cpu] : NULL;
}

int blas_tell_rate(void)
{
    blas_set_threads(1);
    return printf("%.0f\n", blas_exercise(1)) > 0 && fflush(stdout) == 0 ? EXIT_SUCCESS
                                                                         : EXIT_FAILURE;
}

double blas_rate(const char *core)
{
    char command[128], text[64] = "";
    snprintf(command, sizeof command, "%s%s exec /proc/%d/exe " BLAS_RATE,
             core ? "OPENBLAS_CORETYPE=" : "", core ? core : "", (int)getpid());
    FILE *child = popen(command, "r");
    if (!child)
        return 0;
    const bool told = fgets(text, sizeof text, child) != NULL;
    return pclose(child) == 0 && told ? atof(text) : 0;
}
