#include "kernels/dot.h"

#include "kernels/fill.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* So many whole leaves are summed in one call: their tree is straight code. In a loop, or by push,
 * its ends are branches that no CPU foresees: 8 to 15 cycles a leaf, 1.5 % of it in L2. */
enum { LEVEL = 2, GROUP = 1 << LEVEL };

#define NAME(a, b)  NAME_(a, b)
#define NAME_(a, b) a##b

/* Loads stay in the order written. Four of x, then of y: 1 to 2 % faster in L1 than by turns. */
#ifdef __x86_64__
#define HOLD(v) __asm__ volatile("" : "+v"(v))
#else
#define HOLD(v) (void)(v)
#endif

#ifdef __x86_64__
#include <immintrin.h>

/* (0 + 2) + (1 + 3) */
__attribute__((target("avx2"))) static inline double sum4(__m256d v)
{
    const __m128d pair = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(pair, _mm_unpackhi_pd(pair, pair)));
}

__attribute__((target("avx2"))) static inline __m256d some4(const double *p, int k)
{
    const __m256i mask = _mm256_cmpgt_epi64(_mm256_set1_epi64x(k), _mm256_setr_epi64x(0, 1, 2, 3));
    return _mm256_maskload_pd(p, mask);
}

#define LEAF       leaf_avx512
#define TARGET     __attribute__((target("avx512f")))
#define VEC        __m512d
#define WIDTH      8
#define LOAD(p)    _mm512_loadu_pd(p)
#define SOME(p, k) _mm512_maskz_loadu_pd((__mmask8)((1 << (k)) - 1), p)
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
#define SOME(p, k)   some4(p, k)
#define SUM8(v)      sum4(_mm256_add_pd((v)[0], (v)[1]))
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define ADD(a, b)    _mm256_add_pd(a, b)
#include "kernels/dot_leaf.h"
#endif

/* Two doubles, as any vector unit has them; fused by the CPU where it can, else by the C library,
 * which rounds once as well. */
typedef double vec2 __attribute__((vector_size(16)));

static inline vec2 load2(const double *p)
{
    return (vec2){p[0], p[1]};
}

static inline vec2 some2(const double *p, int k)
{
    return (vec2){k > 0 ? p[0] : 0, k > 1 ? p[1] : 0};
}

static inline vec2 fma2(vec2 a, vec2 b, vec2 c)
{
    return (vec2){fma(a[0], b[0], c[0]), fma(a[1], b[1], c[1])};
}

static inline double sum2(vec2 v)
{
    return v[0] + v[1];
}

#define LEAF leaf_generic
#define TARGET
#define VEC          vec2
#define WIDTH        2
#define LOAD(p)      load2(p)
#define SOME(p, k)   some2(p, k)
#define SUM8(v)      sum2(((v)[0] + (v)[2]) + ((v)[1] + (v)[3]))
#define FMA(a, b, c) fma2(a, b, c)
#define ADD(a, b)    ((a) + (b))
#include "kernels/dot_leaf.h"

static const struct variant {
    const char *name;
    double (*any)(const double *restrict x, const double *restrict y, size_t n);
    double (*group)(const double *restrict x, const double *restrict y);
} variants[] = {
#ifdef __x86_64__
    {"avx512f", leaf_avx512_any, leaf_avx512_group},
    {"avx2+fma", leaf_avx2_any, leaf_avx2_group},
#endif
    {"generic", leaf_generic_any, leaf_generic_group},
};
enum { NVARIANTS = sizeof variants / sizeof *variants };

static bool can_run(const struct variant *v)
{
#ifdef __x86_64__
    if (v->any == leaf_avx512_any)
        return __builtin_cpu_supports("avx512f");
    if (v->any == leaf_avx2_any)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return v->any == leaf_generic_any;
}

/* Zen 4 runs 512 bits as two halves: it has no gain from them where loads hit L1, and loses up
 * to 8 % where it reads ahead from L3 or memory. */
static bool splits_512(void)
{
#ifdef __x86_64__
    return __builtin_cpu_is("amdfam19h");
#else
    return false;
#endif
}

static struct variant chosen; /* set before workers exist */
/* What a worker has of each, where its bytes decide; UINT64_MAX: they do not. */
static uint64_t caches[3] = {UINT64_MAX};

int dot_choose(const char *name)
{
    caches[0] = UINT64_MAX;
    for (int i = 0; i < NVARIANTS; i++)
        if (can_run(&variants[i]) &&
            (name ? strcmp(name, variants[i].name) == 0 : i > 0 || !splits_512())) {
            chosen = variants[i];
            return 0;
        }
    return -1;
}

void dot_fit(const size_t bytes[3])
{
    if (!splits_512() || !can_run(&variants[0]) || !bytes[0] ||
        strcmp(dot_variant(), "avx2+fma") != 0)
        return;
    for (int i = 0; i < 3; i++)
        caches[i] = bytes[i];
}

/* Zen 4, 512 bits against 256 by tests/bench/dot's kernel: in L2 0 to 4 % faster; 3 to 8 % from
 * 0.65 to 1.2 of L3, perhaps since reading ahead drives out what would have been hits. */
static inline const struct variant *by_size(uint64_t bytes)
{
    if (bytes <= caches[0])
        return &chosen;
    const bool in_l2 = bytes <= caches[1] / 4 * 5;
    const bool fills_l3 = bytes >= caches[2] / 8 * 5 && bytes <= caches[2] / 4 * 5;
    return in_l2 || fills_l3 ? &variants[0] : &chosen;
}

const char *dot_variant_at(uint64_t bytes)
{
    const struct variant *v = by_size(bytes);
    return v->name ? v->name : "";
}

const char *dot_variant(void)
{
    return caches[0] == UINT64_MAX ? dot_variant_at(0) : "avx2+fma, avx512f";
}

static inline void push(struct dot_sum *sum, uint64_t level, uint64_t index, double value)
{
    size_t n = sum->nnodes;
    for (; n; n--) {
        const struct dot_node *left = &sum->nodes[n - 1];
        if (left->level != level || (left->index & 1) || left->index + 1 != index)
            break;
        value = left->value + value;
        index /= 2;
        level++;
    }
    sum->nodes[n] = (struct dot_node){level, index, value};
    sum->nnodes = n + 1;
}

void dot_push(struct dot_sum *sum, const struct dot_node *node)
{
    push(sum, node->level, node->index, node->value);
}

static inline uint64_t leaf_of(uint64_t left)
{
    return left < DOT_LEAF ? left : DOT_LEAF;
}

void dot_range(const double *restrict x, const double *restrict y, uint64_t n, uint64_t first,
               uint64_t end, struct dot_sum *sum)
{
    const struct variant *const v = by_size((end - first) * 2 * DOT_LEAF * sizeof(double));
    uint64_t level;
    if (end - first == 1) { /* 2 % of a driver's product of 1000 elements */
        sum->nodes[0] = (struct dot_node){0, first, v->any(x, y, leaf_of(n - first * DOT_LEAF))};
        sum->nnodes = 1;
        return;
    }
    sum->nnodes = 0;
    for (uint64_t i = first; i < end; i += 1 << level) {
        const uint64_t left = n - i * DOT_LEAF;
        const bool whole = i % GROUP == 0 && i + GROUP <= end && left >= GROUP * DOT_LEAF;
        level = whole ? LEVEL : 0;
        push(sum, level, i >> level, whole ? v->group(x, y) : v->any(x, y, leaf_of(left)));
        x += DOT_LEAF << level;
        y += DOT_LEAF << level;
    }
}

double dot_value(const struct dot_sum *sum)
{
    if (!sum->nnodes)
        return 0;
    double value = sum->nodes[sum->nnodes - 1].value; /* the smallest node stands last */
    for (size_t i = sum->nnodes - 1; i-- > 0;)
        value = sum->nodes[i].value + value;
    return value;
}

double dot_bound(uint64_t n)
{
    const double u = 0x1p-53;
    int levels = 0;
    while (((uint64_t)1 << levels) < dot_leaves(n))
        levels++;
    const double k = DOT_LEAF / 32 + 5 + levels + 1;
    return k * u / (1 - k * u);
}

bool dot_keeps_bits(void)
{
    enum { N = DOT_LEAF + 45 }; /* two leaves, and a tail of every kind */
    double x[N], y[N];
    struct dot_sum sum;
    for (uint64_t i = 0; i < N; i++) {
        x[i] = fill_uniform(1, i) - 0.5;
        y[i] = fill_uniform(2, i) - 0.5;
    }
    dot_range(x, y, N, 0, dot_leaves(N), &sum);
    return dot_value(&sum) ==
           0x1.3c02a33414b6dp+2; /* by exact rationals, rounded where dot.h says */
}
