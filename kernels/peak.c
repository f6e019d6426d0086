#include "kernels/peak.h"

#include <math.h>

#define NAME(a, b)  NAME_(a, b)
#define NAME_(a, b) a##b

enum { CHAINS = 12 }; /* a result is there after 4 to 5 steps, two a step: 10 would do */

#ifdef __x86_64__
#include <immintrin.h>

#define SET          avx512
#define TARGET       __attribute__((target("avx512f")))
#define VEC          __m512d
#define WIDTH        8
#define LOAD(p)      _mm512_loadu_pd(p)
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define ADD(a, b)    _mm512_add_pd(a, b)
#define ALL(a)       _mm512_set1_pd(a)
#include "kernels/peak_loops.h"

#define SET          avx2
#define TARGET       __attribute__((target("avx2,fma")))
#define VEC          __m256d
#define WIDTH        4
#define LOAD(p)      _mm256_loadu_pd(p)
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define ADD(a, b)    _mm256_add_pd(a, b)
#define ALL(a)       _mm256_set1_pd(a)
#include "kernels/peak_loops.h"
#endif

typedef double vec2 __attribute__((vector_size(16)));

static inline vec2 load2(const double *p)
{
    return (vec2){p[0], p[1]};
}

static inline vec2 fma2(vec2 a, vec2 b, vec2 c)
{
#ifdef __FP_FAST_FMA
    return (vec2){fma(a[0], b[0], c[0]), fma(a[1], b[1], c[1])};
#else
    return a * b + c; /* no fused unit: two operations are two */
#endif
}

#define SET generic
#define TARGET
#define VEC          vec2
#define WIDTH        2
#define LOAD(p)      load2(p)
#define FMA(a, b, c) fma2(a, b, c)
#define ADD(a, b)    ((a) + (b))
#define ALL(a)       ((vec2){a, a})
#include "kernels/peak_loops.h"

static const struct {
    const char *name;
    double (*fma)(uint64_t rounds);
    double (*read)(const double *restrict x, const double *restrict y, size_t n);
} variants[] = {
#ifdef __x86_64__
    {"avx512f", fma_avx512, read_avx512},
    {"avx2+fma", fma_avx2, read_avx2},
#endif
    {"generic", fma_generic, read_generic},
};

static int widest(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512f")                                 ? 0
           : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1
                                                                             : 2;
#else
    return 0;
#endif
}

double peak_fma(uint64_t rounds)
{
    return variants[widest()].fma(rounds);
}

double peak_read(const double *restrict x, const double *restrict y, size_t n)
{
    return variants[widest()].read(x, y, n);
}

const char *peak_variant(void)
{
    return variants[widest()].name;
}
