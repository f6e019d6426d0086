/* Property: products of small integers are exact, whatever the cut of rows, and
 * the check passes a right product and catches one wrong element. */
#include "kernels/fill.h"
#include "kernels/gemm.h"
#include "tests/unit.h"

#include <math.h>
#include <stdlib.h>

static void fill_integers(double *m, size_t count, uint64_t stream)
{
    for (size_t i = 0; i < count; i++)
        m[i] = (double)(fill_bits(stream, i) % 17) - 8;
}

static void integers_are_exact(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 67; n += 3) {
        double *a = malloc(n * n * sizeof *a), *b = malloc(n * n * sizeof *b);
        double *c = malloc(n * n * sizeof *c);
        fill_integers(a, n * n, 1);
        fill_integers(b, n * n, 2);
        const size_t cut = n / 3;
        gemm_rows(a, b, c, cut, n);
        gemm_rows(a + cut * n, b, c + cut * n, n - cut, n);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                double sum = 0;
                for (size_t k = 0; k < n; k++)
                    sum += a[i * n + k] * b[k * n + j];
                assert_true(c[i * n + j] == sum);
            }
        free(a);
        free(b);
        free(c);
    }
}

struct product {
    size_t n;
    double *a, *b, *c, *bw, *bs;
};

static struct product make(size_t n)
{
    struct product p = {n,
                        malloc(n * n * sizeof(double)),
                        malloc(n * n * sizeof(double)),
                        malloc(n * n * sizeof(double)),
                        malloc(n * sizeof(double)),
                        malloc(n * sizeof(double))};
    gemm_fill(p.a, GEMM_STREAM_A, 0, n, n);
    gemm_fill(p.b, GEMM_STREAM_B, 0, n, n);
    gemm_rows(p.a, p.b, p.c, n, n);
    gemm_project(p.b, p.bw, p.bs, n);
    return p;
}

static double residual(const struct product *p)
{
    return gemm_residual(p->a, p->c, p->bw, p->bs, p->n, p->n);
}

static void release(struct product *p)
{
    free(p->a);
    free(p->b);
    free(p->c);
    free(p->bw);
    free(p->bs);
}

static void one_wrong_element_is_caught(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 8, 100, 300};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct product p = make(sizes[s]);
        assert_true(residual(&p) <= 1);
        for (uint64_t trial = 0; trial < 20; trial++) {
            double *wrong = &p.c[fill_bits(11, trial) % (p.n * p.n)];
            const double right = *wrong;
            *wrong = right * (1 + 1e-9);
            assert_true(residual(&p) > 1);
            *wrong = trial % 2 ? NAN : 0;
            assert_false(residual(&p) <= 1);
            *wrong = right;
        }
        release(&p);
    }
}

static void a_row_left_out_is_caught(void **state)
{
    (void)state;
    struct product p = make(64);
    for (size_t j = 0; j < p.n; j++)
        p.c[63 * p.n + j] = 0;
    assert_true(residual(&p) > 1);
    release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(one_wrong_element_is_caught),
        cmocka_unit_test(a_row_left_out_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
