/* Property: the bits of a dot product depend on the vectors alone: not on how
 * leaves are dealt to workers, nor on the instruction set; and its error stays
 * inside the bound that dot.h states. */
#include "kernels/dot.h"
#include "kernels/fill.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double value_by(const double *x, const double *y, uint64_t n, int workers, uint64_t seed)
{
    struct dot_sum whole = {.nnodes = 0};
    const uint64_t leaves = dot_leaves(n);
    uint64_t first = 0;
    for (int w = 0; w < workers; w++) { /* uneven on purpose; some get nothing */
        uint64_t end =
            w == workers - 1 ? leaves : first + fill_bits(seed, (uint64_t)w) % (leaves + 1);
        end = end > leaves ? leaves : end;
        struct dot_sum part;
        dot_range(x + first * DOT_LEAF, y + first * DOT_LEAF, n, first, end, &part);
        for (size_t i = 0; i < part.nnodes; i++)
            dot_push(&whole, part.nodes[i]);
        first = end;
    }
    return dot_value(&whole);
}

static double *vector(uint64_t n, uint64_t stream)
{
    double *v = malloc(n * sizeof *v);
    for (uint64_t i = 0; i < n; i++)
        v[i] = fill_uniform(stream, i) - 0.25;
    return v;
}

static void same_bits_for_every_split(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 31, 32, 33, 4095, 4096, 4097, 100000, 1234567};
    static const int workers[] = {1, 2, 3, 4, 5, 7, 16, 64};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        double *x = vector(sizes[s], 1), *y = vector(sizes[s], 2);
        const double alone = value_by(x, y, sizes[s], 1, 0);
        for (size_t w = 0; w < sizeof workers / sizeof *workers; w++)
            for (uint64_t seed = 0; seed < 8; seed++) {
                const double other = value_by(x, y, sizes[s], workers[w], seed);
                assert_memory_equal(&alone, &other, sizeof alone);
            }
        free(x);
        free(y);
    }
}

/* Four leaves at once against the same leaves one by one: in so short a vector no
 * larger sum absorbs a last bit that another tree would change. */
static void four_leaves_make_the_same_tree(void **state)
{
    (void)state;
    enum { N = 4 * DOT_LEAF };
    for (uint64_t stream = 0; stream < 64; stream += 2) {
        double *x = vector(N, 100 + stream), *y = vector(N, 101 + stream);
        struct dot_sum whole = {.nnodes = 0}, leaf;
        for (uint64_t i = 0; i < 4; i++) {
            dot_range(x + i * DOT_LEAF, y + i * DOT_LEAF, N, i, i + 1, &leaf);
            dot_push(&whole, leaf.nodes[0]);
        }
        const double apart = dot_value(&whole), at_once = value_by(x, y, N, 1, 0);
        assert_memory_equal(&apart, &at_once, sizeof apart);
        free(x);
        free(y);
    }
}

static void same_bits_for_every_instruction_set(void **state)
{
    (void)state;
    static const char *const variants[] = {"avx512f", "avx2+fma", "generic"};
    static const uint64_t sizes[] = {1, 7, 8, 9, 31, 33, 500, 4095, 4097, 54321};
    int ran = 0;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        double *x = vector(sizes[s], 3), *y = vector(sizes[s], 4);
        assert_int_equal(dot_choose("generic"), 0);
        const double generic = value_by(x, y, sizes[s], 1, 0);
        for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
            if (dot_choose(variants[v]) < 0)
                continue;
            assert_string_equal(dot_variant(), variants[v]);
            const double other = value_by(x, y, sizes[s], 1, 0);
            assert_memory_equal(&generic, &other, sizeof other);
            ran++;
        }
        free(x);
        free(y);
    }
    dot_choose(NULL);
    assert_true(ran >= 10);
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

/* exact: __float128 holds the sum of these with 60 bits to spare. */
static void check_bound(const double *x, const double *y, uint64_t n)
{
    __float128 exact = 0, size = 0;
    for (uint64_t i = 0; i < n; i++) {
        exact += (__float128)x[i] * y[i];
        size += fabs(x[i] * y[i]);
    }
    const double k = DOT_LEAF / 32 + 5 + ceil(log2((double)dot_leaves(n))) + 1, u = 0x1p-53;
    const double error = fabs((double)((__float128)value_by(x, y, n, 1, 0) - exact));
    assert_true(error <= k * u / (1 - k * u) * (double)size);
}

static void error_is_inside_the_bound(void **state)
{
    (void)state;
    const uint64_t n = 200003;
    double *x = vector(n, 7), *y = vector(n, 8);
    check_bound(x, y, n);
    for (uint64_t i = 0; i < n; i++) { /* ill-conditioned: large parts that cancel */
        x[i] = ldexp(x[i], (int)(fill_bits(9, i) % 60));
        if (i % 2)
            x[i] = -x[i - 1] * (1 + 0x1p-30), y[i] = y[i - 1];
    }
    check_bound(x, y, n);
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
        cmocka_unit_test(four_leaves_make_the_same_tree),
        cmocka_unit_test(same_bits_for_every_instruction_set),
        cmocka_unit_test(small_integers_are_exact),
        cmocka_unit_test(error_is_inside_the_bound),
    };
    return cmocka_run_group_tests(tests, choose, NULL);
}
