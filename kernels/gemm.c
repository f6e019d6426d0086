#include "kernels/gemm.h"

#include "kernels/fill.h"

#include <cblas.h>
#include <math.h>

struct gemm_block gemm_inside(struct gemm_block at, size_t rows, size_t n)
{
    if (at.row + at.rows > rows)
        at.rows = at.row < rows ? rows - at.row : 0;
    if (at.column + at.columns > n)
        at.columns = at.column < n ? n - at.column : 0;
    return at;
}

void gemm_fill(double *m, size_t ld, uint64_t stream, struct gemm_block at, size_t rows, size_t n)
{
    for (size_t i = 0; i < at.rows; i++)
        for (size_t j = 0; j < at.columns; j++) {
            const size_t row = at.row + i, column = at.column + j;
            m[i * ld + j] = row < rows && column < n ? fill_uniform(stream, row * n + column) : 0;
        }
}

void gemm_rows(const double *restrict a, const double *restrict b, double *restrict c, size_t rows,
               size_t n)
{
    const int m = (int)rows, k = (int)n;
    if (m)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, k, k, 1.0, a, k, b, k, 0.0, c, k);
}

void gemm_panel(const struct gemm_panel *p, double *restrict c, size_t ldc, size_t rows,
                size_t columns, int first)
{
    if (!rows || !columns)
        return;
    for (size_t from = 0; from < p->k; from += GEMM_SLICE) {
        const size_t k = p->k - from < GEMM_SLICE ? p->k - from : GEMM_SLICE;
        const double keep = first && from == 0 ? 0 : 1;
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)columns, (int)k, 1.0,
                    p->a + from, (int)p->lda, p->b + from * p->ldb, (int)p->ldb, keep, c, (int)ldc);
    }
}

double gemm_chain(size_t i, size_t j, size_t n, size_t panel)
{
    double c = 0, sum = 0;
    size_t left = 0; /* of the slice */
    for (size_t k = 0; k < n; k++, left--) {
        if (k % panel == 0 || left == 0) {
            c += sum;
            sum = 0;
            left = panel - k % panel < GEMM_SLICE ? panel - k % panel : GEMM_SLICE;
        }
        sum = fma(fill_uniform(GEMM_STREAM_A, i * n + k), fill_uniform(GEMM_STREAM_B, k * n + j),
                  sum);
    }
    return c + sum;
}

uint64_t gemm_checksum(const double *c, size_t ld, struct gemm_block at, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < at.rows; i++)
        for (size_t j = 0; j < at.columns; j++) {
            const union {
                double value;
                uint64_t bits;
            } element = {c[i * ld + j]};
            sum += fill_bits(element.bits, (at.row + i) * n + at.column + j);
        }
    return sum;
}

void gemm_weights(double *w, double *z, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        const uint64_t bits = fill_bits(GEMM_STREAM_W, j);
        z[j] = 0.5 + (double)(bits >> 12) * 0x1p-53;
        w[j] = bits & 1 ? z[j] : -z[j];
    }
}

void gemm_project(const double *m, size_t ld, size_t rows, size_t columns, const double *x,
                  const double *z, double *restrict y, double *restrict s)
{
    for (size_t i = 0; i < rows; i++) {
        double sum = 0, size = 0;
        for (size_t j = 0; j < columns; j++) {
            sum += m[i * ld + j] * x[j];
            size += fabs(m[i * ld + j]) * z[j];
        }
        y[i] += sum;
        s[i] += size;
    }
}

double gemm_residual(const double *cw, const double *abw, const double *size, size_t rows, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < rows; i++) {
        const double ratio = fabs(cw[i] - abw[i]) / (5 * (double)n * 0x1p-53 * size[i]);
        if (isnan(ratio))
            return ratio; /* a comparison would lose it */
        worst = ratio > worst ? ratio : worst;
    }
    return worst;
}
