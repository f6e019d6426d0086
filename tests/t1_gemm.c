/* Property: products of small integers are exact, whatever the cut; the bits of a
 * product by panels are those of its definition; the check passes a right product and
 * catches every error that it says it catches. */
#include "kernels/fill.h"
#include "kernels/gemm.h"
#include "tests/unit.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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
    double *a, *b, *c;
    double *w, *z, *bw, *bs, *cw, *abw, *size, *spare; /* [n] */
};

static struct gemm_block whole(size_t n)
{
    return (struct gemm_block){0, 0, n, n};
}

static struct product make(size_t n)
{
    struct product p = {.n = n,
                        .a = malloc(n * n * sizeof(double)),
                        .b = malloc(n * n * sizeof(double)),
                        .c = malloc(n * n * sizeof(double)),
                        .w = calloc(8 * n, sizeof(double))};
    p.z = p.w + n;
    p.bw = p.z + n;
    p.bs = p.bw + n;
    p.cw = p.bs + n;
    p.abw = p.cw + n;
    p.size = p.abw + n;
    p.spare = p.size + n;
    gemm_fill(p.a, n, GEMM_STREAM_A, whole(n), n, n);
    gemm_fill(p.b, n, GEMM_STREAM_B, whole(n), n, n);
    gemm_rows(p.a, p.b, p.c, n, n);
    gemm_weights(p.w, p.z, n);
    gemm_project(p.b, n, n, n, p.w, p.z, p.bw, p.bs);
    return p;
}

static double residual(const struct product *p)
{
    memset(p->cw, 0, 3 * p->n * sizeof *p->cw);
    gemm_project(p->c, p->n, p->n, p->n, p->w, p->z, p->cw, p->spare);
    gemm_project(p->a, p->n, p->n, p->n, p->bw, p->bs, p->abw, p->size);
    return gemm_residual(p->cw, p->abw, p->size, p->n, p->n);
}

static void release(struct product *p)
{
    free(p->a);
    free(p->b);
    free(p->c);
    free(p->w);
}

static const size_t sizes[] = {1, 2, 8, 100, 300};
enum { NSIZES = sizeof sizes / sizeof *sizes };

/* What the header says is always found: 20 n u size_i. */
static void one_wrong_element_is_caught(void **state)
{
    (void)state;
    for (size_t s = 0; s < NSIZES; s++) {
        struct product p = make(sizes[s]);
        assert_true(residual(&p) <= (p.n == 1 ? 1 : 0.2));
        for (uint64_t trial = 0; trial < 20; trial++) {
            const size_t pick = fill_bits(11, trial) % (p.n * p.n);
            double *wrong = &p.c[pick];
            const double right = *wrong;
            *wrong = right + 20 * (double)p.n * 0x1p-53 * p.size[pick / p.n] * 1.01;
            assert_true(residual(&p) > 1);
            *wrong = trial % 2 ? NAN : 0;
            assert_false(residual(&p) <= 1);
            *wrong = right;
        }
        release(&p);
    }
}

/* Equal and opposite errors in each row: signs alone would miss half of them. */
static void exchanged_columns_are_caught(void **state)
{
    (void)state;
    struct product p = make(100);
    for (size_t one = 0; one + 1 < p.n; one++) {
        for (int back = 0; back < 2; back++) {
            for (size_t i = 0; i < p.n; i++) {
                double *c = p.c + i * p.n + one, keep = c[0];
                c[0] = c[1];
                c[1] = keep;
            }
            assert_true(back ? residual(&p) <= 1 : residual(&p) > 1);
        }
    }
    release(&p);
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

/* A sum in parts, as processes make it, is the same check. */
static void parts_add_up(void **state)
{
    (void)state;
    struct product p = make(100);
    const double at_once = residual(&p);
    memset(p.cw, 0, 3 * p.n * sizeof *p.cw);
    for (size_t from = 0; from < p.n; from += 40) {
        const size_t k = p.n - from < 40 ? p.n - from : 40;
        gemm_project(p.c + from, p.n, p.n, k, p.w + from, p.z + from, p.cw, p.spare);
        gemm_project(p.a + from, p.n, p.n, k, p.bw + from, p.bs + from, p.abw, p.size);
    }
    const double parts = gemm_residual(p.cw, p.abw, p.size, p.n, p.n);
    assert_true(at_once > 0 && parts > 0 && parts < 0.2);
    release(&p);
}

/* C by panels, cut into blocks as (rows x columns) processes would; zeros beyond n. */
static double *by_panels(size_t n, size_t panel, size_t rows, size_t columns)
{
    const size_t ld = (n + GEMM_CUT - 1) / GEMM_CUT * GEMM_CUT;
    double *a = malloc(ld * ld * sizeof *a), *b = malloc(ld * ld * sizeof *b);
    double *c = malloc(ld * ld * sizeof *c);
    gemm_fill(a, ld, GEMM_STREAM_A, whole(ld), n, n);
    gemm_fill(b, ld, GEMM_STREAM_B, whole(ld), n, n);
    for (size_t i = 0; i < ld; i += rows)
        for (size_t j = 0; j < ld; j += columns)
            for (size_t k = 0; k < n; k += panel) {
                const struct gemm_panel p = {a + i * ld + k, b + k * ld + j, ld, ld,
                                             n - k < panel ? n - k : panel};
                gemm_panel(&p, c + i * ld + j, ld, ld - i < rows ? ld - i : rows,
                           ld - j < columns ? ld - j : columns, k == 0);
            }
    free(a);
    free(b);
    return c;
}

static bool cpu_has_fma(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("fma");
#else
    return true;
#endif
}

static void bits_are_those_of_the_definition(void **state)
{
    (void)state;
    if (!cpu_has_fma())
        skip(); /* the library's code then rounds each product too */
    openblas_set_num_threads(1);
    static const size_t cases[][2] = {{1, 1},     {7, 256},   {64, 16},  {100, 7},
                                      {203, 256}, {300, 300}, {521, 512}};
    static const size_t cuts[][2] = {{1000, 1000}, {8, 1000}, {1000, 8}, {24, 40}, {104, 200}};
    for (size_t s = 0; s < sizeof cases / sizeof *cases; s++) {
        const size_t n = cases[s][0], panel = cases[s][1],
                     ld = (n + GEMM_CUT - 1) / GEMM_CUT * GEMM_CUT;
        for (size_t cut = 0; cut < sizeof cuts / sizeof *cuts; cut++) {
            double *c = by_panels(n, panel, cuts[cut][0], cuts[cut][1]);
            for (size_t i = 0; i < n; i += 1 + n / 13)
                for (size_t j = 0; j < n; j++)
                    assert_true(c[i * ld + j] == gemm_chain(i, j, n, panel));
            free(c);
        }
    }
}

static void checksum_knows_bits_and_places(void **state)
{
    (void)state;
    struct product p = make(50);
    const uint64_t sum = gemm_checksum(p.c, p.n, whole(p.n), p.n);
    const struct gemm_block left = {0, 0, 50, 17}, right = {0, 17, 50, 33};
    assert_true(sum ==
                gemm_checksum(p.c, p.n, left, p.n) + gemm_checksum(p.c + 17, p.n, right, p.n));
    const double first = p.c[0];
    p.c[0] = nextafter(first, 1e9);
    assert_true(sum != gemm_checksum(p.c, p.n, whole(p.n), p.n));
    p.c[0] = p.c[1];
    p.c[1] = first;
    assert_true(sum != gemm_checksum(p.c, p.n, whole(p.n), p.n));
    release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(one_wrong_element_is_caught),
        cmocka_unit_test(exchanged_columns_are_caught),
        cmocka_unit_test(a_row_left_out_is_caught),
        cmocka_unit_test(parts_add_up),
        cmocka_unit_test(bits_are_those_of_the_definition),
        cmocka_unit_test(checksum_knows_bits_and_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
