/* Property: the bits of a dot product depend on the vectors alone: not on how
 * leaves are dealt to workers, nor on the instruction set; and its error stays
 * inside the bound that dot.h states. */
#include "kernels/dot.h"
#include "kernels/fill.h"
#include "tests/unit.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* seed 0: ranges that differ by one leaf at most, as share.h deals them; else uneven
 * ones, of which some are empty. */
static uint64_t cut(uint64_t leaves, uint64_t first, uint64_t w, uint64_t workers, uint64_t seed)
{
    if (w + 1 == workers)
        return leaves;
    if (seed == 0)
        return leaves * (w + 1) / workers;
    const uint64_t end = first + fill_bits(seed, w) % (3 * leaves / workers + 2);
    return end < leaves ? end : leaves;
}

static double value_by(const double *x, const double *y, uint64_t n, uint64_t workers,
                       uint64_t seed)
{
    struct dot_sum whole = {.nnodes = 0};
    const uint64_t leaves = dot_leaves(n);
    uint64_t first = 0;
    for (uint64_t w = 0; w < workers; w++) {
        const uint64_t end = cut(leaves, first, w, workers, seed);
        struct dot_sum part;
        dot_range(x + first * DOT_LEAF, y + first * DOT_LEAF, n, first, end, &part);
        for (size_t i = 0; i < part.nnodes; i++)
            dot_push(&whole, &part.nodes[i]);
        first = end;
    }
    return dot_value(&whole);
}

static double *vector(uint64_t n, uint64_t stream)
{
    double *v = malloc(n * sizeof *v);
    for (uint64_t i = 0; i < n; i++)
        v[i] = fill_uniform(stream, i) - 0.5; /* a sum near 0 hides no last bit */
    return v;
}

static void same_bits_for_every_split(void **state)
{
    (void)state;
    enum { L = DOT_LEAF };
    static const uint64_t sizes[] = {1,       31,          33,     L - 1,      L,
                                     L + 1,   16 * L - 1,  16 * L, 16 * L + 1, 65 * L + 7,
                                     128 * L, 200 * L - 5, 1234567};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        double *x = vector(sizes[s], 1), *y = vector(sizes[s], 2);
        const double alone = value_by(x, y, sizes[s], 1, 0);
        for (uint64_t workers = 1; workers <= 64; workers++)
            for (uint64_t seed = 0; seed < 4; seed++) {
                const double other = value_by(x, y, sizes[s], workers, seed);
                assert_memory_equal(&alone, &other, sizeof alone);
            }
        free(x);
        free(y);
    }
}

/* A run of leaves against the same leaves one by one: in so short vectors no larger sum
 * absorbs a last bit that another tree would change. */
static void leaves_together_make_the_same_tree(void **state)
{
    (void)state;
    enum { LEAVES = 17, N = LEAVES * DOT_LEAF };
    for (uint64_t stream = 0; stream < 64; stream += 2) {
        double *x = vector(N, 100 + stream), *y = vector(N, 101 + stream);
        for (uint64_t leaves = 2; leaves <= LEAVES; leaves++) {
            struct dot_sum whole = {.nnodes = 0}, leaf;
            for (uint64_t i = 0; i < leaves; i++) {
                dot_range(x + i * DOT_LEAF, y + i * DOT_LEAF, leaves * DOT_LEAF, i, i + 1, &leaf);
                dot_push(&whole, leaf.nodes);
            }
            const double apart = dot_value(&whole);
            const double at_once = value_by(x, y, leaves * DOT_LEAF, 1, 0);
            assert_memory_equal(&apart, &at_once, sizeof apart);
        }
        free(x);
        free(y);
    }
}

static const char *const variants[] = {"avx512f", "avx2+fma", "generic"};
enum { NVARIANTS = sizeof variants / sizeof *variants };

/* Returns how many variants this CPU can run. */
static int check_variants(const double *x, const double *y, uint64_t n)
{
    int ran = 0;
    assert_int_equal(dot_choose("generic"), 0);
    const double generic = value_by(x, y, n, 1, 0);
    for (int v = 0; v < NVARIANTS; v++) {
        if (dot_choose(variants[v]) < 0)
            continue;
        assert_string_equal(dot_variant(), variants[v]);
        const double other = value_by(x, y, n, 1, 0);
        assert_memory_equal(&generic, &other, sizeof other);
        ran++;
    }
    dot_choose(NULL);
    return ran;
}

static void same_bits_for_every_instruction_set(void **state)
{
    (void)state;
    enum { N = 54321 };
    double *x = vector(N, 3), *y = vector(N, 4);
    int ran = 0;
    for (uint64_t n = 1; n <= N; n = n < 400 ? n + 1 : n * 3 / 2)
        ran = check_variants(x, y, n);
    assert_true(ran >= 1);
    print_message("%d of %d variants run here\n", ran, NVARIANTS);
    free(x);
    free(y);
}

/* Products that underflow to -0 leave nothing but signs; in a tail of four the rest of
 * its eight lanes is +0 by the contract, and so is the sum. */
static void same_sign_of_zero_for_every_instruction_set(void **state)
{
    (void)state;
    static double x[64], y[64];
    for (int i = 0; i < 64; i++) {
        x[i] = -1e-200;
        y[i] = 1e-200;
    }
    for (uint64_t n = 32; n <= 64; n++) {
        check_variants(x, y, n);
        assert_int_equal(signbit(value_by(x, y, n, 1, 0)) != 0, n % 8 == 0);
    }
}

static void small_integers_are_exact(void **state)
{
    (void)state;
    enum { N = 3 * DOT_LEAF + 17 };
    static double x[N], y[N];
    int64_t exact = 0;
    for (int i = 0; i < N; i++) {
        x[i] = (double)(int64_t)(fill_bits(5, (uint64_t)i) % 2001) - 1000;
        y[i] = (double)(int64_t)(fill_bits(6, (uint64_t)i) % 2001) - 1000;
        exact += (int64_t)x[i] * (int64_t)y[i];
    }
    assert_true(value_by(x, y, N, 3, 1) == (double)exact);
}

#if LDBL_MANT_DIG == 113
typedef long double wide;
#else
typedef __float128 wide;
#endif

/* Returns the condition number: sum |x y| over |sum x y|. The exact sum is known to
 * n 2^-113 of sum |x y|, 40 bits better than the bound asks for. */
static double check_bound(const double *x, const double *y, uint64_t n)
{
    wide exact = 0, size = 0;
    for (uint64_t i = 0; i < n; i++) {
        exact += (wide)x[i] * y[i];
        size += fabs(x[i] * y[i]);
    }
    const double error = fabs((double)(value_by(x, y, n, 1, 0) - exact));
    assert_true(error <= dot_bound(n) * (double)size);
    return (double)(size / (exact < 0 ? -exact : exact));
}

static void error_is_inside_the_bound(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {3, 100, 1000, 30000, 1000003};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        double *x = vector(sizes[s], 7), *y = vector(sizes[s], 8);
        check_bound(x, y, sizes[s]);
        free(x);
        free(y);
    }
}

/* Large parts that cancel: each product but the last few has its opposite, somewhere
 * else in the vector, and magnitudes spread over 2^120. */
static void ill_conditioned_vectors_too(void **state)
{
    (void)state;
    enum { N = 100001, HALF = N / 2 };
    double *x = vector(N, 7), *y = vector(N, 8);
    double worst = 0;
    for (int spread = 1; spread <= 60; spread += 20) {
        for (uint64_t i = 0; i < HALF; i++) {
            const uint64_t twin = HALF + (i * 31 + 7) % HALF;
            x[i] = ldexp(fill_uniform(7, i), (int)(fill_bits(9, i) % (unsigned)spread));
            y[i] = ldexp(fill_uniform(8, i), (int)(fill_bits(10, i) % (unsigned)spread));
            x[twin] = -x[i];
            y[twin] = y[i] * (1 + 0x1p-50);
        }
        x[N - 1] = 0;
        worst = fmax(worst, check_bound(x, y, N));
    }
    assert_true(worst > 1e14); /* nothing but the bound is left of such a sum */
    free(x);
    free(y);
}

static void every_variant_keeps_the_bits(void **state)
{
    (void)state;
    for (int v = 0; v < NVARIANTS; v++)
        if (dot_choose(variants[v]) == 0)
            assert_true(dot_keeps_bits());
    dot_choose(NULL);
}

/* Zen 4 alone has two instruction sets; elsewhere no size may change anything. */
static void size_chooses_and_keeps_the_bits(void **state)
{
    (void)state;
    enum { L1 = 4 * 16384, L2 = 16 * 16384, L3 = 128 * 16384, N = 2 * L3 / 16 };
    static const struct {
        uint64_t bytes;
        bool wide;
    } ranges[] = {{0, false},
                  {L1, false},
                  {L1 + 16384, true},
                  {L2 / 4 * 5, true},
                  {L3 / 2, false},
                  {L3 / 8 * 5, true},
                  {L3, true},
                  {L3 / 4 * 5, true},
                  {2 * L3, false},
                  {UINT64_MAX, false},
                  {L2 / 4 * 5 + 1, false}};
    double *x = vector(N, 3), *y = vector(N, 4);
    dot_choose(NULL);
    const char *const usual = dot_variant();
    dot_fit((size_t[3]){L1, L2, L3});
    const bool both = strchr(dot_variant(), ',') != NULL;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const bool other = both && ranges[i].wide;
        assert_string_equal(dot_variant_at(ranges[i].bytes), other ? "avx512f" : usual);
    }
    for (uint64_t n = DOT_LEAF; n <= N; n = n * 5 / 4) {
        dot_choose("generic");
        const double generic = value_by(x, y, n, 1, 0);
        dot_choose(NULL);
        dot_fit((size_t[3]){L1, L2, L3});
        const double fitted = value_by(x, y, n, 1, 0);
        assert_memory_equal(&generic, &fitted, sizeof fitted);
    }
    dot_choose(NULL);
    assert_string_equal(dot_variant(), usual);
    dot_fit((size_t[3]){0, 0, 0}); /* not known */
    assert_string_equal(dot_variant(), usual);
    print_message("by size: %s\n", both ? "yes" : "no");
    free(x);
    free(y);
}

static int choose(void **state)
{
    (void)state;
    return dot_choose(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_for_every_split),
        cmocka_unit_test(leaves_together_make_the_same_tree),
        cmocka_unit_test(same_bits_for_every_instruction_set),
        cmocka_unit_test(size_chooses_and_keeps_the_bits),
        cmocka_unit_test(same_sign_of_zero_for_every_instruction_set),
        cmocka_unit_test(small_integers_are_exact),
        cmocka_unit_test(error_is_inside_the_bound),
        cmocka_unit_test(ill_conditioned_vectors_too),
        cmocka_unit_test(every_variant_keeps_the_bits),
    };
    return cmocka_run_group_tests(tests, choose, NULL);
}
