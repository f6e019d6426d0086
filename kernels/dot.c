#include "kernels/dot.h"

#include <math.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>

#define LEAF leaf_avx512
#define TARGET __attribute__((target("avx512f")))
#define VEC __m512d
#define WIDTH 8
#define LOAD(p) _mm512_loadu_pd(p)
#define STORE(p, v) _mm512_storeu_pd(p, v)
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define ADD(a, b) _mm512_add_pd(a, b)
#include "kernels/dot_leaf.h"

#define LEAF leaf_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VEC __m256d
#define WIDTH 4
#define LOAD(p) _mm256_loadu_pd(p)
#define STORE(p, v) _mm256_storeu_pd(p, v)
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define ADD(a, b) _mm256_add_pd(a, b)
#include "kernels/dot_leaf.h"
#endif

#define LEAF leaf_generic
#define TARGET
#define VEC double
#define WIDTH 1
#define LOAD(p) (*(p))
#define STORE(p, v) (*(p) = (v))
#define FMA(a, b, c) fma(a, b, c)
#define ADD(a, b) ((a) + (b))
#include "kernels/dot_leaf.h"

typedef double dot_leaf(const double *restrict x, const double *restrict y, size_t n);

static const struct variant {
    const char *name;
    dot_leaf *leaf;
} variants[] = {
#ifdef __x86_64__
    {"avx512f", leaf_avx512},
    {"avx2+fma", leaf_avx2},
#endif
    {"generic", leaf_generic},
};
enum { NVARIANTS = sizeof variants / sizeof *variants };

static int can_run(const struct variant *v)
{
#ifdef __x86_64__
    if (v->leaf == leaf_avx512)
        return __builtin_cpu_supports("avx512f");
    if (v->leaf == leaf_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return v->leaf == leaf_generic;
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
    dot_leaf *const leaf = chosen->leaf;
    sum->nnodes = 0;
    for (uint64_t i = first; i < end; i++, x += DOT_LEAF, y += DOT_LEAF) {
        const uint64_t left = n - i * DOT_LEAF;
        dot_push(sum, (struct dot_node){0, i, leaf(x, y, left < DOT_LEAF ? left : DOT_LEAF)});
    }
}

double dot_value(const struct dot_sum *sum)
{
    double value = 0;
    for (size_t i = sum->nnodes; i-- > 0;) /* smallest node first, it stands last */
        value = sum->nodes[i].value + value;
    return value;
}
