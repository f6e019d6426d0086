#include "kernels/dot.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define NAME(a, b)  NAME_(a, b)
#define NAME_(a, b) a##b

#ifdef __x86_64__
#include <immintrin.h>

/* (0 + 2) + (1 + 3) */
__attribute__((target("avx2"))) static inline double sum4(__m256d v)
{
    const __m128d pair = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(pair, _mm_unpackhi_pd(pair, pair)));
}

#define LEAF    leaf_avx512
#define TARGET  __attribute__((target("avx512f")))
#define VEC     __m512d
#define WIDTH   8
#define LOAD(p) _mm512_loadu_pd(p)
#define SUM8(v)                                                                                    \
    sum4(_mm256_add_pd(_mm512_castpd512_pd256((v)[0]), _mm512_extractf64x4_pd((v)[0], 1)))
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define ADD(a, b)    _mm512_add_pd(a, b)
#include "kernels/dot_leaf.h"

#define LEAF         leaf_avx2
#define TARGET       __attribute__((target("avx2,fma")))
#define VEC          __m256d
#define WIDTH        4
#define LOAD(p)      _mm256_loadu_pd(p)
#define SUM8(v)      sum4(_mm256_add_pd((v)[0], (v)[1]))
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define ADD(a, b)    _mm256_add_pd(a, b)
#include "kernels/dot_leaf.h"
#endif

#define LEAF leaf_generic
#define TARGET
#define VEC          double
#define WIDTH        1
#define LOAD(p)      (*(p))
#define SUM8(s)      (((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])))
#define FMA(a, b, c) fma(a, b, c)
#define ADD(a, b)    ((a) + (b))
#include "kernels/dot_leaf.h"

static const struct variant {
    const char *name;
    double (*any)(const double *restrict x, const double *restrict y, size_t n);
    double (*four)(const double *restrict x, const double *restrict y);
} variants[] = {
#ifdef __x86_64__
    {"avx512f", leaf_avx512_any, leaf_avx512_four},
    {"avx2+fma", leaf_avx2_any, leaf_avx2_four},
#endif
    {"generic", leaf_generic_any, leaf_generic_four},
};
enum { NVARIANTS = sizeof variants / sizeof *variants };

static int can_run(const struct variant *v)
{
#ifdef __x86_64__
    if (v->any == leaf_avx512_any)
        return __builtin_cpu_supports("avx512f");
    if (v->any == leaf_avx2_any)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return v->any == leaf_generic_any;
}

static const struct variant *chosen; /* set before workers exist (dot_choose) */

int dot_choose(const char *name)
{
    for (int i = 0; i < NVARIANTS; i++)
        if (can_run(&variants[i]) && (!name || strcmp(name, variants[i].name) == 0)) {
            chosen = &variants[i];
            return 0;
        }
    return -1;
}

const char *dot_variant(void)
{
    return chosen ? chosen->name : "";
}

void dot_push(struct dot_sum *sum, struct dot_node node)
{
    while (sum->nnodes) {
        const struct dot_node *left = &sum->nodes[sum->nnodes - 1];
        if (left->level != node.level || (left->index & 1) || left->index + 1 != node.index)
            break;
        node = (struct dot_node){node.level + 1, node.index / 2, left->value + node.value};
        sum->nnodes--;
    }
    sum->nodes[sum->nnodes++] = node;
}

void dot_range(const double *restrict x, const double *restrict y, uint64_t n, uint64_t first,
               uint64_t end, struct dot_sum *sum)
{
    const struct variant *const v = chosen;
    uint64_t step;
    sum->nnodes = 0;
    for (uint64_t i = first; i < end; i += step, x += step * DOT_LEAF, y += step * DOT_LEAF) {
        const uint64_t left = n - i * DOT_LEAF;
        const bool whole = i % 4 == 0 && i + 4 <= end && left >= 4 * DOT_LEAF;
        step = whole ? 4 : 1;
        dot_push(sum,
                 whole ? (struct dot_node){2, i / 4, v->four(x, y)}
                       : (struct dot_node){0, i, v->any(x, y, left < DOT_LEAF ? left : DOT_LEAF)});
    }
}

double dot_value(const struct dot_sum *sum)
{
    double value = 0;
    for (size_t i = sum->nnodes; i-- > 0;) /* smallest node first, it stands last */
        value = sum->nodes[i].value + value;
    return value;
}
